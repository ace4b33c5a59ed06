"""The command line's side of OAuth 2.0: what a console offers, and the grants that `ostiary login` uses."""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ostiary.cli.console_http import check_console, post_form, request
from ostiary.model.errors import OperatorError, RefusedError, UnreachableError

CLIENT_ID = "ostiary-cli"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_METADATA_PATH = "/.well-known/oauth-authorization-server"
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._/-]{0,200})?", re.ASCII)
"""What a shell takes as it is, without quotes."""
_SLOW_DOWN_S = 5.0
_POLL_LEAST_S = 1.0
_POLL_MOST_S = 60.0


class SignInAgainError(RefusedError):
    """The sign-in is over: its refresh token is no longer taken."""

    code = "signed_out"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Of one console, all below its own address. Empty where it has none."""

    issuer: str
    authorization: str
    token: str
    device_authorization: str
    revocation: str
    names_issuer: bool
    """Answers to the browser carry `iss` (RFC 9207)."""
    gateway: str
    """Where tools reach the gateway; empty when the console does not say."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What a grant gave. Times are seconds since the epoch by our own clock."""

    access_token: str
    received_at: float
    expires_at: float
    scope: str
    refresh_token: str
    user: str


@dataclass(frozen=True, slots=True)
class DeviceCode:
    device_code: str
    user_code: str
    url: str
    interval_s: float
    expires_in_s: float


def discover(console: str) -> Endpoints:
    """What the console offers (RFC 8414). Raises `UnreachableError` or `OperatorError`."""
    check_console(console)
    answer = request("GET", console + _METADATA_PATH)
    if answer.status >= 500:
        raise UnreachableError(f"{console} has trouble (status {answer.status}).", "Try again in a moment.")
    metadata = answer.document() if answer.status == 200 else {}
    issuer = metadata.get("issuer")
    if not isinstance(issuer, str):
        raise OperatorError(f"{console} is not the console of an Ostiary.", "Check the address.")
    if issuer.rstrip("/") != console:
        if _ADDRESS.fullmatch(issuer) is None:
            # It would stand in a command that people copy into their shell.
            raise OperatorError(f"{console} says that its address is another one.", "Check the address.")
        raise OperatorError(
            f"{console} says that its address is {issuer}, and sign-ins only work there.",
            f"Run `ostiary login --console {issuer}`, or correct OSTIARY_CONSOLE_URL where it is served.",
        )
    return Endpoints(
        issuer=issuer,
        authorization=_endpoint(metadata, "authorization_endpoint", console),
        token=_endpoint(metadata, "token_endpoint", console, needed=True),
        device_authorization=_endpoint(metadata, "device_authorization_endpoint", console),
        revocation=_endpoint(metadata, "revocation_endpoint", console),
        names_issuer=metadata.get("authorization_response_iss_parameter_supported") is True,
        gateway=str(metadata.get("ostiary_gateway_url") or "").rstrip("/"),
    )


def _endpoint(metadata: Mapping[str, Any], name: str, console: str, *, needed: bool = False) -> str:
    url = metadata.get(name) or ""
    if (needed and not url) or (url and not (isinstance(url, str) and url.startswith(f"{console}/"))):
        raise OperatorError(f"{console} names no {name} of its own.", "Check the address, and the server's version.")
    return str(url)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One browser sign-in: the URL to open, and what its answer is checked by."""

    url: str
    state: str
    verifier: str
    redirect_uri: str


def begin(endpoints: Endpoints, redirect_uri: str, agent: str, device: str) -> Attempt:
    if not endpoints.authorization:
        raise OperatorError(f"{endpoints.issuer} offers no sign-in with a browser.", "Try `ostiary login --device`.")
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **_asked(agent, device),
    }
    return Attempt(f"{endpoints.authorization}?{urlencode(query)}", state, verifier, redirect_uri)


def proving_anew(console: str, url: str) -> str:
    """The way to the console's page `url` through its sign-in, which asks for a proof even if the browser is signed in:
    what takes a recent one counts from there."""
    return f"{console}/sign-in?{urlencode({'again': '1', 'next': url.removeprefix(console)})}"


def _asked(agent: str, device: str) -> dict[str, str]:
    """A sign-in for an agent is for the gateway alone: what a tool holds never opens the API."""
    named = {"agent": agent, "device": device}
    return {"scope": "gateway" if agent else "gateway api"} | {name: value for name, value in named.items() if value}


def finish(endpoints: Endpoints, attempt: Attempt, answer: Mapping[str, str]) -> Issued:
    """Exchange the code in the browser's answer, whose state was checked already. Raises `RefusedError`."""
    issuer = answer.get("iss")
    if (endpoints.names_issuer and issuer is None) or issuer not in (None, endpoints.issuer):
        raise RefusedError("The answer in the browser came from another server.", "Start `ostiary login` again.")
    if "error" in answer or "code" not in answer:
        raise _refusal(answer.get("error", ""))
    form = {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "code": answer["code"],
        "redirect_uri": attempt.redirect_uri,
        "code_verifier": attempt.verifier,
    }
    return _issued(endpoints.token, form, needs_refresh_token=True)


