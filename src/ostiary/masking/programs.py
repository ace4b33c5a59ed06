"""Compiled RE2 programs over bytes, made so that no credential can be read back from them.

`re2.compile` keeps its patterns in a cache and on the compiled object; here the engine is asked directly, the pattern
is dropped as soon as it is compiled, and a failure to compile says nothing of it.
"""

from collections.abc import Callable, Iterable
from typing import NoReturn

import re2
from re2 import _re2

from ostiary.model.errors import OperatorError
from ostiary.model.secret import Secret

Span = tuple[int, int]
NOWHERE: Span = (-1, -1)

_UNANCHORED: object = _re2.RE2.Anchor.UNANCHORED
_ANCHORED: object = _re2.RE2.Anchor.ANCHOR_START
_NOTHING = rb"[^\x00-\xff]"
"""Matches no byte."""
_MEMORY_LEAST = 8 * 1024 * 1024
_MEMORY_PER_PATTERN_BYTE = 256
"""An upper bound for a program and the states it caches; what is used grows with the text that is met."""


class Program:
    """An alternation of patterns over bytes. Prefers the leftmost match, and of those the longest."""

    __slots__ = ("_match",)

    _match: Callable[[object, bytes, int, int], list[Span]]

    def __init__(self, anywhere: Iterable[bytes], at_end: Iterable[bytes] = ()) -> None:
        """Patterns of `at_end` match only when they reach the end of what is searched. None of them may be empty.

        Raises `OperatorError`.
        """
        match = _compiled(b"|".join([*anywhere, *(b"(?:%b)\\z" % pattern for pattern in at_end)]) or _NOTHING)
        if match is None:
            del anywhere, at_end  # nothing of them in a traceback that shows local variables
            raise OperatorError(
                "A secret is too long to be masked.", "Use a shorter one; up to 4,096 characters are supported."
            )
        self._match = match

    def find(self, data: bytes, start: int) -> Span:
        """The span of the leftmost match at or after `start`, `NOWHERE` when there is none."""
        return self._match(_UNANCHORED, data, start, len(data))[0]

    def find_within(self, data: bytes, start: int, limit: int) -> Span:
        """The same, of those that end at or before `limit`."""
        return self._match(_UNANCHORED, data, start, min(limit, len(data)))[0]

    def begins(self, data: bytes, start: int) -> bool:
        """Whether a match begins exactly at `start`."""
        return self._match(_ANCHORED, data, start, len(data))[0][0] == start

    def end_at(self, data: bytes, start: int) -> int:
        """Where the match that begins exactly at `start` ends; -1 when there is none."""
        return self._match(_ANCHORED, data, start, len(data))[0][1]

    def end_within(self, data: bytes, start: int, limit: int) -> int:
        """The same, looking no further than `limit`."""
        return self._match(_ANCHORED, data, start, min(limit, len(data)))[0][1]

    def finds(self, secret: Secret) -> bool:
        """Whether the plain credential itself is found. The first such question also readies the engine."""
        return self._match(
            _UNANCHORED, secret.reveal_for_injection(), 0, len(secret.reveal_for_injection())
        )[0][0] == 0  # fmt: skip

    def __repr__(self) -> str:
        return "<Program>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Program has no serial form")


_Match = Callable[[object, bytes, int, int], list[Span]]


def _compiled(pattern: bytes) -> _Match | None:
    """None when the engine refuses the pattern; it says nothing of it."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.longest_match = True
    options.never_capture = True
    options.log_errors = False
    options.max_mem = max(_MEMORY_LEAST, _MEMORY_PER_PATTERN_BYTE * len(pattern))
    program = _re2.RE2(pattern, options)
    match: _Match = program.Match
    return match if program.ok() else None
