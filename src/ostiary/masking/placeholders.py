"""Placeholders that stand for values a model must not see, and putting the values back.

A placeholder is `‹email:1›`: the detector's name and a number between U+2039 and U+203A. It survives in prose, in
code and in JSON, and hardly anything else looks like it. Only exactly this form is put back, with the brackets
themselves or, in JSON source inside a text, written `\\u2039` and `\\u203a`. What looks like a placeholder and stands
for nothing is left alone; one that a person types and that does stand for something gives that person their own value.

Two directions share a mapping and never meet. What was masked on its way to the upstream is put back in answers. What
was sealed on its way to the tool is put back in requests only: an upstream that repeats the placeholder of
a sealed credential does not hand the credential to the tool, and a tool that repeats `‹email:1›` does not send the
address to the upstream.
"""

import re
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn

import orjson
import re2

from ostiary.masking.fields import FieldPaths
from ostiary.masking.json_members import flavour_behind
from ostiary.masking.maskers import Edit, Flavour, TextStream
from ostiary.model.errors import MaskingFailedError
from ostiary.model.finding import Finding

VALUES_MAX = 10_000
"""Different values of one actor and session."""

VALUES_MAX_BYTES = 4 * 1024 * 1024
"""All of them together."""

LABEL_MAX = 40
_DIGITS_MAX = 12
PLACEHOLDER_MAX_BYTES = 6 + LABEL_MAX + 1 + _DIGITS_MAX + 6
"""The longest placeholder with both brackets written out, which is the most a stream holds back."""

_FORMAT = 1
_Key = tuple[str, bytes, bool]
"""(label, value, whether it is sealed for the tool)"""


def label_of(name: str) -> str:
    """A rule's or detector's name in the alphabet of placeholders, `[a-z0-9-]`; never empty."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:LABEL_MAX].rstrip("-") or "value"


class PlaceholderNumbers:
    """The last number of each label, for all sessions of one actor.

    An upstream may remember a conversation longer than a session lasts here. As numbers go on from one session to the
    next, what it repeats is never taken for another value; at worst it stands for nothing any more.
    """

    __slots__ = ("__weakref__", "_last", "lock")

    def __init__(self, lock: "AbstractContextManager[object] | None" = None) -> None:
        """`lock` is held by each of the actor's mappings while it changes; several threads need a real one."""
        self._last: dict[str, int] = {}
        self.lock: AbstractContextManager[object] = lock or nullcontext()

    def take(self, label: str) -> int:
        """The next number of this label. The caller holds the lock, here and in `pass_over`."""
        self._last[label] = number = self._last.get(label, 0) + 1
        return number

    def pass_over(self, label: str, number: int) -> None:
        """From now on only greater numbers are taken."""
        self._last[label] = max(number, self._last.get(label, 0))

    @property
    def total(self) -> int:
        """Grows with every number taken."""
        with self.lock:
            return sum(self._last.values())

    def to_bytes(self) -> bytes:
        with self.lock:
            return orjson.dumps(self._last, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_bytes(cls, data: bytes, lock: "AbstractContextManager[object] | None" = None) -> "PlaceholderNumbers":
        """What `to_bytes` gave. Raises `ValueError`."""
        numbers = cls(lock)
        document: object = orjson.loads(data)
        if not isinstance(document, dict):
            raise ValueError("these are no placeholder numbers")
        for label, number in document.items():
            if not isinstance(number, int):
                raise ValueError("these are no placeholder numbers")
            numbers._last[label] = number
        return numbers


class Placeholders:
    """The mapping of one actor and session. It only grows. It has no text form; `to_bytes` is for sealing."""

    __slots__ = ("__weakref__", "_kept", "_numbers", "_placeholders", "_values", "bytes_held", "sealed_count")

    def __init__(self, numbers: PlaceholderNumbers | None = None) -> None:
        """`numbers` are those of the actor, shared by all their sessions."""
        self._numbers = numbers or PlaceholderNumbers()
        self._placeholders: dict[_Key, bytes] = {}
        self._values: dict[bytes, tuple[bytes, bool]] = {}
        self._kept = 0
        self.bytes_held = 0
        """Of all values together."""
        self.sealed_count = 0
        """How many of the values are sealed for the tool."""

    def placeholder_for(
        self, detector: str, value: bytes, flavour: Flavour = Flavour.TEXT, *, sealed: bool = False
    ) -> bytes:
        """The same for the same detector (or rule) and value, numbered in order of first appearance.

        A value that was found in a text of flavour JSON is written as JSON source; what it says is what counts, so it
        has the same placeholder wherever it stands. `sealed` is for values that the tool must not have. Raises
        `MaskingFailedError` when the mapping is full.
        """
        label = label_of(detector)
        if flavour is Flavour.JSON:
            value = _unescaped(value)
        key = (label, value, sealed)
        known = self._placeholders.get(key)
        if known is not None:
            return known
        with self._numbers.lock:
            return self._placeholders.get(key) or self._new(key)

    def _new(self, key: _Key) -> bytes:
        label, value, _ = key
        if len(self._values) >= VALUES_MAX or self.bytes_held + len(value) > VALUES_MAX_BYTES:
            raise MaskingFailedError(
                f"Placeholders stand for {len(self._values):,} different values of this session already; it holds up "
                f"to {VALUES_MAX:,}, and {VALUES_MAX_BYTES // 1024 // 1024} MiB together.",
                "Begin a new session in the tool, or let the masking rule find less.",
            )
        return self._add(key, self._numbers.take(label))

    def value_of(self, placeholder: bytes, *, sealed: bool = False) -> bytes | None:
        """What stands behind it, if it was made for this direction."""
        value, direction = self._values.get(placeholder, (None, sealed))
        return value if direction is sealed else None

    @property
    def is_empty(self) -> bool:
        return not self._values

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self._values)

    @property
    def changed(self) -> bool:
        """Whether there are values that were not kept yet."""
        return len(self._values) > self._kept

    def was_kept(self, count: int) -> None:
        """The first `count` values are durable."""
        self._kept = max(count, self._kept)

    @property
    def numbers(self) -> PlaceholderNumbers:
        return self._numbers

    def to_bytes(self) -> bytes:
        """All values in the clear."""
        with self._numbers.lock:
            all_of_them = list(self._placeholders.items())
        rows = [
            (label, _number_of(placeholder), value.decode("latin-1"), sealed)
            for (label, value, sealed), placeholder in all_of_them
        ]
        return orjson.dumps({"v": _FORMAT, "values": rows})

    @classmethod
    def from_bytes(cls, data: bytes, numbers: PlaceholderNumbers | None = None) -> "Placeholders":
        """What `to_bytes` gave; it counts as kept. Raises `ValueError`."""
        placeholders = cls(numbers)
        document: object = orjson.loads(data)
        if not isinstance(document, dict) or document.get("v") != _FORMAT:
            raise ValueError("these are no placeholders")
        for row in document["values"]:
            label, number, text, sealed = _checked_row(row)
            with placeholders._numbers.lock:
                placeholders._numbers.pass_over(label, number)
            placeholders._add((label, text.encode("latin-1"), sealed), number)
        placeholders._kept = placeholders.count
        return placeholders

    def __repr__(self) -> str:
        return f"<Placeholders for {len(self._values)} values>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Placeholders are stored sealed only")

    def _add(self, key: _Key, number: int) -> bytes:
        label, value, sealed = key
        placeholder = b"\xe2\x80\xb9%b:%d\xe2\x80\xba" % (label.encode("ascii"), number)
        self._placeholders[key] = placeholder
        self._values[placeholder] = (value, sealed)
        self.bytes_held += len(value)
        self.sealed_count += sealed
        return placeholder


