"""Approvals and their grants. Every change of state is one conditional UPDATE, so it happens once."""

import sqlite3
from dataclasses import fields
from typing import Any

from ostiary.adapters.stores.database import Database
from ostiary.approval.automaton import OPEN_STATES, TRANSITIONS, ApprovalEvent, states_before
from ostiary.model.actor import ActorKind
from ostiary.model.approval import Approval, ApprovalState

_NAMES = tuple(field.name for field in fields(Approval))
_COLUMNS = ", ".join(_NAMES)
_OPEN = ", ".join(f"'{state.value}'" for state in sorted(OPEN_STATES))


class TooManyWaitingError(Exception):
    """The actor has as many waiting approvals as one may have."""


class Approvals:
    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, approval: Approval, now: float, waiting_max: int) -> tuple[Approval, bool]:
        """Store `approval`, or find the open one of the same fingerprint and actor. True when it is new.
        Raises `TooManyWaitingError`."""
        who = (approval.actor_kind.value, approval.actor, approval.agent)
        with self._database.writing() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM approvals WHERE fingerprint = ? AND actor_kind = ? AND actor = ?"  # noqa: S608
                f" AND agent IS ? AND state IN ({_OPEN}) AND expires_at > ?",
                (approval.fingerprint, *who, now),
            ).fetchone()
            if row is not None:
                return _approval(row), False
            # Counted over the person and all their agents: a new agent's name does not buy new patience.
            (waiting,) = connection.execute(
                "SELECT count(*) FROM approvals WHERE actor = ? AND state = ? AND expires_at > ?",
                (approval.actor, ApprovalState.WAITING.value, now),
            ).fetchone()
            if waiting >= waiting_max:
                raise TooManyWaitingError
            _insert(connection, approval)
        return approval, True

    def get(self, approval_id: str) -> Approval | None:
        row = self._database.row(f"SELECT {_COLUMNS} FROM approvals WHERE id = ?", (approval_id,))  # noqa: S608
        return None if row is None else _approval(row)

    def newest(self, state: ApprovalState | None, limit: int = 200) -> list[Approval]:
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM approvals WHERE ? IS NULL OR state = ?"  # noqa: S608 - constant
            " ORDER BY asked_at DESC, id LIMIT ?",
            (state, state, limit),
        )
        return [_approval(row) for row in rows]

    def move(
        self,
        approval_id: str,
        event: ApprovalEvent,
        now: float,
        decided_by: str | None = None,
        reason: str | None = None,
    ) -> bool:
        """True when this very call made `event` happen. An expired approval can only expire."""
        due = "<=" if event is ApprovalEvent.EXPIRE else ">"
        with self._database.writing() as connection:
            for before in states_before(event):
                done = connection.execute(
                    "UPDATE approvals SET state = ?, decided_by = coalesce(?, decided_by),"  # noqa: S608 - constant
                    " decided_at = CASE WHEN ? IS NULL THEN decided_at ELSE ? END,"
                    " reason = coalesce(?, reason)"
                    f" WHERE id = ? AND state = ? AND expires_at {due} ?",
                    (
                        TRANSITIONS[before, event].value,
                        decided_by,
                        decided_by,
                        now,
                        reason,
                        approval_id,
                        before.value,
                        now,
                    ),
                )
                if done.rowcount == 1:
                    return True
        return False

    def due(self, now: float) -> list[str]:
        """Ids of open approvals whose time is over."""
        sql = f"SELECT id FROM approvals WHERE state IN ({_OPEN}) AND expires_at <= ?"  # noqa: S608 - constant
        return [approval_id for (approval_id,) in self._database.rows(sql, (now,))]

    def open_of(self, actor_kind: ActorKind, actor: str, agent: str | None) -> list[str]:
        """Ids of what an actor still has open."""
        sql = (
            f"SELECT id FROM approvals WHERE actor_kind = ? AND actor = ? AND agent IS ?"  # noqa: S608 - constant
            f" AND state IN ({_OPEN})"
        )
        return [approval_id for (approval_id,) in self._database.rows(sql, (actor_kind.value, actor, agent))]


def _insert(connection: sqlite3.Connection, approval: Approval) -> None:
    # One that expired and was not swept yet would stand in the way of the unique index.
    connection.execute(
        f"UPDATE approvals SET state = 'expired' WHERE fingerprint = ? AND actor_kind = ? AND actor = ?"  # noqa: S608
        f" AND agent IS ? AND state IN ({_OPEN})",
        (approval.fingerprint, approval.actor_kind.value, approval.actor, approval.agent),
    )
    places = ", ".join("?" for _ in _NAMES)
    connection.execute(
        f"INSERT INTO approvals ({_COLUMNS}) VALUES ({places})",  # noqa: S608 - constant
        tuple(getattr(approval, name) for name in _NAMES),
    )


def _approval(row: Any) -> Approval:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    values["state"] = ApprovalState(values["state"])
    values["actor_kind"] = ActorKind(values["actor_kind"])
    values["reason_required"] = bool(values["reason_required"])
    return Approval(**values)
