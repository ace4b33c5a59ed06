"""A regular expression over bytes as a tree, and what the tree tells: lengths, first bytes, a `Piece`, a text form.

Characters beyond ASCII are in the tree as the bytes of their UTF-8.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ostiary.masking.pieces import Piece, either, in_turn, one_of, optional, repeated

CodeRanges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points as ranges with both ends, ascending and apart from each other."""

_LAST_CODE_POINT = 0x10FFFF
_COUNT_MAX = 1000
"""RE2 counts no further, for repeats inside each other in all."""
_TOGETHER = 16
"""So many pieces are joined at one level: each further one nests the expression for the beginnings deeper."""


@dataclass(frozen=True, slots=True)
class Byte:
    """One byte out of `codes`."""

    codes: frozenset[int]


@dataclass(frozen=True, slots=True)
class Character:
    """One character of a class that goes beyond ASCII. `ways` has its bytes in turn, `codes` every byte of it.

    `every`: the class has all characters beyond ASCII, so bytes of `codes` in any order are characters of it.
    """

    ways: "Node"
    codes: frozenset[int]
    every: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """The parts one after the other; without any it matches the empty text."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the options, the earlier ones preferred."""

    options: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The part `least` to `most` times, `most` None for without end. `lazy`: as few as possible."""

    part: "Node"
    least: int
    most: int | None
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Marked:
    """The part of a match that is to be masked."""

    part: "Node"


Node: TypeAlias = Byte | Character | Chain | Choice | Repeat | Marked
EMPTY = Chain(())

_FOLLOWING = Byte(frozenset(range(0x80, 0xC0)))
_BEYOND_ASCII = Chain(
    (
        Choice(
            (
                Byte(frozenset(range(0xC2, 0xE0))),
                Chain(
                    (
                        Choice(
                            (
                                Byte(frozenset(range(0xE0, 0xF0))),
                                Chain((Byte(frozenset(range(0xF0, 0xF5))), _FOLLOWING)),
                            )
                        ),
                        _FOLLOWING,
                    )
                ),
            )
        ),
        _FOLLOWING,
    )
)
"""Any character of two to four bytes, in as few places as can be; the same as the exact form on well-formed UTF-8."""


def merged(ranges: Sequence[tuple[int, int]]) -> CodeRanges:
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], high))
        else:
            result.append((low, high))
    return tuple(result)


def complement(ranges: CodeRanges) -> CodeRanges:
    edges = [-1, *(edge for low, high in ranges for edge in (low - 1, high)), _LAST_CODE_POINT]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return tuple((low + 1, high) for low, high in pairs if low < high)


def character(ranges: CodeRanges) -> Node:
    """One character with a code point in `ranges` (at least one)."""
    beyond = tuple((max(low, 0x80), high) for low, high in ranges if high >= 0x80)
    ascii_codes = frozenset(code for low, high in ranges for code in range(low, min(high, 0x7F) + 1))
    if not beyond:
        return Byte(ascii_codes)
    if not ascii_codes and len(beyond) == 1 and beyond[0][0] == beyond[0][1]:
        return Chain(tuple(Byte(frozenset((code,))) for code in _utf8(beyond[0][0])))
    every = beyond == ((0x80, _LAST_CODE_POINT),)
    ways: list[Node] = [Byte(ascii_codes)] if ascii_codes else []
    ways += [_BEYOND_ASCII] if every else [way for low, high in beyond for way in _ways(low, high)]
    choice = Choice(tuple(ways))
    return Character(choice, ascii_codes | frozenset(range(0x80, 0x100)) if every else _all_codes(choice), every)


def _utf8(code: int) -> bytes:
    return chr(code).encode("utf-8", "surrogatepass")


def _ways(low: int, high: int) -> Iterator[Node]:
    """The range beyond ASCII as chains of byte ranges."""
    for length_limit in (0x7FF, 0xFFFF):
        if low <= length_limit < high:
            yield from _ways(low, length_limit)
            yield from _ways(length_limit + 1, high)
            return
    for places in (1, 2, 3):
        rest = (1 << 6 * places) - 1
        if low | rest == high | rest:
            continue
        if low & rest:
            yield from _ways(low, low | rest)
            yield from _ways((low | rest) + 1, high)
            return
        if high & rest != rest:
            yield from _ways(low, (high & ~rest) - 1)
            yield from _ways(high & ~rest, high)
            return
    pairs = zip(_utf8(low), _utf8(high), strict=True)
    yield Chain(tuple(Byte(frozenset(range(first, last + 1))) for first, last in pairs))


def _all_codes(node: Node) -> frozenset[int]:
    match node:
        case Byte(codes=codes) | Character(codes=codes):
            return codes
        case Chain(parts=nodes) | Choice(options=nodes):
            return frozenset[int]().union(*map(_all_codes, nodes))
        case Repeat(part=part) | Marked(part=part):
            return _all_codes(part)


def shortest(node: Node) -> int:
    """The least number of bytes of a match."""
    match node:
        case Byte():
            return 1
        case Character(ways=part) | Marked(part=part):
            return shortest(part)
        case Chain(parts=parts):
            return sum(map(shortest, parts))
        case Choice(options=options):
            return min(map(shortest, options))
        case Repeat(part=part, least=least):
            return shortest(part) * least


def longest(node: Node) -> int:
    """The greatest number of bytes of a match; repeats have ends."""
    match node:
        case Byte():
            return 1
        case Character(ways=part) | Marked(part=part):
            return longest(part)
        case Chain(parts=parts):
            return sum(map(longest, parts))
        case Choice(options=options):
            return max(map(longest, options))
        case Repeat(part=part, most=most):
            return longest(part) * (most or 0)


def places(node: Node) -> int:
    """How many bytes stand in the expression when its repeats are written out."""
    match node:
        case Byte():
            return 1
        case Character(ways=part) | Marked(part=part):
            return places(part)
        case Chain(parts=nodes) | Choice(options=nodes):
            return sum(map(places, nodes))
        case Repeat(part=part, most=most):
            return places(part) * (most or 0)


def edge_codes(node: Node, *, last: bool) -> frozenset[int]:
    """The bytes a match can begin with, or end with."""
    match node:
        case Byte(codes=codes):
            return codes
        case Character(ways=part) | Repeat(part=part) | Marked(part=part):
            return edge_codes(part, last=last)
        case Choice(options=options):
            return frozenset[int]().union(*(edge_codes(option, last=last) for option in options))
        case Chain(parts=parts):
            found: frozenset[int] = frozenset()
            for part in reversed(parts) if last else parts:
                found |= edge_codes(part, last=last)
                if shortest(part) > 0:
                    break
            return found


def repeat(part: Node, least: int, most: int, *, lazy: bool = False) -> Node:
    """The part `least` to `most` times, in as many repeats as it takes to stay within what the engine can count."""
    if most == 0 or longest(part) == 0:
        return EMPTY
    step = max(1, _COUNT_MAX // _counted(part))
    if most <= step:
        return Repeat(part, least, most, lazy)
    return Chain(
        tuple(
            Repeat(part, min(step, max(0, least - done)), min(step, most - done), lazy) for done in range(0, most, step)
        )
    )


def _counted(node: Node) -> int:
    """The greatest product of the counts of repeats inside each other."""
    match node:
        case Byte():
            return 1
        case Character(ways=part) | Marked(part=part):
            return _counted(part)
        case Chain(parts=nodes) | Choice(options=nodes):
            return max(map(_counted, nodes), default=1)
        case Repeat(part=part, most=most):
            return _counted(part) * max(1, most or 0)


def has_mark(node: Node) -> bool:
    match node:
        case Byte() | Character():
            return False
        case Chain(parts=nodes) | Choice(options=nodes):
            return any(map(has_mark, nodes))
        case Repeat(part=part):
            return has_mark(part)
        case Marked():
            return True


def piece_of(node: Node) -> Piece:
    """The tree, which matches something and whose repeats have ends, as a `Piece`."""
    match node:
        case Byte(codes=codes):
            return one_of(codes)
        case Character(ways=part) | Marked(part=part):
            return piece_of(part)
        case Chain(parts=parts):
            return _joined([piece_of(part) for part in parts if longest(part)])
        case Choice(options=options):
            filled = either(piece_of(option) for option in options if longest(option))
            return filled if all(map(longest, options)) else optional(filled)
        case Repeat(part=part, least=least, most=most):
            repeated_piece = piece_of(part)
            if (least, most) == (1, 1):
                return repeated_piece
            return optional(repeated_piece) if (least, most) == (0, 1) else repeated(repeated_piece, least, most or 0)


def _joined(pieces: list[Piece]) -> Piece:
    while len(pieces) > 1:
        groups = range(0, len(pieces), _TOGETHER)
        pieces = [in_turn(pieces[start : start + _TOGETHER]) for start in groups]
    return pieces[0]


def source(node: Node, *, capture: bool = False) -> bytes:
    """The tree as the text of a regular expression over bytes, with the marked part in a group if `capture`."""
    match node:
        case Byte(codes=codes):
            return _byte_class(codes)
        case Character(ways=part):
            return source(part)
        case Chain(parts=parts):
            return b"".join(source(part, capture=capture) for part in parts)
        case Choice(options=options):
            return b"(?:%b)" % b"|".join(source(option, capture=capture) for option in options)
        case Repeat(part=part, least=least, most=most, lazy=lazy):
            body = source(part)
            body = body if isinstance(part, Byte) else b"(?:%b)" % body
            return body + _count(least, most) + (b"?" if lazy and least != most else b"")
        case Marked(part=part):
            return b"(%b)" % source(part) if capture else source(part)


def _count(least: int, most: int | None) -> bytes:
    if most is None:
        return b"{%d,}" % least if least else b"*"
    if (least, most) == (0, 1):
        return b"?"
    return b"{%d}" % least if least == most else b"{%d,%d}" % (least, most)


def _byte_class(codes: frozenset[int]) -> bytes:
    if len(codes) == 1:
        return b"\\x%02x" % min(codes)
    ranges = merged([(code, code) for code in codes])
    return b"[%b]" % b"".join(
        b"\\x%02x" % low if low == high else b"\\x%02x-\\x%02x" % (low, high) for low, high in ranges
    )
