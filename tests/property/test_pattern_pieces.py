"""What is made of a pattern agrees with Python's own engine, and what finds it early misses nothing of it."""

import re

import hyperscan
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from ostiary.masking.patterns import LONGEST_BYTES, Pattern, PatternError, compile_pattern
from ostiary.masking.programs import Program
from support.examples import examples

ALPHABET = "abcABé‹1_- \n"
ATOMS = ("a b c A é ‹ - abc aab . [ab] [^a] [^é] [aé‹] [a-c1] " + r"\d \w \S [^\w-] (?s:.) (?i:b)").split()
REPEATS = ("?", "*", "+", "{2}", "{0,2}", "{1,3}", "{2,}", "??", "*?", "+?", "{1,3}?")
CODES = st.one_of(
    st.integers(0, 0x10FFFF),
    st.integers(0, 0x2FF),
    st.sampled_from([0x7F, 0x80, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x40000]),
)
BUSY = settings(
    deadline=None,
    max_examples=examples(100, 1_000),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def _bigger(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(smaller, min_size=2, max_size=4).map("".join),
        st.lists(smaller, min_size=2, max_size=3).map(lambda options: f"(?:{'|'.join(options)})"),
        st.tuples(smaller, st.sampled_from(REPEATS)).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        st.tuples(st.sampled_from(ATOMS[:7]), st.sampled_from(REPEATS)).map("".join),
        smaller.map(lambda text: f"({text})"),
    )


PARTS = st.recursive(st.sampled_from(ATOMS), _bigger, max_leaves=8)
PATTERNS = st.one_of(PARTS, st.tuples(PARTS, PARTS, PARTS).map(lambda parts: "{}(?P<value>{}){}".format(*parts)))


@st.composite
def matched(draw: st.DrawFn) -> tuple[Pattern, re.Pattern[str], str]:
    """A pattern, what Python makes of it, and a text that Python matches from end to end."""
    pattern, oracle = draw(compiled())
    text = draw(st.from_regex(oracle, fullmatch=True, alphabet=st.sampled_from(ALPHABET)))
    assume(len(text) <= 60)
    return pattern, oracle, text


@st.composite
def compiled(draw: st.DrawFn) -> tuple[Pattern, re.Pattern[str]]:
    text, ignore_case = draw(PATTERNS), draw(st.booleans())
    oracle = re.compile(text, re.ASCII | (re.IGNORECASE if ignore_case else 0))
    try:
        return compile_pattern(text, ignore_case=ignore_case), oracle
    except PatternError as refused:
        reason = refused.reason
    event(reason[:20])
    assert re.search("nothing at all|nothing to mask|bytes long", reason)
    assert ("nothing at all" in reason) <= (oracle.fullmatch("") is not None)
    assume(False)
    raise AssertionError


def with_tail(pattern: Pattern) -> bytes:
    tail = b"".join(b"\\x%02x" % code for code in sorted(pattern.tail))
    return pattern.piece.full + (b"[%b]*" % tail if tail else b"")


def matches(expression: bytes, text: bytes) -> bool:
    return Program([], [expression]).begins(text, 0)


@BUSY
@given(compiled(), st.lists(st.text(alphabet=ALPHABET, max_size=9), min_size=1, max_size=9))
def test_piece_and_tail_match_what_python_matches(both: tuple[Pattern, re.Pattern[str]], texts: list[str]) -> None:
    pattern, oracle = both
    assert 0 < pattern.piece.longest <= LONGEST_BYTES
    for text in texts:
        assert matches(with_tail(pattern), text.encode()) == (oracle.fullmatch(text) is not None)


@BUSY
@given(
    st.lists(st.tuples(CODES, CODES).map(sorted), min_size=1, max_size=4), st.booleans(), st.lists(CODES, max_size=9)
)
def test_classes_have_the_characters_python_has_in_them(
    ranges: list[list[int]], negated: bool, others: list[int]
) -> None:
    written = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
    text = f"[^{written}]" if negated else f"[{written}]"
    oracle = re.compile(text)
    near = {code + step for span in ranges for code in span for step in (-1, 0, 1)} | {*others}
    characters = [chr(code) for code in near if 0 <= code <= 0x10FFFF]
    assume(any(map(oracle.fullmatch, characters)))  # an empty class is refused
    piece = Program([], [compile_pattern(text).piece.full])
    for character in characters:
        assert piece.begins(character.encode("utf-8", "surrogatepass"), 0) == bool(oracle.fullmatch(character))


@BUSY
@given(matched())
def test_what_python_matches_is_matched(case: tuple[Pattern, re.Pattern[str], str]) -> None:
    pattern, _, text = case
    assert matches(with_tail(pattern), text.encode())


@BUSY
@given(matched())
def test_every_beginning_of_a_match_is_known_as_one(case: tuple[Pattern, re.Pattern[str], str]) -> None:
    pattern, _, text = case
    data = text.encode()
    full = Program([], [pattern.piece.full])
    beginnings = Program([], [pattern.piece.beginnings])
    ends = [end for end in range(1, len(data) + 1) if full.begins(data[:end], 0)]
    assert ends
    assert ends[-1] <= pattern.piece.longest
    for end in range(1, ends[-1] + 1):
        assert beginnings.begins(data[:end], 0)
    assert not beginnings.begins(b"", 0)


@settings(parent=BUSY, max_examples=examples(50, 500))  # Hyperscan takes long to compile some
@given(matched(), st.text(alphabet=ALPHABET, max_size=4), st.text(alphabet=ALPHABET, max_size=4))
def test_every_gate_finds_what_the_piece_finds(
    case: tuple[Pattern, re.Pattern[str], str], before: str, after: str
) -> None:
    pattern, _, text = case
    data = (before + text + after).encode()
    accepted = 0
    for gate in (pattern.gate, *pattern.shorter_gates()):
        assert Program([gate]).find(data, 0)[0] >= 0
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            database.compile(expressions=[gate], ids=[0], elements=1, flags=hyperscan.HS_FLAG_DOTALL)
        except hyperscan.error:
            continue  # too large
        accepted += 1
        found: list[int] = []
        database.scan(data, match_event_handler=lambda _, start, end, flags, seen: seen.append(end), context=found)
        assert found
    assert accepted


@BUSY
@given(matched())
def test_every_match_begins_with_a_prefix(case: tuple[Pattern, re.Pattern[str], str]) -> None:
    pattern, _, text = case
    event(f"prefixes: {bool(pattern.prefixes)}")
    data = text.encode().lower() if pattern.ignore_case else text.encode()
    assert not pattern.prefixes or data.startswith(pattern.prefixes)
    assert len(pattern.prefixes) <= 256
    assert all(2 <= len(prefix) <= 12 for prefix in pattern.prefixes)


@BUSY
@given(matched())
def test_the_value_is_the_group_that_python_captures(case: tuple[Pattern, re.Pattern[str], str]) -> None:
    pattern, oracle, text = case
    found = oracle.fullmatch(text)
    assert found is not None
    start, end = pattern.value_span(text.encode())
    expected = found["value"] if "value" in oracle.groupindex else text
    assert text.encode()[start:end].decode() == expected
    assert len(text.encode()[:start]) == len(
        text[: found.start("value" if "value" in oracle.groupindex else 0)].encode()
    )
