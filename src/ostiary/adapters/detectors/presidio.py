"""Microsoft Presidio's analyzer over HTTP.

`POST /analyze` takes `{"text": [...], "language": ..., "entities": [...], "score_threshold": ...}` and answers with one
list for each text, of `{"entity_type": ..., "start": ..., "end": ..., "score": ...}` in characters of the text.
`GET /supportedentities?language=...` lists what it can find.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import NamedTuple, TypeVar

import orjson

from ostiary.adapters.detectors.texts import Piece, bytes_before, characters, pieces_of
from ostiary.adapters.http_call import HttpCall
from ostiary.model.detector import DetectorService
from ostiary.model.errors import DetectorFailedError, OperatorError
from ostiary.model.finding import RemoteSpan
from ostiary.ports import Dialler

_log = logging.getLogger("ostiary.detectors")

CALLS_AT_ONCE = 4
TEXTS_PER_CALL = 64
CHARACTERS_PER_CALL = 40_000
ANSWER_MAX_BYTES = 4 * 1024 * 1024
REMEMBERED_TEXTS = 16_384
_MUCH_BYTES = 128 * 1024
_NEXT_STEP = "Ask your administrator to check `ostiary doctor`."
_REMEMBERED_SPANS_MAX = 1000
"""Of one text; a text with more is asked about again."""


_Result = TypeVar("_Result")


class _Seen(NamedTuple):
    """Something found, in characters of its piece."""

    start: int
    end: int
    label: str
    score: float

    def shifted(self, by: int) -> "_Seen":
        return self._replace(start=self.start + by, end=self.end + by)


class PresidioDetector:
    """A `RemoteDetector`. It remembers what was found in the last texts, by their SHA-256 and without the texts: tools
    send the same history again and again."""

    def __init__(self, service: DetectorService, wanted: frozenset[str], dial: Dialler) -> None:
        """`wanted` are the labels that rules name; the analyzer is not asked for others."""
        self.name = service.name
        self.labels = service.labels & wanted
        self._service = service
        self._labels = {entity: label for entity, label in service.entities if label in self.labels}
        self._call = HttpCall(dial, service.endpoint, allow_private=service.allow_private, ca_file=service.ca_file)
        self._places = asyncio.Semaphore(CALLS_AT_ONCE)
        self._known: dict[bytes, tuple[_Seen, ...]] = {}
        self._failure: str | None = None
        self._missing: tuple[str, ...] | None = None  # entities that it does not know; None before it was asked

    @property
    def trouble(self) -> str | None:
        """What is wrong with the service as far as is known."""
        if self._failure is None and self._missing:
            return self._lacking(self._missing)
        return self._failure

    async def analyze(self, texts: Sequence[bytes]) -> list[list[RemoteSpan]]:
        """Raises `DetectorFailedError`, also when the service does not know what it is to find: then its silence says
        nothing."""
        if self._missing is None:
            await self.check()
        if self._missing:
            raise DetectorFailedError(self._lacking(self._missing), _NEXT_STEP)
        cut = await _beside_the_loop(texts, lambda: [pieces_of(characters(text)) for text in texts])
        found = await self._all_found({piece.text for pieces in cut for piece in pieces})
        return await _beside_the_loop(
            texts, lambda: [_in_bytes(text, pieces, found) for text, pieces in zip(texts, cut, strict=True)]
        )

    async def check(self) -> None:
        """Find out whether it answers and knows what it is to find; `trouble` says."""
        with contextlib.suppress(DetectorFailedError):
            self._missing = await self._timely(self._entities_it_lacks())

    # -- asking

    async def _all_found(self, pieces: set[str]) -> dict[str, tuple[_Seen, ...]]:
        found: dict[str, tuple[_Seen, ...]] = {}
        unknown: list[str] = []
        for piece in sorted(pieces):
            known = self._recall(piece)
            if known is None:
                unknown.append(piece)
            else:
                found[piece] = known
        if unknown:
            found.update(await self._timely(self._ask_all(unknown)))
        return found

    async def _ask_all(self, pieces: Sequence[str]) -> dict[str, tuple[_Seen, ...]]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(batch)) for batch in _batches(pieces)]
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        return {piece: seen for task in tasks for piece, seen in task.result().items()}

    async def _ask(self, pieces: Sequence[str]) -> dict[str, tuple[_Seen, ...]]:
        question = {
            "text": pieces,
            "language": self._service.language,
            "entities": sorted(self._labels),
            "score_threshold": self._service.min_score,
        }
        async with self._places:
            answer = await self._call("POST", "/analyze", orjson.dumps(question), ANSWER_MAX_BYTES)
        _must_be_ok(answer.status)
        rows = _json(answer.body)
        if not isinstance(rows, list) or len(rows) != len(pieces):
            raise OperatorError("Its answer is not one list for each text.")
        found = {piece: tuple(self._read(row, piece)) for piece, row in zip(pieces, rows, strict=True)}
        for piece, seen in found.items():
            self._remember(piece, seen)
        return found

    def _read(self, row: object, piece: str) -> Iterable[_Seen]:
        if not isinstance(row, list):
            raise OperatorError("Its answer is not one list for each text.")
        for each in row:
            match each:
                case {"entity_type": str() as entity, "start": int() as start, "end": int() as end, "score": score}:
                    if not isinstance(score, int | float) or not 0 <= start <= end <= len(piece):
                        raise OperatorError("Its answer speaks of places that the text does not have.")
                    label = self._labels.get(entity)
                    if label is not None and score >= self._service.min_score and start < end:
                        yield _Seen(start, end, label, float(score))
                case _:
                    raise OperatorError("Its answer lacks what was found, where, or how sure that is.")

    async def _entities_it_lacks(self) -> tuple[str, ...]:
        target = f"/supportedentities?language={self._service.language}"
        answer = await self._call("GET", target, None, ANSWER_MAX_BYTES)
        _must_be_ok(answer.status)
        known = _json(answer.body)
        if not isinstance(known, list):
            raise OperatorError("It does not say which entities it knows.")
        return tuple(sorted(entity for entity in self._labels if entity not in known))

    def _lacking(self, entities: tuple[str, ...]) -> str:
        return f"The detector `{self.name}` does not find {', '.join(entities)} in language {self._service.language}."

    async def _timely(self, asking: Coroutine[object, object, _Result]) -> _Result:
        """Raises `DetectorFailedError` with a sentence that names the detector."""
        try:
            async with asyncio.timeout(self._service.timeout_s):
                result = await asking
            self._failure = None
            return result
        except TimeoutError:
            reason = f"It does not answer within {self._service.timeout_s:g} seconds."
        except OperatorError as failure:
            reason = str(failure)
        if self._failure is None:
            _log.warning("detector.failed name=%s reason=%s", self.name, reason)
        self._failure = f"The detector `{self.name}` gives no usable answer. {reason}"
        raise DetectorFailedError(f"The detector `{self.name}` gives no usable answer.", _NEXT_STEP)

    # -- remembering

    def _recall(self, piece: str) -> tuple[_Seen, ...] | None:
        key = _digest(piece)
        seen = self._known.pop(key, None)
        if seen is not None:
            self._known[key] = seen
        return seen

    def _remember(self, piece: str, seen: tuple[_Seen, ...]) -> None:
        if len(seen) > _REMEMBERED_SPANS_MAX:
            return
        while len(self._known) >= REMEMBERED_TEXTS:
            del self._known[next(iter(self._known))]
        self._known[_digest(piece)] = seen


async def _beside_the_loop(texts: Sequence[bytes], work: Callable[[], _Result]) -> _Result:
    """In a thread where there is much of it, so that the event loop is not kept from others."""
    if sum(map(len, texts)) <= _MUCH_BYTES:
        return work()
    return await asyncio.get_running_loop().run_in_executor(None, work)


def _digest(piece: str) -> bytes:
    return hashlib.sha256(piece.encode()).digest()


def _batches(pieces: Iterable[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    room = 0
    for piece in pieces:
        if not batches or len(piece) > room or len(batches[-1]) >= TEXTS_PER_CALL:
            batches.append([])
            room = CHARACTERS_PER_CALL
        batches[-1].append(piece)
        room -= len(piece)
    return batches


def _in_bytes(text: bytes, pieces: Sequence[Piece], found: dict[str, tuple[_Seen, ...]]) -> list[RemoteSpan]:
    spans = {seen.shifted(piece.start) for piece in pieces for seen in found[piece.text]}
    if not spans:
        return []
    offset = bytes_before(text, [place for span in spans for place in (span.start, span.end)])
    return sorted(RemoteSpan(offset[span.start], offset[span.end], span.label, span.score) for span in spans)


def _must_be_ok(status: int) -> None:
    if status != 200:
        raise OperatorError(f"It answers with HTTP {status}.")


def _json(body: bytes) -> object:
    try:
        document: object = orjson.loads(body)
    except ValueError:
        raise OperatorError("Its answer is not JSON.") from None
    return document


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
