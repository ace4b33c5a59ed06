"""Answers in our own words: heads for relayed answers and whole error answers in the Kind's shape."""

from http import HTTPStatus

from ostiary.model.errors import GatewayRefusal
from ostiary.protocols.error_shapes import render_error

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}
_BEYOND_RETRY = frozenset({"upstream_refused_key", "response_unreadable", "masking_failed"})
"""Server errors that a repeat cannot mend. The vendors' SDKs and Claude Code honour `x-should-retry: false`; without
it they repeat silently, for minutes, before the user sees the sentence."""
CLOSE = b"Connection: close\r\n"
KEEP_ALIVE_1_0 = b"Connection: keep-alive\r\n"


def status_line(status: int) -> bytes:
    """With our own reason phrase: the upstream's is never passed on (A15)."""
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} Status {status}\r\n".encode("ascii")


def error_answer(refusal: GatewayRefusal, shape: str, identity: str, with_body: bool, close: bool) -> bytes:
    """A complete error answer. `with_body` is False for HEAD."""
    content_type, body = render_error(shape, refusal.status, refusal.code, str(refusal))
    lines = [
        status_line(refusal.status),
        b"Content-Type: " + content_type + b"\r\n",
        b"Content-Length: %d\r\n" % len(body),
        b"x-ostiary-exchange: " + identity.encode("ascii") + b"\r\n",
        b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
    ]
    if (refusal.status < 500 and refusal.status != 429) or refusal.code in _BEYOND_RETRY:
        lines.append(b"x-should-retry: false\r\n")
    if refusal.status == 401:
        lines.append(b'WWW-Authenticate: Bearer realm="ostiary"\r\n')
    if refusal.status == 426:
        lines.append(b"Upgrade: HTTP/1.1\r\n")
    if refusal.retry_after_s is not None:
        lines.append(b"Retry-After: %d\r\n" % refusal.retry_after_s)
    if close:
        lines.append(CLOSE)
    lines.append(b"\r\n")
    if with_body:
        lines.append(body)
    return b"".join(lines)
