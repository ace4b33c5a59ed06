"""Service accounts: names for machines, unique without regard to case."""

import json
from typing import Any

from ostiary.adapters.stores.database import Database
from ostiary.model.person import ServiceAccount

_SELECT = "SELECT name, groups, connections, description, created_at, created_by, disabled_at FROM service_accounts"


class ServiceAccounts:
    """Implements `control.identity_ports.ServiceAccounts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> ServiceAccount | None:
        row = self._database.row(f"{_SELECT} WHERE name = ?", (name,))
        return None if row is None else _account(row)

    def list(self) -> list[ServiceAccount]:
        """By name."""
        return [_account(row) for row in self._database.rows(f"{_SELECT} ORDER BY name")]

    def add(self, account: ServiceAccount) -> bool:
        """False when there is one of that name."""
        with self._database.writing() as connection:
            done = connection.execute(
                "INSERT INTO service_accounts (name, groups, connections, description, created_at, created_by,"
                " disabled_at) VALUES (?,?,?,?,?,?,?) ON CONFLICT (name) DO NOTHING",
                (account.name, *_values(account)),
            )
            return done.rowcount == 1

    def change(self, account: ServiceAccount) -> bool:
        """False when there is none of that name."""
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE service_accounts SET groups = ?, connections = ?, description = ?, created_at = ?,"
                " created_by = ?, disabled_at = ? WHERE name = ?",
                (*_values(account), account.name),
            )
            return done.rowcount == 1


def _values(account: ServiceAccount) -> tuple[Any, ...]:
    return (
        json.dumps(sorted(account.groups)),
        None if account.connections is None else json.dumps(sorted(account.connections)),
        account.description,
        account.created_at,
        account.created_by,
        account.disabled_at,
    )


def _account(row: Any) -> ServiceAccount:
    name, groups, connections, description, created_at, created_by, disabled_at = row
    return ServiceAccount(
        name,
        created_at,
        created_by,
        frozenset(json.loads(groups)),
        None if connections is None else frozenset(json.loads(connections)),
        description,
        disabled_at,
    )
