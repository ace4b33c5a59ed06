"""People: who they are at their identity provider, and what SCIM keeps about them."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from ostiary.adapters.stores.database import Database
from ostiary.model.person import Origin, User, name_key

_NAMES = tuple(field.name for field in fields(User))
_COLUMNS = ", ".join(_NAMES)
_PLACES = ", ".join("?" for _ in _NAMES)
_CHANGED = tuple(name for name in _NAMES if name not in ("id", "not_before"))
"""By `change`. Since when tokens count is nobody's to set back who read the user before."""
_ASSIGNMENTS = ", ".join(f"{name} = ?" for name in _CHANGED)

_PROVISIONED = "(origin IN (?, ?) AND issuer = ? OR origin = ? AND issuer IS NULL)"


class People:
    """Implements `control.identity_ports.People`. A document is what SCIM says of somebody that nothing here reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, user_id: str) -> User | None:
        return self._one("id = ?", user_id)

    def named(self, name: str) -> User | None:
        return self._one("name_key = ?", name_key(name))

    def of_subject(self, issuer: str, subject: str) -> User | None:
        return self._one("issuer = ? AND subject = ?", issuer, subject)

    def of_external_id(self, external_id: str) -> list[User]:
        sql = f"SELECT {_COLUMNS} FROM users WHERE external_id = ? ORDER BY name_key"  # noqa: S608 - constant
        return [_user(row) for row in self._database.rows(sql, (external_id,))]

    def provisioned(self, issuer: str | None, offset: int, limit: int) -> tuple[int, list[User]]:
        values = (Origin.SCIM.value, Origin.SIGN_IN.value, issuer, Origin.SCIM.value)
        (total,) = self._database.row(f"SELECT count(*) FROM users WHERE {_PROVISIONED}", values)  # noqa: S608 - constant
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM users WHERE {_PROVISIONED} ORDER BY name_key LIMIT ? OFFSET ?",  # noqa: S608
            (*values, limit, offset),
        )
        return total, [_user(row) for row in rows]

    def mentioning(self, text: str) -> list[User]:
        # Documents are stored as ASCII, and lower() of SQLite knows no other letters.
        sql = f"SELECT {_COLUMNS} FROM users WHERE instr(lower(scim), ?1) OR lower(email) = ?1 ORDER BY name_key"  # noqa: S608
        return [_user(row) for row in self._database.rows(sql, (text.lower(),))]

    def documents(self, after: str, limit: int) -> list[tuple[User, Mapping[str, Any]]]:
        sql = f"SELECT scim, {_COLUMNS} FROM users WHERE name_key > ? ORDER BY name_key LIMIT ?"  # noqa: S608
        rows = self._database.rows(sql, (name_key(after), limit))
        return [(_user(row[1:]), _document(row[0])) for row in rows]

    def list(self, after: str, limit: int) -> list[User]:
        sql = f"SELECT {_COLUMNS} FROM users WHERE name_key > ? ORDER BY name_key LIMIT ?"  # noqa: S608 - constant
        return [_user(row) for row in self._database.rows(sql, (name_key(after), limit))]

    def add(self, user: User) -> bool:
        with self._database.writing() as connection:
            if _is_taken(connection, user):
                return False
            connection.execute(
                f"INSERT INTO users (name_key, {_COLUMNS}) VALUES (?, {_PLACES})",  # noqa: S608 - constant
                (name_key(user.name), *_values(user, _NAMES)),
            )
        return True

    def change(self, user: User) -> bool:
        stored = replace(user, version=user.version + 1)
        with self._database.writing() as connection:
            if _is_taken(connection, user):
                return False
            done = connection.execute(
                f"UPDATE users SET name_key = ?, {_ASSIGNMENTS} WHERE id = ? AND version = ?",  # noqa: S608 - constant
                (name_key(user.name), *_values(stored, _CHANGED), user.id, user.version),
            )
            return done.rowcount == 1

    def refuse_until(self, user_id: str, at: float) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE users SET not_before = max(ifnull(not_before, 0), ?) WHERE id = ?", (at, user_id)
            )

    def origins(self, issuer: str) -> dict[str | None, int]:
        sql = "SELECT issuer_identifier, count(*) FROM users WHERE issuer = ? GROUP BY issuer_identifier"
        return dict(self._database.rows(sql, (issuer,)))

    def of_origin(self, issuer: str, identifier: str | None) -> frozenset[str]:
        sql = "SELECT id FROM users WHERE issuer = ? AND issuer_identifier IS ?"
        return frozenset(user_id for (user_id,) in self._database.rows(sql, (issuer, identifier)))

    def remove(self, user_id: str) -> bool:
        """With their sign-ins and memberships; tokens and approvals end before."""
        with self._database.writing() as connection:
            return connection.execute("DELETE FROM users WHERE id = ?", (user_id,)).rowcount == 1

    def scim_groups_of(self, user_id: str) -> frozenset[str]:
        rows = self._database.rows(
            "SELECT display_name FROM scim_members JOIN scim_groups ON id = group_id WHERE user_id = ?", (user_id,)
        )
        return frozenset(display_name for (display_name,) in rows)

    def scim_document(self, user_id: str) -> Mapping[str, Any]:
        row = self._database.row("SELECT scim FROM users WHERE id = ?", (user_id,))
        return {} if row is None else _document(row[0])

    def keep_scim_document(self, user_id: str, document: Mapping[str, Any]) -> None:
        with self._database.writing() as connection:
            connection.execute("UPDATE users SET scim = ? WHERE id = ?", (json.dumps(document), user_id))

    def _one(self, condition: str, *values: str) -> User | None:
        row = self._database.row(f"SELECT {_COLUMNS} FROM users WHERE {condition}", values)  # noqa: S608 - constant
        return None if row is None else _user(row)


def _is_taken(connection: sqlite3.Connection, user: User) -> bool:
    found = connection.execute(
        "SELECT 1 FROM users WHERE id != ? AND (name_key = ? OR (issuer = ? AND subject = ?))",
        (user.id, name_key(user.name), user.issuer, user.subject),
    ).fetchone()
    return found is not None


def _values(user: User, names: tuple[str, ...]) -> tuple[Any, ...]:
    claims = json.dumps({claim: list(values) for claim, values in user.claims.items()})
    return tuple(claims if name == "claims" else getattr(user, name) for name in names)


def _user(row: Any) -> User:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    values["origin"] = Origin(values["origin"])
    values["active"] = bool(values["active"])
    values["claims"] = {claim: tuple(said) for claim, said in json.loads(values["claims"]).items()}
    return User(**values)


def _document(text: str | None) -> Mapping[str, Any]:
    document: dict[str, Any] = {} if text is None else json.loads(text)
    return document
