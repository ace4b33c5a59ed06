"""Sealed secrets, version by version. What is inside only the root key opens."""

from ostiary.adapters.stores.database import Database
from ostiary.model.configuration import SecretVersion


class SealedSecrets:
    def __init__(self, database: Database) -> None:
        self._database = database

    def sealed_secrets(self, name: str) -> list[tuple[int, bytes, float | None]]:
        """(version, sealed bytes, when it was replaced), the newest first."""
        return [
            (version, sealed, replaced_at)
            for version, sealed, replaced_at in self._database.rows(
                "SELECT version, sealed, replaced_at FROM sealed_secrets WHERE name = ? ORDER BY version DESC",
                (name,),
            )
        ]

    def has_value(self, name: str) -> bool:
        """Whether there ever was one; a replaced one counts."""
        return self._database.row("SELECT 1 FROM sealed_secrets WHERE name = ? LIMIT 1", (name,)) is not None

    def put_sealed_secret(self, name: str, version: int, sealed: bytes, at: float) -> None:
        """Make this the current version; those before it count as replaced from `at` on.
        Raises `StorageUnavailableError` when `version` exists already."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE sealed_secrets SET replaced_at = ? WHERE name = ? AND replaced_at IS NULL", (at, name)
            )
            connection.execute(
                "INSERT INTO sealed_secrets (name, version, sealed, created_at) VALUES (?,?,?,?)",
                (name, version, sealed, at),
            )

    def versions(self) -> list[SecretVersion]:
        """Every version of every stored secret, by name, the newest first."""
        return [
            SecretVersion(*row)
            for row in self._database.rows(
                "SELECT name, version, created_at, replaced_at FROM sealed_secrets ORDER BY name, version DESC"
            )
        ]
