"""Signing in with OpenID Connect: the way out, the answer, and its ID token (Core, RFC 9207, RFC 9700)."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from ostiary.identity.access_token import says_other_kind
from ostiary.identity.claims import SKEW_S, check_audience, check_issuer, check_times, date_of, must_text, text_of
from ostiary.identity.encoding import base64url
from ostiary.identity.jwt import JwtError, Verified, verify_whole
from ostiary.identity.keys import KeyBook
from ostiary.identity.pkce import challenge_of
from ostiary.identity.presets import PRESETS, STANDARD_LOGOUT
from ostiary.identity.profiles import profile_of
from ostiary.identity.urls import is_https_or_loopback, with_query
from ostiary.model.errors import OperatorError, SignInRefusedError
from ostiary.model.issuer import OidcIssuer

__all__ = [
    "Attempt",
    "LogoutNotice",
    "authorization_url",
    "callback_code",
    "check_id_token",
    "check_logout_token",
    "check_refreshed_id_token",
    "code_form",
    "end_session_url",
    "profile_of",
]

OFFLINE_ACCESS = "offline_access"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

_ID_TOKEN_TYPES = ("", "jwt")
_LOGOUT_TOKEN_TYPES = ("logout+jwt", "", "jwt")
_LOGOUT_LIFE_S = 600.0
_OTHER_KINDS = {
    "token_use": frozenset({"access"}),
    "typ": frozenset({"bearer", "dpop", "refresh", "offline", "logout"}),
}
"""How Cognito and Keycloak tell what a token is, within it."""
_OF_ACCESS_TOKENS = ("scp", "scope")
_CODE = re.compile(r"[!-~]{1,4096}")
_SAID = frozenset(
    {
        "access_denied", "account_selection_required", "consent_required", "interaction_required", "invalid_request",
        "invalid_request_object", "invalid_request_uri", "invalid_scope", "invalid_target", "login_required",
        "request_not_supported", "request_uri_not_supported", "server_error", "temporarily_unavailable",
        "unauthorized_client", "unmet_authentication_requirements", "unsupported_response_type",
    }
)  # fmt: skip
_HALF_HASH = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one browser to sign in. `issuer` is our name for it. `max_age_s`: how long ago they may have proved at
    the provider who they are; None does not ask."""

    issuer: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    next_path: str
    started_at: float
    max_age_s: int | None = None

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> Self:
        """Raises `ValueError` for what `to_json` never gave."""
        started_at, max_age_s = document.get("started_at"), document.get("max_age_s")
        if not isinstance(started_at, int | float) or not (max_age_s is None or isinstance(max_age_s, int)):
            raise ValueError("not an attempt")
        return cls(
            issuer=_text(document, "issuer"),
            state=_text(document, "state"),
            nonce=_text(document, "nonce"),
            verifier=_text(document, "verifier"),
            redirect_uri=_text(document, "redirect_uri"),
            next_path=_text(document, "next_path"),
            started_at=float(started_at),
            max_age_s=max_age_s,
        )


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """Whose sign-ins end: `subject`'s, or the one of the provider's `session`; one of them may be None."""

    subject: str | None
    session: str | None
    jti: str
    iat: float


def authorization_url(
    metadata: Mapping[str, object], issuer: OidcIssuer, attempt: Attempt, *, prompt_login: bool
) -> str:
    """Where the browser goes. Always with PKCE S256, state and nonce. With `prompt_login` the provider shall ask for
    their proof again. Raises `OperatorError` for a provider that this cannot be done with."""
    endpoint = metadata.get("authorization_endpoint")
    if not isinstance(endpoint, str) or not is_https_or_loopback(endpoint):
        raise OperatorError("The identity provider's discovery document has no usable authorization_endpoint.")
    methods = metadata.get("code_challenge_methods_supported")
    if methods is not None and not (isinstance(methods, list) and "S256" in methods):
        # A provider that says nothing of PKCE may know it (Entra ID); one that lists other methods only does not.
        raise OperatorError(
            "The identity provider does not support PKCE with S256.", "Switch it on for this client, or update it."
        )
    pairs = [
        ("response_type", "code"),
        ("client_id", issuer.client_id),
        ("redirect_uri", attempt.redirect_uri),
        ("scope", " ".join(issuer.scopes)),
        ("state", attempt.state),
        ("nonce", attempt.nonce),
        ("code_challenge", challenge_of(attempt.verifier)),
        ("code_challenge_method", "S256"),
    ]
    says_when = _says_when(issuer)
    preset = PRESETS.get(issuer.preset)
    own = dict(_own_parameters(issuer) if preset is None else preset.authorization_parameters)
    prompts = [own.pop("prompt")] if "prompt" in own else []
    if prompt_login:
        prompts.insert(0, "login" if says_when else "select_account")
    pairs += own.items()
    if prompts:
        pairs.append(("prompt", " ".join(prompts)))
    if attempt.max_age_s is not None and says_when:
        pairs.append(("max_age", str(attempt.max_age_s)))
    return with_query(endpoint, pairs)


