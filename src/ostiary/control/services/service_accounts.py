"""Service accounts, and the keys that open the gateway for them: tokens that expire."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from ostiary.control.caller import Caller, Permission
from ostiary.control.declarative.values import duration_text, is_plain_name
from ostiary.control.identity_ports import ServiceAccounts
from ostiary.control.ports import TokenStore
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.token_mint import NewToken, TokenMint, bound_to_certificate
from ostiary.control.services.tokens import (
    CONNECTIONS_MAX,
    GROUPS_MAX,
    LISTED_MAX,
    MACHINE_TTL_MAX_S,
    TokenService,
)
from ostiary.control.services.whole import whole
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.errors import CallerError, NotFoundError
from ostiary.model.person import ServiceAccount, name_key
from ostiary.model.token import TokenRecord, TokenScope

KEY_TTL_S = 90 * 86_400.0
DESCRIPTION_MAX = 500


class ServiceAccountService:
    def __init__(
        self,
        accounts: ServiceAccounts,
        tokens: TokenStore,
        token_service: TokenService,
        end: EndOfAccess,
        *,
        randomness: Callable[[int], bytes],
        log: AdminLog,
        key_ttl_s: float = KEY_TTL_S,
        key_ttl_max_s: float = MACHINE_TTL_MAX_S,
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._token_service = token_service
        self._end = end
        self._log = log
        self._key_ttl_s = key_ttl_s
        self._key_ttl_max_s = key_ttl_max_s
        self._mint = TokenMint(tokens, randomness, log)
        self._changing = asyncio.Lock()

    async def list(self, caller: Caller) -> list[ServiceAccount]:
        """By name."""
        caller.require(Permission.PEOPLE_READ)
        return await asyncio.to_thread(self._accounts.list)

    async def create(
        self,
        caller: Caller,
        *,
        name: str,
        groups: Sequence[str] = (),
        connections: Sequence[str] | None = None,
        description: str = "",
    ) -> ServiceAccount:
        """Raises `CallerError` for a name that is taken."""
        caller.require(Permission.PEOPLE_MANAGE)
        _check(name, groups, connections, description)
        account = ServiceAccount(
            name=name,
            created_at=self._log.now(),
            created_by=caller.label,
            groups=frozenset(groups),
            connections=frozenset(connections) if connections else None,
            description=description,
        )
        if not await asyncio.to_thread(self._accounts.add, account):
            raise CallerError("There is a service account of this name.", "Choose another name.")
        self._log.write(
            "admin.service-account.create",
            caller,
            {
                "name": name,
                "groups": sorted(account.groups),
                "connections": None if account.connections is None else sorted(account.connections),
            },
        )
        return account

    async def disable(self, caller: Caller, name: str) -> ServiceAccount:
        """All its keys end now, for good; its platform's own tokens are refused until it is enabled. Disabling twice
        is no error. Raises `NotFoundError`."""
        caller.require(Permission.PEOPLE_MANAGE)
        return await whole(self._disable(caller, name))

    async def enable(self, caller: Caller, name: str) -> ServiceAccount:
        """It can have keys again; those it had stay ended. Raises `NotFoundError`."""
        caller.require(Permission.PEOPLE_MANAGE)
        return await whole(self._enable(caller, name))

    async def keys(self, caller: Caller, name: str) -> Sequence[TokenRecord]:
        """The newest first, expired and revoked ones too."""
        caller.require(Permission.PEOPLE_READ)
        account = await self._known(name)
        await asyncio.to_thread(self._tokens.flush)
        return await asyncio.to_thread(self._tokens.of_service, account.name, LISTED_MAX)

    async def make_key(
        self, caller: Caller, name: str, *, ttl_s: float | None = None, certificate: str | None = None
    ) -> NewToken:
        """With the account's groups and connections. A `certificate` (PEM) binds the key to connections that show it.
        Raises `NotFoundError`, and `CallerError` where the account is disabled."""
        caller.require(Permission.PEOPLE_MANAGE)
        life_s = self._key_ttl_s if ttl_s is None else ttl_s
        # Written so that NaN fails too.
        if not 1 <= life_s <= self._key_ttl_max_s:
            raise CallerError(f"A key lives from 1 second to {duration_text(self._key_ttl_max_s)}.")
        bound_to = None if certificate is None else bound_to_certificate(certificate)
        # Within the lock, so that no key is made beside a disabling that has ended all there were.
        async with self._changing:
            account = await self._known(name)
            if account.disabled_at is not None:
                raise CallerError("This service account is disabled.", "Enable it first.")
            machine = Actor(
                kind=ActorKind.SERVICE,
                name=account.name,
                groups=account.groups,
                token_id=self._mint.new_id(),
                expires_at=self._log.now() + life_s,
                connections=account.connections,
                bound_to=bound_to,
            )
            return await self._mint.make(caller, machine)

    async def revoke_key(self, caller: Caller, name: str, key_id: str) -> None:
        """Raises `NotFoundError` for a key of another account too. Revoking twice is no error."""
        caller.require(Permission.PEOPLE_MANAGE)
        account = await self._known(name)
        record = await asyncio.to_thread(self._tokens.get, key_id)
        if record is None or not _is_key_of(account, record):
            raise NotFoundError("There is no such key of this service account.")
        await self._token_service.end(caller, record)

    async def _disable(self, caller: Caller, name: str) -> ServiceAccount:
        async with self._changing:
            account = await self._known(name)
            if account.disabled_at is None:
                account = replace(account, disabled_at=self._log.now())
                await asyncio.to_thread(self._accounts.change, account)
                self._log.write("admin.service-account.disable", caller, {"name": account.name})
            # Also the second time: the first one may have failed here.
            await self._end.of_service(account.name)
        return account

    async def _enable(self, caller: Caller, name: str) -> ServiceAccount:
        async with self._changing:
            account = await self._known(name)
            if account.disabled_at is not None:
                account = replace(account, disabled_at=None)
                await asyncio.to_thread(self._accounts.change, account)
                self._log.write("admin.service-account.enable", caller, {"name": account.name})
        return account

    async def _known(self, name: str) -> ServiceAccount:
        account = await asyncio.to_thread(self._accounts.get, name)
        if account is None:
            raise NotFoundError("There is no such service account.")
        return account


def _is_key_of(account: ServiceAccount, record: TokenRecord) -> bool:
    actor = record.actor
    named_so = name_key(actor.name) == name_key(account.name)
    return actor.kind is ActorKind.SERVICE and record.scope is TokenScope.GATEWAY and named_so


def _check(name: str, groups: Sequence[str], connections: Sequence[str] | None, description: str) -> None:
    if not all(is_plain_name(each, 200) for each in (name, *groups, *(connections or ()))) or "/" in name:
        raise CallerError(
            "Names are one line of visible characters without space at their ends, at most 200;"
            " that of a service account has no slash."
        )
    if len(groups) > GROUPS_MAX or len(connections or ()) > CONNECTIONS_MAX:
        raise CallerError(f"A service account has at most {GROUPS_MAX} groups and {CONNECTIONS_MAX} connections.")
    if description and not is_plain_name(description, DESCRIPTION_MAX):
        raise CallerError(f"The description is one line of at most {DESCRIPTION_MAX} characters.")
