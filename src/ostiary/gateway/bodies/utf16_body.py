"""Bodies in UTF-16: looked at in UTF-8 and written back in what they came in."""

import codecs
import re
from collections.abc import Callable

from ostiary.gateway.bodies import Body
from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingFailedError

_CHARSET = re.compile(rb"(?i);\s*charset\s*=\s*\"?\s*utf-?16(le|be)?\s*(?:[\";]|\Z)")
_ORDERS = {b"": "utf-16-le", b"le": "utf-16-le", b"be": "utf-16-be"}
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LONE = "surrogatepass"
"""Half a surrogate pair keeps its value on the way there and back."""


def utf16_order(content_type: bytes, beginning: bytes) -> str | None:
    """The codec for a body that begins with these two bytes, None when it is not UTF-16. Byte order mark and zero bytes
    tell more than what is declared."""
    if beginning in _MARKS:
        return _MARKS[beginning]
    if len(beginning) == 2 and beginning[0] != 0 == beginning[1]:
        return "utf-16-le"
    if len(beginning) == 2 and beginning[0] == 0 != beginning[1]:
        return "utf-16-be"
    declared = _CHARSET.search(content_type)
    return None if declared is None else _ORDERS[(declared[1] or b"").lower()]


class AnyWidthBody:
    """A `Body` that is what `make` makes, in UTF-16 or in anything else: the first two bytes tell."""

    __slots__ = ("_body", "_content_type", "_first", "_make", "_masker", "_place")

    def __init__(self, make: Callable[[], Body], masker: TextMasker, content_type: bytes, place: str = "body") -> None:
        self._make = make
        self._masker = masker
        self._content_type = content_type
        self._place = place
        self._first = b""
        self._body: Body | None = None

    def feed(self, data: bytes) -> bytes:
        if self._body is not None:
            return self._body.feed(data)
        if self._first:
            data, self._first = self._first + data, b""
        if len(data) < 2:
            self._first = data
            return b""
        return self._chosen(data[:2]).feed(data)

    def finish(self) -> bytes:
        if self._body is not None:
            return self._body.finish()
        body = self._chosen(self._first)
        return body.feed(self._first) + body.finish()

    def _chosen(self, beginning: bytes) -> Body:
        order = utf16_order(self._content_type, beginning)
        body = self._make()
        self._body = body if order is None else Utf16Body(body, order, self._masker, self._place)
        return self._body


class Utf16Body:
    """A `Body` around another one that is fed UTF-8. Should the bytes hold something that is found as they stand, they
    are not UTF-16, and others might read them as what they are: `MaskingFailedError`."""

    __slots__ = ("_as_it_stands", "_back", "_body", "_carry", "_codec", "_high_at")

    def __init__(self, body: Body, codec: str, masker: TextMasker, place: str) -> None:
        self._body = body
        self._codec = codec
        self._high_at = -1 if codec == "utf-16-le" else -2  # the byte that tells the first half of a surrogate pair
        self._carry = b""
        self._back = codecs.getincrementaldecoder("utf-8")(_LONE)
        self._as_it_stands = masker.stream(place, b"\n")

    def feed(self, data: bytes) -> bytes:
        if self._as_it_stands.cut(data, False)[1]:
            raise _not_utf16()
        whole = self._carry + data if self._carry else data
        end = len(whole) & ~1
        if end and whole[end + self._high_at] & 0xFC == 0xD8:
            end -= 2
        self._carry = whole[end:]
        return self._through(whole[:end])

    def finish(self) -> bytes:
        if self._as_it_stands.cut(b"", True)[1]:
            raise _not_utf16()
        end = len(self._carry) & ~1
        odd = self._carry[end:]
        return self._through(self._carry[:end]) + self._written(self._body.finish(), final=True) + odd

    def _through(self, wide: bytes) -> bytes:
        text = wide.decode(self._codec, _LONE).encode("utf-8", _LONE)
        passed = self._body.feed(text)
        if passed is text and not self._back.getstate()[0]:
            return wide
        return self._written(passed, final=False)

    def _written(self, text: bytes, final: bool) -> bytes:
        try:
            return self._back.decode(text, final).encode(self._codec, _LONE)
        except UnicodeDecodeError:
            raise MaskingFailedError("A text in UTF-16 cannot be written back after it was masked.") from None


def _not_utf16() -> MaskingFailedError:
    return MaskingFailedError("A body that says it is UTF-16 is not.")
