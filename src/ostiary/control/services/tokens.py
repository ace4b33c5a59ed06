"""Gateway tokens: made, listed, revoked. The text of one exists only in the answer that made it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ostiary.control.caller import Caller, Permission
from ostiary.control.declarative.values import duration_text, is_plain_name
from ostiary.control.ports import DecisionDesk, Revoked, TokenStore
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.configuration import ConfigurationService
from ostiary.identity.tokens import RANDOM_BYTES, mint_token, token_hash
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.errors import CallerError, NotFoundError
from ostiary.model.token import TokenRecord

GROUPS_MAX = 200
CONNECTIONS_MAX = 200
LISTED_MAX = 1000

_LETTERS = {ActorKind.USER: "u", ActorKind.SERVICE: "s", ActorKind.AGENT: "a"}


@dataclass(frozen=True, slots=True)
class NewToken:
    """`unknown_connections` are named by the token and do not exist (yet)."""

    text: str
    record: TokenRecord
    unknown_connections: tuple[str, ...]

    def __repr__(self) -> str:
        return f"NewToken({self.record.id!r})"


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
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._desk = desk
        self._ttl_s = ttl_s
        self._ttl_max_s = ttl_max_s
        self._randomness = randomness
        self._revoked = revoked
        self._log = log

    async def create(
        self,
        caller: Caller,
        *,
        actor: str,
        kind: str,
        groups: Sequence[str] = (),
        ttl_s: float | None = None,
        connections: Sequence[str] | None = None,
        agent: str | None = None,
    ) -> NewToken:
        """Raises `CallerError` for what no token can have. An agent's label makes the token an agent's."""
        caller.require(Permission.TOKENS_CREATE)
        life_s = self._life_s(ttl_s)
        _check_names(actor, groups, connections, agent)
        now = self._log.now()
        identity = Actor(
            kind=_kind(kind, agent),
            name=actor,
            groups=frozenset(groups),
            token_id="tok_" + self._randomness(8).hex(),
            expires_at=now + life_s,
            agent=agent,
            connections=frozenset(connections) if connections else None,
        )
        record = TokenRecord(identity, created_at=now, created_by=caller.label)
        text = mint_token(_LETTERS[identity.kind], self._randomness(RANDOM_BYTES))
        await asyncio.to_thread(self._store.add, token_hash(text.encode()), record)
        self._log.write(
            "admin.token.create",
            caller,
            {
                "token": record.id,
                "actor": {"kind": identity.kind.value, "name": actor, "agent": agent},
                "groups": sorted(identity.groups),
                "connections": sorted(identity.connections) if identity.connections is not None else None,
                "ttl_s": life_s,
            },
        )
        known = {connection.name for connection in (await asyncio.to_thread(self._configuration.current)).connections}
        return NewToken(text, record, tuple(sorted(set(connections or ()) - known)))

    async def list(self, caller: Caller) -> list[TokenRecord]:
        """The newest first."""
        caller.require(Permission.TOKENS_READ)
        await asyncio.to_thread(self._store.flush)
        return await asyncio.to_thread(self._store.newest, LISTED_MAX)

    async def revoke(self, caller: Caller, token_id: str) -> None:
        """The token works no more, and what it still asks for is withdrawn unless its actor has another one.
        Raises `NotFoundError`. Revoking twice is no error."""
        caller.require(Permission.TOKENS_REVOKE)
        record = await asyncio.to_thread(self._store.get, token_id)
        if record is None:
            raise NotFoundError("There is no such token.", "`ostiary token list` shows the ids there are.")
        now = self._log.now()
        if not await asyncio.to_thread(self._store.revoke, token_id, now):
            return
        self._revoked(token_id)
        self._log.write("admin.token.revoke", caller, {"token": token_id, "actor": record.actor.name})
        actor = record.actor
        if not await asyncio.to_thread(self._has_live_token, actor, now):
            await self._desk.withdraw(actor.kind, actor.name, actor.agent)

    def _has_live_token(self, actor: Actor, now: float) -> bool:
        return any(
            other.revoked_at is None
            and other.actor.expires_at > now
            and (other.actor.kind, other.actor.name, other.actor.agent) == (actor.kind, actor.name, actor.agent)
            for other in self._store.newest(LISTED_MAX)
        )

    def _life_s(self, ttl_s: float | None) -> float:
        life_s = min(self._ttl_s, self._ttl_max_s) if ttl_s is None else ttl_s
        # Written so that NaN fails too.
        if not 1 <= life_s <= self._ttl_max_s:
            raise CallerError(
                f"A token lives from 1 second to {duration_text(self._ttl_max_s)}.", "Choose another --ttl."
            )
        return life_s


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