def _number_of(placeholder: bytes) -> int:
    return int(placeholder[:-3].rpartition(b":")[2])


def _checked_row(row: object) -> tuple[str, int, str, bool]:
    match row:
        case [str() as label, int() as number, str() as text, bool() as sealed] if number > 0:
            return label, number, text, sealed
        case _:
            raise ValueError("these are no placeholders")


# -- putting back

_LABEL = rb"[a-z0-9-]{1,%d}" % LABEL_MAX
_NUMBER = rb"[1-9][0-9]{0,%d}" % (_DIGITS_MAX - 1)


_OVER_BYTES = re2.Options()
_OVER_BYTES.encoding = re2.Options.Encoding.LATIN1
_OPENING = b"\xe2\x80\xb9"


class _Brackets:
    """How brackets are written in texts of one flavour."""

    def __init__(self, opening: bytes, closing: bytes, partial: bytes) -> None:
        """Patterns for both brackets and for the first bytes of either."""
        begun = rb"(?:%b|%b(?:%b(?::(?:%b(?:%b)?)?)?)?)\z" % (partial, opening, _LABEL, _NUMBER, partial)
        self.whole = re2.compile(rb"%b(%b):(%b)%b" % (opening, _LABEL, _NUMBER, closing), _OVER_BYTES)
        self._begun = re2.compile(begun, _OVER_BYTES)

    def begun_at(self, data: bytes, start: int) -> int:
        """Where at or after `start` what may become a placeholder begins; the end when there is none."""
        end = len(data)
        start = max(start, end - PLACEHOLDER_MAX_BYTES)
        if data.find(b"\xe2", start) < 0 and data.find(b"\\", start) < 0:
            return end
        while (begun := self._begun.search(data, start)) is not None:
            if not _is_escaped(data, begun.start()):
                return int(begun.start())
            start = begun.start() + 1
        return end


def _is_escaped(data: bytes, at: int) -> bool:
    """Whether the backslash at `at`, if it is one, is itself escaped. `data` begins between two characters."""
    if data[at] != ord("\\"):
        return False
    before = at
    while before and data[before - 1] == ord("\\"):
        before -= 1
    return (at - before) % 2 == 1


