"""HTTP to a console: TLS is always verified, plain text goes to this machine only, redirects are not followed."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from ipaddress import ip_address
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from ostiary import __version__
from ostiary.model.errors import CallerError, UnreachableError

_OAUTH_ANSWER_MAX_BYTES = 256 * 1024
_OAUTH_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content: bytes

    def document(self) -> dict[str, Any]:
        """The JSON object it holds; empty when it holds none."""
        try:
            value = json.loads(self.content)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the redirect itself is the answer, so that no token follows it."""
        return


def check_console(console: str) -> None:
    """Raises `CallerError` for a console that would be spoken to in plain text over a network."""
    if console.startswith("http://") and not is_loopback(console):
        raise CallerError(
            f"{console} is not encrypted, and tokens would cross the network in plain text.",
            "Use its https:// address.",
        )


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def request(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = _OAUTH_TIMEOUT_S,
    answer_max_bytes: int | None = _OAUTH_ANSWER_MAX_BYTES,
) -> Answer:
    """The answer, whatever its status. Raises `UnreachableError` when there is none, with the reason."""
    check_console(url)
    sent = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310 - checked
    sent.add_header("User-Agent", f"ostiary/{__version__}")
    sent.add_header("Accept", "application/json")
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if is_loopback(url):
        handlers.append(urllib.request.ProxyHandler({}))
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    opener = urllib.request.build_opener(*handlers)
    try:
        try:
            answer: IO[bytes] = opener.open(sent, timeout=timeout_s)
        except urllib.error.HTTPError as refusal:
            return _answer(refusal.code, refusal, answer_max_bytes)
        return _answer(answer.status, answer, answer_max_bytes)  # type: ignore[attr-defined]
    except (OSError, HTTPException) as error:
        raise _unreachable(url, error, timeout_s) from None


def post_form(url: str, form: Mapping[str, str]) -> Answer:
    """The answer of an OAuth endpoint. Raises `UnreachableError`, also when the server has trouble of its own."""
    answer = request(
        "POST", url, body=urlencode(form).encode(), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    if answer.status >= 500:
        raise UnreachableError(
            f"{_origin(url)} has trouble (status {answer.status}).", "Try again in a moment, or look at its log."
        )
    return answer


def _answer(status: int, stream: IO[bytes], most_bytes: int | None) -> Answer:
    with stream:
        content = stream.read() if most_bytes is None else stream.read(most_bytes + 1)
    if most_bytes is not None and len(content) > most_bytes:
        raise HTTPException("too long")
    return Answer(status, content)


def _unreachable(url: str, error: Exception, timeout_s: float) -> UnreachableError:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    console = _origin(url)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return UnreachableError(
            f"The certificate of {console} is not trusted: {reason.verify_message}.",
            "If your organisation signs its own certificates, name its root in SSL_CERT_FILE.",
        )
    if isinstance(reason, TimeoutError):
        return UnreachableError(f"{console} did not answer within {timeout_s:.0f} seconds.", "Try again in a moment.")
    if isinstance(reason, ssl.SSLError):
        return UnreachableError(f"{console} does not speak TLS as it should.", "Check the address, https or http.")
    if isinstance(reason, OSError):
        why = reason.strerror or type(reason).__name__
        return UnreachableError(f"{console} cannot be reached: {why}.", "Check the address and the network.")
    return UnreachableError(f"{console} answered, but not as a console does.", "Check the address.")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