def begin_device(endpoints: Endpoints, agent: str, device: str) -> DeviceCode:
    if not endpoints.device_authorization:
        raise OperatorError(f"{endpoints.issuer} offers no sign-in by code.", "Run `ostiary login` with a browser.")
    answer = post_form(endpoints.device_authorization, {"client_id": CLIENT_ID, **_asked(agent, device)})
    document = answer.document()
    try:
        url = str(document["verification_uri"])
        if answer.status != 200 or not url.startswith(f"{endpoints.issuer.rstrip('/')}/"):
            raise KeyError
        return DeviceCode(
            device_code=str(document["device_code"]),
            user_code=str(document["user_code"]),
            url=url,
            interval_s=max(_POLL_LEAST_S, float(document.get("interval", _SLOW_DOWN_S))),
            expires_in_s=float(document["expires_in"]),
        )
    except (KeyError, TypeError, ValueError):
        raise _refusal(str(document.get("error", "")), answer.status) from None


def await_device(endpoints: Endpoints, code: DeviceCode, sleep: Callable[[float], None] = time.sleep) -> Issued:
    """Ask until somebody has answered in a browser. Raises `RefusedError` when they said no, or nothing in time."""
    deadline = time.monotonic() + code.expires_in_s
    pause_s = code.interval_s
    form = {"grant_type": DEVICE_GRANT, "client_id": CLIENT_ID, "device_code": code.device_code}
    while time.monotonic() < deadline:
        sleep(min(pause_s, max(0.0, deadline - time.monotonic())))
        try:
            return _issued(endpoints.token, form, needs_refresh_token=True)
        except UnreachableError:
            pause_s = min(_POLL_MOST_S, pause_s * 2)
        except _OAuthRefusal as refusal:
            if refusal.error == "slow_down":
                pause_s += _SLOW_DOWN_S
            elif refusal.error != "authorization_pending":
                raise
    raise RefusedError("Nobody confirmed the sign-in in time.", "Start `ostiary login` again.")


def refresh(token_endpoint: str, refresh_token: str, scope: str) -> Issued:
    """A new access token of the scope, and the refresh token that replaces this one. Raises `SignInAgainError`."""
    form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": refresh_token, "scope": scope}
    try:
        return _issued(token_endpoint, form, needs_refresh_token=False)
    except _OAuthRefusal as refusal:
        if refusal.error != "invalid_grant":
            raise
    raise SignInAgainError("Your sign-in has ended.", "Sign in again with `ostiary login`.")


def revoke(revocation_endpoint: str, token: str) -> bool:
    """Whether the server took it (RFC 7009). Raises `UnreachableError`."""
    form = {"client_id": CLIENT_ID, "token": token, "token_type_hint": "refresh_token"}
    return post_form(revocation_endpoint, form).status == 200


class _OAuthRefusal(RefusedError):
    code = "sign_in_refused"

    def __init__(self, error: str, sentence: str, next_step: str) -> None:
        super().__init__(sentence, next_step)
        self.error = error


_SENTENCES = {
    "access_denied": ("The sign-in was refused in the browser.", "Start `ostiary login` again."),
    "expired_token": ("Nobody confirmed the sign-in in time.", "Start `ostiary login` again."),
    "invalid_grant": ("The console no longer knows this sign-in.", "Start `ostiary login` again."),
    "invalid_scope": ("Your account may not have such a token.", "Ask whoever runs this installation."),
}


def _refusal(error: str, status: int = 0) -> "_OAuthRefusal":
    if status == 429 or error == "temporarily_unavailable":
        return _OAuthRefusal(error, "The console has had too many sign-ins from here.", "Try again in a minute.")
    known = error if error.isascii() and error.replace("_", "").isalpha() and len(error) < 50 else "no reason given"
    sentence, advice = _SENTENCES.get(
        error, (f"The console refused the sign-in ({known}).", "Its audit log says why; ask whoever runs it.")
    )
    return _OAuthRefusal(error, sentence, advice)


def _issued(token_endpoint: str, form: Mapping[str, str], *, needs_refresh_token: bool) -> Issued:
    # Before it is asked, so that a slow answer shortens the token's life rather than lengthens it.
    now = time.time()
    answer = post_form(token_endpoint, form)
    document = answer.document()
    if answer.status != 200:
        raise _refusal(str(document.get("error", "")), answer.status)
    try:
        access_token, kind = document["access_token"], document["token_type"]
        life_s = float(document["expires_in"])
        refresh_token = document["refresh_token"] if needs_refresh_token else document.get("refresh_token", "")
        if not isinstance(access_token, str) or not isinstance(refresh_token, str) or kind.lower() != "bearer":
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError):
        raise OperatorError("The console's answer makes no sense.", "Check its version, and its log.") from None
    return Issued(
        access_token=_printable(access_token),
        received_at=now,
        expires_at=now + life_s,
        scope=str(document.get("scope") or form.get("scope") or "gateway"),
        refresh_token=refresh_token,
        user=str(document.get("user") or ""),
    )


def _printable(token: str) -> str:
    """Tools put it into a header line, and terminals show it."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise OperatorError("The console's answer makes no sense.", "Check its version, and its log.")
    return token
