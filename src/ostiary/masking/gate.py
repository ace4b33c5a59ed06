"""The first look at a text: which patterns may be in it at all, with Vectorscan, for any number of patterns at once."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import hyperscan

from ostiary.model.errors import OperatorError

_KEPT = 64
"""So many databases stay compiled."""


class GateRow(NamedTuple):
    """Several rows may have one identity."""

    expression: bytes
    identity: int
    ignore_case: bool = False


class Gate:
    """Tells which of its expressions match anywhere in a text. An empty gate tells nothing."""

    __slots__ = ("_scan",)

    def __init__(self, rows: Sequence[GateRow]) -> None:
        """Raises `OperatorError` when an expression is refused."""
        common = hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_SINGLEMATCH
        self._scan = _compiled(tuple(rows), common)

    def scan(self, text: bytes) -> list[int]:
        """The identities of what matches, in no order and perhaps more than once; empty nearly always."""
        seen: list[int] = []
        if self._scan is not None:
            self._scan(text, _note_identity, 0, seen)
        return seen


class PlaceGate:
    """Like `Gate`, for literal texts; tells where each ends."""

    __slots__ = ("_scan",)

    def __init__(self, rows: Sequence[GateRow]) -> None:
        self._scan = _compiled(tuple(row._replace(expression=_quoted(row.expression)) for row in rows), 0)

    def scan(self, text: bytes) -> list[tuple[int, int]]:
        """(identity, end) of every occurrence."""
        seen: list[tuple[int, int]] = []
        if self._scan is not None:
            self._scan(text, _note_place, 0, seen)
        return seen


def _note_identity(identity: int, _start: int, _end: int, _flags: int, seen: list[int]) -> None:
    seen.append(identity)


def _note_place(identity: int, _start: int, end: int, _flags: int, seen: list[tuple[int, int]]) -> None:
    seen.append((identity, end))


def _quoted(literal: bytes) -> bytes:
    return b"".join(b"\\x%02x" % code for code in literal)


_Scan = Callable[[bytes, Callable[..., None], int, object], object]


@lru_cache(maxsize=_KEPT)
def _compiled(rows: tuple[GateRow, ...], common: int) -> _Scan | None:
    """Compiling takes up to a second: rules that look for the same share it, also when the configuration changes."""
    if not rows:
        return None
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[row.expression for row in rows],
            ids=[row.identity for row in rows],
            elements=len(rows),
            flags=[common | (hyperscan.HS_FLAG_CASELESS if row.ignore_case else 0) for row in rows],
        )
    except hyperscan.HyperscanError as error:
        raise OperatorError(
            f"The masking patterns cannot be compiled together: {error}.", "Make the longest of them shorter."
        ) from None
    own: _Scan = database.scan

    def scan(text: bytes, note: Callable[..., None], flags: int, seen: object) -> object:
        try:
            return own(text, note, flags, seen)
        except hyperscan.ScratchInUseError:
            # Another thread is inside: large bodies are masked beside the event loop.
            return own(text, note, flags, seen, hyperscan.Scratch(database))  # type: ignore[call-arg]

    return scan
