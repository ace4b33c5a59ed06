"""Which answers of an upstream may be relayed, and how their bodies must be read."""

from functools import lru_cache

from ostiary.gateway.bodies.choosing import is_stream_of_lines
from ostiary.model.errors import GatewayRefusal, MaskingFailedError
from ostiary.protocols.charsets import charset_is_readable
from ostiary.protocols.codings import Decoder, UnreadableBody, decoder_for
from ostiary.protocols.heads import ResponseHead

_REFUSED_KEY = GatewayRefusal(
    502,
    "upstream_refused_key",
    "The upstream refused the key that Ostiary holds for this connection.",
    "Your own token is fine; ask your administrator to check or rotate the connection's secret.",
)
_UNASKED = GatewayRefusal(502, "upstream_invalid", "The upstream sent a part of an answer that nobody asked for.")
_PROXY_AUTH = GatewayRefusal(502, "upstream_invalid", "The upstream asks for proxy authentication.")

_REFUSED_STATUS = {401: _REFUSED_KEY, 403: _REFUSED_KEY, 206: _UNASKED, 407: _PROXY_AUTH}


def unreadable(why: str) -> GatewayRefusal:
    return GatewayRefusal(
        502,
        "response_unreadable",
        f"The upstream's answer cannot be checked for secrets: {why}",
        "Nothing of it was passed on.",
    )


def unmaskable(failure: MaskingFailedError) -> GatewayRefusal:
    """The sentence is ours: it never holds anything of the answer."""
    return GatewayRefusal(
        502,
        "masking_failed",
        f"The upstream's answer could not be made safe: {failure.sentence}",
        failure.next_step or "Nothing more of it was passed on; your administrator sees the finding in the audit log.",
    )


def may_stream_events(content_type: bytes) -> bool:
    """Whether a body of this type is, or may turn out to be, a stream of events."""
    kind = content_type.partition(b";")[0].strip().lower()
    return kind in (b"text/event-stream", b"text/plain", b"") or is_stream_of_lines(content_type)


def judge_status(head: ResponseHead, hides_key: bool) -> GatewayRefusal | None:
    """The refusal that replaces an answer of this status, if any. `hides_key`: the connection has a secret."""
    if head.status in (401, 403) and not hides_key:
        return None
    return _REFUSED_STATUS.get(head.status)


def judge_type(head: ResponseHead) -> GatewayRefusal | None:
    if head.content_type and not _is_readable(head.content_type):
        return unreadable("its character set is not supported.")
    return None


_is_readable = lru_cache(maxsize=256)(charset_is_readable)


def body_decoder(head: ResponseHead, ratio_max: int) -> Decoder | None:
    """A decoder for the declared codings, None for identity. Raises `UnreadableBody`."""
    if not head.content_encoding:
        return None
    return decoder_for(head.content_encoding.decode("latin-1"), ratio_max)


__all__ = [
    "UnreadableBody",
    "body_decoder",
    "judge_status",
    "judge_type",
    "may_stream_events",
    "unmaskable",
    "unreadable",
]
