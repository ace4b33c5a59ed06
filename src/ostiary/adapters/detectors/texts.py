"""Texts in bytes as a service reads them in characters: cut to its measure, and the way back to bytes."""

from collections.abc import Iterable
from typing import NamedTuple

PIECE_MAX_CHARACTERS = 10_000
"""Language models take texts of some length only, and time grows faster than it."""

OVERLAP_CHARACTERS = 250
"""What stands across a cut is whole in one of the two pieces."""

_NOT_UTF8 = dict.fromkeys(range(0xDC80, 0xDD00), "\ufffd")


class Piece(NamedTuple):
    """Characters of a text from `start` on."""

    start: int
    text: str


def characters(text: bytes) -> str:
    """One character for each of the text's, and one for each byte that is no UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("utf-8", "surrogateescape").translate(_NOT_UTF8)


def bytes_before(text: bytes, positions: Iterable[int]) -> dict[int, int]:
    """How many bytes stand before each of these positions in `characters(text)`."""
    if text.isascii():
        return {position: position for position in positions}
    decoded = text.decode("utf-8", "surrogateescape")
    found: dict[int, int] = {}
    at = count = 0
    for position in sorted(set(positions)):
        count += len(decoded[at:position].encode("utf-8", "surrogateescape"))
        found[position] = count
        at = position
    return found


def pieces_of(text: str) -> list[Piece]:
    """The text, in pieces that overlap when it is long; cut between words where there are any."""
    pieces: list[Piece] = []
    start = 0
    while len(text) - start > PIECE_MAX_CHARACTERS:
        end = _word_start(text, start + PIECE_MAX_CHARACTERS)
        pieces.append(Piece(start, text[start:end]))
        start = _word_start(text, end - OVERLAP_CHARACTERS)
    pieces.append(Piece(start, text[start:]))
    return pieces


def _word_start(text: str, at: int) -> int:
    """Right behind the last space before `at`, not far before it; else `at`."""
    space = max(text.rfind(sign, at - OVERLAP_CHARACTERS // 2, at) for sign in " \n\t")
    return space + 1 if space >= 0 else at
