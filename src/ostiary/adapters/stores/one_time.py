"""What works once: login attempts, codes, links, and the ids of assertions and logout tokens that were used."""

import json
from collections.abc import Mapping
from typing import Any

from ostiary.adapters.stores.database import Database


class OneTime:
    """Implements `control.identity_ports.OneTime`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, purpose: str, hash: bytes, document: Mapping[str, Any], expires_at: float) -> bool:
        with self._database.writing() as connection:
            done = connection.execute(
                "INSERT INTO one_time (purpose, hash, document, expires_at) VALUES (?,?,?,?)"
                " ON CONFLICT (purpose, hash) DO NOTHING",
                (purpose, hash, json.dumps(dict(document)), expires_at),
            )
            return done.rowcount == 1

    def peek(self, purpose: str, hash: bytes, now: float) -> Mapping[str, Any] | None:
        row = self._database.row(
            "SELECT document FROM one_time WHERE purpose = ? AND hash = ? AND expires_at > ?", (purpose, hash, now)
        )
        return None if row is None else _document(row)

    def replace(self, purpose: str, hash: bytes, document: Mapping[str, Any], now: float) -> bool:
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE one_time SET document = ? WHERE purpose = ? AND hash = ? AND expires_at > ?",
                (json.dumps(dict(document)), purpose, hash, now),
            )
            return done.rowcount == 1

    def take(self, purpose: str, hash: bytes, now: float) -> Mapping[str, Any] | None:
        # Most guesses find nothing; only a find waits for the disk.
        if self.peek(purpose, hash, now) is None:
            return None
        with self._database.writing() as connection:
            row = connection.execute(
                "DELETE FROM one_time WHERE purpose = ? AND hash = ? AND expires_at > ? RETURNING document",
                (purpose, hash, now),
            ).fetchone()
        return None if row is None else _document(row)

    def keep_newest(self, purpose: str, most: int) -> int:
        with self._database.writing() as connection:
            # On the connection that writes: long as it may take, no read waits for it.
            (count,) = connection.execute("SELECT count(*) FROM one_time WHERE purpose = ?", (purpose,)).fetchone()
            if count <= most:
                return 0
            connection.execute(
                "DELETE FROM one_time WHERE purpose = :purpose AND hash IN"
                " (SELECT hash FROM one_time WHERE purpose = :purpose ORDER BY expires_at LIMIT :more)",
                {"purpose": purpose, "more": count - most},
            )
            return int(count - most)

    def drop_expired(self, now: float) -> None:
        if self._database.row("SELECT 1 FROM one_time WHERE expires_at <= ? LIMIT 1", (now,)) is None:
            return
        with self._database.writing() as connection:
            connection.execute("DELETE FROM one_time WHERE expires_at <= ?", (now,))


def _document(row: Any) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(row[0])
    return document
