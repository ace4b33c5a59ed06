"""Who is signed in where. A handle is the SHA-256 of a cookie or refresh token: a stolen database signs nobody in."""

from dataclasses import fields
from typing import Any

from ostiary.adapters.stores.database import Database
from ostiary.model.person import SignIn, SignInKind

_NAMES = tuple(field.name for field in fields(SignIn))
_COLUMNS = ", ".join(_NAMES)
_PLACES = ", ".join("?" for _ in _NAMES)


class SignIns:
    """Implements `control.identity_ports.SignIns`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, handle: bytes, sign_in: SignIn, sealed: bytes | None, bound_to: str | None) -> None:
        with self._database.writing() as connection:
            connection.execute(
                f"INSERT INTO sign_ins ({_COLUMNS}, handle, sealed, bound_to) VALUES ({_PLACES}, ?, ?, ?)",  # noqa: S608
                (*(getattr(sign_in, name) for name in _NAMES), handle, sealed, bound_to),
            )

    def of_handle(self, handle: bytes) -> SignIn | None:
        return self._one("handle = ?", handle)

    def get(self, sign_in_id: str) -> SignIn | None:
        return self._one("id = ?", sign_in_id)

    def sealed(self, sign_in_id: str) -> bytes | None:
        row = self._database.row("SELECT sealed FROM sign_ins WHERE id = ?", (sign_in_id,))
        return None if row is None else row[0]

    def bound_to(self, sign_in_id: str) -> str | None:
        row = self._database.row("SELECT bound_to FROM sign_ins WHERE id = ?", (sign_in_id,))
        return None if row is None else row[0]

    def rotate(self, sign_in_id: str, old_handle: bytes, new_handle: bytes, at: float) -> bool:
        return self._changed(
            "handle = ?, spent_handle = handle, seen_at = max(seen_at, ?) WHERE id = ? AND handle = ?"
            " AND ended_at IS NULL",
            (new_handle, at, sign_in_id, old_handle),
        )

    def seen(self, sign_in_id: str, at: float) -> None:
        self._changed("seen_at = max(seen_at, ?) WHERE id = ?", (at, sign_in_id))

    def authenticated(self, sign_in_id: str, handle: bytes, at: float) -> None:
        # `seen_at` is not touched: whoever proved it at `at` may be reported a moment later.
        self._changed(
            "handle = ?, spent_handle = handle, authenticated_at = ? WHERE id = ? AND ended_at IS NULL",
            (handle, at, sign_in_id),
        )

    def checked(self, sign_in_id: str, at: float, sealed: bytes | None) -> None:
        # One that ended meanwhile gets no tokens back.
        self._changed(
            "checked_at = ?, sealed = coalesce(?, sealed) WHERE id = ? AND ended_at IS NULL", (at, sealed, sign_in_id)
        )

    def live(self, *, user_id: str | None = None, issuer: str | None = None, limit: int = 10_000) -> list[SignIn]:
        conditions, values = ["ended_at IS NULL"], []
        for column, value in (("user_id", user_id), ("issuer", issuer)):
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(value)
        return self._many(f"{' AND '.join(conditions)} ORDER BY created_at DESC, id", (*values, limit))

    def of_user(self, user_id: str, limit: int) -> list[SignIn]:
        return self._many("user_id = ? ORDER BY created_at DESC, id", (user_id, limit))

    def end(self, sign_in_id: str, at: float, why: str) -> bool:
        return self._changed(
            "ended_at = ?, ended_why = ?, sealed = NULL WHERE id = ? AND ended_at IS NULL", (at, why, sign_in_id)
        )

    def drop_old(self, before: float) -> None:
        due = "ended_at < ? OR ends_at < ?"
        if self._database.row(f"SELECT 1 FROM sign_ins WHERE {due} LIMIT 1", (before, before)) is None:  # noqa: S608
            return
        with self._database.writing() as connection:
            connection.execute(f"DELETE FROM sign_ins WHERE {due}", (before, before))  # noqa: S608 - constant

    def _changed(self, what: str, parameters: tuple[Any, ...]) -> bool:
        with self._database.writing() as connection:
            return connection.execute(f"UPDATE sign_ins SET {what}", parameters).rowcount == 1  # noqa: S608 - constant

    def _one(self, where: str, value: object) -> SignIn | None:
        row = self._database.row(f"SELECT {_COLUMNS} FROM sign_ins WHERE {where}", (value,))  # noqa: S608 - constant
        return None if row is None else _sign_in(row)

    def _many(self, where: str, parameters: tuple[Any, ...]) -> list[SignIn]:
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM sign_ins WHERE {where} LIMIT ?", parameters)  # noqa: S608
        return [_sign_in(row) for row in rows]


def _sign_in(row: Any) -> SignIn:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    values["kind"] = SignInKind(values["kind"])
    return SignIn(**values)