def _own_parameters(issuer: OidcIssuer) -> tuple[tuple[str, str], ...]:
    """Without a preset, what the standard wants: a provider has to leave `offline_access` out where it does not ask for
    consent (Core section 11). Providers with a preset give refresh tokens without asking people each time."""
    return (("prompt", "consent"),) if OFFLINE_ACCESS in issuer.scopes else ()


def end_session_url(
    metadata: Mapping[str, object], issuer: OidcIssuer, id_token: str | None, back_to: str
) -> str | None:
    """Where a browser goes to sign out at the provider too (RP-Initiated Logout), `id_token` being the one it was
    signed in with. None for a provider without such a page."""
    endpoint = metadata.get("end_session_endpoint")
    if not isinstance(endpoint, str) or not is_https_or_loopback(endpoint):
        return None
    preset = PRESETS.get(issuer.preset)
    way_back = STANDARD_LOGOUT if preset is None else preset.logout_parameter
    pairs = [("client_id", issuer.client_id), (way_back, back_to)]
    if id_token is not None and way_back == STANDARD_LOGOUT:
        pairs.insert(0, ("id_token_hint", id_token))
    return with_query(endpoint, pairs)


def callback_code(parameters: Mapping[str, str], attempt: Attempt, metadata: Mapping[str, object]) -> str:
    """The code of the provider's answer, which is to this attempt and from this provider. The caller refuses parameters
    that were given twice. Raises `SignInRefusedError`, `provider_said_…` where the provider said no."""
    if not hmac.compare_digest(parameters.get("state", "").encode("utf-8"), attempt.state.encode("utf-8")):
        raise SignInRefusedError("state_wrong" if "state" in parameters else "state_missing")
    # RFC 9207: of a mix-up of providers the error answers are part, too.
    if "iss" in parameters:
        if parameters["iss"] != metadata.get("issuer"):
            raise SignInRefusedError("answer_of_other_issuer")
    elif metadata.get("authorization_response_iss_parameter_supported") is True:
        raise SignInRefusedError("answer_without_issuer")
    if "error" in parameters:
        error = parameters["error"]
        raise SignInRefusedError(f"provider_said_{error if error in _SAID else 'something_else'}")
    code = parameters.get("code")
    if code is None or _CODE.fullmatch(code) is None:
        raise SignInRefusedError("code_missing" if code is None else "code_malformed")
    return code


