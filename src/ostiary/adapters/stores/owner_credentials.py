"""How local owners prove who they are: sealed TOTP keys and passkeys."""

from dataclasses import fields
from typing import Any

from ostiary.adapters.stores.database import Database
from ostiary.model.person import OwnerCredential

_NAMES = tuple(field.name for field in fields(OwnerCredential))
_COLUMNS = ", ".join(_NAMES)
_PLACES = ", ".join("?" for _ in _NAMES)


class OwnerCredentials:
    """Implements `control.identity_ports.OwnerCredentials`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def owner_ids(self) -> list[str]:
        rows = self._database.rows(
            "SELECT user_id FROM owner_credentials GROUP BY user_id ORDER BY min(created_at), user_id"
        )
        return [user_id for (user_id,) in rows]

    def get(self, credential_id: str) -> OwnerCredential | None:
        found = self._where("id = ?", credential_id)
        return found[0] if found else None

    def of_user(self, user_id: str) -> list[OwnerCredential]:
        return self._where("user_id = ? ORDER BY created_at, id", user_id)

    def add(self, credential: OwnerCredential) -> None:
        with self._database.writing() as connection:
            connection.execute(
                f"INSERT INTO owner_credentials ({_COLUMNS}) VALUES ({_PLACES})",  # noqa: S608 - constant
                tuple(getattr(credential, name) for name in _NAMES),
            )

    def used(self, credential_id: str, counter: int, at: float) -> bool:
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE owner_credentials SET counter = ?, failures = 0, used_at = ?"
                " WHERE id = ? AND (counter < ? OR (kind = 'passkey' AND counter = 0 AND ? = 0))",
                (counter, at, credential_id, counter, counter),
            )
            return done.rowcount == 1

    def failed(self, credential_id: str) -> int:
        with self._database.writing() as connection:
            row = connection.execute(
                "UPDATE owner_credentials SET failures = failures + 1 WHERE id = ? RETURNING failures", (credential_id,)
            ).fetchone()
        return 0 if row is None else int(row[0])

    def remove(self, credential_id: str) -> None:
        with self._database.writing() as connection:
            connection.execute("DELETE FROM owner_credentials WHERE id = ?", (credential_id,))

    def _where(self, condition: str, value: str) -> list[OwnerCredential]:
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM owner_credentials WHERE {condition}", (value,))  # noqa: S608
        return [_credential(row) for row in rows]


def _credential(row: Any) -> OwnerCredential:
    return OwnerCredential(**dict(zip(_NAMES, row, strict=True)))
