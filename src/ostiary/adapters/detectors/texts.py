"""Texts in bytes as a service reads them in characters: cut to its measure, and the way back to bytes."""

from itertools import accumulate
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
    return text.decode("utf-8", "surrogateescape").translate(_NOT_UTF8) if not text.isascii() else text.decode("ascii")


def byte_offsets(text: bytes) -> list[int] | range:
    """Where each character of `characters(text)` begins, and the end."""
    if text.isascii():
        return range(len(text) + 1)
    decoded = text.decode("utf-8", "surrogateescape")
    return list(accumulate(map(_byte_count, decoded), initial=0))


def _byte_count(character: str) -> int:
    code = ord(character)
    if code < 0x80 or 0xDC80 <= code < 0xDD00:
        return 1
    return 2 if code < 0x800 else 3 if code < 0x10000 else 4


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