def code_form(attempt: Attempt, code: str) -> dict[str, str]:
    """What the token endpoint gets, without what authenticates the client."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": attempt.redirect_uri,
        "code_verifier": attempt.verifier,
    }


def check_id_token(
    token: str, keys: KeyBook, issuer: OidcIssuer, now: float, attempt: Attempt | None, access_token: str | None
) -> Mapping[str, object]:
    """The claims of an ID token for us (OpenID Connect Core section 3.1.3.7). Raises `JwtError`.

    `attempt` is what it answers; None for a token that somebody else got from the provider and shows us: then whoever
    holds it is believed to be them, as RFC 8693 has it. `access_token` is the one that came with it.
    """
    verified = verify_whole(token, keys, issuer.algorithms, _ID_TOKEN_TYPES)
    claims = verified.claims
    _check_common(verified, issuer, now, access_token)
    if attempt is None:
        if any(name in claims for name in _OF_ACCESS_TOKENS):
            raise JwtError("access_token_as_id_token")
        return claims
    nonce = claims.get("nonce")
    if not isinstance(nonce, str):
        raise JwtError("nonce_missing")
    if not hmac.compare_digest(nonce.encode("utf-8"), attempt.nonce.encode("utf-8")):
        raise JwtError("nonce_wrong")
    if attempt.max_age_s is not None:
        _check_age(claims, issuer, attempt, attempt.max_age_s)
    return claims


def check_refreshed_id_token(
    token: str, keys: KeyBook, issuer: OidcIssuer, now: float, subject: str, access_token: str | None = None
) -> Mapping[str, object]:
    """The claims of an ID token that came with a refresh (section 12.2); it must be of `subject` still. Raises
    `JwtError`."""
    verified = verify_whole(token, keys, issuer.algorithms, _ID_TOKEN_TYPES)
    _check_common(verified, issuer, now, access_token)
    if verified.claims["sub"] != subject:
        raise JwtError("sub_wrong")
    return verified.claims


def check_logout_token(token: str, keys: KeyBook, issuer: OidcIssuer, now: float) -> LogoutNotice:
    """What a back-channel logout says (Back-Channel Logout section 2.6). The caller takes each `jti` once. Raises
    `JwtError`."""
    claims = verify_whole(token, keys, issuer.algorithms, _LOGOUT_TOKEN_TYPES).claims
    check_issuer(claims, issuer.issuer)
    check_audience(claims, issuer.client_id)
    issued_at = date_of(claims, "iat")
    if issued_at is None:
        raise JwtError("iat_missing")
    # Older providers set no `exp`: their tokens are good for as long as anybody would need to deliver them.
    check_times({"exp": issued_at + _LOGOUT_LIFE_S, **claims}, now)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise JwtError("no_logout_token")
    if "nonce" in claims:
        raise JwtError("id_token_as_logout_token")
    subject, session = text_of(claims, "sub"), text_of(claims, "sid")
    if subject is None and session is None:
        raise JwtError("logout_of_nobody")
    return LogoutNotice(subject, session, must_text(claims, "jti"), issued_at)


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError("not an attempt")
    return value


def _check_common(verified: Verified, issuer: OidcIssuer, now: float, access_token: str | None) -> None:
    claims = verified.claims
    check_issuer(claims, issuer.issuer)
    audiences = check_audience(claims, issuer.client_id)
    party = text_of(claims, "azp")
    if party is None and len(audiences) > 1:
        raise JwtError("azp_missing")
    if party is not None and party != issuer.client_id:
        raise JwtError("azp_wrong")
    if check_times(claims, now).issued_at is None:
        raise JwtError("iat_missing")
    must_text(claims, "sub")
    if "events" in claims:
        raise JwtError("logout_token_as_id_token")
    if says_other_kind(claims, _OTHER_KINDS):
        raise JwtError("access_token_as_id_token")
    if access_token is not None and "at_hash" in claims:
        said = claims["at_hash"]
        right = _half_hash(verified.algorithm, access_token)
        if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8"), right.encode("ascii")):
            raise JwtError("at_hash_wrong")


def _check_age(claims: Mapping[str, object], issuer: OidcIssuer, attempt: Attempt, max_age_s: int) -> None:
    """They proved at the provider who they are no longer before the attempt than they may."""
    proved_at = date_of(claims, "auth_time")
    if proved_at is None:
        if _says_when(issuer):
            raise JwtError("auth_time_missing")
        proved_at = date_of(claims, "iat") or 0.0
    if proved_at < attempt.started_at - max_age_s - SKEW_S:
        raise JwtError("auth_time_too_old")


def _says_when(issuer: OidcIssuer) -> bool:
    preset = PRESETS.get(issuer.preset)
    return preset is None or preset.says_when


def _half_hash(algorithm: str, text: str) -> str:
    """`at_hash` of section 3.1.3.6. Ed25519 hashes with SHA-512."""
    digest = _HALF_HASH.get(algorithm[-3:], hashlib.sha512)(text.encode("utf-8")).digest()
    return base64url(digest[: len(digest) // 2])
