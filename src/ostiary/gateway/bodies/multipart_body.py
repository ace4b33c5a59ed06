"""`multipart/*` (RFC 2046, RFC 7578): part by part, each as its own type wants it; delimiters stay as they are."""

import re
from collections.abc import Callable

from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.form_body import field_steps
from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingFailedError

PART_HEAD_MAX_BYTES = 64 * 1024
FIELD_MAX_BYTES = 1024 * 1024
"""A member that is replaced whole is gathered first."""

PLACE = "body"

_BOUNDARY = re.compile(rb"(?i);\s*boundary\s*=\s*(?:\"([^\"\\]{1,200})\"|([^;\"\s]{1,200}))")
_ANY_BOUNDARY = re.compile(rb"(?i);\s*boundary\s*\*?[0-9]*\*?\s*=")
_BEHIND_DELIMITER = re.compile(rb"--|[ \t]{0,1000}\r?\n")
_MAY_BE_BEHIND = re.compile(rb"-?|[ \t]{0,1000}\r?")
_SPACES_MAX = 1000
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_FIELD = re.compile(rb"(?m)^([^\s:]+)[ \t]*:[ \t]*([^\r\n]*)")
_PLAIN_CODINGS = frozenset({b"", b"7bit", b"8bit", b"binary", b"identity"})
_CODINGS = (b"content-transfer-encoding", b"content-encoding")
_NAME = re.compile(rb"(?i);\s*name\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^;\s]+))")
_FILENAME = re.compile(rb"(?i);\s*filename\*?\s*=")


class MultipartBody:
    """A `Body`. `body_of` gives the masking for a part's Content-Type (`text/plain` when it has none).

    Text around the parts and their header fields are looked at as text. Raises `MaskingFailedError` for what others may
    read in another way: no boundary or two, a part's head without end, a line that goes on behind a delimiter, and a
    part in base64 or any other coding, which could not be looked into.
    """

    __slots__ = ("_behind_delimiter", "_body_of", "_delimiter", "_first", "_held", "_in_head", "_masker", "_part")

    def __init__(self, content_type: bytes, masker: TextMasker, body_of: Callable[[bytes], Body]) -> None:
        found = _BOUNDARY.search(content_type)
        if found is None:
            raise MaskingFailedError("A multipart body without a boundary cannot be masked.")
        if len(_ANY_BOUNDARY.findall(content_type)) != 1:
            raise MaskingFailedError("A multipart body with more than one boundary cannot be masked.")
        self._delimiter = b"--" + (found[1] or found[2])
        self._masker = masker
        self._body_of = body_of
        self._held = b""
        self._first = True  # a delimiter may stand here without a line break before it
        self._in_head = False
        self._behind_delimiter = False
        self._part: Body = masker.stream(PLACE)

    def feed(self, data: bytes) -> bytes:
        return self._take(data, final=False)

    def finish(self) -> bytes:
        return self._take(b"", final=True) + self._part.finish()

    def _take(self, data: bytes, final: bool) -> bytes:
        out: list[bytes] = []
        rest = self._held + data if self._held else data
        self._held = b""
        while rest:
            rest = self._take_head(rest, out, final) if self._in_head else self._take_content(rest, out, final)
        return out[0] if len(out) == 1 else b"".join(out)

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
            return self._begin_head(data, begin, place + 1 + len(delimiter), out)
        decided = len(data) if final else len(data) - self._undecided_bytes(data)
        if decided:
            out.append(self._part.feed(data if decided == len(data) else data[:decided]))
        self._held = data[decided:]
        return b""

    def _begin_head(self, data: bytes, begin: int, end: int, out: list[bytes]) -> bytes:
        out += (self._part.finish(), data[begin:end])
        self._part = self._masker.stream(PLACE)
        self._in_head = self._behind_delimiter = True
        return data[end:]

    def _undecided_bytes(self, data: bytes) -> int:
        """So many bytes at the end could be the beginning of a delimiter."""
        break_at = data.rfind(b"\n", max(0, len(data) - len(self._delimiter)))
        if break_at >= 0 and (b"\n" + self._delimiter).startswith(data[break_at:]):
            return len(data) - (break_at - 1 if data[break_at - 1 : break_at] == b"\r" else break_at)
        return 1 if data.endswith(b"\r") else 0

    def _take_head(self, data: bytes, out: list[bytes], final: bool) -> bytes:
        """The rest of the delimiter's line and the part's header fields; returns what follows them."""
        if self._behind_delimiter:
            if _BEHIND_DELIMITER.match(data) is None:
                if _MAY_BE_BEHIND.fullmatch(data) is None:
                    raise MaskingFailedError("In a multipart body a line goes on behind its delimiter.")
                if not final:
                    self._held = data
                    return b""
            self._behind_delimiter = False
        if data.startswith(b"--"):
            return self._begin_text(data)
        end = _HEAD_END.search(data)
        if (len(data) if end is None else end.end()) > PART_HEAD_MAX_BYTES:
            raise MaskingFailedError("The head of a part in a multipart body has no end.")
        if end is None:
            if final:
                return self._begin_text(data)
            self._held = data
            return b""
        head = data[: end.end()]
        self._part = self._part_behind(head)
        out.append(self._as_text(head))
        self._in_head = False
        self._first = True
        return data[end.end() :]

    def _begin_text(self, data: bytes) -> bytes:
        """What follows is no part."""
        self._in_head = False
        return data

    def _part_behind(self, head: bytes) -> Body:
        """The masking for a part with these header fields."""
        fields = [(name.lower(), value.strip()) for name, value in _FIELD.findall(_FOLD.sub(b" ", head))]
        if any(name in _CODINGS and value.lower() not in _PLAIN_CODINGS for name, value in fields):
            raise MaskingFailedError("A part in base64 or another coding cannot be masked.")
        types = [value for name, value in fields if name == b"content-type"]
        dispositions = [value for name, value in fields if name == b"content-disposition"]
        if len(types) > 1 or len(dispositions) > 1:
            raise MaskingFailedError("A part in a multipart body has a header field twice.")
        name = b""
        if dispositions and _FILENAME.search(dispositions[0]) is None:
            found = _NAME.search(dispositions[0])
            name = (found[1] or found[2] or b"") if found is not None else b""
        if name:
            number = self._masker.fields.match(field_steps(name))
            if number is not None:
                return _Member(self._masker, number, name)
            if not types:
                return _Named(self._masker.stream(PLACE, name + b"="), self._body_of)
        return self._body_of(types[0] if types else b"text/plain")

    def _as_text(self, text: bytes) -> bytes:
        if not self._masker.suspects(text):
            return text
        stream = self._masker.stream(PLACE)
        return stream.feed(text) + stream.finish()


