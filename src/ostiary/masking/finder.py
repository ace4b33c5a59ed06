"""Where in a text the things looked for are, decided piece by piece.

Every place at which something matches counts, whatever else covers it, so what is found does not depend on how a text
was cut: a match is decided once nothing that began before it, or with it, can still grow. The only exception is a
source with a tail: what begins in the tail belongs to it.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ostiary.masking.gate import GateRow, PlaceGate
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.masking.programs import Program
from ostiary.masking.sources import Source, lead_of
from ostiary.masking.starts import PREFIX_MAX_BYTES
from ostiary.masking.triggers import Triggers

_TOGETHER = 16
"""So many patterns share one program: many more make the engine slow to compile."""


class Found(NamedTuple):
    """`source` is None for the injected secret, of which `injected` names the detector. The value stands from `start`
    to `end`; `tail` tells that the end of the text cut it off and it may go on."""

    source: Source | None
    start: int
    end: int
    tail: bool = False
    injected: str = ""


class Finder:
    """Looks for many sources at once. `injected` is looked for besides, in texts that are put together from pieces."""

    __slots__ = (
        "_beginnings",
        "_injected",
        "_introduces",
        "_longest_beginning",
        "_longest_prefixed",
        "_partials",
        "_places",
        "_prefixed",
        "_sources",
        "_telling_places",
        "_triggers",
        "_values_at_end",
    )

    def __init__(self, sources: Sequence[Source], injected: InjectedSecretMatcher | None = None) -> None:
        """Raises `OperatorError` when the patterns cannot be compiled together."""
        self._sources = tuple(sources)
        self._injected = injected
        self._triggers = Triggers(self._sources)
        self._prefixed = [(source, len(prefix), prefix) for source in sources for prefix in source.pattern.prefixes]
        self._places = PlaceGate(
            [
                GateRow(prefix, number, source.pattern.ignore_case)
                for number, (source, _, prefix) in enumerate(self._prefixed)
            ]
        )
        self._telling_places = PlaceGate(
            [
                GateRow(prefix, number, source.pattern.ignore_case)
                for number, (source, _, prefix) in enumerate(self._prefixed)
                if not source.is_everyday
            ]
        )
        self._longest_prefixed = max((source.longest for source, _, _ in self._prefixed), default=0)
        self._partials = _partial_programs(self._sources)
        self._introduces = any(source.introduces and source.pattern.prefixes for source in sources)
        others = [source for source in sources if not source.pattern.prefixes]
        self._longest_beginning = max((source.longest for source in others), default=0)
        self._beginnings = [
            Program([], [source.beginning for source in others[at : at + _TOGETHER]])
            for at in range(0, len(others), _TOGETHER)
        ]
        self._values_at_end = [(program, self._longest_beginning) for program in self._beginnings] + [
            (program, PREFIX_MAX_BYTES) for program, introduces in self._partials if not introduces
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

    def suspects(self, text: bytes) -> bool:
        """Whether a source may be in this text or a part of it; the injected secret is not asked after."""
        fired = [self._sources[number] for number in self._triggers.fired(text, 0)]
        if not fired:
            return False
        prefixed = {source for source in fired if source.pattern.prefixes}
        if any(source not in prefixed and source.occurs(text) for source in fired):
            return True
        if not prefixed:
            return False
        listed = self._prefixed
        for number, end in self._places_of(prefixed).scan(text):
            source, count, _ = listed[number]
            if source in prefixed and source.occurs_at(text, end - count):
                return True
        return False

    def glance(self, window: bytes, start: int) -> int:
        """Where to begin to look again when all from `start` on can be let go at once, as it is; -1 when it takes
        `decide` to tell. At least one byte stands before `start`."""
        if self._triggers.fired(window, start):
            return -1
        if self._injected is not None and self._injected.in_words(window, start)[0] >= 0:
            return -1
        length = len(window)
        if start >= length:
            return start
        for program, look_back in self._values_at_end:
            if program.find(window, max(start, length - look_back) - 1)[0] >= 0:
                return -1
        if not self._introduces and not self._prefixed:
            return length
        # Cheaper than to know it exactly: what only introduces a value may begin in the last few bytes.
        restart = max(start, length - PREFIX_MAX_BYTES + 1) if self._introduces else length
        begun = self._begun(window, start)
        return -1 if begun.value < length else min(restart, begun.begin)

    def decide(self, window: bytes, start: int, final: bool) -> "Decision":
        """What was found from `start` on, by where its match began. At least one byte stands before `start`."""
        searches = self._searches(window, start, final)
        if self._injected is not None:
            searches.append(_InjectedSearch(self._injected, window, start, final))
        length = len(window)
        pending = _Pending(length, length) if final else self._pending(window, start)
        found: list[Found] = []
        while True:
            search = min(searches, key=_Search.order, default=None)
            if search is None or search.undecided or search.start >= pending.begin:
                next_start = search.start if search is not None else length
                return Decision(min(pending.begin, next_start, length), min(pending.value, next_start, length), found)
            match = search.take()
            if match is None:
                continue
            found.append(match)
            if match.source is None or not match.source.has_tail:
                continue
            if match.tail:
                return Decision(length, length, found)
            for each in searches:
                each.skip_to(match.end)
            if pending.begin < match.end:
                pending = self._pending(window, match.end)

    def _places_of(self, sources: Collection[Source]) -> PlaceGate:
        return self._places if any(source.is_everyday for source in sources) else self._telling_places

    def _searches(self, window: bytes, start: int, final: bool) -> list["_Search"]:
        fired = [self._sources[number] for number in self._triggers.fired(window, start)]
        prefixed: dict[Source, list[int]] = {source: [] for source in fired if source.pattern.prefixes}
        if prefixed:
            for number, end in self._places_of(prefixed).scan(window[start:]):
                source, count, _ = self._prefixed[number]
                if source in prefixed:
                    prefixed[source].append(start + end - count)
        return [
            _PrefixSearch(source, window, start, final, sorted(prefixed[source]))
            if source in prefixed
            else _Search(source, window, start, final)
            for source in fired
        ]

    def _pending(self, window: bytes, start: int) -> "_Pending":
        """What could still begin and go on beyond the end of the window."""
        begin = value = length = len(window)
        if start >= length:
            return _Pending(begin, value)
        if self._beginnings:
            look_from = max(start, length - self._longest_beginning) - 1
            for program in self._beginnings:
                place = program.find(window, look_from)[0] + 1
                if 0 < place < begin:
                    begin = value = place
        if not self._prefixed:
            return _Pending(begin, value)
        tail_from = max(start, length - PREFIX_MAX_BYTES) - 1
        for program, introduces in self._partials:
            place = program.find(window, tail_from)[0] + 1
            if place > 0:
                begin = min(begin, place)
                if not introduces:
                    value = min(value, place)
        begun = self._begun(window, start)
        return _Pending(min(begin, begun.begin), min(value, begun.value))

    def _begun(self, window: bytes, start: int) -> "_Pending":
        """The same, of what has its whole prefix in the window."""
        begin = value = length = len(window)
        look_from = max(start, length - self._longest_prefixed)
        for number, end in self._places.scan(window[look_from:]):
            source, count, _ = self._prefixed[number]
            place = look_from + end - count
            if source.may_begin(window, place):
                begin = min(begin, place)
                value = min(value, source.earliest_value(window, place))
        return _Pending(begin, value)


class Decision(NamedTuple):
    """From `restart` on the window must be looked at again together with what follows; what stands before `release`
    and is not in `found` is no part of anything. A `Found` may reach beyond both."""

    restart: int
    release: int
    found: list[Found]


class _Pending(NamedTuple):
    """Where the first match that may go on begins, and where its value, or that of a later one, can begin."""

    begin: int
    value: int


def _partial_programs(sources: Sequence[Source]) -> list[tuple[Program, bool]]:
    """Programs for a beginning of a prefix at the end of a text, with the byte before it: those of sources that
    introduce their value (True), which can be let go, and of all others."""
    wanted: dict[bool, dict[frozenset[int], tuple[set[bytes], set[bytes]]]] = {True: {}, False: {}}
    for source in sources:
        exact, folded = wanted[source.introduces].setdefault(source.pattern.left_forbidden, (set(), set()))
        (folded if source.pattern.ignore_case else exact).update(prefix[:-1] for prefix in source.pattern.prefixes)
    programs = []
    for introduces, by_left in wanted.items():
        patterns = [
            lead_of(left)
            + b"(?:%b)"
            % b"|".join([*([_trie(exact)] if exact else []), *([b"(?i:%b)" % _trie(folded)] if folded else [])])
            for left, (exact, folded) in by_left.items()
            if exact or folded
        ]
        if patterns:
            programs.append((Program([], patterns), introduces))
    return programs


def _trie(words: set[bytes]) -> bytes:
    """A regular expression for every beginning, of one byte or more, of any of the words."""
    by_first: dict[int, set[bytes]] = {}
    for word in words:
        if word:
            by_first.setdefault(word[0], set()).add(word[1:])
    ways = []
    for first, rests in sorted(by_first.items()):
        rest = _trie(rests)
        ways.append(b"\\x%02x" % first + (b"(?:%b)?" % rest if rest else b""))
    return b"|".join(ways)


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


class _PrefixSearch(_Search):
    """The next match of a source that begins at one of some places: none is sought anywhere else, so that no text
    makes it slow."""

    __slots__ = ("_places",)

    def __init__(self, source: Source, window: bytes, start: int, final: bool, places: list[int]) -> None:
        self._places = places
        super().__init__(source, window, start, final)

    def _seek(self, place: int) -> None:
        places = self._places
        for at in range(bisect_left(places, place), len(places)):
            end = self._source.end_at(self._window, places[at], self._final)
            if end >= 0:
                self.start, self.end = places[at], end
                return
        self.start = self.end = len(self._window) + 1


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
        if end == len(self._window):
            end = self._matcher.final_end(self._window, start, False)
            if end < 0:
                return None
        return Found(None, start, end, injected=self._matcher.detector_of(self._window, start, end))

    def _seek(self, place: int) -> None:
        seek = self._matcher.candidate if self._final else self._matcher.in_words
        self.start, self.end = seek(self._window, place)
        self.undecided = not self._final and self.end == len(self._window)
        if self.start < 0:
            self.start = len(self._window) + 1
            self.undecided = False
