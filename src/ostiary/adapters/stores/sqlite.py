"""The embedded store: one SQLite file with everything but the audit log and the recordings."""

import uuid
from pathlib import Path

from ostiary.adapters.stores.approvals import Approvals
from ostiary.adapters.stores.configurations import Configurations
from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.one_time import OneTime
from ostiary.adapters.stores.owner_credentials import OwnerCredentials
from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.scim_groups import ScimGroups
from ostiary.adapters.stores.sealed_placeholders import SealedPlaceholders
from ostiary.adapters.stores.sealed_secrets import SealedSecrets
from ostiary.adapters.stores.service_accounts import ServiceAccounts
from ostiary.adapters.stores.sign_ins import SignIns
from ostiary.adapters.stores.tokens import Tokens


class Store:
    """Safe from any thread. Reads take microseconds and may be made on the event loop; writes wait for the
    disk and belong into a worker thread. Failures are `StorageUnavailableError`; a later call may succeed."""

    def __init__(self, path: Path) -> None:
        """Opens, creates or migrates the file. Raises `OperatorError`."""
        self._database = Database(path)
        self.configurations = Configurations(self._database)
        self.tokens = Tokens(self._database)
        self.approvals = Approvals(self._database)
        self.secrets = SealedSecrets(self._database)
        self.placeholders = SealedPlaceholders(self._database)
        self.people = People(self._database)
        self.scim_groups = ScimGroups(self._database)
        self.sign_ins = SignIns(self._database)
        self.one_time = OneTime(self._database)
        self.owner_credentials = OwnerCredentials(self._database)
        self.service_accounts = ServiceAccounts(self._database)
        self.installation = self._installation()

    def sealed_secrets(self, name: str) -> list[tuple[int, bytes, float | None]]:
        """(version, sealed bytes, when it was replaced), the newest first."""
        return self.secrets.sealed_secrets(name)

    def put_sealed_secret(self, name: str, version: int, sealed: bytes, at: float) -> None:
        """Make this the current version."""
        self.secrets.put_sealed_secret(name, version, sealed, at)

    def meta(self, key: str) -> str | None:
        row = self._database.row("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )

    def first_meta(self, key: str, value: str) -> str:
        """Keep `value` unless there is one; returns the one that is kept."""
        with self._database.writing() as connection:
            connection.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", (key, value))
            (kept,) = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(kept)

    def close(self) -> None:
        """Writes what is pending, then lets go of the file."""
        try:
            self.tokens.flush()
        finally:
            self._database.close()

    def _installation(self) -> str:
        """The id of this installation, made when its database was."""
        return self.first_meta("installation", uuid.uuid4().hex)
