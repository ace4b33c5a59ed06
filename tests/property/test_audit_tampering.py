"""However a log is tampered with, it is found; with its hash file intact the first wrong entry is named exactly."""

from hypothesis import example, given
from hypothesis import strategies as st

from ostiary.audit.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ostiary.audit.merkle import leaf_hash, root_of
from ostiary.audit.standalone import parse_key, parse_note, split_notes
from ostiary.audit.verification import verify_log

KEY = SigningKey("ostiary/test", bytes(32))
LINES = [b'{"n":%d}' % number for number in range(12)]
HASHES = [leaf_hash(line) for line in LINES]
NOTES = b"".join(sign_checkpoint(Checkpoint("ostiary/test", size, root_of(HASHES[:size])), KEY) for size in (2, 7, 12))
some_lines = st.sampled_from([*LINES, b"{}", b'{"n":99}', b""])


@st.composite
def tampered(draw: st.DrawFn) -> list[bytes]:
    """The lines after a few edits, deletions, insertions and swaps."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines)))
        match draw(st.sampled_from(["edit", "delete", "insert", "swap", "truncate"])):
            case "edit" if at < len(lines):
                lines[at] = draw(some_lines)
            case "delete":
                del lines[at : at + draw(st.integers(1, 3))]
            case "insert":
                lines[at:at] = draw(st.lists(some_lines, min_size=1, max_size=3))
            case "swap" if at < len(lines):
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "truncate":
                del lines[at:]
            case _:
                pass
    return lines


def first_difference(lines: list[bytes]) -> int | None:
    if lines == LINES:
        return None
    for index, (old, new) in enumerate(zip(LINES, lines, strict=False)):
        if old != new:
            return index
    return min(len(lines), len(LINES))


@given(tampered())
@example([*LINES, b"{}"])
@example([])
def test_the_first_wrong_entry_is_named(lines: list[bytes]) -> None:
    verdict = verify_log(lines, b"".join(HASHES), NOTES, [KEY.key])
    assert verdict.index == first_difference(lines)
    assert verdict.whole == (verdict.index is None)


@given(tampered(), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 12)), max_size=3), st.integers(0, 12))
def test_altering_the_hash_file_too_hides_nothing(
    lines: list[bytes], altered: list[tuple[int, int]], kept: int
) -> None:
    hashes = list(HASHES)
    for at, number in altered:
        hashes[at] = leaf_hash(lines[number]) if number < len(lines) else bytes(32)
    verdict = verify_log(lines, b"".join(hashes[:kept]), NOTES, [KEY.key])
    if lines != LINES:
        assert not verdict.whole
        assert verdict.index is not None
    elif hashes[:kept] == HASHES[:kept]:
        assert verdict.whole


@given(tampered())
def test_recomputing_the_whole_hash_file_is_found_between_two_checkpoints(lines: list[bytes]) -> None:
    verdict = verify_log(lines, b"".join(map(leaf_hash, lines)), NOTES, [KEY.key])
    wrong = first_difference(lines)
    assert verdict.whole == (wrong is None)
    if wrong is not None and wrong < 12:
        assert verdict.index is not None
        assert max(size for size in (0, 2, 7) if size <= wrong) <= verdict.index


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_note_a_key_or_refused(data: bytes) -> None:
    for parse in (parse_note, lambda raw: parse_key(raw.decode())):
        try:
            parse(data)
        except ValueError:
            continue
    assert b"".join(split_notes(data)) == data