_BRACKETS = {
    Flavour.TEXT: _Brackets(_OPENING, rb"\xe2\x80\xba", rb"\xe2\x80?"),
    Flavour.JSON: _Brackets(
        rb"(?:\xe2\x80\xb9|\\u2039)", rb"(?:\xe2\x80\xba|\\u203[aA])", rb"(?:\xe2\x80?|\\(?:u(?:2(?:03?)?)?)?)"
    ),
}
_MAY_GO_ON = (b"\xe2", b"\xe2\x80", b"\\", b"u", b"u2", b"u20", b"u203")


class PlaceholderRestorer:
    """A `TextMasker` that puts values back, those of requests in answers or (`sealed`) those of answers in requests.

    In a text of flavour JSON the value is escaped, so that it fits into a string there; in other text it stands as is.
    """

    __slots__ = ("_placeholders", "_sealed")

    fields = FieldPaths(())

    def __init__(self, placeholders: Placeholders, *, sealed: bool = False) -> None:
        self._placeholders = placeholders
        self._sealed = sealed

    def suspects(self, view: bytes) -> bool:
        """`view` may be decoded text or the source of JSON, whose strings may in turn hold JSON source."""
        return self._has_values() and (
            _OPENING in view
            or b"u2039" in view
            or view.endswith(_MAY_GO_ON)
            or (b"\\" in view and _ends_in_a_string(view))
        )

    def stream(self, place: str, before: bytes = b"", flavour: Flavour = Flavour.TEXT) -> TextStream:
        return _RestoringStream(self, flavour_behind(before, flavour))

    def replace_field(self, field: int, value: bytes, place: str) -> bytes | None:
        return None

    def findings(self) -> tuple[Finding, ...]:
        return ()

    def value_of(self, label: bytes, number: bytes) -> bytes | None:
        """The value to put back, None where the placeholder is left."""
        return self._placeholders.value_of(b"\xe2\x80\xb9%b:%b\xe2\x80\xba" % (label, number), sealed=self._sealed)

    def _has_values(self) -> bool:
        sealed_count = self._placeholders.sealed_count
        return sealed_count > 0 if self._sealed else self._placeholders.count > sealed_count


def _ends_in_a_string(view: bytes) -> bool:
    """Whether JSON source inside a JSON string may break off in the middle of `\\u2039`."""
    return _BROKEN_OFF.search(view) is not None


_BROKEN_OFF = re.compile(rb'(?:\\\\|\\u005[cC])(?:u(?:2(?:0(?:3)?)?)?)?"')


class _RestoringStream:
    """Holds back nothing but a possible beginning of a placeholder at the end of what has arrived."""

    __slots__ = ("_brackets", "_flavour", "_held", "_restorer", "_start")

    def __init__(self, restorer: PlaceholderRestorer, flavour: Flavour) -> None:
        self._restorer = restorer
        self._flavour = flavour
        self._brackets = _BRACKETS[flavour]
        self._held = b""
        self._start = 0
        """Where what is held begins; everything before is decided."""

    @property
    def held_bytes(self) -> int:
        return len(self._held)

    def feed(self, text: bytes) -> bytes:
        return self._replaced(text, final=False)

    def finish(self) -> bytes:
        return self._replaced(b"", final=True)

    def cut(self, text: bytes, final: bool) -> tuple[int, list[Edit]]:
        data = self._held + text if self._held else text
        start, at = self._start, 0
        edits: list[Edit] = []
        if _OPENING in data or b"\\u2039" in data:
            for match in self._brackets.whole.finditer(data):
                if _is_escaped(data, match.start()):
                    continue
                at = match.end()
                value = self._restorer.value_of(*match.groups())
                if value is not None:
                    if self._flavour is Flavour.JSON:
                        value = _escaped(value)
                    edits.append(Edit(start + match.start(), start + at, value))
        decided = len(data) if final else self._brackets.begun_at(data, at)
        self._held = data[decided:]
        self._start = start + decided
        return self._start, edits

    def _replaced(self, text: bytes, final: bool) -> bytes:
        start, data = self._start, self._held + text if self._held else text
        decided, edits = self.cut(text, final)
        if not edits:
            return data if decided - start == len(data) else data[: decided - start]
        parts: list[bytes] = []
        at = start
        for edit in edits:
            parts += (data[at - start : edit.start - start], edit.replacement)
            at = edit.end
        return b"".join((*parts, data[at - start : decided - start]))


# -- values inside JSON source

_TO_ESCAPE = re.compile(rb'["\\\x00-\x1f]')
_SHORT_ESCAPES = {b'"': b'\\"', b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t"}


def _escaped(value: bytes) -> bytes:
    return _TO_ESCAPE.sub(lambda found: _SHORT_ESCAPES.get(found[0]) or b"\\u%04x" % found[0][0], value)


def _unescaped(source: bytes) -> bytes:
    """What a part of a JSON string says; the source itself when it is not such a part."""
    if b"\\" not in source:
        return source
    try:
        text: object = orjson.loads(b'"%b"' % source)
    except ValueError:
        return source
    return text.encode() if isinstance(text, str) else source
