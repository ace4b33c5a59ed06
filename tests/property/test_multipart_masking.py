"""Multipart bodies: any cut gives the output of the whole, and the whole is every part masked by itself."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.choosing import body_for
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingFailedError
from ostiary.model.masking import MaskingRule, Where

EVERYWHERE = frozenset(Where)
ENGINE = MaskingEngine(
    (
        MaskingRule("parts", EVERYWHERE, pattern="abcabd|swordfish"),
        MaskingRule("keyed", EVERYWHERE, pattern=r"password=(?P<value>[a-z0-9/]{4,12})"),
        MaskingRule("lines", EVERYWHERE, words=("a\nb", "--x")),
        MaskingRule("addresses", EVERYWHERE, detectors=("email",)),
        MaskingRule("names", EVERYWHERE, fields=("ssn",)),
    ),
    b"k" * 32,
)
TYPE = b"multipart/form-data; boundary=xY"
BUSY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
SCRAPS = (
    b"abcabd", b"abcab", b"swordfish", b"joe@example.com", b"hunter22", b"a\nb", b"\r", b"\n", b"\r\n", b"-", b"--",
    b"--x",
    b"x", b" ", "é".encode(), b"\xff", b"\0", b'"', b"{", b"}", b'{"ssn":1,"a":"\\u0061bcabd"}',
    b"data: abc\n\n", b"abd",
)  # fmt: skip
CONTENT = st.lists(st.sampled_from(SCRAPS), max_size=8).map(b"".join)
NAMES = (b"a", b"password", b"ssn", b"user[ssn]", b"abcabd")
FIELDS = (
    b"Content-Type: text/plain; charset=utf-8", b"Content-Type: application/json", b"Content-Type: image/png",
    b"content-type:\r\n text/event-stream", b"X-Note: abcabd", b"Content-Transfer-Encoding: 8bit",
    b"Content-Type: application/x-www-form-urlencoded",
)  # fmt: skip


@st.composite
def parts(draw: st.DrawFn) -> tuple[bytes, bytes]:
    fields = draw(st.lists(st.sampled_from(FIELDS), max_size=2, unique_by=lambda field: field[:9].lower()))
    if draw(st.booleans()):
        extra = draw(st.sampled_from([b"", b'; filename="abcabd.txt"']))
        fields.append(b'Content-Disposition: form-data; name="%b"%b' % (draw(st.sampled_from(NAMES)), extra))
    return b"".join(field + b"\r\n" for field in fields), draw(CONTENT)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    line_end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\n"]))
    out = [draw(CONTENT), line_end] if draw(st.booleans()) else []
    for head, content in draw(st.lists(parts(), max_size=3)):
        out += [b"--xY", draw(st.sampled_from([b"", b" \t"])), line_end, head, line_end, content, line_end]
    out += draw(st.sampled_from([[], [b"--xY--"], [b"--xY--", line_end, draw(CONTENT)], [b"--xY"], [b"--x"]]))
    return b"".join(out)


def pieces_of(data: bytes, edges: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in zip([0, *edges], [*edges, len(data)], strict=True)]


def through(body: Body, pieces: list[bytes]) -> bytes | None:
    try:
        return b"".join([*map(body.feed, pieces), body.finish()])
    except MaskingFailedError:
        return None


def masked(pieces: list[bytes], content_type: bytes = TYPE) -> bytes | None:
    """None where it is refused."""
    return through(body_for(content_type, ENGINE.masker(), ()), pieces)


@BUSY
@given(st.data(), bodies())
def test_any_cut_gives_the_output_of_the_whole(data: st.DataObject, body: bytes) -> None:
    whole = masked([body])
    edges = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    assert masked(pieces_of(body, edges)) == whole
    assert masked(pieces_of(body, list(range(1, len(body))))) == whole


@BUSY
@given(st.lists(parts(), min_size=1, max_size=3))
def test_the_whole_is_every_part_masked_by_itself(made: list[tuple[bytes, bytes]]) -> None:
    """Of parts without names, which say nothing of their content."""
    made = [(head, content) for head, content in made if b"name=" not in head and b"\n--x" not in b"\n" + content]
    body = b"".join([b"--xY\r\n" + head + b"\r\n" + content + b"\r\n" for head, content in made]) + b"--xY--\r\n"
    alone = [masked([content], type_in(head)) for head, content in made]
    if None in alone:
        assert masked([body]) is None
        return
    expected = [
        b"--xY\r\n" + head.replace(b"abcabd", b"[masked:parts]") + b"\r\n" + (content or b"") + b"\r\n"
        for (head, _), content in zip(made, alone, strict=True)
    ]
    assert masked([body]) == b"".join(expected) + b"--xY--\r\n"


def type_in(head: bytes) -> bytes:
    for line in head.replace(b"\r\n ", b" ").split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-type":
            return value.strip()
    return b"text/plain"


@BUSY
@given(bodies())
def test_what_is_refused_or_passes_holds_nothing_to_mask(body: bytes) -> None:
    output = masked([body])
    if output is not None:
        assert b"swordfish" not in output
        assert b"abcabd" not in output.replace(b"abcabcabd", b"")
