"""Access tokens of an identity provider as JWTs (RFC 9068, and older ones), taken in place of gateway tokens."""

from collections.abc import Mapping
from dataclasses import dataclass

from ostiary.identity.claims import bound_to, check_audience, check_issuer, check_times, must_text, text_of
from ostiary.identity.jwt import JwtError, verify_whole
from ostiary.identity.keys import KeyBook
from ostiary.identity.presets import PRESETS
from ostiary.model.issuer import OidcIssuer

_TYPE = "at+jwt"
_TYPES = (_TYPE, "", "jwt")

_OF_OTHER_TOKENS = ("at_hash", "c_hash", "s_hash", "events")
"""Claims that only ID tokens and logout tokens have."""

_OTHER_KINDS = {"token_use": frozenset({"id"}), "typ": frozenset({"id", "refresh", "offline", "logout"})}
"""How Cognito and Keycloak tell what a token is, within it."""

_CLIENT_CLAIMS = ("client_id", "azp", "cid", "appid")
_MACHINE_MARKS = {"gty": "client-credentials", "idtyp": "app"}
"""How Auth0 and Entra ID mark a token that is no person's."""


@dataclass(frozen=True, slots=True)
class ForeignUser:
    """A person by somebody else's token. `client` is the application the token was given to, as far as it says.
    `issued_at` 0: it does not say."""

    subject: str
    expires_at: float
    claims: Mapping[str, object]
    bound_to: str | None
    client: str | None
    jti: str | None
    issued_at: float = 0.0


def user_of(token: str, keys: KeyBook, issuer: OidcIssuer, now: float) -> ForeignUser:
    """Raises `JwtError` for everything but an access token that `issuer` made for us and for a person."""
    if issuer.token_audience is None:
        raise JwtError("tokens_not_accepted")
    verified = verify_whole(token, keys, issuer.algorithms, _TYPES)
    claims = verified.claims
    check_issuer(claims, issuer.issuer)
    audiences = check_audience(claims, issuer.token_audience)
    times = check_times(claims, now)
    if verified.type != _TYPE and issuer.client_id in audiences and not _is_marked(claims, issuer):
        raise JwtError("id_token_as_access_token")
    if any(name in claims for name in _OF_OTHER_TOKENS) or says_other_kind(claims, _OTHER_KINDS):
        raise JwtError("id_token_as_access_token")
    subject = must_text(claims, "sub")
    client = next((text for name in _CLIENT_CLAIMS if (text := text_of(claims, name)) is not None), None)
    if client == subject or any(claims.get(name) == value for name, value in _MACHINE_MARKS.items()):
        raise JwtError("machine_token")
    return ForeignUser(
        subject, times.expires_at, claims, bound_to(claims), client, text_of(claims, "jti"), times.issued_at or 0.0
    )


def says_other_kind(claims: Mapping[str, object], kinds: Mapping[str, frozenset[str]]) -> bool:
    return any(isinstance(said := claims.get(name), str) and said.lower() in words for name, words in kinds.items())


def _is_marked(claims: Mapping[str, object], issuer: OidcIssuer) -> bool:
    """Whether a token for our own client id is an access token nevertheless: by a claim that the provider gives to
    those only. Without such a claim nothing tells it from an ID token."""
    preset = PRESETS.get(issuer.preset)
    return preset is not None and preset.access_mark in claims and "nonce" not in claims
