"""What clients ask for, read strictly."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ostiary.control.declarative.values import is_plain_name
from ostiary.control.services.oauth.errors import OAuthError
from ostiary.model.token import TokenScope

CLIENT_ID = "ostiary-cli"
VALUE_MAX = 256 * 1024
"""Characters of one value; a SAML assertion is the largest."""
FIELDS_MAX = 40
LABEL_MAX = 100

Form = Sequence[tuple[str, str]]
"""Names and values as they were sent, doubles too."""

_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):([1-9][0-9]{0,4})(?:/[A-Za-z0-9._~/-]{0,200})")
_STATE = re.compile(r"[ -~]{1,512}")

_PERSONS_SCOPES = frozenset({TokenScope.GATEWAY, TokenScope.API})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a tool asks for, for the page that confirms it. `agent` is the tool instance that its sign-in's tokens are
    for, `device` what the machine calls itself: both are the client's own claim."""

    scopes: frozenset[TokenScope]
    agent: str | None
    device: str


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A checked request of /oauth/authorize. `redirect_uri` is on the person's own machine."""

    redirect_uri: str
    challenge: str
    state: str | None
    asked: Asked


def fields_of(form: Form) -> dict[str, str]:
    """Name → value. Parameters without a value count as absent (RFC 6749 section 3.1). Raises `OAuthError`."""
    fields: dict[str, str] = {}
    for number, (name, value) in enumerate(form):
        if name in fields:
            raise OAuthError("invalid_request", "A parameter stands twice.")
        if number >= FIELDS_MAX or len(value) > VALUE_MAX:
            raise OAuthError("invalid_request", "The request is too large.")
        fields[name] = value
    return {name: value for name, value in fields.items() if value}


def needed(fields: Mapping[str, str], name: str) -> str:
    """The parameter `name`, one of ours. Raises `OAuthError`."""
    value = fields.get(name)
    if value is None:
        raise OAuthError("invalid_request", f"The parameter '{name}' is missing.")
    return value


def check_client(fields: Mapping[str, str], *, required: bool = True) -> None:
    """The only client is our own command line, which keeps no secret."""
    client = fields.get("client_id")
    if (client is None and required) or (client is not None and client != CLIENT_ID) or "client_secret" in fields:
        raise OAuthError("invalid_client", f"The client is '{CLIENT_ID}', without a secret.", 401)


def asked_of(fields: Mapping[str, str]) -> Asked:
    """Without `scope`, whatever a person's tool may have; an agent's never opens the API. Raises `OAuthError`."""
    agent = label_of(fields, "agent")
    most = _PERSONS_SCOPES if agent is None else frozenset({TokenScope.GATEWAY})
    scopes = scopes_of(fields.get("scope"), most) or most
    return Asked(scopes, agent, label_of(fields, "device") or "")


def scopes_of(text: str | None, most: frozenset[TokenScope]) -> frozenset[TokenScope]:
    """Those named, none for None. Raises `OAuthError` for one that is not among `most`."""
    known = {scope.value: scope for scope in most}
    words = [] if text is None else text.split(" ")
    if any(word not in known for word in words):
        raise OAuthError("invalid_scope", f"The scopes that can be asked for here: {', '.join(sorted(known))}.")
    return frozenset(known[word] for word in words)


def scope_of(fields: Mapping[str, str], most: frozenset[TokenScope]) -> TokenScope:
    """The one scope of a token: what is asked for, else the gateway's where that is among `most`."""
    scopes = scopes_of(fields.get("scope"), most)
    if len(scopes) > 1:
        raise OAuthError("invalid_scope", "A token has one scope; ask for each in a request of its own.")
    return next(iter(scopes or most & {TokenScope.GATEWAY} or most))


def label_of(fields: Mapping[str, str], name: str) -> str | None:
    text = fields.get(name)
    if text is not None and not is_plain_name(text, LABEL_MAX):
        raise OAuthError("invalid_request", f"'{name}' must be one line of visible characters, at most {LABEL_MAX}.")
    return text


def is_loopback_redirect(uri: str) -> bool:
    """RFC 8252 section 7.3: an address literal of this machine and a port; no name, which somebody else may resolve, no
    query and no fragment."""
    match = _LOOPBACK.fullmatch(uri)
    return match is not None and int(match.group(1)) <= 65_535


def is_state(text: str) -> bool:
    return _STATE.fullmatch(text) is not None
