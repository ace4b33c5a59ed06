"""Tokens of issuers that are trusted here, given for short ones of ours: RFC 8693 (exchange), RFC 7522 (assertions of
SAML) and RFC 7523 (tokens of workloads)."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ostiary.control.caller import Caller
from ostiary.control.identity_ports import IdentityProviders, OneTime, People, ServiceAccounts
from ostiary.control.ports import TokenStore
from ostiary.control.services.arrivals import Arrivals, check_origin
from ostiary.control.services.ended_sessions import EndedSessions
from ostiary.control.services.oauth.errors import OAuthError
from ostiary.control.services.oauth.requests import label_of, needed, scope_of
from ostiary.control.services.oauth.tool_tokens import access_answer, invalid_grant
from ostiary.control.services.oidc_answers import session_of
from ostiary.control.services.sign_in_addresses import sp_entity_id
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.control.services.token_mint import TokenMint
from ostiary.identity.access_token import user_of
from ostiary.identity.claims import date_of
from ostiary.identity.groups import wanted_claims
from ostiary.identity.jwt import UnknownKeyError, unverified_issuer, verify
from ostiary.identity.keys import KeyBook
from ostiary.identity.oidc import check_id_token
from ostiary.identity.profiles import profile_of
from ostiary.identity.standing import is_issued_in_time, is_somebody
from ostiary.identity.workload import TYPES, service_of
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.configuration import Configuration
from ostiary.model.errors import SignInRefusedError, UnreachableError
from ostiary.model.issuer import OidcIssuer, SamlIssuer, WorkloadIssuer
from ostiary.model.person import Profile, User
from ostiary.model.token import TokenScope

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - a name
JWT = "urn:ietf:params:oauth:token-type:jwt"

_GATEWAY = frozenset({TokenScope.GATEWAY})


@dataclass(frozen=True, slots=True)
class Shown:
    """What a foreign token proved: a person or, with `service`, a workload. `bound_to` is what its sender must hold.
    `said_at` is how old its word on the person is, `issued_at` when it was made, 0 where that is not told."""

    issuer: str
    expires_at: float
    bound_to: str | None = None
    profile: Profile | None = None
    said_at: float = 0.0
    issued_at: float = 0.0
    service: str = ""
    groups: frozenset[str] = frozenset()
    connections: frozenset[str] | None = None
    subject: str = ""


class ForeignGrants:
    def __init__(
        self,
        *,
        providers: IdentityProviders,
        people: People,
        arrivals: Arrivals,
        accounts: ServiceAccounts,
        one_time: OneTime,
        tokens: TokenStore,
        mint: TokenMint,
        configuration: Callable[[], Configuration],
        access_ttl_s: float,
        log: SignInLog,
    ) -> None:
        self._providers = providers
        self._people = people
        self._arrivals = arrivals
        self._accounts = accounts
        self._one_time = one_time
        self._tokens = tokens
        self._mint = mint
        self._configuration = configuration
        self._access_ttl_s = access_ttl_s
        self._log = log
        self._ended = EndedSessions(one_time)

    async def exchange(
        self, fields: Mapping[str, str], network: str, key: str | None, own_urls: frozenset[str]
    ) -> dict[str, Any]:
        """RFC 8693. `own_urls` are what may stand as the audience of the new token. Raises `OAuthError`."""
        token, kind = needed(fields, "subject_token"), needed(fields, "subject_token_type")
        if kind not in (ACCESS_TOKEN, ID_TOKEN, JWT):
            raise OAuthError("invalid_request", "The subject token is an access token, an ID token or a JWT.")
        if "actor_token" in fields or "actor_token_type" in fields:
            raise OAuthError("invalid_request", "Tokens of actors are not taken; 'agent' names the tool.")
        if fields.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
            raise OAuthError("invalid_request", "Only access tokens are made here.")
        if any(fields[name].rstrip("/") not in own_urls for name in ("audience", "resource") if name in fields):
            raise OAuthError("invalid_target", "Tokens made here are for this gateway only.")
        shown = await self._shown(token, kind, network, (OidcIssuer, WorkloadIssuer))
        return {**await self._give(fields, shown, network, key, "token-exchange"), "issued_token_type": ACCESS_TOKEN}

    async def workload(self, fields: Mapping[str, str], network: str, key: str | None) -> dict[str, Any]:
        """RFC 7523. Raises `OAuthError`."""
        shown = await self._shown(needed(fields, "assertion"), JWT, network, (WorkloadIssuer,))
        return await self._give(fields, shown, network, key, "jwt-bearer")

    async def saml(self, fields: Mapping[str, str], network: str, key: str | None, console_url: str) -> dict[str, Any]:
        """RFC 7522. Each assertion works once. Raises `OAuthError`."""
        assertion = needed(fields, "assertion")
        scope_of(fields, _GATEWAY)
        refusal, unreachable = SignInRefusedError("no_saml_grant"), None
        for issuer in self._configuration().issuers:
            if not isinstance(issuer, SamlIssuer) or not issuer.grant:
                continue
            try:
                shown = await self._asserted(issuer, assertion, console_url)
            except SignInRefusedError as failure:
                # Of several providers, the one that issued it says best what is wrong.
                refusal = failure if failure.reason != "issuer" else refusal
            except UnreachableError as failure:
                unreachable = failure
            else:
                return await self._give(fields, shown, network, key, "saml2-bearer")
        if unreachable is not None:
            raise unreachable
        raise self._refused(None, refusal.reason, network)

    async def _asserted(self, issuer: SamlIssuer, encoded: str, console_url: str) -> Shown:
        from ostiary.control.services.saml_by_metadata import by_metadata
        from ostiary.control.services.saml_checks import checked_bare_assertion, use_once
        from ostiary.identity.saml import profile

        check = partial(
            checked_bare_assertion,
            encoded,
            token_url=f"{console_url}/oauth/token",
            sp_entity_id=sp_entity_id(console_url, issuer.name),
            now=self._log.now(),
        )
        assertion = await by_metadata(self._providers, issuer, check)
        await use_once(self._one_time, assertion)
        wanted = wanted_claims(issuer, self._configuration().groups)
        return Shown(
            issuer.name,
            assertion.expires_at,
            profile=profile.profile_of(issuer, assertion, wanted),
            said_at=assertion.authenticated_at,
            issued_at=assertion.issued_at,
        )

    async def _shown(
        self, token: str, kind: str, network: str, classes: tuple[type[OidcIssuer] | type[WorkloadIssuer], ...]
    ) -> Shown:
        """What the token proves, by the first issuer of its `iss` that believes it. Raises `OAuthError`."""
        said = unverified_issuer(token)
        refused: tuple[str | None, str] = (None, "unknown_issuer")
        for issuer in self._configuration().issuers:
            if isinstance(issuer, SamlIssuer) or not isinstance(issuer, classes) or issuer.issuer != said:
                continue
            try:
                return await self._believed(issuer, token, kind)
            except SignInRefusedError as failure:
                refused = (issuer.name, failure.reason)
        raise self._refused(*refused, network)

    async def _believed(self, issuer: OidcIssuer | WorkloadIssuer, token: str, kind: str) -> Shown:
        keys = await self._providers.keys(issuer, None)
        try:
            return self._read(issuer, token, kind, keys)
        except UnknownKeyError as unknown:
            keys = await self._providers.keys(issuer, unknown.kid)
            return self._read(issuer, token, kind, keys)

    def _read(self, issuer: OidcIssuer | WorkloadIssuer, token: str, kind: str, keys: KeyBook) -> Shown:
        """Raises `SignInRefusedError`, `JwtError` among them."""
        now = self._log.now()
        if isinstance(issuer, WorkloadIssuer):
            workload = service_of(issuer, verify(token, keys, issuer.algorithms, TYPES), now)
            return Shown(
                issuer.name,
                workload.expires_at,
                workload.bound_to,
                service=workload.service,
                groups=workload.groups,
                connections=workload.connections,
                subject=workload.subject,
            )
        wanted = wanted_claims(issuer, self._configuration().groups)
        if kind == ID_TOKEN:
            claims = check_id_token(token, keys, issuer, now, None, None)
            expires_at, bound_to = date_of(claims, "exp") or 0.0, None
        else:
            user = user_of(token, keys, issuer, now)
            claims, expires_at, bound_to = user.claims, user.expires_at, user.bound_to
        profile = profile_of(issuer, claims, None, wanted)
        issued_at, session = date_of(claims, "iat") or 0.0, session_of(claims)
        if session is not None and self._ended.is_over(issuer.name, session, issued_at, now):
            raise SignInRefusedError("ended_since")
        return Shown(issuer.name, expires_at, bound_to, profile, said_at=issued_at, issued_at=issued_at)

    async def _give(
        self, fields: Mapping[str, str], shown: Shown, network: str, key: str | None, grant: str
    ) -> dict[str, Any]:
        scope = scope_of(fields, _GATEWAY)
        agent = label_of(fields, "agent")
        now = self._log.now()
        if shown.bound_to is not None and shown.bound_to != key:
            raise self._refused(shown.issuer, "sender_not_proved", network)
        expires_at = min(now + self._access_ttl_s, shown.expires_at)
        if expires_at < now + 1:
            raise self._refused(shown.issuer, "expired", network)
        actor = Actor(
            kind=ActorKind.SERVICE,
            name=shown.service,
            groups=shown.groups,
            token_id=self._mint.new_id(),
            expires_at=expires_at,
            connections=shown.connections,
            bound_to=key,
        )
        if shown.profile is not None:
            user = await self._user(shown.profile, shown, network)
            actor = replace(
                actor,
                kind=ActorKind.USER if agent is None else ActorKind.AGENT,
                name=user.name,
                agent=agent,
                user_id=user.id,
            )
        elif agent is not None:
            raise OAuthError("invalid_request", "An agent acts for a person, not for a service.")
        elif self._is_over(actor, shown):
            raise self._refused(shown.issuer, "service_disabled", network)
        detail = {"grant": grant, "issuer": shown.issuer, "network": network}
        if shown.subject:
            detail["subject"] = shown.subject
        made = await self._mint.make(Caller(actor.name, frozenset()), actor, scope=scope, detail=detail)
        if self._is_over(actor, shown):
            # Access ended between the look at it and the token, which whoever ended it did not see.
            await asyncio.to_thread(self._tokens.revoke, made.record.id, now)
            raise self._refused(shown.issuer, "inactive", network)
        return access_answer(made.text, actor, scope, now)

    async def _user(self, profile: Profile, shown: Shown, network: str) -> User:
        """Whom the token speaks of. Who is not known yet arrives as at a sign-in. Of who is, it changes only what it
        knows whole and later than they were seen: an old token must not bring back groups that were taken since."""
        known = self._people.of_subject(profile.issuer, profile.subject)
        if known is not None:
            self._check_known(known, profile, shown.issued_at, network)
        if known is not None and (profile.groups_missing or shown.said_at < (known.seen_at or 0.0)):
            return known
        if known is not None:
            profile = replace(profile, email=profile.email or known.email)
        try:
            return await self._arrivals.user_of(profile, by_token=True)
        except SignInRefusedError as failure:
            raise self._refused(profile.issuer, failure.reason, network) from None

    def _check_known(self, known: User, profile: Profile, issued_at: float, network: str) -> None:
        """Raises `OAuthError`."""
        if not known.active:
            raise self._refused(profile.issuer, "inactive", network)
        if not is_issued_in_time(known, issued_at):
            raise self._refused(profile.issuer, "ended_since", network)
        try:
            check_origin(known, profile)
        except SignInRefusedError as failure:
            raise self._refused(profile.issuer, failure.reason, network) from None

    def _is_over(self, actor: Actor, shown: Shown) -> bool:
        if actor.user_id is not None:
            user = self._people.get(actor.user_id)
            return not (is_somebody(user, self._configuration().issuers) and is_issued_in_time(user, shown.issued_at))
        account = self._accounts.get(actor.name)
        return account is not None and account.disabled_at is not None

    def _refused(self, issuer: str | None, reason: str, network: str) -> OAuthError:
        """One answer for all reasons; which it was stands in the audit log."""
        self._log.refused(issuer, reason, network)
        return invalid_grant()
