"""Masking JSON text string by string. A lexer by quotes does: documents may follow one another, and what is between the
strings and is not JSON is looked at as a text of its own, up to the next string."""

from collections.abc import Iterator
from itertools import accumulate

from ostiary.gateway.bodies.open_text import OpenText
from ostiary.masking.maskers import TextMasker
from ostiary.protocols.json_gaps import (
    CONTEXT_BYTES,
    LONG_NUMBER,
    START,
    STARTS_ANEW,
    context_behind,
    following,
    is_stray,
    regular_length,
    stray_from,
)
from ostiary.protocols.json_text import Offsets, blanked, decode_string, encode_string, splice, view

_QUOTE = b'"'
_ONE_BY_ONE = 8
"""So few strings are asked after one by one."""
_WAYS = 4
"""In so many parts a suspected stretch is divided."""

_JsonEdit = tuple[int, int, bytes]


class JsonStrings:
    """Takes pieces that end between escapes, together with their `blanked` text."""

    __slots__ = ("_context", "_masker", "_open", "_place", "_token")

    def __init__(self, masker: TextMasker, place: str) -> None:
        self._masker = masker
        self._place = place
        self._open: OpenText | None = None  # a string, or what does not belong between strings
        self._context = START
        self._token = b""  # a number or word that may go on

    def feed(self, raw: bytes, flat: bytes) -> bytes:
        """What can be let go, `raw` itself when that is all."""
        whole = raw
        if self._token:
            raw, flat = self._token + raw, blanked(self._token) + flat
            self._token = b""
        parts: list[bytes] = []
        at, same = 0, True
        if self._open is not None:
            quote = flat.find(_QUOTE)
            if quote < 0:
                return self._open.advance(raw, False)
            at, same = self._close(self._open, raw, quote, parts)
        last = flat.rfind(_QUOTE, at)
        if last >= 0 and flat.count(_QUOTE, at) % 2:
            stop = last
        else:
            gap = max(at, last + 1)
            stop, last = gap + regular_length(raw[gap:]), -1
        if at < stop:
            middle = raw[at:stop]
            masked = self._whole_strings(middle, flat[at:stop])
            parts.append(masked)
            same = same and masked is middle
        if last >= 0:
            before = self._context + _QUOTE
            self._open = OpenText(self._masker.stream(self._place, before), _QUOTE, True)
            parts.append(_QUOTE)
            stop = last + 1
        elif stop < len(raw):
            if is_stray(raw[stop:]):
                self._open = OpenText(self._masker.stream(self._place, self._context), self._context, False)
            else:
                self._token = raw[stop:]
                return b"".join(parts)
        if stop < len(raw) and self._open is not None:
            rest = raw[stop:]
            passed = self._open.advance(rest, False)
            parts.append(passed)
            same = same and passed is rest
        return whole if same and raw is whole else b"".join(parts)

    def finish(self) -> bytes:
        """The rest; a text that is still open ends here."""
        token, self._token = self._token, b""
        if token:
            return self._whole_strings(token, blanked(token))
        text, self._open = self._open, None
        return b"" if text is None else text.advance(b"", True)

    def step_over(self) -> bytes:
        """A value comes that is replaced outside. What was open before it ends; returns the rest of that."""
        rest = self.finish()
        self._context = START
        return rest

    def _close(self, text: OpenText, raw: bytes, quote: int, parts: list[bytes]) -> tuple[int, bool]:
        """End the open text at the quote; returns where to go on, and whether all went out as it came."""
        self._open = None
        rest = raw[:quote]
        passed = text.advance(rest, True)
        parts.append(passed)
        if not text.is_string:
            self._context = text.recent
            return quote, passed is rest
        parts.append(_QUOTE)
        self._context = (text.recent + _QUOTE)[-CONTEXT_BYTES:]
        return quote + 1, passed is rest

    def _whole_strings(self, raw: bytes, flat: bytes) -> bytes:
        """Mask a stretch of whole gaps and strings, and leave the context behind it."""
        before = self._context
        self._context = context_behind(before, raw, flat)
        if not self._masker.suspects(before + view(raw, flat)):
            return raw
        edits = list(_Stretch(self._masker, self._place, before, raw, flat).edits())
        return splice(raw, edits) if edits else raw


