"""JSON as bytes: strings decoded with a way back to where each byte was written, and encoded again.

Nothing here wants a whole document: texts come in pieces, and what is not JSON must be readable, too. Malformed escapes
stand for themselves. A lone surrogate becomes the three bytes that UTF-8 would have for it.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable

import orjson

PathSteps = tuple[str | int, ...]
"""Keys and indexes, outermost first."""

_HEX = rb"[0-9a-fA-F]"
_HIGH = rb"u[dD][89abAB]%b{2}" % _HEX
_LOW = rb"u[dD][c-fC-F]%b{2}" % _HEX
_ESCAPE = re.compile(rb"(?s)\\(?:%b\\%b|u%b{4}|.)" % (_HIGH, _LOW, _HEX))
_UNFINISHED = re.compile(
    rb"\\(?:u%b{0,3}|%b(?:\\(?:u(?:[dD](?:[c-fC-F]%b?)?)?)?)?)?\Z|"
    rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z" % (_HEX, _HIGH, _HEX)
)
_UNFINISHED_MAX_BYTES = 11
_PAIR = re.compile(rb"\\%b\\%b" % (_HIGH, _LOW))
_PART_BYTES = 2048
_SIMPLE = {
    b'\\"': b'"',
    b"\\\\": b"\\",
    b"\\/": b"/",
    b"\\b": b"\b",
    b"\\f": b"\f",
    b"\\n": b"\n",
    b"\\r": b"\r",
    b"\\t": b"\t",
}
_NO_QUOTES = bytes.maketrans(b'"', b"\x7f")
_COVERED = bytes.maketrans(b"\x7f\b\f", b'""\\')
_COVERING = (b"\x7f", b"\b", b"\f", b"\\b", b"\\f", b"\\u000", b"\\u007")
_TO_ESCAPE = re.compile(rb'[\x00-\x1f"\\]|\xed[\xa0-\xbf][\x80-\xbf]')
_ESCAPED = {
    **{bytes((code,)): b"\\u%04x" % code for code in range(0x20)},
    **{plain: escape for escape, plain in _SIMPLE.items() if plain != b"/"},
}


def decode_string(raw: bytes) -> bytes:
    """`raw`, what stands between the quotes, with its escapes decoded: the same object when it has none."""
    if b"\\" not in raw:
        return raw
    return _decode_quoted(raw, raw)


def view(raw: bytes, flat: bytes | None = None) -> bytes:
    """A stretch of JSON text with every escape decoded in its place and all quotes left standing: what any string in
    it says, in one piece with what stands around it. `raw` itself when there is no backslash. `flat`, its `blanked`
    text, makes it faster."""
    if b"\\" not in raw:
        return raw
    if flat is not None and not any(sign in raw for sign in _COVERING):
        # The blanks are the only escapes of their kind, so what they decode to tells what they cover.
        return _decode_quoted(flat.translate(_NO_QUOTES), raw).translate(_COVERED)
    quoted = raw.replace(b"\\\\", b"\\u005c") if b"\\\\" in raw else raw
    if b'"' in quoted:
        # Every quote, escaped or not, becomes an escaped one: then it is all one string.
        quoted = (quoted.replace(b'\\"', b'"') if b'\\"' in quoted else quoted).replace(b'"', b'\\"')
    return _decode_quoted(quoted, raw)


def _decode_quoted(quoted: bytes, raw: bytes) -> bytes:
    """What `quoted` says, which has no quote that is not escaped, else `raw`, which says the same."""
    try:
        text: str = orjson.loads(b'"%b"' % quoted)
        return text.encode()
    except ValueError:
        pass
    try:  # control characters and lone surrogates
        text = json.loads((b'"%b"' % quoted).decode(), strict=False)
        return text.encode("utf-8", "surrogatepass")
    except ValueError:  # unknown escapes, and bytes that are no UTF-8
        return _ESCAPE.sub(_plain, raw)


def _plain(escape: re.Match[bytes]) -> bytes:
    written = escape[0]
    if written[1:2] != b"u" or len(written) == 2:
        return _SIMPLE.get(written, written)
    return _units(written).encode("utf-8", "surrogatepass")


def _units(written: bytes) -> str:
    if len(written) == 6:
        return chr(int(written[2:], 16))
    return chr(0x10000 + ((int(written[2:6], 16) & 0x3FF) << 10) + (int(written[8:], 16) & 0x3FF))


def encode_string(text: bytes) -> bytes:
    """`text` as it is written between quotes: escaped where JSON asks for it and nowhere else."""
    return _TO_ESCAPE.sub(_written, text)


def _written(found: re.Match[bytes]) -> bytes:
    plain = found[0]
    return _ESCAPED[plain] if len(plain) == 1 else b"\\u%04x" % ord(plain.decode("utf-8", "surrogatepass"))


def blanked(raw: bytes) -> bytes:
    """`raw` with escaped backslashes and escaped quotes overwritten by other escapes: every quote left is the border of
    a string, and every backslash begins an escape. `raw` itself when there is nothing to overwrite."""
    if b"\\" not in raw:
        return raw
    if b"\\\\" in raw:
        raw = raw.replace(b"\\\\", b"\\f")
    return raw.replace(b'\\"', b"\\b") if b'\\"' in raw else raw


def unfinished(flat: bytes) -> int:
    """Where in `blanked` text an escape, a surrogate pair or a UTF-8 character begins that the end cuts off, or the
    length. At most 11 bytes from the end."""
    end = flat[-_UNFINISHED_MAX_BYTES:]
    if b"\\" not in end and end[-3:].isascii():
        return len(flat)
    found = _UNFINISHED.search(flat, max(0, len(flat) - _UNFINISHED_MAX_BYTES))
    return len(flat) if found is None else found.start()


class Offsets:
    """From places in a decoded string to places in what was written."""

    __slots__ = ("_flat", "_parts", "_plain", "_raw", "_written")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._flat = blanked(raw)
        # Where parts of the text begin, decoded and written, as far as they have been measured.
        self._plain = [0]
        self._written = [0]
        self._parts: dict[int, _Part] = {}

    def before(self, offset: int) -> int:
        """The place of this decoded byte; inside what an escape stands for, the escape's beginning."""
        return self._place(offset, -1)

    def behind(self, offset: int) -> int:
        """The same, but inside what an escape stands for the escape's end."""
        return self._place(offset, 0)

    def _place(self, offset: int, side: int) -> int:
        while self._plain[-1] <= offset and self._written[-1] < len(self._raw):
            start = self._written[-1]
            end = _between_escapes(self._flat, start + _PART_BYTES)
            self._plain.append(self._plain[-1] + len(decode_string(self._raw[start:end])))
            self._written.append(end)
        number = bisect_right(self._plain, offset) - 1
        start = self._written[number]
        if number + 1 == len(self._written):
            return start + offset - self._plain[number]
        part = self._parts.get(number)
        if part is None:
            part = self._parts[number] = _Part(self._raw[start : self._written[number + 1]])
        return start + part.place(offset - self._plain[number], side)


