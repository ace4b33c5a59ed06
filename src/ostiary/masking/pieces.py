"""Regular expressions that know their own beginnings.

A `Piece` is a bounded regular expression together with one for everything it can begin with, built side by side. A
stream may let go of what stands before the first place from which a beginning of something wanted reaches the end of
what has arrived, and of nothing after it: with both derived from one construction they cannot disagree.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from typing import NoReturn


class Piece:
    """`full` matches the piece, `beginnings` its first bytes, from one to all of them. `longest` is in bytes.

    Pieces are made from credentials, so they have no text form and cannot be stored.
    """

    __slots__ = ("beginnings", "full", "longest")

    def __init__(self, full: bytes, beginnings: bytes, longest: int) -> None:
        self.full = full
        self.beginnings = beginnings
        self.longest = longest

    def __repr__(self) -> str:
        return "<Piece>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Piece has no serial form")


def one_of(codes: Collection[int]) -> Piece:
    """One byte out of `codes`."""
    body = b"".join(b"\\x%02x" % code for code in sorted(set(codes)))
    byte_class = body if len(body) == 4 else b"[" + body + b"]"
    return Piece(byte_class, byte_class, 1)


def literal(text: bytes) -> Piece:
    return in_turn([one_of((code,)) for code in text])


def any_case(text: bytes) -> Piece:
    """`text` in any mixture of ASCII upper and lower case."""
    return in_turn([one_of(bytes((code,)).lower() + bytes((code,)).upper()) for code in text])


def in_turn(pieces: Sequence[Piece]) -> Piece:
    """The pieces (at least one) one after the other."""
    return reduce(_after, reversed(pieces))


def _after(rest: Piece, first: Piece) -> Piece:
    return Piece(
        first.full + rest.full,
        b"(?:%b%b|%b)" % (first.full, rest.beginnings, first.beginnings),
        first.longest + rest.longest,
    )


def loosely_in_turn(pieces: Sequence[Piece]) -> Piece:
    """The same; its beginnings match a little more behind the first piece, so that the others stand in them once."""
    first, *others = pieces
    return Piece(
        b"".join(piece.full for piece in pieces),
        b"(?:%b%b|%b)" % (first.full, b"".join(b"(?:%b)?" % piece.beginnings for piece in others), first.beginnings),
        sum(piece.longest for piece in pieces),
    )


def either(pieces: Iterable[Piece]) -> Piece:
    """Any one of the pieces (at least one)."""
    choices = list(pieces)
    if len(choices) == 1:
        return choices[0]
    return Piece(
        b"(?:%b)" % b"|".join(choice.full for choice in choices),
        b"(?:%b)" % b"|".join(choice.beginnings for choice in choices),
        max(choice.longest for choice in choices),
    )


def repeated(piece: Piece, least: int, most: int) -> Piece:
    """The piece `least` to `most` times."""
    return Piece(
        b"(?:%b){%d,%d}" % (piece.full, least, most),
        b"(?:(?:%b){0,%d}%b)" % (piece.full, most - 1, piece.beginnings),
        piece.longest * most,
    )


def optional(piece: Piece) -> Piece:
    return Piece(b"(?:%b)?" % piece.full, piece.beginnings, piece.longest)
