"""`multipart/*` (RFC 2046, RFC 7578): part by part, each as its own type wants it; delimiters stay as they are."""

import re
from collections.abc import Callable

from ostiary.gateway.bodies import Body
from ostiary.masking.maskers import TextMasker, TextStream
from ostiary.model.errors import MaskingFailedError

PART_HEAD_MAX_BYTES = 64 * 1024
PLACE = "body"

_BOUNDARY = re.compile(rb"(?i);\s*boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^;\s]{1,200}))")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_TYPE_LINE = re.compile(rb"(?im)^content-type[ \t]*:[ \t]*([^\r\n]*)")
_CODED = re.compile(rb"(?im)^content-transfer-encoding[ \t]*:[ \t]*(?:base64|quoted-printable)")


class MultipartBody:
    """A `Body`. `body_of` gives the masking for a part's Content-Type (`text/plain` when it has none).

    Text around the parts and their header fields are looked at as text. Raises `MaskingFailedError` for a body without
    a boundary, a part's head without end, and a part in base64 or quoted-printable, which could not be looked into.
    """

    __slots__ = ("_body_of", "_delimiter", "_first", "_held", "_in_head", "_masker", "_part")

    def __init__(self, content_type: bytes, masker: TextMasker, body_of: Callable[[bytes], Body]) -> None:
        found = _BOUNDARY.search(content_type)
        if found is None:
            raise MaskingFailedError("A multipart body without a boundary cannot be masked.")
        self._delimiter = b"--" + (found[1] or found[2])
        self._masker = masker
        self._body_of = body_of
        self._held = b""
        self._first = True  # a delimiter may stand here without a line break before it
        self._in_head = False
        self._part: Body | TextStream = masker.stream(PLACE)

    def feed(self, data: bytes) -> bytes:
        return self._take(data, final=False)

    def finish(self) -> bytes:
        return self._take(b"", final=True) + self._part.finish()

    def _take(self, data: bytes, final: bool) -> bytes:
        out: list[bytes] = []
        self._held, rest = b"", self._held + data
        while rest:
            rest = self._take_head(rest, out, final) if self._in_head else self._take_content(rest, out, final)
        return b"".join(out)

    def _take_content(self, data: bytes, out: list[bytes], final: bool) -> bytes:
        """Everything up to the next delimiter; returns what follows it."""
        delimiter = self._delimiter
        if self._first:
            if not final and len(data) < len(delimiter) and delimiter.startswith(data):
                self._held = data
                return b""
            self._first = False
            if data.startswith(delimiter):
                return self._begin_head(data, 0, len(delimiter), out)
        place = data.find(b"\n" + delimiter)
        if place >= 0:
            begin = place - 1 if data[place - 1 : place] == b"\r" else place
            out.append(self._part.feed(data[:begin]))
            out.append(self._part.finish())
            return self._begin_head(data, begin, place + 1 + len(delimiter), out)
        decided = len(data) if final else len(data) - self._undecided_bytes(data)
        if decided:
            out.append(self._part.feed(data[:decided]))
        self._held = data[decided:]
        return b""

    def _begin_head(self, data: bytes, begin: int, end: int, out: list[bytes]) -> bytes:
        out.append(data[begin:end])
        self._in_head = True
        return data[end:]

    def _undecided_bytes(self, data: bytes) -> int:
        """So many bytes at the end could be the beginning of a delimiter."""
        break_at = data.rfind(b"\n", max(0, len(data) - len(self._delimiter)))
        if break_at >= 0 and (b"\n" + self._delimiter).startswith(data[break_at:]):
            return len(data) - (break_at - 1 if data[break_at - 1 : break_at] == b"\r" else break_at)
        return 1 if data.endswith(b"\r") else 0

    def _take_head(self, data: bytes, out: list[bytes], final: bool) -> bytes:
        """The rest of the delimiter's line and the part's header fields; returns what follows them."""
        if data.startswith(b"--"):
            self._in_head = False
            self._part = self._masker.stream(PLACE)
            return data
        end = _HEAD_END.search(data)
        if end is None:
            if len(data) > PART_HEAD_MAX_BYTES:
                raise MaskingFailedError("The head of a part in a multipart body has no end.")
            if final:
                out.append(self._as_text(data))
                self._in_head = False
                self._part = self._masker.stream(PLACE)
            else:
                self._held = data
            return b""
        head = data[: end.end()]
        if _CODED.search(head):
            raise MaskingFailedError("A part in base64 or quoted-printable cannot be masked.")
        out.append(self._as_text(head))
        found = _TYPE_LINE.search(head)
        self._part = self._body_of(found[1] if found is not None else b"text/plain")
        self._in_head = False
        self._first = True
        return data[end.end() :]

    def _as_text(self, text: bytes) -> bytes:
        stream = self._masker.stream(PLACE)
        return stream.feed(text) + stream.finish()
