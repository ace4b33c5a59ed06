"""One thing to look for: a pattern with its checks, and the RE2 programs that find exactly where it is."""

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

from ostiary.masking.expressions import EMPTY, Chain, Marked, Node, piece_of, shortest
from ostiary.masking.patterns import Pattern, PatternError, compile_pattern
from ostiary.masking.programs import Program, Span

CONTEXT_BYTES = 64
"""So far before a value context words are looked for."""

HISTORY_BYTES = 128
"""So much of what was decided must stand before the place where a search begins: for context, and for the words that
end a tail."""

Check = Callable[[bytes, bytes], int]
"""(the value found, up to `CONTEXT_BYTES` before it) → how many of its bytes count; 0 refuses it."""

_ESCAPE_BYTES = 6
_ESCAPED = re.compile(rb"(?:\\[nrtbfv0]|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2})\Z")
_ALL = frozenset(range(256))
_EVERYDAY = (
    b"access", b"account", b"api", b"app", b"auth", b"client", b"exa", b"key", b"password", b"private", b"secret",
    b"session", b"storage", b"token", b"user",
)  # fmt: skip
_QUOTE = frozenset(b'"')


class Source:
    """`find` and `pending` take a text in which at least one byte stands before the place where they begin to look.

    `label` is what the mark says, `format` what exactly was recognised. `generic` sources give way to others that
    begin at the same place. Programs are compiled when a text first needs them.
    """

    def __init__(
        self,
        label: str,
        format_name: str,
        pattern: Pattern,
        checks: Sequence[Check] = (),
        context: Sequence[str] = (),
        until: Pattern | None = None,
        generic: bool = False,
    ) -> None:
        self.label = label
        self.format = format_name
        self.pattern = pattern
        self.checks = tuple(checks)
        self.generic = generic
        self.longest = pattern.piece.longest
        self.words = tuple(word.lower().encode() for word in context)
        self._lead = byte_class(_ALL - pattern.left_forbidden)
        self._trail = byte_class(_ALL - pattern.right_forbidden) if pattern.right_forbidden else b""
        self._run = bytes(pattern.tail)
        self._until = Program([until.piece.full]) if until is not None else None
        self._until_bytes = until.piece.longest if until is not None else 0
        if self._until_bytes > HISTORY_BYTES:
            raise PatternError(f"`until` may match at most {HISTORY_BYTES} bytes.")

    @cached_property
    def _open(self) -> Program:
        """The text may go on behind a match."""
        return Program([self._lead + self.pattern.piece.full + self._trail])

    @cached_property
    def _closed(self) -> Program:
        """Nothing comes behind the text."""
        whole = self._lead + self.pattern.piece.full
        return Program([whole + self._trail], [whole])

    @cached_property
    def _open_here(self) -> Program:
        return Program([self.pattern.piece.full + self._trail])

    @cached_property
    def _closed_here(self) -> Program:
        return Program([self.pattern.piece.full + self._trail], [self.pattern.piece.full])

    @cached_property
    def _at_end(self) -> Program:
        return Program([], [self.pattern.piece.full])

    @cached_property
    def _beginning(self) -> Program:
        return Program([], [self.pattern.piece.beginnings])

    @cached_property
    def _introduction(self) -> Node | None:
        """What stands before the value in every match."""
        root = self.pattern.root
        if isinstance(root, Chain):
            for at, part in enumerate(root.parts):
                if isinstance(part, Marked):
                    return Chain(root.parts[:at])
        return None

    @property
    def introduces(self) -> bool:
        """Whether something stands before the value, which can be let go before it is known what follows."""
        return self._introduction is not None

    @cached_property
    def is_everyday(self) -> bool:
        """Whether what it begins with are words that stand everywhere in code and data."""
        return self.introduces and (
            self.generic or any(prefix.startswith(_EVERYDAY) for prefix in self.pattern.prefixes)
        )

    @cached_property
    def _introduced(self) -> tuple[Program, Program, int]:
        introduction = self._introduction or EMPTY
        full = piece_of(introduction).full
        return Program([full]), Program([], [full]), shortest(introduction)

    def earliest_value(self, window: bytes, start: int) -> int:
        """Where at the earliest the value of a match that begins at `start` can stand; the window's length when it
        has not come yet."""
        if not self.introduces:
            return start
        begun, ended, least = self._introduced
        if not begun.begins(window, start):
            return len(window)
        return next(
            (end for end in range(start + least, len(window)) if ended.find(window[start:end], 0)[0] == 0), len(window)
        )

    @property
    def beginning(self) -> bytes:
        """Matches the byte before and what may stand at the end of a text that breaks off in the pattern."""
        return self._lead + self.pattern.piece.beginnings

    def find(self, window: bytes, start: int, final: bool) -> Span:
        """The leftmost match at or after `start`, `(-1, -1)` when there is none."""
        begin, end = (self._closed if final else self._open).find(window, start - 1)
        if begin < 0:
            return -1, -1
        return begin + 1, self._without_trail(window, begin + 1, end, final)

    def end_at(self, window: bytes, start: int, final: bool) -> int:
        """Where the match that begins at `start` ends, -1 when there is none."""
        if not may_stand_behind(window, start, self.pattern.left_forbidden):
            return -1
        limit = start + self.longest + 1
        program = self._closed_here if final and limit >= len(window) else self._open_here
        end = program.end_within(window, start, limit)
        return end if end < 0 else self._without_trail(window, start, end, final)

    def _without_trail(self, window: bytes, start: int, end: int, final: bool) -> int:
        if not self._trail or (end == len(window) and final and self._at_end.begins(window, start)):
            return end
        return end - 1

    @cached_property
    def _anywhere(self) -> Program:
        lead = rb"(?:\A|%b)" % lead_of(self.pattern.left_forbidden - _QUOTE)
        return Program([lead + self.pattern.piece.full + self._loose_trail])

    @cached_property
    def _here(self) -> Program:
        return Program([self.pattern.piece.full + self._loose_trail])

    @property
    def _loose_trail(self) -> bytes:
        right = self.pattern.right_forbidden - _QUOTE
        return rb"(?:\z|%b)" % byte_class(_ALL - right) if right else b""

    def occurs(self, text: bytes) -> bool:
        """Whether the pattern matches somewhere in a text, or in a part of it that quotes or its ends set off."""
        return self._anywhere.find(text, 0)[0] >= 0

    def occurs_at(self, text: bytes, start: int) -> bool:
        """The same, exactly here."""
        if start and not may_stand_behind(text, start, self.pattern.left_forbidden - _QUOTE):
            return False
        limit = start + self.longest + 1
        return self._here.end_within(text, start, limit) >= 0

    def may_begin(self, window: bytes, start: int) -> bool:
        """Whether a match that goes on to the end of the window and perhaps beyond begins exactly at `start`."""
        return (
            len(window) - start <= self.longest
            and may_stand_behind(window, start, self.pattern.left_forbidden)
            and self._beginning.begins(window, start)
        )

    def accept(self, window: bytes, start: int, end: int) -> Span | None:
        """The part of the match that counts as the value, or None when checks or context refuse it."""
        first, last = self.pattern.value_span(window[start:end])
        first, last = start + first, start + last
        before = window[max(0, first - CONTEXT_BYTES) : first]
        if self.words:
            lowered = before.lower()
            if not any(word in lowered for word in self.words):
                return None
        for check in self.checks:
            count = check(window[first:last], before)
            if count == 0:
                return None
            last = min(last, first + count)
        return first, last

    @property
    def has_tail(self) -> bool:
        return bool(self._run)

    @property
    def tail_overlap_bytes(self) -> int:
        """So many bytes of the tail must be seen again together with what follows."""
        return max(self._until_bytes - 1, 0)

    def tail_end(self, text: bytes, start: int) -> tuple[int, bool]:
        """Where the tail whose bytes begin at `start` ends, and whether it ends there whatever follows: behind its
        last words, or before the first byte that does not belong to it. What stands before `start` was seen before."""
        end = len(text) - len(text[start:].lstrip(self._run))
        if self._until is not None:
            _, last = self._until.find(text[:end], max(0, start - self.tail_overlap_bytes))
            if last > start:
                return last, True
        return end, end < len(text)


