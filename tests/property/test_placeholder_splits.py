"""Any cut of any text gives the same output, and what was masked comes back as it was."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.masking.maskers import Edit, Flavour, TextStream
from ostiary.masking.placeholders import PLACEHOLDER_MAX_BYTES, PlaceholderRestorer, Placeholders

MAPPING = Placeholders()
for _detector, _value in (
    ("email", b"ada@example.org"),
    ("email", b""),
    ("secrets", b'-----BEGIN-----\nMII"\\"x\n-----END-----'),
    ("secrets", "‹email:1›".encode()),
    ("minted-credential", b"minted-value"),
):
    MAPPING.placeholder_for(_detector, _value, sealed=_detector == "minted-credential")

PARTS = (
    "‹", "›", "‹email:1›", "‹email:2›", "‹email:7›", "‹secrets:1›", "‹secrets:2›", "‹minted-credential:1›",
    "email", ":1", "\\", "\\\\", "\\u2039", "\\u203a", "\\u203A", "\\u203", "\\u", "u2039", "\\n", '\\"', '"', "a", "1",
    "“", "東", "{", "a" * 40, "1" * 12,
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=24).map(lambda parts: "".join(parts).encode()),
    st.binary(max_size=60),
)
BUSY = settings(deadline=None, max_examples=300)


def pieces_of(text: bytes, edges: list[int]) -> list[bytes]:
    return [text[start:end] for start, end in zip([0, *edges], [*edges, len(text)], strict=True)]


def fed(stream: TextStream, pieces: list[bytes]) -> bytes:
    output = []
    for piece in pieces:
        output.append(stream.feed(piece))
        assert stream.held_bytes < PLACEHOLDER_MAX_BYTES
    return b"".join([*output, stream.finish()])


def edited(stream: TextStream, text: bytes, pieces: list[bytes]) -> bytes:
    """The text with the edits that `cut` tells, each checked for being in order and decided."""
    edits: list[Edit] = []
    seen = decided_before = 0
    for number, piece in enumerate(pieces):
        seen += len(piece)
        decided, more = stream.cut(piece, number == len(pieces) - 1)
        assert decided_before <= decided <= seen
        assert decided == seen - stream.held_bytes
        for edit in more:
            assert decided_before <= edit.start < edit.end <= decided
            assert not edits or edits[-1].end <= edit.start
            edits.append(edit)
        decided_before = decided
    assert decided_before == len(text)
    parts, at = [], 0
    for start, end, replacement in edits:
        parts += [text[at:start], replacement]
        at = end
    return b"".join([*parts, text[at:]])


@BUSY
@given(TEXTS, st.sampled_from(Flavour), st.booleans(), st.data())
def test_any_split_gives_the_output_of_the_whole(
    text: bytes, flavour: Flavour, sealed: bool, data: st.DataObject
) -> None:
    restorer = PlaceholderRestorer(MAPPING, sealed=sealed)
    whole = fed(restorer.stream("text", flavour=flavour), [text])
    edges = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    for pieces in (pieces_of(text, edges), pieces_of(text, list(range(1, len(text))))):
        assert fed(restorer.stream("text", flavour=flavour), pieces) == whole
        assert edited(restorer.stream("text", flavour=flavour), text, pieces) == whole


@BUSY
@given(TEXTS, st.sampled_from(Flavour), st.booleans())
def test_what_is_not_suspected_is_not_changed(text: bytes, flavour: Flavour, sealed: bool) -> None:
    restorer = PlaceholderRestorer(MAPPING, sealed=sealed)
    if not restorer.suspects(text):
        stream = restorer.stream("text", flavour=flavour)
        assert stream.feed(text) is text
        assert stream.held_bytes == 0


@BUSY
@given(st.lists(st.tuples(st.text(max_size=8), st.sampled_from(["email", "secrets", "Own rule"]),
                          st.text(min_size=1, max_size=12)), max_size=6))  # fmt: skip
def test_what_was_masked_comes_back(parts: list[tuple[str, str, str]]) -> None:
    """In text as it was; in JSON source, brackets written out or not, it says what it said."""
    mapping = Placeholders()
    restorer = PlaceholderRestorer(mapping)
    given_back = [(words, mapping.placeholder_for(name, value.encode()).decode()) for words, name, value in parts]
    masked = "".join(words.replace("‹", "") + placeholder for words, placeholder in given_back)
    wanted = "".join(words.replace("‹", "") + value for words, _, value in parts)
    assert fed(restorer.stream("text"), [masked.encode()]) == wanted.encode()
    for ascii_only in (True, False):
        source = json.dumps({"content": masked}, ensure_ascii=ascii_only).encode()
        assert json.loads(fed(restorer.stream("arguments", flavour=Flavour.JSON), [source])) == {"content": wanted}
    again = Placeholders.from_bytes(mapping.to_bytes())
    assert fed(PlaceholderRestorer(again).stream("text"), [masked.encode()]) == wanted.encode()
