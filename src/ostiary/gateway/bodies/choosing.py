"""Which way of masking fits a body: by its media type, and by its first bytes where those say more."""

import codecs
import re
from collections.abc import Sequence

from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.binary_body import BinaryBody
from ostiary.gateway.bodies.form_body import FormBody
from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.lines_body import LinesBody
from ostiary.gateway.bodies.multipart_body import MultipartBody
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.gateway.bodies.text_body import TextBody
from ostiary.gateway.bodies.utf16_body import AnyWidthBody
from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingBlockedError, MaskingFailedError
from ostiary.protocols.text_channels import TextChannel

_EVENT_STREAM_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":", b"\xef\xbb\xbfdata:", b"\xef\xbb\xbfevent:")
_ARCHIVE_STARTS = (
    b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\xfd7zXZ\x00", b"BZh", b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd", b"!<arch>\n", b"MSCF", b"\x04\x22\x4d\x18",
)  # fmt: skip
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WIDE_JSON_STARTS = tuple(
    mark + sign.encode(codec)
    for codec, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"))
    for sign in "{["
    for mark in (b"", mark)
)
_UTF32_STARTS = (
    b"\xff\xfe\0\0",
    b"\0\0\xfe\xff",
    *(sign.encode(codec) for codec in ("utf-32-le", "utf-32-be") for sign in '{["'),
)
_UTF32 = re.compile(rb"(?i);\s*charset\s*=\s*\"?\s*(?:utf-?32|ucs-?4)")
_FIRST_BYTES = 4
_UNTYPED_FIRST_BYTES = 4
_SPACES_MAX = 1024
_SPACE = b" \t\r\n"
NESTING_MAX = 8
"""So deep multipart bodies may stand in one another."""

_ARCHIVE_TYPES = re.compile(
    rb"application/(?:zip|x-zip.*|gzip|x-gzip|zstd|x-tar|x-gtar|x-compressed.*|x-7z-compressed|vnd\.rar|x-rar.*|"
    rb"x-bzip2?|x-xz|x-lzma|java-archive|x-archive|vnd\.ms-cab-compressed)"
)
_JSON_TYPES = re.compile(
    rb"application/(?:[a-z0-9.+-]+\+)?(?:json|x-ndjson|ndjson|jsonl|x-jsonlines|json-seq|jsonlines)"
)
_LINE_TYPES = re.compile(rb"application/(?:x-ndjson|ndjson|jsonl|x-jsonl|x-jsonlines|jsonlines|stream\+json)")
_TEXT_TYPES = re.compile(
    rb"text/.*|application/(?:(?:[a-z0-9.-]+\+)?xml|(?:x-)?javascript|ecmascript|(?:x-)?yaml|toml|graphql|sql|x-sh|"
    rb"xhtml\+xml|rtf|x-patch|problem\+xml)|image/svg\+xml|message/.*"
)
_EVENT_STREAM = b"text/event-stream"
ARCHIVE = "archive"
"""What a refusal calls an archive."""

_BINARY_STARTS = (b"GIF8", b"%PDF", b"RIFF", b"OggS", b"fLaC", b"wOFF", b"wOF2", b"OTTO", b"glTF", b"8BPS", b"ID3")
"""What begins like text and is none."""
_CONTROL_BYTES = bytes({*range(32), 127} - {*b"\t\n\f\r\x1b"})
_UNTYPED = re.compile(rb"|application/octet-stream|binary/octet-stream|application/x-unknown|\*/\*")


