"""Masking what remote detectors find: a body is read once to gather its texts, and once more to mask what was found."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from ostiary.masking.engine import Masker, detector_names
from ostiary.masking.fields import FieldPaths
from ostiary.masking.json_members import flavour_behind
from ostiary.masking.maskers import Edit, Flavour, TextStream
from ostiary.masking.placeholders import label_of
from ostiary.masking.text_stream import STRICTEST_FIRST
from ostiary.model.errors import DetectorFailedError, MaskingBlockedError, MaskingFailedError
from ostiary.model.finding import Finding, RemoteSpan
from ostiary.model.masking import Action, MaskingRule

INJECTED = "injected-secret"

_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
_IDENTIFIER = re.compile(
    rb"[a-z0-9_.:/+@%#?&=~-]*|[A-Za-z0-9_.:/+=-]*_[A-Za-z0-9_.:/+=-]*|(?:data:[a-z0-9/+.;=-]*,)?[A-Za-z0-9+/=_-]{256,}"
)
_CONTROL_BYTES = bytes({*range(32), 127} - {*b"\t\n\f\r\x1b"})


def remote_labels(rule: MaskingRule) -> frozenset[str]:
    """The detectors of a rule that are not built in."""
    return frozenset(rule.detectors).difference(detector_names())


def is_language(text: bytes) -> bool:
    """Whether the text may say something to a reader. Protocols are full of single words that do not: names of models,
    types and roles in lower case, identifiers, base64. Nor do pictures and the like."""
    if not _LETTER.search(text) or _IDENTIFIER.fullmatch(text) or text.count(0) * 4 > len(text):
        return False
    return not is_binary(text)


def is_binary(data: bytes) -> bool:
    """Whether this is no text in any character set that has ASCII in it."""
    if data.translate(None, _CONTROL_BYTES) == data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


class TextCollector:
    """A `TextMasker` that changes nothing and keeps every text. `texts` are in the order in which they began."""

    fields = FieldPaths(())

    def __init__(self) -> None:
        self._texts: list[list[bytes]] = []

    @property
    def texts(self) -> list[bytes]:
        return [b"".join(pieces) for pieces in self._texts]

    def suspects(self, view: bytes) -> bool:
        return True

    def stream(self, place: str, before: bytes = b"", flavour: Flavour = Flavour.TEXT) -> TextStream:
        pieces: list[bytes] = []
        self._texts.append(pieces)
        return _Collecting(pieces)

    def replace_field(self, field: int, value: bytes, place: str) -> bytes | None:
        return None

    def findings(self) -> tuple[Finding, ...]:
        return ()


class _Collecting:
    __slots__ = ("_fed", "_pieces")

    held_bytes = 0

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self._fed = 0

    def feed(self, text: bytes) -> bytes:
        self.cut(text, False)
        return text

    def finish(self) -> bytes:
        return b""

    def cut(self, text: bytes, final: bool) -> tuple[int, list[Edit]]:
        if text:
            self._pieces.append(text)
            self._fed += len(text)
        return self._fed, []


class Sighting(NamedTuple):
    """A span, and the name of the service that found it."""

    service: str
    span: RemoteSpan


class RemoteMasker:
    """A `TextMasker` for the second reading of a body: it knows all texts to come and what was found in them. What
    becomes of that, `masker` says, and it counts it."""

    fields = FieldPaths(())

    def __init__(
        self,
        masker: Masker,
        rules: Mapping[str, Sequence[MaskingRule]],
        texts: Sequence[bytes],
        found: Mapping[bytes, Sequence[Sighting]],
    ) -> None:
        """`rules` are those that name each label, `texts` are those of a `TextCollector`."""
        self._masker = masker
        self._rules = rules
        self._texts = iter(texts)
        self._found = found

    def suspects(self, view: bytes) -> bool:
        return True

    def stream(self, place: str, before: bytes = b"", flavour: Flavour = Flavour.TEXT) -> TextStream:
        """Raises `MaskingBlockedError`, and `MaskingFailedError` where a text begins that was not read before."""
        text = next(self._texts, None)
        if text is None:
            raise _read_differently()
        sightings = self._found.get(text, ())
        return _Foreseen(text, self._edits(text, sightings, place, flavour_behind(before, flavour)))

    def replace_field(self, field: int, value: bytes, place: str) -> bytes | None:
        return None

    def findings(self) -> tuple[Finding, ...]:
        return self._masker.findings()

    def _edits(self, text: bytes, sightings: Sequence[Sighting], place: str, flavour: Flavour) -> list[Edit]:
        matters = sorted(self._matters(text, sightings), key=_Matter.order) if sightings else ()
        edits: list[Edit] = []
        covered = 0
        for start, end, rule, label, service in matters:
            value = text[start:end]
            if rule.action is Action.BLOCK:
                self._masker.count(rule, label, service, place, start, value)
                raise MaskingBlockedError(rule.name, label)
        reported: dict[str, int] = {}
        for start, end, rule, label, service in matters:
            value = text[start:end]
            if rule.action is Action.REPORT:
                if end > reported.get(rule.name, 0):
                    reported[rule.name] = end
                    self._masker.count(rule, label, service, place, start, value)
            elif end > covered:
                self._masker.count(rule, label, service, place, start, value)
                joins = start < covered
                mark = b"" if joins else self._masker.replacement(rule, label, value, flavour)
                edits.append(Edit(max(start, covered), end, mark))
                covered = end
        return edits

    def _matters(self, text: bytes, sightings: Sequence[Sighting]) -> Iterator["_Matter"]:
        marks = _marks(self._masker.labels)
        for service, span in sightings:
            if not 0 <= span.start <= span.end <= len(text):
                raise DetectorFailedError(f"The detector `{service}` speaks of places that the text does not have.")
            for start, end in _without(text, span.start, span.end, marks):
                for rule in self._rules.get(span.label, ()):
                    if not self._masker.is_exempt(rule, text[start:end]):
                        yield _Matter(start, end, rule, span.label, service)


class _Matter(NamedTuple):
    """What a rule has to say about a span."""

    start: int
    end: int
    rule: MaskingRule
    label: str
    service: str

    def order(self) -> tuple[int, int, int]:
        return self.start, STRICTEST_FIRST[self.rule.action], -self.end


class _Foreseen:
    """A text whose edits are known before it comes. Nothing of it is held back. Raises `MaskingFailedError` when
    another text comes."""

    __slots__ = ("_edits", "_fed", "_text")

    held_bytes = 0

    def __init__(self, text: bytes, edits: Sequence[Edit]) -> None:
        self._text = text
        self._edits = list(reversed(edits))
        self._fed = 0

    def feed(self, text: bytes) -> bytes:
        begin = at = self._fed
        _, edits = self.cut(text, False)
        if not edits:
            return text
        parts: list[bytes] = []
        for start, end, replacement in edits:
            parts += (text[at - begin : start - begin], replacement)
            at = end
        parts.append(text[at - begin :])
        return b"".join(parts)

    def finish(self) -> bytes:
        self.cut(b"", True)
        return b""

    def cut(self, text: bytes, final: bool) -> tuple[int, list[Edit]]:
        begin = self._fed
        self._fed = upto = begin + len(text)
        if self._text[begin:upto] != text or (final and upto < len(self._text)):
            raise _read_differently()
        edits: list[Edit] = []
        while self._edits and self._edits[-1].start < upto:
            start, end, replacement = self._edits.pop()
            edits.append(Edit(start, min(end, upto), replacement))
            if end > upto:
                self._edits.append(Edit(upto, end, b""))
                break
        return upto, edits


def _read_differently() -> MaskingFailedError:
    return MaskingFailedError("A body was read differently when it was read again.")


# -- what masking has put there already


@lru_cache(maxsize=256)
def _marks(labels: frozenset[str]) -> re.Pattern[bytes]:
    names = sorted({*labels, *detector_names(), INJECTED}, key=len, reverse=True)
    marks = b"|".join(re.escape(name.encode()) for name in names)
    places = b"|".join(re.escape(label_of(name).encode()) for name in names)
    return re.compile(
        rb"\[masked:(?:%b)(?::(?:[0-9a-f]{8}|\.\.\.(?:[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*){4}))?\]|\xe2\x80\xb9(?:%b):[0-9]{1,12}\xe2\x80\xba"
        % (marks, places)
    )


def _without(text: bytes, start: int, end: int, marks: re.Pattern[bytes]) -> Iterable[tuple[int, int]]:
    """What of the span is neither a mark nor a placeholder: a detector knows nothing of them."""
    if b"[masked:" not in text and b"\xe2\x80\xb9" not in text:
        return ((start, end),) if end > start else ()
    rest: list[tuple[int, int]] = []
    for mark in marks.finditer(text):
        if mark.end() <= start:
            continue
        if mark.start() >= end:
            break
        rest.append((start, mark.start()))
        start = mark.end()
    rest.append((start, end))
    return [each for begin, stop in rest if begin < stop for each in _trimmed(text, begin, stop)]


def _trimmed(text: bytes, start: int, end: int) -> Iterable[tuple[int, int]]:
    value = text[start:end]
    start += len(value) - len(value.lstrip())
    end -= len(value) - len(value.rstrip())
    return ((start, end),) if _WORD.search(value) else ()


_WORD = re.compile(rb"[0-9A-Za-z\x80-\xff]")