class _Named:
    """A `Body` that is a member of a form, without a type: a text behind its name, or JSON."""

    __slots__ = ("_body", "_body_of", "_spaces", "_text")

    def __init__(self, text: Body, body_of: Callable[[bytes], Body]) -> None:
        self._text = text
        self._body_of = body_of
        self._spaces = b""
        self._body: Body | None = None

    def feed(self, data: bytes) -> bytes:
        if self._body is not None:
            return self._body.feed(data)
        data = self._spaces + data
        begin = data[:_SPACES_MAX].lstrip()[:1]
        if not begin and len(data) < _SPACES_MAX:
            self._spaces = data
            return b""
        self._body = self._body_of(b"text/plain") if begin in (b"{", b"[") else self._text
        return self._body.feed(data)

    def finish(self) -> bytes:
        if self._body is not None:
            return self._body.finish()
        return self._text.feed(self._spaces) + self._text.finish()


class _Member:
    """A `Body` that is a member of a form which is replaced whatever it holds."""

    __slots__ = ("_masker", "_name", "_number", "_value")

    def __init__(self, masker: TextMasker, number: int, name: bytes) -> None:
        self._masker = masker
        self._number = number
        self._name = name
        self._value = b""

    def feed(self, data: bytes) -> bytes:
        if len(self._value) + len(data) > FIELD_MAX_BYTES:
            raise MaskingFailedError(f"A member of more than {FIELD_MAX_BYTES:,} bytes cannot be masked.")
        self._value += data
        return b""

    def finish(self) -> bytes:
        replaced = self._masker.replace_field(self._number, self._value, PLACE)
        if replaced is not None:
            return replaced
        stream = self._masker.stream(PLACE, self._name + b"=")
        return stream.feed(self._value) + stream.finish()
