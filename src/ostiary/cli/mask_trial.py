"""Masking one text for somebody to look at: what is found, where, and what comes out."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge

import orjson

from ostiary.cli.mask_rules import Chosen
from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.gateway.bodies.text_body import TextBody
from ostiary.masking.engine import Masker, MaskingEngine
from ostiary.masking.placeholders import Placeholders
from ostiary.model.errors import MaskingBlockedError, MaskingFailedError
from ostiary.model.finding import Finding
from ostiary.model.masking import Action, MaskingRule
from ostiary.protocols.json_text import Offsets, view

TEXT, JSON, SSE = "text", "json", "sse"

_KEY_FOR_TRYING = bytes(32)
_LOOKED_AT_BYTES = 4096
_EVENT_STREAM = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")
_DATA_LINE = re.compile(rb"^(?:\xef\xbb\xbf)?data:", re.MULTILINE)
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SEARCHED_BYTES = 256
_TELLING_BYTES = 4
"""A beginning of a value so long is enough to say where it is."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """`line` and `column` count from 1, columns in characters; both are 0 where the value is not in one piece."""

    line: int
    column: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class Trial:
    """`result` is None when there is none because of `failure`."""

    shape: str
    sightings: tuple[Sighting, ...]
    result: bytes | None
    failure: MaskingFailedError | None


def try_out(chosen: Chosen, content: bytes, shape: str | None) -> Trial:
    """`shape` is `text`, `json` or `sse`; None looks at the content. Raises `OperatorError` for rules that cannot be
    put to use together."""
    if content.startswith(_UTF_16_MARKS):
        content = content.decode("utf-16", "replace").encode()
    shape = shape or shape_of(content)
    try:
        sightings, result = _masked(chosen, chosen.rules, content, shape)
    except MaskingBlockedError as failure:
        # Look again with nothing blocked, so that all there is can be shown.
        sightings, _ = _masked(chosen, tuple(map(_unblocked, chosen.rules)), content, shape)
        blocking = {rule.name for rule in chosen.rules if rule.action is Action.BLOCK}
        return Trial(shape, tuple(_as_blocked(sighting, blocking) for sighting in sightings), None, failure)
    except MaskingFailedError as failure:
        return Trial(shape, (), None, failure)
    return Trial(shape, sightings, result, None)


def shape_of(content: bytes) -> str:
    """Event streams have fields at the beginning of their lines; JSON is what can be read as such."""
    start = content[:_LOOKED_AT_BYTES]
    if _EVENT_STREAM.match(start) and _DATA_LINE.search(start):
        return SSE
    if content.lstrip()[:1] not in (b"{", b"["):
        return TEXT
    first_line = content.strip().split(b"\n", 1)[0]
    return JSON if _is_json(content) or _is_json(first_line) else TEXT


def _is_json(content: bytes) -> bool:
    try:
        orjson.loads(content)
    except ValueError:
        return False
    return True


def _unblocked(rule: MaskingRule) -> MaskingRule:
    return replace(rule, action=Action.REPLACE) if rule.action is Action.BLOCK else rule


def _as_blocked(sighting: Sighting, blocking: set[str]) -> Sighting:
    if sighting.finding.rule not in blocking:
        return sighting
    return replace(sighting, finding=replace(sighting.finding, action=Action.BLOCK.value))


def _masked(
    chosen: Chosen, rules: tuple[MaskingRule, ...], content: bytes, shape: str
) -> tuple[tuple[Sighting, ...], bytes]:
    engine = MaskingEngine(rules, _KEY_FOR_TRYING)
    watch = _Watch(content, shape)
    masker = engine.masker(exemptions=chosen.exemptions, substitutes=Placeholders(), notice=watch.note)
    body = _body(shape, masker, chosen)
    result = body.feed(content) + body.finish()
    return watch.sightings(), result


def _body(shape: str, masker: Masker, chosen: Chosen) -> Body:
    match shape:
        case "json":
            return JsonBody(masker)
        case "sse":
            return SseBody(masker, chosen.channels)
        case _:
            return TextBody(masker)


class _Watch:
    """Takes note of every finding, and looks up where in the content it is."""

    def __init__(self, content: bytes, shape: str) -> None:
        self._content = content
        self._exact = shape == TEXT
        self._line_starts = [0, *(match.end() for match in re.finditer(b"\n", content))]
        # What strings say, and what JSON source inside of strings says, each with the way back to the content.
        self._views: list[tuple[bytes, list[Offsets]]] = [(content, [])]
        if not self._exact and b"\\" in content:
            once, written = view(content), Offsets(content)
            self._views += [(once, [written]), (view(once), [Offsets(once), written])]
        self._places: dict[bytes, Iterator[int]] = {}
        self._seen: list[Sighting] = []

    def note(self, finding: Finding, value: bytes, start: int) -> None:
        offset = start if self._exact else self._offset_of(value)
        line, column = self._line_and_column(offset) if offset >= 0 else (0, 0)
        self._seen.append(Sighting(line, column, finding))

    def sightings(self) -> tuple[Sighting, ...]:
        """In the order of the content; those without a place last."""
        return tuple(sorted(self._seen, key=lambda seen: (not seen.line, seen.line, seen.column)))

    def _line_and_column(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._line_starts, offset)
        before = self._content[self._line_starts[line - 1] : offset]
        return line, len(before.decode("utf-8", "replace")) + 1

    def _offset_of(self, value: bytes) -> int:
        """Each time the next place where the value is written; else where as much of its beginning stands as is in one
        piece, which is so when the events of a stream divide it. -1 when there is none."""
        places = self._places.setdefault(value, self._places_of(value))
        offset = next(places, -1)
        shortest, longest = _TELLING_BYTES, min(len(value) - 1, _SEARCHED_BYTES)
        while offset < 0 and shortest <= longest:
            offset = next(self._places_of(value[:longest]), -1)
            longest -= 1
        return offset

    def _places_of(self, value: bytes) -> Iterator[int]:
        """Ascending, each once."""
        last = -1
        for offset in merge(*(_occurrences(value, text, way_back) for text, way_back in self._views)):
            if offset > last:
                yield offset
                last = offset


def _occurrences(value: bytes, text: bytes, way_back: Sequence[Offsets]) -> Iterator[int]:
    for match in re.finditer(re.escape(value), text):
        offset = match.start()
        for offsets in way_back:
            offset = offsets.before(offset)
        yield offset
