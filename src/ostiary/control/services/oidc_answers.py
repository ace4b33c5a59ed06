"""What OpenID providers answer, believed once it is checked: who somebody is, and the tokens to ask about them
again."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ostiary.control.identity_ports import IdentityProviders
from ostiary.control.services.provider_tokens import ProviderTokens
from ostiary.identity.claims import date_of, lookup, text_of
from ostiary.identity.groups import wanted_claims
from ostiary.identity.jwt import JwtError, UnknownKeyError
from ostiary.identity.keys import KeyBook
from ostiary.identity.oidc import (
    Attempt,
    LogoutNotice,
    check_id_token,
    check_logout_token,
    check_refreshed_id_token,
    code_form,
    profile_of,
)
from ostiary.model.configuration import Configuration
from ostiary.model.errors import ProviderRefusedError, SignInRefusedError
from ostiary.model.issuer import GroupsFrom, OidcIssuer
from ostiary.model.person import Profile

_Result = TypeVar("_Result")

Claims = Mapping[str, object]

TOKEN_MAX_CHARACTERS = 16 * 1024
"""Of any token of a provider's that is kept."""

_SAID = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
     "invalid_scope", "invalid_token", "insufficient_scope"}
)  # fmt: skip


class OidcAnswers:
    """`now` is seconds since the epoch."""

    def __init__(self, providers: IdentityProviders, configuration: Callable[[], Configuration]) -> None:
        self._providers = providers
        self._configuration = configuration

    async def of_code(
        self, issuer: OidcIssuer, attempt: Attempt, code: str, clock: Callable[[], float]
    ) -> tuple[Claims, ProviderTokens]:
        """The claims of the ID token that a code is exchanged for, and the tokens that came. Raises
        `SignInRefusedError`."""
        try:
            answer = await self._providers.token(issuer, code_form(attempt, code))
        except ProviderRefusedError as refused:
            error = refused.error if refused.error in _SAID else "something_else"
            raise SignInRefusedError(f"code_refused_{error}") from None
        tokens = tokens_of(answer, clock())
        if tokens.id_token is None:
            raise SignInRefusedError("id_token_missing")
        token, access_token = tokens.id_token, tokens.access_token
        claims = await self._with_keys(
            issuer, lambda keys: check_id_token(token, keys, issuer, clock(), attempt, access_token)
        )
        return claims, tokens

    async def of_refresh(
        self, issuer: OidcIssuer, subject: str, held: ProviderTokens, clock: Callable[[], float]
    ) -> tuple[Claims | None, ProviderTokens]:
        """What the provider says in exchange for the refresh token: the claims of a new ID token, where there is one,
        and the tokens to keep. Raises `ProviderRefusedError` when it refuses, `SignInRefusedError` when it speaks of
        somebody else."""
        form = {"grant_type": "refresh_token", "refresh_token": held.refresh_token or ""}
        answer = await self._providers.token(issuer, form)
        tokens = tokens_of(answer, clock(), held)
        token, access_token = text(answer, "id_token"), tokens.access_token
        if token is None:
            return None, tokens
        claims = await self._with_keys(
            issuer, lambda keys: check_refreshed_id_token(token, keys, issuer, clock(), subject, access_token)
        )
        return claims, tokens

    async def profile(self, issuer: OidcIssuer, claims: Claims, access_token: str | None) -> Profile:
        """Userinfo is asked where the groups are there, or the ID token lacks the name. Raises `SignInRefusedError`,
        and what asking it raises."""
        userinfo = None
        if access_token is not None and await self._needs_userinfo(issuer, claims):
            try:
                userinfo = await self.userinfo(issuer, access_token)
            except ProviderRefusedError:
                raise SignInRefusedError("userinfo_refused") from None
        return self.profile_with(issuer, claims, userinfo)

    async def userinfo(self, issuer: OidcIssuer, access_token: str) -> Claims:
        """Raises `ProviderRefusedError` when the provider does not take the token."""
        return await self._providers.userinfo(issuer, access_token)

    def profile_with(self, issuer: OidcIssuer, claims: Claims, userinfo: Claims | None) -> Profile:
        return profile_of(issuer, claims, userinfo, wanted_claims(issuer, self._configuration().groups))

    async def logout(self, issuer: OidcIssuer, token: str, clock: Callable[[], float]) -> LogoutNotice:
        """Raises `SignInRefusedError`."""
        return await self._with_keys(issuer, lambda keys: check_logout_token(token, keys, issuer, clock()))

    async def _needs_userinfo(self, issuer: OidcIssuer, claims: Claims) -> bool:
        if issuer.groups_from is not GroupsFrom.USERINFO and (
            issuer.user_claim == "sub" or lookup(claims, issuer.user_claim) is not None
        ):
            return False
        return "userinfo_endpoint" in await self._providers.metadata(issuer)

    async def _with_keys(self, issuer: OidcIssuer, check: Callable[[KeyBook], _Result]) -> _Result:
        """Once more with newer keys, where the key is one that was not there when they were fetched."""
        try:
            return check(await self._providers.keys(issuer, None))
        except UnknownKeyError as unknown:
            return check(await self._providers.keys(issuer, unknown.kid))


def tokens_of(answer: Mapping[str, Any], now: float, held: ProviderTokens | None = None) -> ProviderTokens:
    """What a token endpoint gave; what it did not give again stays as it was. Raises `SignInRefusedError` for an access
    token of a kind that nobody here can use."""
    access_token = text(answer, "access_token")
    kind = answer.get("token_type")
    if access_token is not None and not (isinstance(kind, str) and kind.lower() == "bearer"):
        raise SignInRefusedError("token_type_unknown")
    life_s = answer.get("expires_in")
    is_number = isinstance(life_s, int | float) and not isinstance(life_s, bool) and 0 <= life_s < 1e9
    known = held or ProviderTokens()
    return ProviderTokens(
        id_token=text(answer, "id_token") or known.id_token,
        refresh_token=text(answer, "refresh_token") or known.refresh_token,
        access_token=access_token,
        expires_at=now + life_s if is_number and isinstance(life_s, int | float) else None,
    )


def authenticated_at(claims: Claims, has_checked_age: bool) -> float | None:
    """When the provider says that they proved who they are. One that never says it, and was asked to have it proved
    again, said so by making this token."""
    proved_at = date_of(claims, "auth_time")
    if proved_at is None and has_checked_age:
        return date_of(claims, "iat")
    return proved_at


def session_of(claims: Claims) -> str | None:
    """The provider's `sid`; None also for one that is malformed: then it ends with its person only."""
    try:
        return text_of(claims, "sid")
    except JwtError:
        return None


def text(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= TOKEN_MAX_CHARACTERS else None
