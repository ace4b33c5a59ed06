"""JSON that comes in pieces: any cut gives the output of the whole, and the whole is what masking each string gives."""

import json
import re
from functools import cache

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.binary_body import BinaryBody
from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.text_body import TextBody
from ostiary.masking.engine import Masker, MaskingEngine
from ostiary.model.errors import MaskingFailedError
from ostiary.model.finding import Finding
from ostiary.model.masking import Action, MaskingRule, Where
from ostiary.protocols.json_gaps import LONG_NUMBER, START, following, stray_from

EVERYWHERE = frozenset(Where)
TEXTS = (
    MaskingRule("words", EVERYWHERE, words=("sword", "a\nb/c")),
    MaskingRule("parts", EVERYWHERE, pattern="abcabd|swordfish"),
    MaskingRule("keyed", EVERYWHERE, pattern=r'"password"\s{0,3}:\s{0,3}"(?P<value>[a-z0-9/]{4,12})'),
    MaskingRule("addresses", EVERYWHERE, detectors=("email", "payment-card")),
    MaskingRule("long", EVERYWHERE, pattern="key-[a-z]+"),
    MaskingRule("seen", EVERYWHERE, words=("notice",), action=Action.REPORT),
)
FIELDS = (
    MaskingRule("names", EVERYWHERE, fields=("ssn", "Secret")),
    MaskingRule("watched", EVERYWHERE, fields=("watched",), action=Action.REPORT),
)
POINTERS = (MaskingRule("pointers", EVERYWHERE, fields=("/user/ssn", "/list/*/id", "/list/1", "/*/deep")),)
RULES = {"texts": TEXTS, "fields": TEXTS + FIELDS, "pointers": TEXTS + FIELDS + POINTERS}


@cache
def engine_of(name: str) -> MaskingEngine:
    return MaskingEngine(RULES[name], b"k" * 32)


BUSY = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

