"""Which way of masking fits a body: by its media type, and by its first bytes where those say more."""

import re
from collections.abc import Sequence

from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.binary_body import BinaryBody
from ostiary.gateway.bodies.form_body import FormBody
from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.multipart_body import MultipartBody
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.gateway.bodies.text_body import TextBody
from ostiary.gateway.bodies.utf16_body import AnyWidthBody
from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingBlockedError
from ostiary.protocols.text_channels import TextChannel

_EVENT_STREAM_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":", b"\xef\xbb\xbfdata:", b"\xef\xbb\xbfevent:")
_ARCHIVE_STARTS = (
    b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\xfd7zXZ\x00", b"BZh", b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd", b"!<arch>\n", b"MSCF", b"\x04\x22\x4d\x18",
)  # fmt: skip
_LONGEST_START = 9
_ARCHIVE_TYPES = re.compile(
    rb"application/(?:zip|x-zip.*|gzip|x-gzip|zstd|x-tar|x-gtar|x-compressed.*|x-7z-compressed|vnd\.rar|x-rar.*|"
    rb"x-bzip2?|x-xz|x-lzma|java-archive|x-archive|vnd\.ms-cab-compressed)"
)
_JSON_TYPES = re.compile(
    rb"application/(?:[a-z0-9.+-]+\+)?(?:json|x-ndjson|ndjson|jsonl|x-jsonlines|json-seq|jsonlines)"
)
_TEXT_TYPES = re.compile(
    rb"text/.*|application/(?:(?:[a-z0-9.-]+\+)?xml|(?:x-)?javascript|ecmascript|(?:x-)?yaml|toml|graphql|sql|x-sh|"
    rb"xhtml\+xml|rtf|x-patch|problem\+xml)|image/svg\+xml|message/.*"
)
ARCHIVE = "archive"
"""What a refusal calls an archive."""

_CONTROL_BYTES = bytes({*range(32), 127} - {*b"\t\n\f\r\x1b"})
_UNTYPED = re.compile(rb"|application/octet-stream|binary/octet-stream|application/x-unknown|\*/\*")


def media_type(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()


def is_event_stream(content_type: bytes) -> bool:
    return media_type(content_type) == b"text/event-stream"


def body_for(
    content_type: bytes, masker: TextMasker, channels: Sequence[TextChannel], archives_rule: str | None = None
) -> Body:
    """`channels` are those of the connection's Kind. `archives_rule` names the masking rule that blocks archives."""
    kind = media_type(content_type)
    if kind == b"text/event-stream":
        return SseBody(masker, channels)
    if kind.startswith(b"multipart/"):
        return MultipartBody(content_type, masker, lambda part: body_for(part, masker, channels, archives_rule))
    if kind == b"application/x-www-form-urlencoded":
        return FormBody(masker)
    if archives_rule is not None and _ARCHIVE_TYPES.fullmatch(kind):
        raise MaskingBlockedError(archives_rule, ARCHIVE)
    return _ByFirstBytes(kind, content_type, masker, channels, archives_rule)


class _ByFirstBytes:
    """Waits for as many bytes as are needed to know an event stream or an archive that is called something else."""

    __slots__ = ("_archives_rule", "_body", "_channels", "_content_type", "_first", "_kind", "_masker")

    def __init__(
        self,
        kind: bytes,
        content_type: bytes,
        masker: TextMasker,
        channels: Sequence[TextChannel],
        archives_rule: str | None,
    ) -> None:
        self._kind = kind
        self._content_type = content_type
        self._masker = masker
        self._channels = channels
        self._archives_rule = archives_rule
        self._first = b""
        self._body: Body | None = None

    def feed(self, data: bytes) -> bytes:
        if self._body is not None:
            return self._body.feed(data)
        first = self._first + data if self._first else data
        if len(first) < _LONGEST_START and _may_tell(first):
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

    def _choose(self, first: bytes) -> Body:
        if self._archives_rule is not None and first.startswith(_ARCHIVE_STARTS):
            raise MaskingBlockedError(self._archives_rule, ARCHIVE)
        if first.startswith(_EVENT_STREAM_STARTS):
            self._body = SseBody(self._masker, self._channels)
        else:
            self._body = _by_type(self._kind, self._content_type, first, self._masker)
        return self._body


def _may_tell(first: bytes) -> bool:
    return any(start.startswith(first) for start in (*_EVENT_STREAM_STARTS, *_ARCHIVE_STARTS))


def _by_type(kind: bytes, content_type: bytes, first: bytes, masker: TextMasker) -> Body:
    if _JSON_TYPES.fullmatch(kind):
        return AnyWidthBody(lambda: JsonBody(masker), masker, content_type)
    if _TEXT_TYPES.fullmatch(kind):
        return TextBody(masker, content_type)
    if _UNTYPED.fullmatch(kind):
        if first.lstrip()[:1] in (b"{", b"["):
            return JsonBody(masker)
        if first.translate(None, _CONTROL_BYTES) == first:
            return TextBody(masker, content_type)
    return BinaryBody(masker)
