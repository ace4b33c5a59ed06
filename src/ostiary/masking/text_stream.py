"""Masking one text that comes in pieces. The output depends on the text and not on how it was cut."""

from collections.abc import Callable
from typing import NamedTuple

from ostiary.masking.actions import mark
from ostiary.masking.finder import Finder, Found
from ostiary.masking.maskers import Edit
from ostiary.masking.sources import HISTORY_BYTES
from ostiary.model.masking import Action

KEPT_TAIL_BYTES = 16 * 1024
"""So much of a value of unbounded length is kept where what stands for it depends on all of it."""


class Verdict(NamedTuple):
    """What becomes of something found, by which rule. `replacement` is None when it depends on a value that is not
    complete yet, and a function when making it leaves something behind; `action` REPORT leaves the text as it is."""

    action: Action
    replacement: bytes | Callable[[], bytes] | None
    rule: str = ""

    def written(self) -> bytes:
        """What stands there instead; empty while it is not known."""
        replacement = self.replacement
        return replacement if isinstance(replacement, bytes) else replacement() if replacement is not None else b""


Judge = Callable[[Found, bytes, str], "Verdict | None"]
"""(found, the value or b"" while its end is out of sight, place) → None when a rule makes an exception for it.
Raises `MaskingBlockedError`."""

Count = Callable[[Found, Action, str, int, int, bytes], None]
"""(found, action, place, where its value begins in the text, its length, the value as far as it is kept): called once
for each finding, when its length is known."""

_NEED_ALL = frozenset({Action.PLACEHOLDER, Action.SEAL})

STRICTEST_FIRST = {action: rank for rank, action in enumerate(Action)}


class _Span(NamedTuple):
    """Something found, in offsets into the whole text."""

    start: int
    end: int
    verdict: Verdict
    found: Found
    value: bytes

    def order(self) -> tuple[int, int, bool, int]:
        generic = self.found.source is not None and self.found.source.generic
        return self.start, STRICTEST_FIRST[self.verdict.action], generic, -self.end


class _Tail:
    """A value that goes on. `shown`: its mark is out already, or stands for another value that it overlaps."""

    __slots__ = ("action", "found", "kept", "length", "shown", "start")

    def __init__(self, found: Found, start: int, action: Action, shown: bool, seen: bytes) -> None:
        self.found = found
        self.start = start
        self.action = action
        self.shown = shown
        self.kept = seen
        self.length = len(seen)

    def add(self, more: bytes) -> None:
        self.length += len(more)
        if len(self.kept) < KEPT_TAIL_BYTES:
            self.kept += more[: KEPT_TAIL_BYTES - len(self.kept)]