def may_stand_behind(window: bytes, start: int, forbidden: frozenset[int]) -> bool:
    """Whether what stands before `start` is none of the forbidden bytes, or is the end of an escape sequence: `\\n`,
    `\\u003d`, `\\x3d`, `%3D`."""
    return (
        window[start - 1] not in forbidden or _ESCAPED.search(window, max(0, start - _ESCAPE_BYTES), start) is not None
    )


def lead_of(forbidden: frozenset[int]) -> bytes:
    """A regular expression for what may stand before a match: a byte, or the last one of an escape sequence with those
    before it."""
    plain = byte_class(_ALL - forbidden)
    return (
        plain if not forbidden else rb"(?:%b|\\[nrtbfv0]|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|%%[0-9A-Fa-f]{2})" % plain
    )


def byte_class(codes: frozenset[int]) -> bytes:
    """A regular expression for one byte out of `codes`."""
    if not codes:
        return rb"[^\x00-\xff]"
    runs: list[list[int]] = []
    for code in sorted(codes):
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return b"[%b]" % b"".join(b"\\x%02x-\\x%02x" % (first, last) for first, last in runs)


@lru_cache(maxsize=4096)
def cached_pattern(text: str, ignore_case: bool, left: str | None, right: str | None, tail: str | None) -> Pattern:
    """Compiled once for all rules that use it. Raises `PatternError`."""
    return compile_pattern(text, ignore_case=ignore_case, left=left, right=right, tail=tail)
