"""Patterns of detectors and of users: regular expressions that run in linear time and know their own beginnings.

The syntax is the one Python and RE2 share, see `syntax`. A match has at most 2,048 bytes, so that a stream need not
hold more, and then goes on for as long as bytes of the `tail` come. A repeat without end of one class at the very end
of the pattern becomes that tail; elsewhere it ends after 256. All repeats go on as far as they can, lazy ones too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import re2
from re2 import _re2

from ostiary.masking.expressions import (
    Byte,
    Chain,
    Character,
    Choice,
    Marked,
    Node,
    Repeat,
    edge_codes,
    has_mark,
    longest,
    piece_of,
    places,
    repeat,
    shortest,
    source,
)
from ostiary.masking.pieces import Piece
from ostiary.masking.starts import gates_of, prefixes_of
from ostiary.masking.syntax import WORD_BYTES, PatternError, read_class, read_pattern

__all__ = ["LONGEST_BYTES", "Pattern", "PatternError", "compile_pattern"]

LONGEST_BYTES = 2048
UNENDING_REPEATS = 256
PLACES_MAX = 16384
_MEMORY_LEAST = 8 * 1024 * 1024
_MEMORY_PER_PLACE = 512
_ANCHORED: object = _re2.RE2.Anchor.ANCHOR_BOTH

_Match = Callable[[object, bytes, int, int], list[tuple[int, int]]]


@dataclass(frozen=True)
class Pattern:
    """A match is the piece, then every byte of `tail` that follows."""

    piece: Piece
    left_forbidden: frozenset[int]
    """Bytes that must not stand right before a match; the start of the text may."""
    right_forbidden: frozenset[int]
    """Bytes that must not stand right after a match; the end of the text may."""
    tail: frozenset[int]
    prefixes: tuple[bytes, ...]
    """Every match begins with one of these texts. Empty when there is no such set of 256 or fewer."""
    ignore_case: bool
    """The prefixes are in lower case, to be looked for in text in lower case (ASCII)."""
    gate: bytes
    """A regular expression for Hyperscan (with DOTALL) or RE2 that matches within every match of the piece."""
    root: Node = field(repr=False)
    """The piece as a tree."""

    def shorter_gates(self) -> Iterator[bytes]:
        """For when `gate` is refused as too large: each is smaller and finds more than the one before."""
        gates = gates_of(self.root)
        next(gates)
        return gates

    def value_span(self, match: bytes) -> tuple[int, int]:
        """Where the named group is in a match, which is all of it when there is none or it takes no part."""
        if self.value is not None and (spans := self.value(_ANCHORED, match, 0, len(match))):
            start, end = spans[1]
            if start >= 0:
                return start, end
        return 0, len(match)

    @cached_property
    def value(self) -> _Match | None:
        """Takes a match apart; None when no group is named."""
        if not has_mark(self.root):
            return None
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        options.max_mem = _MEMORY_LEAST + _MEMORY_PER_PLACE * places(self.root)
        match: _Match = _re2.RE2(source(_with_tail(self.root, self.tail), capture=True), options).Match
        return match


def compile_pattern(
    text: str,
    *,
    ignore_case: bool = False,
    left: str | None = None,
    right: str | None = None,
    tail: str | None = None,
) -> Pattern:
    """`left`, `right` and `tail` are classes such as `[A-Za-z0-9_]`: what must not stand before and after a match, and
    what a match goes on with. None and '' are no such class. Raises `PatternError`.
    """
    written = read_pattern(text, ignore_case=ignore_case)
    left_forbidden, right_forbidden, asked_tail = (
        read_class(value, name, ignore_case=written.ignore_case) if value else frozenset[int]()
        for name, value in (("left", left), ("right", right), ("tail", tail))
    )
    root, own_tail = _without_tail(written.root)
    if asked_tail and not own_tail <= asked_tail:
        root, own_tail = written.root, frozenset()
    root, all_tail = _ended(root), own_tail | asked_tail
    if shortest(root) == 0:
        raise PatternError("The pattern can match nothing at all; make a part of it required, with + in place of *.")
    _refuse_long(longest(root))
    if places(root) > PLACES_MAX:
        raise PatternError(
            f"The pattern has {places(root):,} places with its repeats written out, more than {PLACES_MAX:,}; "
            "use smaller repeats or split it into several patterns."
        )
    for side, at_side, codes in (
        ("start", written.word_left, edge_codes(root, last=False)),
        ("end", written.word_right, edge_codes(root, last=True) | all_tail),
    ):
        if at_side and not codes <= WORD_BYTES:
            raise PatternError(
                f"\\b at the {side} needs a pattern that has only ASCII letters, digits or _ there; leave it out or "
                "name the characters that must not stand beside it, as in (?<![A-Za-z]) or (?![A-Za-z])."
            )
    return Pattern(
        piece=piece_of(root),
        left_forbidden=left_forbidden | written.left | (WORD_BYTES if written.word_left else frozenset()),
        right_forbidden=right_forbidden | written.right | (WORD_BYTES if written.word_right else frozenset()),
        tail=all_tail,
        prefixes=prefixes_of(root, ignore_case=written.ignore_case),
        ignore_case=written.ignore_case,
        gate=next(gates_of(root)),
        root=root,
    )


def _refuse_long(length: int) -> None:
    if length > LONGEST_BYTES:
        raise PatternError(
            f"A match could be {length:,} bytes long, more than {LONGEST_BYTES:,}; give the repeats smaller ends, as "
            f"in {{1,64}} (one without end counts as {UNENDING_REPEATS}, a character beyond ASCII as up to 4 bytes)."
        )


def _without_tail(node: Node) -> tuple[Node, frozenset[int]]:
    """The node less its repeat without end of one class at the very end, and the bytes of that class."""
    match node:
        case Repeat(part=Byte(codes=codes) | Character(codes=codes, every=True), least=least, most=None):
            return Repeat(node.part, least, least), codes
        case Chain(parts=(*parts, last_part)):
            last_part, codes = _without_tail(last_part)
            return Chain((*parts, last_part)), codes
        case Marked(part=part):
            part, codes = _without_tail(part)
            return Marked(part), codes
    return node, frozenset()


def _with_tail(node: Node, tail: frozenset[int]) -> Node:
    """With the tail at the end, as a part of the marked part when that is there."""
    if not tail:
        return node
    match node:
        case Chain(parts=(*parts, last_part)):
            return Chain((*parts, _with_tail(last_part, tail)))
        case Choice(options=options):
            return Choice(tuple(_with_tail(option, tail) for option in options))
        case Marked(part=part):
            return Marked(_with_tail(part, tail))
    return Chain((node, Repeat(Byte(tail), 0, None)))


def _ended(node: Node) -> Node:
    """The node with an end to every repeat. Raises `PatternError` for one that is too long."""
    match node:
        case Byte() | Character():
            return node
        case Chain(parts=parts):
            return Chain(tuple(map(_ended, parts)))
        case Choice(options=options):
            return Choice(tuple(map(_ended, options)))
        case Marked(part=part):
            return Marked(_ended(part))
        case Repeat(part=part, least=least, most=most, lazy=lazy):
            part = _ended(part)
            most = max(least, UNENDING_REPEATS) if most is None else most
            _refuse_long(longest(part) * most)
            return repeat(part, least, most, lazy=lazy)
