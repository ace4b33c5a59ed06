"""Sealed placeholders of running sessions, and the numbers each actor's placeholders have reached.

Ids are hashes. What a mapping says only the root key opens; the numbers say nothing of any value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ostiary.adapters.stores.database import Database

NUMBERS_KEPT_S = 400 * 86_400.0
"""An actor who is silent for so long begins to number anew."""


@dataclass(frozen=True, slots=True)
class SealedMapping:
    """One version of a mapping, with the numbers its actor has reached. Versions grow over all of an actor's."""

    id: bytes
    version: int
    sealed: bytes
    expires_at: float
    actor: bytes
    numbers: bytes


class SealedPlaceholders:
    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, mapping: bytes, now: float) -> tuple[int, bytes] | None:
        """(version, sealed bytes) of a mapping whose time is not over."""
        row = self._database.row(
            "SELECT version, sealed FROM placeholders WHERE id = ? AND expires_at > ?", (mapping, now)
        )
        return None if row is None else (row[0], row[1])

    def numbers(self, actor: bytes) -> bytes | None:
        row = self._database.row("SELECT numbers FROM placeholder_numbers WHERE actor = ?", (actor,))
        return None if row is None else bytes(row[0])

    def put(self, mapping: SealedMapping, now: float) -> None:
        """Mapping and numbers in one transaction. What is older than what is stored changes nothing."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO placeholders (id, version, sealed, expires_at) VALUES (?,?,?,?) ON CONFLICT (id) DO UPDATE"
                " SET version = excluded.version, sealed = excluded.sealed, expires_at = excluded.expires_at"
                " WHERE excluded.version > version",
                (mapping.id, mapping.version, mapping.sealed, mapping.expires_at),
            )
            connection.execute(
                "INSERT INTO placeholder_numbers (actor, version, numbers, used_at) VALUES (?,?,?,?)"
                " ON CONFLICT (actor) DO UPDATE"
                " SET version = excluded.version, numbers = excluded.numbers, used_at = excluded.used_at"
                " WHERE excluded.version > version",
                (mapping.actor, mapping.version, mapping.numbers, now),
            )

    def tidy(self, expiries: Sequence[tuple[bytes, float]], now: float) -> None:
        """Write until when mappings live, and forget those whose time is over. Writes nothing if there is nothing."""
        over = self._database.row("SELECT 1 FROM placeholders WHERE expires_at <= ? LIMIT 1", (now,))
        if not expiries and over is None:
            return
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE placeholders SET expires_at = ? WHERE id = ?",
                [(expires_at, mapping) for mapping, expires_at in expiries],
            )
            connection.execute("DELETE FROM placeholders WHERE expires_at <= ?", (now,))
            connection.execute("DELETE FROM placeholder_numbers WHERE used_at <= ?", (now - NUMBERS_KEPT_S,))
