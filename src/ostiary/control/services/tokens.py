"""Tokens: made, listed, revoked. Who may not do that for everybody does it for themselves."""

import asyncio
from collections.abc import Callable, Sequence

from ostiary.control.caller import Caller, Permission
from ostiary.control.declarative.values import duration_text, is_plain_name
from ostiary.control.identity_ports import ServiceAccounts
from ostiary.control.ports import DecisionDesk, Revoked, TokenStore
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.configuration import ConfigurationService
from ostiary.control.services.token_mint import NewToken, TokenMint, bound_to_certificate
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.errors import CallerError, NotFoundError, RefusedError
from ostiary.model.person import name_key
from ostiary.model.token import TokenRecord, TokenScope

__all__ = ["NewToken", "TokenService"]

GROUPS_MAX = 200
CONNECTIONS_MAX = 200
OWN_LIVE_MAX = 100
"""Valid at the same time, of somebody who makes tokens for themselves alone; those of their tools are counted too."""
LISTED_MAX = 1000
MACHINE_TTL_MAX_S = 366 * 86_400.0
"""Of what no person holds: a directory's token for SCIM, a service account's key."""


class TokenService:
    def __init__(
        self,
        store: TokenStore,
        configuration: ConfigurationService,
        desk: DecisionDesk,
        *,
        ttl_s: float,
        ttl_max_s: float,
        randomness: Callable[[int], bytes],
        revoked: Revoked,
        log: AdminLog,
        accounts: ServiceAccounts | None = None,
        machine_ttl_max_s: float = MACHINE_TTL_MAX_S,
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._desk = desk
        self._ttl_s = ttl_s
        self._ttl_max_s = ttl_max_s
        self._revoked = revoked
        self._log = log
        self._accounts = accounts
        self._machine_ttl_max_s = machine_ttl_max_s
        self._mint = TokenMint(store, randomness, log)
        self._making_own = asyncio.Lock()

    async def create(
        self,
        caller: Caller,
        *,
        actor: str | None = None,
        kind: str = "user",
        groups: Sequence[str] = (),
        ttl_s: float | None = None,
        connections: Sequence[str] | None = None,
        agent: str | None = None,
        scope: str = "gateway",
        certificate: str | None = None,
    ) -> NewToken:
        """Without an `actor`, for the caller themselves. An agent's label makes the token an agent's, a `certificate`
        (PEM) binds it to connections that show it. Raises `CallerError` for what no token can have."""
        if scope == TokenScope.SCIM.value:
            return await self._create_scim(caller, actor, ttl_s, [groups, connections, agent, certificate])
        if scope != TokenScope.GATEWAY.value:
            raise CallerError("Tokens made here are for the gateway or for SCIM.", "`ostiary login` opens the API.")
        if caller.may(Permission.TOKENS_CREATE):
            caller.require(Permission.TOKENS_CREATE)
            if actor is None:
                raise CallerError("A token needs a name to speak for.", "Give it with --actor.")
            user_id, most_s = None, self._ttl_max_s
        else:
            actor, user_id = _themselves(caller, actor, groups), caller.user_id
            # Nobody asks their identity provider about them again because of it.
            in_force = await asyncio.to_thread(self._configuration.current)
            most_s = min(self._ttl_max_s, in_force.sign_in.absolute_s)
        _check_names(actor, groups, connections, agent)
        given = _kind(kind, agent)
        if user_id is not None and given is ActorKind.SERVICE:
            raise RefusedError("A token of your own is yours or your agent's.", "Ask an owner for a service account.")
        if given is ActorKind.SERVICE and self._is_disabled(actor):
            raise _disabled()
        now = self._log.now()
        identity = Actor(
            kind=given,
            name=actor,
            groups=frozenset(groups),
            token_id=self._mint.new_id(),
            expires_at=now + self._life_s(ttl_s, self._ttl_s, most_s),
            agent=agent,
            connections=frozenset(connections) if connections else None,
            user_id=user_id,
            bound_to=None if certificate is None else bound_to_certificate(certificate),
        )
        # Whoever may make none for others has it as long as the sign-in they made it in.
        if user_id is None:
            made = await self._mint.make(caller, identity)
        else:
            made = await self._make_own(caller, user_id, identity)
        if given is ActorKind.SERVICE and self._is_disabled(actor):
            # Between the look at it and the token, which whoever disabled it did not see.
            await asyncio.to_thread(self._store.revoke, made.record.id, now)
            raise _disabled()
        known = {connection.name for connection in (await asyncio.to_thread(self._configuration.current)).connections}
        return NewToken(made.text, made.record, tuple(sorted(set(connections or ()) - known)))

    async def _make_own(self, caller: Caller, user_id: str, identity: Actor) -> NewToken:
        async with self._making_own:  # or many at once would each see room
            if await asyncio.to_thread(self._store.count_live, user_id, self._log.now()) >= OWN_LIVE_MAX:
                raise RefusedError(
                    f"You have {OWN_LIVE_MAX} valid tokens, which is as many as you may have.",
                    "Revoke some on your account's page or with `ostiary token revoke`, or wait until they expire.",
                )
            return await self._mint.make(caller, identity, sign_in=caller.sign_in)

    async def list(self, caller: Caller) -> list[TokenRecord]:
        """The newest first: everybody's, or the caller's own."""
        await asyncio.to_thread(self._store.flush)
        now = self._log.now()
        if caller.may(Permission.TOKENS_READ):
            return await asyncio.to_thread(self._store.newest, LISTED_MAX, now)
        if caller.user_id is None:
            caller.require(Permission.TOKENS_READ)
        return await asyncio.to_thread(self._store.of_actor, caller.user_id, caller.names, LISTED_MAX, now)

    async def revoke(self, caller: Caller, token_id: str) -> None:
        """The token works no more, and what it still asks for is withdrawn unless its actor has another one.
        Raises `NotFoundError`, also for somebody else's. Revoking twice is no error."""
        record = await asyncio.to_thread(self._store.get, token_id)
        if not caller.may(Permission.TOKENS_REVOKE):
            if caller.user_id is None:
                caller.require(Permission.TOKENS_REVOKE)
            if record is not None and not _is_own(caller, record):
                record = None
        if record is None:
            raise NotFoundError("There is no such token.", "`ostiary token list` shows the ids there are.")
        await self.end(caller, record)

    async def end(self, by: Caller, record: TokenRecord) -> None:
        """As `revoke`, for whoever may: the one who holds the token may, too."""
        now = self._log.now()
        if not await asyncio.to_thread(self._store.revoke, record.id, now):
            return
        self._revoked(record.id)
        self._log.write("admin.token.revoke", by, {"token": record.id, "actor": record.actor.name})
        actor = record.actor
        if not await asyncio.to_thread(self._store.live_of, actor.kind, actor.name, actor.agent, now):
            await self._desk.withdraw(actor.kind, actor.name, actor.agent)

    async def _create_scim(
        self, caller: Caller, actor: str | None, ttl_s: float | None, unfitting: Sequence[object]
    ) -> NewToken:
        caller.require(Permission.IDENTITY_APPLY)  # what it provisions may have any group, and any role with it
        if any(unfitting):
            raise CallerError("A token for SCIM has no groups, connections, agent or certificate.")
        name = actor or "scim"
        _check_names(name, (), None, None)
        life_s = self._life_s(ttl_s, self._machine_ttl_max_s, self._machine_ttl_max_s)
        directory = Actor(
            kind=ActorKind.SERVICE,
            name=name,
            groups=frozenset(),
            token_id=self._mint.new_id(),
            expires_at=self._log.now() + life_s,
        )
        return await self._mint.make(caller, directory, scope=TokenScope.SCIM)

    def _is_disabled(self, service: str) -> bool:
        account = None if self._accounts is None else self._accounts.get(service)
        return account is not None and account.disabled_at is not None

    def _life_s(self, ttl_s: float | None, default_s: float, most_s: float) -> float:
        life_s = min(default_s, most_s) if ttl_s is None else ttl_s
        # Written so that NaN fails too.
        if not 1 <= life_s <= most_s:
            raise CallerError(f"A token lives from 1 second to {duration_text(most_s)}.", "Choose another --ttl.")
        return life_s


def _themselves(caller: Caller, actor: str | None, groups: Sequence[str]) -> str:
    """The name of the person who makes a token for themselves. Raises `RefusedError`."""
    if caller.user_id is None or (actor is not None and actor != caller.label):
        caller.require(Permission.TOKENS_CREATE)
    if groups:
        raise RefusedError("Your own token has the groups you are in; no others can be given to it.")
    caller.require_fresh()
    return caller.label


def _disabled() -> CallerError:
    return CallerError("This service account is disabled.", "Enable it first.")


def _is_own(caller: Caller, record: TokenRecord) -> bool:
    if record.actor.user_id is not None:
        return record.actor.user_id == caller.user_id
    own = {name_key(name) for name in caller.names}
    return record.actor.kind is not ActorKind.SERVICE and name_key(record.actor.name) in own


def _kind(kind: str, agent: str | None) -> ActorKind:
    try:
        given = ActorKind(kind)
    except ValueError:
        raise CallerError("The kind of a token is user, service or agent.") from None
    if agent is None:
        if given is ActorKind.AGENT:
            raise CallerError("An agent's token needs the agent's label.", "Give it with --agent.")
        return given
    if given is ActorKind.SERVICE:
        raise CallerError("An agent acts for a person, not for a service.", "Leave out one of the two.")
    return ActorKind.AGENT


def _check_names(actor: str, groups: Sequence[str], connections: Sequence[str] | None, agent: str | None) -> None:
    named = [("actor", actor), *(("group", group) for group in groups)]
    named += [("connection", connection) for connection in connections or ()]
    if agent is not None:
        named.append(("agent", agent))
    for noun, name in named:
        if not is_plain_name(name, 200):
            raise CallerError(
                f"The name of the {noun} must be one line of visible characters without space at its ends, at most 200."
            )
    if len(groups) > GROUPS_MAX or len(connections or ()) > CONNECTIONS_MAX:
        raise CallerError(f"A token names at most {GROUPS_MAX} groups and {CONNECTIONS_MAX} connections.")
