"""Tokens: only their SHA-256 is kept, so a stolen database opens nothing."""

import json
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

from ostiary.adapters.stores.database import Database
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.person import name_key
from ostiary.model.token import TokenRecord, TokenScope

_COLUMNS = (
    "id, actor_kind, actor, agent, groups, connections, created_at, created_by, expires_at,"
    " revoked_at, last_used_at, last_network, scope, user_id, sign_in, bound_to"
)
_SELECT = f"SELECT {_COLUMNS} FROM tokens"  # noqa: S608 - constant
_SELECT_LIVE = f"{_SELECT} INDEXED BY tokens_live WHERE hash = ? AND scope = ? AND revoked_at IS NULL"
"""The index has no revoked ones: time does not tell them from tokens that never were."""


_RENEWED = "(sign_in IS NOT NULL OR created_by = actor)"
"""Tokens that whoever holds them was given for a sign-in, or for another issuer's token, and not made by hand."""


class Tokens:
    """Implements `ports.TokenBook`'s reading and `control.ports.TokenStore`. Reads and `used` are quick enough for the
    event loop, the rest is for worker threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, tuple[float, str]] = {}
        self._used_lock = Lock()

    def find(self, token_hash: bytes, scope: TokenScope = TokenScope.GATEWAY) -> Actor | None:
        """The actor of a token of exactly this scope that was not revoked; its expiry is the caller's to judge."""
        row = self._database.row(_SELECT_LIVE, (token_hash, scope.value))
        return None if row is None else _record(row).actor

    def live(self, token_hash: bytes, scope: TokenScope, now: float) -> TokenRecord | None:
        """A token of exactly this scope that is neither revoked nor expired. To find none takes the same time whatever
        the reason."""
        row = self._database.row(f"{_SELECT_LIVE} AND expires_at > ?", (token_hash, scope.value, now))
        return None if row is None else _record(row)

    def of_hash(self, token_hash: bytes) -> TokenRecord | None:
        """Whatever it opens, revoked or not."""
        row = self._database.row(f"{_SELECT} WHERE hash = ?", (token_hash,))
        return None if row is None else _record(row)

    def used(self, token_id: str, at: float, network: str) -> None:
        with self._used_lock:
            self._used[token_id] = (at, network)

    def flush(self) -> None:
        """Write the remembered uses, in one transaction."""
        with self._used_lock:
            pending, self._used = self._used, {}
        if not pending:
            return
        try:
            with self._database.writing() as connection:
                connection.executemany(
                    "UPDATE tokens SET last_used_at = ?, last_network = ? WHERE id = ?",
                    [(at, network, token_id) for token_id, (at, network) in pending.items()],
                )
        except BaseException:
            with self._used_lock:
                self._used = {**pending, **self._used}
            raise

    def add(self, token_hash: bytes, record: TokenRecord) -> None:
        """A token of a sign-in that has ended meanwhile is revoked from the start: whoever ended it did not see it."""
        actor = record.actor
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO tokens (hash, id, actor_kind, actor, agent, groups, connections, created_at,"
                " created_by, expires_at, scope, user_id, sign_in, bound_to, revoked_at)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,(SELECT ended_at FROM sign_ins WHERE id = ?))",
                (
                    token_hash,
                    actor.token_id,
                    actor.kind.value,
                    actor.name,
                    actor.agent,
                    json.dumps(sorted(actor.groups)),
                    None if actor.connections is None else json.dumps(sorted(actor.connections)),
                    record.created_at,
                    record.created_by,
                    actor.expires_at,
                    record.scope.value,
                    actor.user_id,
                    record.sign_in,
                    actor.bound_to,
                    record.sign_in,
                ),
            )

    def newest(self, limit: int = 1000, now: float | None = None) -> list[TokenRecord]:
        """Revoked and expired ones too; with `now`, without those of sign-ins that have expired by themselves."""
        return self._listed("1", (), limit, now)

    def of_actor(
        self, user_id: str | None, names: frozenset[str], limit: int = 1000, now: float | None = None
    ) -> list[TokenRecord]:
        """The newest tokens of a person and their agents: made for this user, or by hand for one of these names."""
        spellings = self._spellings(names)
        return self._listed(
            "((user_id IS NOT NULL AND user_id = ?) OR"
            f" (user_id IS NULL AND actor_kind IN ('user', 'agent') AND actor IN ({_marks(spellings)})))",
            (user_id, *spellings),
            limit,
            now,
        )

    def of_service(self, name: str, limit: int = 1000) -> list[TokenRecord]:
        """The newest keys of a service account."""
        return self._listed(
            "actor_kind = 'service' AND actor = ? COLLATE NOCASE AND scope = 'gateway'", (name,), limit, None
        )

    def count_live(self, user_id: str, now: float) -> int:
        """How many tokens for the gateway this user and their agents have that are not revoked and not expired."""
        row = self._database.row(
            "SELECT count(*) FROM tokens WHERE user_id = ? AND scope = 'gateway' AND revoked_at IS NULL"
            " AND expires_at > ?",
            (user_id, now),
        )
        return 0 if row is None else int(row[0])

    def live_of(self, kind: ActorKind, name: str, agent: str | None, now: float) -> bool:
        """Whether this very actor has a token for the gateway that is not revoked and not expired."""
        row = self._database.row(
            "SELECT 1 FROM tokens WHERE actor = ? COLLATE NOCASE AND actor_kind = ? AND agent IS ?"
            " AND scope = 'gateway' AND revoked_at IS NULL AND expires_at > ?",
            (name, kind.value, agent, now),
        )
        return row is not None

    def get(self, token_id: str) -> TokenRecord | None:
        row = self._database.row(f"{_SELECT} WHERE id = ?", (token_id,))
        return None if row is None else _record(row)

    def revoke(self, token_id: str, at: float) -> bool:
        """True when this call is the one that revoked it."""
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (at, token_id)
            )
            return done.rowcount == 1

    def revoke_all(
        self,
        at: float,
        *,
        actor: str | None = None,
        sign_in: str | None = None,
        service: str | None = None,
        connection: str | None = None,
        user_id: str | None = None,
    ) -> list[TokenRecord]:
        """Revoke what fits any of those that are given; the tokens that did and were live, expired ones left out."""
        wanted: list[tuple[str, Sequence[str]]] = []
        if actor is not None:
            spellings = self._spellings({actor})
            wanted.append((f"actor_kind IN ('user', 'agent') AND actor IN ({_marks(spellings)})", spellings))
        if sign_in is not None:
            wanted.append(("sign_in = ?", (sign_in,)))
        if service is not None:
            wanted.append(("actor_kind = 'service' AND actor = ? COLLATE NOCASE AND scope = 'gateway'", (service,)))
        if connection is not None:
            wanted.append(("EXISTS (SELECT 1 FROM json_each(tokens.connections) WHERE value = ?)", (connection,)))
        if user_id is not None:
            wanted.append(("user_id = ?", (user_id,)))
        if not wanted:
            return []
        condition = " OR ".join(f"({text})" for text, _ in wanted)
        values = [value for _, given in wanted for value in given]
        with self._database.writing() as writing:
            rows = writing.execute(
                f"UPDATE tokens SET revoked_at = ? WHERE revoked_at IS NULL AND ({condition})"  # noqa: S608 - constants
                f" RETURNING {_COLUMNS}",
                (at, *values),
            ).fetchall()
        return [record for record in map(_record, rows) if record.actor.expires_at > at]

    def drop_old(self, before: float) -> None:
        """Forget the tokens of sign-ins and grants that expired before this: there is a new one every few minutes."""
        due = f"{_RENEWED} AND expires_at < ?"
        if self._database.row(f"SELECT 1 FROM tokens WHERE {due} LIMIT 1", (before,)) is None:  # noqa: S608 - constant
            return
        with self._database.writing() as connection:
            connection.execute(f"DELETE FROM tokens WHERE {due}", (before,))  # noqa: S608 - constant

    def _spellings(self, names: Iterable[str]) -> list[str]:
        """How tokens made by hand write these names: as users, people are one in any spelling of their name."""
        keys = {name_key(name) for name in names}
        rows = self._database.rows("SELECT DISTINCT actor FROM tokens WHERE actor_kind IN ('user', 'agent')")
        return [actor for (actor,) in rows if name_key(actor) in keys]

    def _listed(self, condition: str, values: tuple[Any, ...], limit: int, now: float | None) -> list[TokenRecord]:
        if now is not None:
            condition += f" AND (NOT {_RENEWED} OR expires_at > ?)"
            values = (*values, now)
        rows = self._database.rows(
            f"{_SELECT} WHERE {condition} ORDER BY created_at DESC, id LIMIT ?", (*values, limit)
        )
        return [_record(row) for row in rows]


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))


def _record(row: Any) -> TokenRecord:
    (
        token_id,
        kind,
        name,
        agent,
        groups,
        connections,
        created_at,
        created_by,
        expires_at,
        revoked_at,
        last_used_at,
        network,
        scope,
        user_id,
        sign_in,
        bound_to,
    ) = row
    actor = Actor(
        kind=ActorKind(kind),
        name=name,
        groups=frozenset(json.loads(groups)),
        token_id=token_id,
        expires_at=expires_at,
        agent=agent,
        connections=None if connections is None else frozenset(json.loads(connections)),
        user_id=user_id,
        bound_to=bound_to,
    )
    return TokenRecord(actor, created_at, created_by, revoked_at, last_used_at, network, TokenScope(scope), sign_in)