def media_type(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()


def may_be_event_stream(first: bytes) -> bool:
    """Whether a body that begins with these bytes is, or may still become, a stream of events."""
    return any(first.startswith(start) or start.startswith(first) for start in _EVENT_STREAM_STARTS)


def is_stream_of_lines(content_type: bytes) -> bool:
    """Whether it says that it is one JSON document a line."""
    return _LINE_TYPES.fullmatch(media_type(content_type)) is not None


def body_for(
    content_type: bytes,
    masker: TextMasker,
    channels: Sequence[TextChannel],
    archives_rule: str | None = None,
    nesting: int = 0,
) -> Body:
    """`channels` are those of the connection's Kind. `archives_rule` names the masking rule that blocks archives.

    What is read as JSON or as an event stream by those who do not look at the type is masked as such, whatever its type
    says. Raises `MaskingBlockedError`, as the body does; `nesting` is for multipart bodies within one another.
    """
    kind = media_type(content_type)
    if archives_rule is not None and _ARCHIVE_TYPES.fullmatch(kind):
        raise MaskingBlockedError(archives_rule, ARCHIVE)
    if nesting > NESTING_MAX:
        raise MaskingFailedError(f"Multipart bodies within more than {NESTING_MAX} others cannot be masked.")
    return _ByFirstBytes(kind, content_type, masker, channels, archives_rule, nesting)


class _ByFirstBytes:
    """Waits for as many bytes as are needed to know what the body is; any cut gives the same."""

    __slots__ = ("_archives_rule", "_body", "_channels", "_content_type", "_first", "_kind", "_masker", "_nesting")

    def __init__(
        self,
        kind: bytes,
        content_type: bytes,
        masker: TextMasker,
        channels: Sequence[TextChannel],
        archives_rule: str | None,
        nesting: int,
    ) -> None:
        self._kind = kind
        self._content_type = content_type
        self._masker = masker
        self._channels = channels
        self._archives_rule = archives_rule
        self._nesting = nesting
        self._first = b""
        self._body: Body | None = None

    def feed(self, data: bytes) -> bytes:
        if self._body is not None:
            return self._body.feed(data)
        first = self._first + data if self._first else data
        if self._needs_more(first):
            self._first = first
            return b""
        self._first = b""
        return self._choose(first).feed(first)

    def finish(self) -> bytes:
        if self._body is not None:
            return self._body.finish()
        if not self._first:
            return b""
        body = self._choose(self._first)
        return body.feed(self._first) + body.finish()

    def _needs_more(self, first: bytes) -> bool:
        if len(first) < (_UNTYPED_FIRST_BYTES if _UNTYPED.fullmatch(self._kind) else _FIRST_BYTES):
            return True
        if any(start.startswith(first) for start in (*_EVENT_STREAM_STARTS, *_ARCHIVE_STARTS)):
            return True
        return len(first) <= _SPACES_MAX and not first.removeprefix(_BYTE_ORDER_MARK).strip(_SPACE)

    def _choose(self, first: bytes) -> Body:
        if self._archives_rule is not None and first.startswith(_ARCHIVE_STARTS):
            raise MaskingBlockedError(self._archives_rule, ARCHIVE)
        if first.startswith(_UTF32_STARTS) or _UTF32.search(self._content_type):
            raise MaskingFailedError("A body in UTF-32 cannot be masked.")
        self._body = self._chosen(first)
        return self._body

    def _chosen(self, first: bytes) -> Body:
        kind, content_type, masker = self._kind, self._content_type, self._masker
        begin = first[:_SPACES_MAX].removeprefix(_BYTE_ORDER_MARK).lstrip(_SPACE)[:1]
        is_json = begin in (b"{", b"[") or first.startswith(_WIDE_JSON_STARTS)
        if kind == _EVENT_STREAM:
            events = SseBody(masker, self._channels)
            return _OneAfterTheOther(JsonBody(masker), events) if is_json else events
        if first.startswith(_EVENT_STREAM_STARTS):
            return SseBody(masker, self._channels)
        if is_json and _LINE_TYPES.fullmatch(kind) and not first.startswith(_WIDE_JSON_STARTS):
            return _OneAfterTheOther(JsonBody(masker), LinesBody(masker, self._channels))
        if is_json:
            return AnyWidthBody(lambda: JsonBody(masker), masker, content_type)
        if kind.startswith(b"multipart/"):
            return MultipartBody(content_type, masker, self._body_of_part)
        if kind == b"application/x-www-form-urlencoded":
            return FormBody(masker)
        return _by_type(kind, content_type, first[:_UNTYPED_FIRST_BYTES], masker)

    def _body_of_part(self, content_type: bytes) -> Body:
        return body_for(content_type, self._masker, self._channels, self._archives_rule, self._nesting + 1)


class _OneAfterTheOther:
    """A `Body` that is masked in two ways."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: Body, second: Body) -> None:
        self._first = first
        self._second = second

    def feed(self, data: bytes) -> bytes:
        passed = self._first.feed(data)
        return self._second.feed(passed) if passed else b""

    def finish(self) -> bytes:
        rest = self._first.finish()
        return (self._second.feed(rest) if rest else b"") + self._second.finish()


def _may_be_text(first: bytes) -> bool:
    """Whether no picture, document or the like begins so, which a replacement would break."""
    if first.translate(None, _CONTROL_BYTES) != first or first.startswith(_BINARY_STARTS):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        return False
    return True


def _by_type(kind: bytes, content_type: bytes, first: bytes, masker: TextMasker) -> Body:
    if _JSON_TYPES.fullmatch(kind):
        return AnyWidthBody(lambda: JsonBody(masker), masker, content_type)
    if _TEXT_TYPES.fullmatch(kind):
        return TextBody(masker, content_type)
    if _UNTYPED.fullmatch(kind) and _may_be_text(first):
        return TextBody(masker, content_type)
    return BinaryBody(masker)
