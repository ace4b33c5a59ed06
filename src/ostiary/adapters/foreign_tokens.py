"""Tokens that the gateway takes although it made them not: of the company's provider, and of issuers for machines."""

from collections.abc import Hashable
from dataclasses import replace
from hashlib import sha256

from ostiary.adapters.actors import KnownGroups
from ostiary.adapters.identity_providers import IdentityProviderBook
from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.service_accounts import ServiceAccounts
from ostiary.identity.access_token import user_of
from ostiary.identity.jwt import UnknownKeyError, unverified_issuer
from ostiary.identity.keys import KeyBook
from ostiary.identity.standing import is_issued_in_time
from ostiary.identity.workload import workload_of
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.configuration import Configuration
from ostiary.model.errors import KeysWantedError, NobodyYetError, OstiaryError, SignInRefusedError
from ostiary.model.issuer import OidcIssuer, WorkloadIssuer, WorkloadRule


class ForeignTokens:
    """Implements `ports.ForeignTokens`. Several issuers of the configuration may have one issuer identifier; a token is
    taken by the first that takes it. A machine needs no service account; where there is one of its name that is
    disabled, its token is nobody's."""

    def __init__(
        self, providers: IdentityProviderBook, people: People, accounts: ServiceAccounts, groups: KnownGroups
    ) -> None:
        self._providers = providers
        self._people = people
        self._accounts = accounts
        self._groups = groups
        self._issuers: dict[str, list[OidcIssuer | WorkloadIssuer]] = {}
        self._terms: dict[str, frozenset[Hashable]] = {}

    def put_in_force(self, configuration: Configuration) -> None:
        """Which issuers are trusted from now on, and for what: whoever was let in by something else is so no more."""
        self._issuers = {}
        self._terms = {}
        for issuer in configuration.issuers:
            if isinstance(issuer, WorkloadIssuer) or (isinstance(issuer, OidcIssuer) and issuer.token_audience):
                self._issuers.setdefault(issuer.issuer, []).append(issuer)
                self._terms[issuer.name] = _terms_of(issuer)

    def find(self, token: bytes, now: float) -> Actor | None:
        text = token.decode("latin-1")
        wanted = is_somebody_new = False
        for issuer in self._of(text):
            keys = self._providers.known_keys(issuer)
            if keys is None:
                wanted = True
                continue
            try:
                actor = self._actor(text, issuer, keys, now)
            except UnknownKeyError:
                wanted = True
            except SignInRefusedError:
                continue
            except NobodyYetError:
                is_somebody_new = True
            else:
                if actor is not None:
                    return actor
        if wanted:
            raise KeysWantedError
        if is_somebody_new:
            raise NobodyYetError
        return None

    async def learn(self, token: bytes) -> None:
        text = token.decode("latin-1")
        for issuer in self._of(text):
            try:
                await self._providers.keys_for(issuer, text)
            except OstiaryError:
                continue  # what is cached decides

    def again(self, actor: Actor) -> Actor | None:
        if actor.issuer is None or actor.let_in_by not in self._terms.get(actor.issuer, ()):
            return None
        if actor.user_id is None:
            return None if self._is_disabled(actor.name) else actor
        user = self._groups.somebody(self._people.get(actor.user_id))
        if user is None or not is_issued_in_time(user, actor.issued_at):
            return None
        return replace(actor, name=user.name, groups=self._groups.of(user))

    def _actor(self, token: str, issuer: OidcIssuer | WorkloadIssuer, keys: KeyBook, now: float) -> Actor | None:
        """Raises `SignInRefusedError` and, only once the token is believed, `NobodyYetError`."""
        token_id = "jwt_" + sha256(token.encode("latin-1")).hexdigest()[:16]
        if isinstance(issuer, WorkloadIssuer):
            service = workload_of(token, keys, issuer, now)
            if self._is_disabled(service.service):
                return None
            return Actor(
                kind=ActorKind.SERVICE,
                name=service.service,
                groups=frozenset(service.groups),
                token_id=token_id,
                expires_at=service.expires_at,
                connections=None if service.connections is None else frozenset(service.connections),
                bound_to=service.bound_to,
                issuer=issuer.name,
                let_in_by=_terms_with(issuer, service.rule),
            )
        found = user_of(token, keys, issuer, now)
        known = self._people.of_subject(issuer.name, found.subject)
        if known is None:
            raise NobodyYetError
        user = self._groups.somebody(known)
        if user is None or not is_issued_in_time(user, found.issued_at):
            return None
        return Actor(
            kind=ActorKind.USER,
            name=user.name,
            groups=self._groups.of(user),
            token_id=token_id,
            expires_at=found.expires_at,
            user_id=user.id,
            bound_to=found.bound_to,
            issuer=issuer.name,
            let_in_by=_terms_of_people(issuer),
            issued_at=found.issued_at,
        )

    def _is_disabled(self, service: str) -> bool:
        account = self._accounts.get(service)
        return account is not None and account.disabled_at is not None

    def _of(self, token: str) -> list[OidcIssuer | WorkloadIssuer]:
        try:
            claimed = unverified_issuer(token)
        except SignInRefusedError:
            return []
        return self._issuers.get(claimed, []) if claimed is not None else []


def _terms_of(issuer: OidcIssuer | WorkloadIssuer) -> frozenset[Hashable]:
    """All that tokens of this issuer may be let in by."""
    if isinstance(issuer, WorkloadIssuer):
        return frozenset(_terms_with(issuer, rule) for rule in issuer.accepts)
    return frozenset({_terms_of_people(issuer)})


def _terms_with(issuer: WorkloadIssuer, rule: WorkloadRule) -> Hashable:
    """What holds for everybody, and one entry of `accepts`: others come and go without those whom it lets in."""
    return replace(issuer, accepts=()), rule


def _terms_of_people(issuer: OidcIssuer) -> Hashable:
    return issuer.issuer, issuer.token_audience, issuer.client_id, issuer.preset, issuer.algorithms