SPELLED = (
    "abcabd",
    "abcab",
    "swordfish",
    "sword",
    "joe@example.com",
    "key-abc",
    "4111111111111111",
    "a\nb/c",
    "notice",
)
WORDS = st.sampled_from(
    [*SPELLED, *("password", "hunter22", "ssn", "é", "😀", "\ud83d", "x", "@", "a", "-", '"', "\\", " ")]
)
TEXT = st.lists(WORDS, max_size=5).map("".join)
KEYS = st.sampled_from(["password", "ssn", "SECRET", "watched", "user", "list", "deep", "id", "abcabd", "k", ""])
VALUES = st.recursive(
    TEXT | st.sampled_from([4111111111111111, 4111111111111112, 17, -1.5e-7, True, False, None, 10**120]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
SCRAPS = (
    rb"""" { } [ ] , : \ \u00 \ud83d \ude00 \" \\ abcabd swordfish "password" "password":" hunter22 joe@example.com """
    rb"""a\nb\/c 4111111111111111 1.5 tr ue null "ssn" "ssn": "user":{ "list":[ key- abc \u0061bcabd -"""
).split(b" ")
BROKEN = st.lists(
    st.sampled_from(
        [*SCRAPS, b" ", b"\n", b"\0", b"4111 1111 1111 1111", b"\xff", b"\xe2\x82", b"\xef\xbb\xbf", b"9" * 1300]
    ),
    max_size=14,
).map(b"".join)


@st.composite
def written(draw: st.DrawFn, value: object) -> bytes:
    """`value` as JSON with escapes where none are needed, and any spacing."""
    indent = draw(st.sampled_from([None, None, 1]))
    source = json.dumps(value, ensure_ascii=False, indent=indent, separators=draw(st.sampled_from([None, (",", ":")])))
    picks = draw(st.lists(st.integers(0, 11), min_size=1, max_size=20))
    turn = iter(range(10**9))

    def escape(found: re.Match[str]) -> str:
        pick = picks[next(turn) % len(picks)]
        letter = found[0]
        if len(letter) == 2:
            return letter
        if pick == 0 or "\ud800" <= letter <= "\udfff":
            return f"\\u{ord(letter):04x}"
        return f"\\u{ord(letter):04X}" if pick == 1 else "\\/" if letter == "/" else letter

    def escape_some(string: re.Match[str]) -> str:
        return re.sub(r"\\.|[a-z/@é\ud800-\udfff]", escape, string[0])

    return re.sub(r'"(?:[^"\\]|\\.)*"', escape_some, source).encode("utf-8", "surrogatepass")


DOCUMENTS = VALUES.flatmap(written)
BODIES = (
    DOCUMENTS | BROKEN | st.tuples(DOCUMENTS, BROKEN).map(b"".join) | st.tuples(DOCUMENTS, DOCUMENTS).map(b"\n".join)
)


def pieces_of(data: bytes, edges: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in zip([0, *edges], [*edges, len(data)], strict=True)]


def through(body: Body, pieces: list[bytes]) -> bytes:
    return b"".join([*map(body.feed, pieces), body.finish()])


def masked(engine: str, pieces: list[bytes]) -> tuple[bytes, set[Finding]]:
    masker = engine_of(engine).masker()
    return through(JsonBody(masker), pieces), set(masker.findings())


@BUSY
@given(st.data(), st.sampled_from(sorted(RULES)), BODIES)
def test_any_cut_gives_the_output_of_the_whole(data: st.DataObject, engine: str, body: bytes) -> None:
    whole = masked(engine, [body])
    edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    assert masked(engine, pieces_of(body, edges)) == whole
    assert masked(engine, pieces_of(body, list(range(1, len(body))))) == whole


@BUSY
@given(BODIES)
@example(b'"ab"\\"swordfish"')
def test_the_whole_is_every_string_masked_by_itself(body: bytes) -> None:
    masker = engine_of("texts").masker()
    assert through(JsonBody(masker), [body]) == one_by_one(masker, body)


@BUSY
@given(st.data(), DOCUMENTS)
def test_json_stays_json_and_keeps_what_is_not_masked(data: st.DataObject, document: bytes) -> None:
    engine = data.draw(st.sampled_from(sorted(RULES)))
    output, findings = masked(engine, [document])
    json.loads(output)
    for word in (b"abcabd", b"swordfish"):
        assert word not in json.dumps(json.loads(output)).encode()
    if not findings:
        assert output == document


STRING = re.compile(rb'(?s)((?:[^"\\]|\\.)*)"((?:[^"\\]|\\.|\\\Z)*)("|\Z)')
UNIT = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[0-9a-fA-F]{4}|\\[^u]|.", re.DOTALL)


def one_by_one(masker: Masker, body: bytes) -> bytes:
    """Slow and plain: every gap and string in turn, each decoded unit by unit."""
    output, context, at = b"", START, 0
    while string := STRING.match(body, at):
        gap, text, close = string.groups()
        output += masked_gap(masker, context, gap) + b'"'
        context = following(context, gap)
        output += masked_units(masker, context + b'"', text) + close
        context = (b'"' + b"".join(plain for plain, _ in units(text)) + b'"')[-80:]
        at = string.end()
    return output + masked_gap(masker, context, body[at:])


def masked_gap(masker: Masker, context: bytes, gap: bytes) -> bytes:
    stray = stray_from(gap)
    output, at = b"", 0
    for number in LONG_NUMBER.finditer(gap, 0, stray):
        context = following(context, gap[at : number.start()])
        new = masked_units(masker, context, number[0])
        output += gap[at : number.start()] + (number[0] if new == number[0] else b'"%b"' % new)
        context, at = following(context, number[0]), number.end()
    context = following(context, gap[at:stray])
    return output + gap[at:stray] + masked_units(masker, context, gap[stray:])


def masked_units(masker: Masker, before: bytes, raw: bytes) -> bytes:
    written_units = units(raw)
    _, edits = masker.stream("body", before).cut(b"".join(plain for plain, _ in written_units), True)
    output, at = b"", 0
    for plain, unit in written_units:
        for start, end, replacement in edits:
            if at <= start < at + len(plain):
                output += json.dumps(replacement.decode(), ensure_ascii=False)[1:-1].encode()
            if start < at + len(plain) and end > at:
                unit = b""
        output += unit
        at += len(plain)
    return output


def units(raw: bytes) -> list[tuple[bytes, bytes]]:
    return [(plain_unit(unit), unit) for unit in UNIT.findall(raw)]


def plain_unit(unit: bytes) -> bytes:
    try:
        text: str = json.loads(b'"' + unit + b'"', strict=False) if unit[:1] == b"\\" else ""
        return text.encode("utf-8", "surrogatepass") or unit
    except ValueError:
        return unit


@BUSY
@given(st.data(), TEXT, st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-16-be"]), st.sampled_from([b"", b"\x00"]))
def test_text_in_any_width_is_masked_as_the_text_is(data: st.DataObject, text: str, codec: str, odd: bytes) -> None:
    text = "k" + text
    body = text.encode(codec, "surrogatepass") + (odd if codec != "utf-8" else b"")
    masker = engine_of("texts").masker()
    stream = masker.stream("body")
    plain = stream.feed(text.encode("utf-8", "surrogatepass")) + stream.finish()
    expected = plain.decode("utf-8", "surrogatepass").encode(codec, "surrogatepass") + body[len(body) - len(odd) :]
    declared = b"text/plain; charset=" + codec.replace("-le", "le").replace("-be", "be").encode()
    edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    for pieces in (pieces_of(body, edges), pieces_of(body, list(range(1, len(body))))):
        assert through(TextBody(engine_of("texts").masker(), declared), pieces) == (
            expected if codec != "utf-8" else plain
        )


@BUSY
@given(st.data(), BROKEN)
def test_a_binary_body_passes_whole_or_stops_before_what_is_found(data: st.DataObject, body: bytes) -> None:
    edits = engine_of("texts").masker().stream("body").cut(body, True)[1]
    for edges in (sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8))), list(range(1, len(body)))):
        binary = BinaryBody(engine_of("texts").masker())
        passed = b""
        if not edits:
            assert through(binary, pieces_of(body, edges)) == body
            continue
        with pytest.raises(MaskingFailedError):  # noqa: PT012 - what passed before counts, too
            for piece in pieces_of(body, edges):
                passed += binary.feed(piece)
            passed += binary.finish()
        assert body.startswith(passed)
        assert len(passed) <= edits[0].start