class _Part:
    """The escapes of a part: where each begins decoded, and begins and ends as it is written."""

    __slots__ = ("_plain", "_written")

    def __init__(self, raw: bytes) -> None:
        self._plain: list[int] = []
        self._written: list[tuple[int, int, int]] = []
        shift = 0
        for escape in _ESCAPE.finditer(raw):
            start, end = escape.span()
            length = len(_plain(escape))
            self._plain.append(start - shift)
            self._written.append((start, end, length))
            shift += end - start - length

    def place(self, offset: int, side: int) -> int:
        number = bisect_right(self._plain, offset) - 1
        if number < 0:
            return offset
        start, end, length = self._written[number]
        inside = offset - self._plain[number]
        if inside >= length:
            return end + inside - length
        return start if inside == 0 or side < 0 else end


def _between_escapes(flat: bytes, place: int) -> int:
    """This place or one a few bytes before it, at which no escape, surrogate pair or character is cut."""
    if place >= len(flat):
        return len(flat)
    for _ in range(3):
        place -= flat[place] & 0xC0 == 0x80
    begin = flat.rfind(b"\\", place - _UNFINISHED_MAX_BYTES, place)
    if begin < 0:
        return place
    return begin - 6 if _PAIR.fullmatch(flat, begin - 6, begin + 6) is not None else begin


def splice(raw: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """`raw` with each stretch from start to end replaced; ascending and disjoint."""
    parts: list[bytes] = []
    written = 0
    for start, end, replacement in edits:
        parts += (raw[written:start], replacement)
        written = end
    parts.append(raw[written:])
    return b"".join(parts)