class _Stretch:
    """Whole gaps and strings of which some is suspected."""

    def __init__(self, masker: TextMasker, place: str, before: bytes, raw: bytes, flat: bytes) -> None:
        self._masker = masker
        self._place = place
        self._before = before
        self._raw = raw
        # Every string after a gap: the borders of gap, string, gap, string, … and a last gap.
        self._borders = list(accumulate(map((1).__add__, map(len, flat.split(_QUOTE))), initial=-1))
        self._clean: set[bytes] = set()

    def edits(self) -> Iterator[_JsonEdit]:
        return self._between(0, len(self._borders) // 2)

    def _between(self, low: int, high: int) -> Iterator[_JsonEdit]:
        """From what is suspected: each gap and string of the numbers from `low` to `high`."""
        if high - low <= _ONE_BY_ONE:
            for number in range(low, high):
                if self._is_suspected(number):
                    yield from self._one(number)
            return
        step = -(-(high - low) // _WAYS)
        for start in range(low, high, step):
            end = min(start + step, high)
            if self._masker.suspects(self._view(start, end)):
                yield from self._between(start, end)

    def _view(self, low: int, high: int) -> bytes:
        """With the string before the first gap, which may be a key."""
        borders = self._borders
        end = borders[2 * high] + 1 if 2 * high < len(borders) else len(self._raw)
        if low == 0:
            return self._before + view(self._raw[:end])
        return view(self._raw[borders[2 * low - 1] : end])

    def _is_suspected(self, number: int) -> bool:
        """Many keys and small values come again and again; they are asked after once."""
        start = self._borders[2 * number] + 1
        if number == 0 or self._raw[start : start + 1] not in STARTS_ANEW:
            seen = self._view(number, number + 1)
        else:
            seen = view(self._raw[start : self._borders[min(2 * number + 2, len(self._borders) - 1)]])
        if seen in self._clean:
            return False
        if not self._masker.suspects(seen):
            self._clean.add(seen)
            return False
        return True

    def _one(self, number: int) -> Iterator[_JsonEdit]:
        borders, raw = self._borders, self._raw
        start = borders[2 * number] + 1
        end = borders[2 * number + 1]
        gap = raw[start:end]
        before = self._before if number == 0 else view(raw[borders[2 * number - 1] : start])
        if stray_from(gap) < len(gap) or LONG_NUMBER.search(gap) is not None:
            yield from self._gap(before, gap, start)
        if 2 * number + 2 >= len(borders):
            return
        written = raw[end + 1 : borders[2 * number + 2]]
        for begin, stop, replacement in self._string(following(before, gap) + _QUOTE, written):
            yield end + 1 + begin, end + 1 + stop, replacement

    def _string(self, before: bytes, written: bytes) -> Iterator[_JsonEdit]:
        text = decode_string(written)
        if not self._masker.suspects(before + text):
            return
        edits = self._masker.stream(self._place, before).cut(text, True)[1]
        if not edits:
            return
        offsets = Offsets(written)
        done = 0
        for start, end, replacement in edits:
            start, end = max(done, offsets.before(start)), max(done, offsets.behind(end))
            done = end
            yield start, end, encode_string(replacement)

    def _gap(self, before: bytes, gap: bytes, origin: int) -> Iterator[_JsonEdit]:
        """Long numbers one by one, and as one text what does not belong there."""
        stray = stray_from(gap)
        done = 0
        for number in LONG_NUMBER.finditer(gap, 0, stray):
            before = following(before, gap[done : number.start()])
            done = number.start()
            edits = list(self._string(before, number[0]))
            if edits:
                # The text of a number is no number any more, so a string takes its place.
                yield origin + done, origin + number.end(), b'"%b"' % splice(number[0], edits)
        if stray < len(gap):
            for start, end, replacement in self._string(following(before, gap[done:stray]), gap[stray:]):
                yield origin + stray + start, origin + stray + end, replacement
