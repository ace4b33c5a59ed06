"""Gateway tokens: only their SHA-256 is kept, so a stolen database opens nothing."""

import json
from threading import Lock
from typing import Any

from ostiary.adapters.stores.database import Database
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.token import TokenRecord

_COLUMNS = (
    "id, actor_kind, actor, agent, groups, connections, created_at, created_by, expires_at,"
    " revoked_at, last_used_at, last_network"
)


class Tokens:
    """Implements `ports.TokenBook`; `find` and `used` are for the event loop, the rest for worker threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: dict[str, tuple[float, str]] = {}
        self._used_lock = Lock()

    def find(self, token_hash: bytes) -> Actor | None:
        row = self._database.row(
            f"SELECT {_COLUMNS} FROM tokens WHERE hash = ? AND revoked_at IS NULL",  # noqa: S608 - constant
            (token_hash,),
        )
        return None if row is None else _record(row).actor

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
        actor = record.actor
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO tokens (hash, id, actor_kind, actor, agent, groups, connections, created_at,"
                " created_by, expires_at) VALUES (?,?,?,?,?,?,?,?,?,?)",
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
                ),
            )

    def newest(self, limit: int = 1000) -> list[TokenRecord]:
        """Revoked and expired ones too."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM tokens ORDER BY created_at DESC, id LIMIT ?",  # noqa: S608 - constant
            (limit,),
        )
        return [_record(row) for row in rows]

    def get(self, token_id: str) -> TokenRecord | None:
        row = self._database.row(f"SELECT {_COLUMNS} FROM tokens WHERE id = ?", (token_id,))  # noqa: S608
        return None if row is None else _record(row)

    def revoke(self, token_id: str, at: float) -> bool:
        """True when this call is the one that revoked it."""
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (at, token_id)
            )
            return done.rowcount == 1


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
    ) = row
    actor = Actor(
        kind=ActorKind(kind),
        name=name,
        groups=frozenset(json.loads(groups)),
        token_id=token_id,
        expires_at=expires_at,
        agent=agent,
        connections=None if connections is None else frozenset(json.loads(connections)),
    )
    return TokenRecord(actor, created_at, created_by, revoked_at, last_used_at, network)
