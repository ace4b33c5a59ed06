"""Every configuration that was ever applied, as the declarative text that would make it again."""

from ostiary.adapters.stores.database import Database
from ostiary.model.configuration import ConfigurationVersion


class Configurations:
    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self) -> ConfigurationVersion | None:
        row = self._database.row(
            "SELECT version, yaml, applied_at, applied_by, filename FROM configuration_versions"
            " ORDER BY version DESC LIMIT 1"
        )
        return None if row is None else ConfigurationVersion(*row)

    def add(self, yaml: str, applied_at: float, applied_by: str, filename: str) -> int:
        """The new version's number."""
        with self._database.writing() as connection:
            done = connection.execute(
                "INSERT INTO configuration_versions (yaml, applied_at, applied_by, filename) VALUES (?, ?, ?, ?)",
                (yaml, applied_at, applied_by, filename),
            )
            return done.lastrowid or 0

    def take_back(self, version: int) -> None:
        """Undo an `add` whose configuration did not come up."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM configuration_versions WHERE version = ?", (version,))
