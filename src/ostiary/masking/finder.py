"""Where in a text the things looked for are, decided piece by piece.

Every place at which something matches counts, whatever else covers it, so what is found does not depend on how a text
was cut: a match is decided once nothing that began before it, or with it, can still grow. The only exception is a
source with a tail: what begins in the tail belongs to it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ostiary.masking.gate import Gate, GateRow, PlaceGate
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.masking.programs import Program
from ostiary.masking.sources import Source

_TOGETHER = 16
"""So many patterns share one program: many more make the engine slow to compile."""


class Found(NamedTuple):
    """`source` is None for the injected secret. The value stands from `start` to `end`; `tail` tells that the end of
    the text cut it off and it may go on."""

    source: Source | None
    start: int
    end: int
    tail: bool = False


class Finder:
    """Looks for many sources at once. `injected` is looked for besides, in texts that are put together from pieces."""

    __slots__ = (
        "_beginnings",
        "_folded_partials",
        "_full",
        "_injected",
        "_longest_beginning",
        "_longest_prefixed",
        "_partials",
        "_places",
        "_prefixed",
        "_sources",
    )

    def __init__(self, sources: Sequence[Source], injected: InjectedSecretMatcher | None = None) -> None:
        """Raises `OperatorError` when the patterns cannot be compiled together."""
        self._sources = tuple(sources)
        self._injected = injected
        self._full = Gate(
            [GateRow(source.pattern.gate, number, source.pattern.ignore_case) for number, source in enumerate(sources)]
        )
        self._prefixed = [(source, len(prefix), prefix) for source in sources for prefix in source.pattern.prefixes]
        self._places = PlaceGate(
            [
                GateRow(prefix, number, source.pattern.ignore_case)
                for number, (source, _, prefix) in enumerate(self._prefixed)
            ]
        )
        self._longest_prefixed = max((source.longest for source, _, _ in self._prefixed), default=0)
        self._partials = _partial_prefixes(
            [(prefix, source) for source, _, prefix in self._prefixed if not source.pattern.ignore_case]
        )
        self._folded_partials = _partial_prefixes(
            [(prefix, source) for source, _, prefix in self._prefixed if source.pattern.ignore_case]
        )
        others = [source for source in sources if not source.pattern.prefixes]
        self._longest_beginning = max((source.longest for source in others), default=0)
        self._beginnings = [
            Program([], [source.beginning for source in others[at : at + _TOGETHER]])
            for at in range(0, len(others), _TOGETHER)
        ]

    def with_injected(self, injected: InjectedSecretMatcher | None) -> "Finder":
        """The same, looking for these injected secrets besides."""
        if injected is None:
            return self
        twin = object.__new__(Finder)
        for name in Finder.__slots__:
            setattr(twin, name, getattr(self, name))
        twin._injected = injected
        return twin

    def suspects(self, text: bytes) -> list[int]:
        """Numbers of the sources that may be in this text or a part of it; the injected secret is not asked after."""
        return self._full.scan(text)

    def is_clean(self, before: bytes, text: bytes) -> bool:
        """Whether nothing is in this text and nothing can begin in it. `before` is the byte in front of it."""
        if self._full.scan(text):
            return False
        if self._injected is not None and self._injected.candidate(text, 0)[0] >= 0:
            return False
        return self._pending(before + text, len(before)) == len(before) + len(text)

    def decide(self, window: bytes, start: int, final: bool) -> tuple[int, list[Found]]:
        """How far the window is decided, and what was found from `start` on: by where its match began.

        At least one byte stands before `start`. A `Found` may reach beyond the place that is decided.
        """
        searches = [
            _Search(self._sources[number], window, start, final)
            for number in sorted(set(self._full.scan(window[start:])))
        ]
        if self._injected is not None:
            searches.append(_InjectedSearch(self._injected, window, start, final))
        pending = len(window) if final else self._pending(window, start)
        found: list[Found] = []
        while True:
            search = min(searches, key=_Search.order, default=None)
            if search is None or search.start >= pending:
                return pending, found
            if search.undecided:
                return search.start, found
            match = search.take()
            if match is None:
                continue
            found.append(match)
            if match.source is None or not match.source.has_tail:
                continue
            if match.tail:
                return len(window), found
            for each in searches:
                each.skip_to(match.end)
            if pending < match.end:
                pending = self._pending(window, match.end)

    def _pending(self, window: bytes, start: int) -> int:
        """The first place from which something could still begin and go on beyond the end, or the end."""
        length = len(window)
        earliest = length
        if start >= length:
            return length
        if self._beginnings:
            look_from = max(start, length - self._longest_beginning) - 1
            for program in self._beginnings:
                begin = program.find(window, look_from)[0]
                if 0 <= begin < earliest - 1:
                    earliest = begin + 1
        if not self._prefixed:
            return earliest
        for partials, tail in ((self._partials, window), (self._folded_partials, window[-16:].lower())):
            for count in partials.lengths.get(tail[-1], ()):
                forbidden = partials.forbidden.get(tail[-count:])
                place = length - count
                if forbidden is not None and start <= place < earliest and window[place - 1] not in forbidden:
                    earliest = place
                    break
        look_from = max(start, length - self._longest_prefixed)
        for number, end in self._places.scan(window[look_from:] if look_from else window):
            source, count, _ = self._prefixed[number]
            place = look_from + end - count
            if place < earliest and source.may_begin(window, place):
                earliest = place
        return earliest


class _Partials(NamedTuple):
    """Beginnings of prefixes: by their last byte the lengths they have, longest first, and for each the bytes that
    must not stand before it."""

    lengths: dict[int, tuple[int, ...]]
    forbidden: dict[bytes, frozenset[int]]


def _partial_prefixes(prefixes: Sequence[tuple[bytes, Source]]) -> _Partials:
    forbidden: dict[bytes, frozenset[int]] = {}
    for prefix, source in prefixes:
        for count in range(1, len(prefix)):
            known = forbidden.get(prefix[:count])
            left = source.pattern.left_forbidden
            forbidden[prefix[:count]] = left if known is None else known & left
    lengths: dict[int, set[int]] = {}
    for partial in forbidden:
        lengths.setdefault(partial[-1], set()).add(len(partial))
    return _Partials({code: tuple(sorted(counts, reverse=True)) for code, counts in lengths.items()}, forbidden)


class _Search:
    """The next match of one source; `start` lies beyond every text when there is none."""

    __slots__ = ("_final", "_source", "_window", "end", "start", "undecided")

    def __init__(self, source: Source, window: bytes, start: int, final: bool) -> None:
        self._source = source
        self._window = window
        self._final = final
        self.undecided = False
        self._seek(start)

    def order(self) -> tuple[int, int]:
        """The earliest first, the longest of those that begin together."""
        return self.start, -self.end

    def take(self) -> Found | None:
        """What the match comes to, None when it is refused; the next one is sought."""
        source, window, start, end = self._source, self._window, self.start, self.end
        self._seek(start + 1)
        span = source.accept(window, start, end)
        if span is None:
            return None
        if not source.has_tail or span[1] != end:
            return Found(source, span[0], span[1])
        last, closed = source.tail_end(window, end)
        return Found(source, span[0], last, tail=not closed and not self._final)

    def skip_to(self, place: int) -> None:
        if self.start < place:
            self._seek(place)

    def _seek(self, place: int) -> None:
        self.start, self.end = self._source.find(self._window, place, self._final)
        if self.start < 0:
            self.start = len(self._window) + 1


class _InjectedSearch(_Search):
    """The next match of the injected secret, which may be a beginning that is not decided."""

    __slots__ = ("_matcher",)

    def __init__(self, matcher: InjectedSecretMatcher, window: bytes, start: int, final: bool) -> None:
        self._matcher = matcher
        self._window = window
        self._final = final
        self._seek(start)

    def take(self) -> Found | None:
        start, end = self.start, self.end
        self._seek(start + 1)
        if end == len(self._window) and not self._matcher.is_telling(self._window, start, False):
            return None
        return Found(None, start, end)

    def _seek(self, place: int) -> None:
        self.start, self.end = self._matcher.candidate(self._window, place)
        self.undecided = not self._final and self.end == len(self._window)
        if self.start < 0:
            self.start = len(self._window) + 1
            self.undecided = False
