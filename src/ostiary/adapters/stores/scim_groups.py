"""Groups as SCIM provisions them, and who is in them."""

import sqlite3
from typing import Any

from ostiary.adapters.stores.database import Database
from ostiary.model.person import ScimGroup, name_key

_COLUMNS = "id, display_name, created_at, changed_at, external_id, version"
_MEMBERS = "SELECT group_concat(user_id, char(10)) FROM scim_members WHERE group_id = id"
"""Ids are hexadecimal, so a line feed separates them."""

_SELECT = f"SELECT {_COLUMNS}, ({_MEMBERS}) FROM scim_groups"  # noqa: S608 - constant


class ScimGroups:
    """Implements `control.identity_ports.ScimGroups`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, group_id: str) -> ScimGroup | None:
        return self._one("id = ?", group_id)

    def named(self, display_name: str) -> ScimGroup | None:
        return self._one("name_key = ?", name_key(display_name))

    def of_external_id(self, external_id: str) -> list[ScimGroup]:
        rows = self._database.rows(f"{_SELECT} WHERE external_id = ? ORDER BY name_key", (external_id,))
        return [_group(row) for row in rows]

    def of_user(self, user_id: str) -> list[tuple[str, str]]:
        rows = self._database.rows(
            "SELECT id, display_name FROM scim_groups JOIN scim_members ON group_id = id"
            " WHERE user_id = ? ORDER BY name_key",
            (user_id,),
        )
        return [(group_id, display_name) for group_id, display_name in rows]

    def list(self, after: str, limit: int) -> list[ScimGroup]:
        rows = self._database.rows(f"{_SELECT} WHERE name_key > ? ORDER BY name_key LIMIT ?", (name_key(after), limit))
        return [_group(row) for row in rows]

    def add(self, group: ScimGroup) -> bool:
        with self._database.writing() as connection:
            if _is_taken(connection, group):
                return False
            connection.execute(
                f"INSERT INTO scim_groups (name_key, {_COLUMNS}) VALUES (?,?,?,?,?,?,?)",  # noqa: S608 - constant
                (
                    name_key(group.display_name),
                    group.id,
                    group.display_name,
                    group.created_at,
                    group.changed_at,
                    group.external_id,
                    group.version,
                ),
            )
            _put_members(connection, group)
        return True

    def change(self, group: ScimGroup) -> bool:
        with self._database.writing() as connection:
            if _is_taken(connection, group):
                return False
            done = connection.execute(
                "UPDATE scim_groups SET name_key = ?, display_name = ?, changed_at = ?, external_id = ?,"
                " version = version + 1 WHERE id = ? AND version = ?",
                (
                    name_key(group.display_name),
                    group.display_name,
                    group.changed_at,
                    group.external_id,
                    group.id,
                    group.version,
                ),
            )
            if done.rowcount != 1:
                return False
            _put_members(connection, group)
        return True

    def remove(self, group_id: str) -> bool:
        with self._database.writing() as connection:
            return connection.execute("DELETE FROM scim_groups WHERE id = ?", (group_id,)).rowcount == 1

    def _one(self, condition: str, value: str) -> ScimGroup | None:
        row = self._database.row(f"{_SELECT} WHERE {condition}", (value,))
        return None if row is None else _group(row)


def _is_taken(connection: sqlite3.Connection, group: ScimGroup) -> bool:
    found = connection.execute(
        "SELECT 1 FROM scim_groups WHERE id != ? AND name_key = ?", (group.id, name_key(group.display_name))
    ).fetchone()
    return found is not None


def _put_members(connection: sqlite3.Connection, group: ScimGroup) -> None:
    """Only what differs is written: groups are large, and change by one member at a time."""
    rows = connection.execute("SELECT user_id FROM scim_members WHERE group_id = ?", (group.id,)).fetchall()
    before = {user_id for (user_id,) in rows}
    connection.executemany(
        "DELETE FROM scim_members WHERE group_id = ? AND user_id = ?",
        [(group.id, user_id) for user_id in before - group.members],
    )
    connection.executemany(
        "INSERT INTO scim_members (group_id, user_id) SELECT ?, id FROM users WHERE id = ?",
        [(group.id, user_id) for user_id in group.members - before],
    )


def _group(row: Any) -> ScimGroup:
    group_id, display_name, created_at, changed_at, external_id, version, members = row
    return ScimGroup(
        group_id,
        display_name,
        created_at,
        changed_at,
        external_id,
        frozenset(members.split("\n") if members else ()),
        version,
    )