class MaskingStream:
    """A `TextStream`. `before` stands in front of the text: it is looked at together with it and not put out."""

    __slots__ = (
        "_before",
        "_count",
        "_covered",
        "_covered_by_injected",
        "_decided",
        "_finder",
        "_held",
        "_held_from",
        "_judge",
        "_place",
        "_reported",
        "_spans",
        "_tail",
        "_waiting",
        "_written",
    )

    def __init__(self, finder: Finder, judge: Judge, count: Count, place: str, before: bytes = b"") -> None:
        self._finder = finder
        self._judge = judge
        self._count = count
        self._place = place
        self._before = b"\n"
        self._held = before
        self._held_from = -len(before)  # where in the text the held bytes begin
        self._covered = 0  # everything before is out or behind a mark
        self._covered_by_injected = False
        self._decided = 0
        self._spans: list[_Span] = []
        self._reported: dict[str, int] = {}
        self._tail: _Tail | None = None
        self._waiting = b""  # what `feed` was given and has not put out
        self._written = 0

    @property
    def held_bytes(self) -> int:
        """How much is held back, of what `before` was not."""
        return self._held_from + len(self._held) - self._decided

    def feed(self, text: bytes) -> bytes:
        if not self._waiting and not self._spans and self._tail is None:
            before = self._before
            window = before + self._held + text
            start = len(before)
            restart = self._finder.glance(window, start)
            if restart >= 0 and self._decided == self._held_from + len(self._held):
                self._pass(window, start, restart)
                return text
        return self._put_out(text, final=False)

    def finish(self) -> bytes:
        if not self._held and self._tail is None and not self._spans:
            return b""
        return self._put_out(b"", final=True)

    def _put_out(self, text: bytes, final: bool) -> bytes:
        waiting = self._waiting + text
        decided, edits = self.cut(text, final)
        origin = self._written
        if not edits and not self._waiting and decided == origin + len(text):
            self._written = decided
            return text
        pieces: list[bytes] = []
        for edit in edits:
            pieces.append(waiting[self._written - origin : edit.start - origin])
            pieces.append(edit.replacement)
            self._written = edit.end
        pieces.append(waiting[self._written - origin : decided - origin])
        self._written = decided
        self._waiting = waiting[decided - origin :]
        return b"".join(pieces)

    def cut(self, text: bytes, final: bool) -> tuple[int, list[Edit]]:
        edits: list[Edit] = []
        if self._tail is not None:
            text = self._follow_tail(self._tail, text, final, edits)
            if self._tail is not None:
                self._decided = self._covered
                return self._decided, edits
        window = self._before + self._held + text
        start = len(self._before)
        to_text = self._held_from - start
        restart, release, found = self._finder.decide(window, start, final)
        tail: _Span | None = None
        for each in found:
            value = b"" if each.tail else window[each.start : each.end]
            verdict = self._verdict_on(each, value[:KEPT_TAIL_BYTES], len(value))
            if verdict is None or each.end + to_text <= 0:
                continue
            span = _Span(max(each.start + to_text, 0), each.end + to_text, verdict, each, value)
            if each.tail:
                tail = span
            else:
                self._spans.append(span)
        self._held = window[restart:]
        self._held_from += restart - start
        self._before = window[max(0, restart - HISTORY_BYTES) : restart]
        self._settle(release + to_text, edits, tail)
        if tail is not None:
            self._begin_tail(tail, window[tail.start - to_text : tail.end - to_text], edits)
        self._decided = max(release + to_text, self._covered, self._decided)
        return self._decided, edits

    def _pass(self, window: bytes, start: int, restart: int) -> None:
        """Let go of all of it, and remember from where to look again."""
        self._covered = self._decided = self._written = self._held_from + len(window) - start
        self._covered_by_injected = False
        self._held = window[restart:]
        self._held_from += restart - start
        self._before = window[max(0, restart - HISTORY_BYTES) : restart]

    def _verdict_on(self, found: Found, kept: bytes, length: int) -> Verdict | None:
        """What is not kept as a whole can neither be an exception nor be put back: a mark stands for it."""
        verdict = self._judge(found, kept, self._place)
        if length > len(kept) and (verdict is None or verdict.action in _NEED_ALL):
            label = found.source.label if found.source is not None else found.injected
            return Verdict(Action.REPLACE if verdict is None else verdict.action, mark(label))
        return verdict

    # -- spans

    def _settle(self, upto: int, edits: list[Edit], tail: _Span | None) -> None:
        """Turn what begins before `upto`, and before the value that goes on, into edits: one mark for all that
        overlaps."""
        if not self._spans:
            return
        ready = sorted((span for span in self._spans if span.start < upto), key=_Span.order)
        self._spans = [span for span in self._spans if span.start >= upto]
        for span in ready:
            if span.verdict.action is Action.REPORT:
                self._report(span)
                continue
            if span.start < self._covered and span.end <= self._covered:
                continue
            if tail is not None and tail.verdict.action is not Action.REPORT and tail.order() <= span.order():
                continue  # within the value that goes on
            self._count(span.found, span.verdict.action, self._place, span.start, span.end - span.start, span.value)
            self._cover(span, edits)

    def _report(self, span: _Span) -> None:
        """Count what a rule would mask, once where it finds it in several ways."""
        if span.end > self._reported.get(span.verdict.rule, 0):
            self._reported[span.verdict.rule] = span.end
            self._count(span.found, Action.REPORT, self._place, span.start, span.end - span.start, span.value)

    def _cover(self, span: _Span, edits: list[Edit]) -> bool:
        """Put an edit; False when it goes on with the mark of another."""
        injected = span.found.source is None
        touches = span.start == self._covered and injected and self._covered_by_injected
        joins = span.start < self._covered or touches
        begin = self._covered if joins else span.start
        edits.append(Edit(begin, span.end, b"" if joins else span.verdict.written()))
        self._covered = span.end
        self._covered_by_injected = injected
        return not joins

    # -- tails

    def _begin_tail(self, span: _Span, seen: bytes, edits: list[Edit]) -> None:
        """The value goes on beyond what has come; nothing of it is held, all of it is swallowed."""
        shown = True
        if span.verdict.action is not Action.REPORT:
            shown = not self._cover(span, edits) or span.verdict.replacement is not None
        self._covered = span.end
        self._tail = _Tail(span.found, span.start, span.verdict.action, shown, seen[:KEPT_TAIL_BYTES])
        self._tail.length = span.end - span.start

    def _follow_tail(self, tail: _Tail, text: bytes, final: bool, edits: list[Edit]) -> bytes:
        """Swallow what belongs to the value; returns the text behind it."""
        source = tail.found.source
        assert source is not None
        overlap = self._before[-source.tail_overlap_bytes :] if source.tail_overlap_bytes else b""
        end, closed = source.tail_end(overlap + text, len(overlap))
        end -= len(overlap)
        tail.add(text[:end])
        reports = tail.action is Action.REPORT
        replacement = b""
        if closed or final:
            self._tail = None
            verdict = self._verdict_on(tail.found, tail.kept, tail.length)
            if verdict is not None:
                self._count(tail.found, verdict.action, self._place, tail.start, tail.length, tail.kept)
            if not tail.shown:
                replacement = tail.kept if verdict is None else verdict.written()
        begin, self._held_from = self._held_from, self._held_from + end
        self._covered = self._held_from
        self._covered_by_injected = False
        self._before = (self._before + text[:end])[-HISTORY_BYTES:]
        if not reports and (end or replacement):
            edits.append(Edit(begin, self._held_from, replacement))
        return text[end:]
