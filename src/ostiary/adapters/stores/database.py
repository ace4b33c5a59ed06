"""One SQLite file, usable from any thread: reads never wait for a write, and no foreign exception leaves."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from ostiary.adapters.stores.migrations import MIGRATIONS
from ostiary.model.errors import OperatorError, StorageUnavailableError

BUSY_TIMEOUT_MS = 2000

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
)


class Database:
    """Two connections to one file: a write holds its own lock through the fsync, so a read takes microseconds
    even then. After a failed write the writing connection is opened anew by the next one."""

    def __init__(self, path: Path) -> None:
        """Creates or migrates the file, readable by its owner only. Raises `OperatorError`."""
        self._path = path
        self._write_lock = RLock()
        self._read_lock = RLock()
        self._writer: sqlite3.Connection | None = None
        self._closed = False
        try:
            self._create_private_file()
            with self._write_lock:
                self._writer = self._open()
                _migrate(self._writer)
            self._reader = self._open()
        except (sqlite3.Error, OSError) as failure:
            self.close()
            raise OperatorError(
                f"The database {path} cannot be opened: {_plain(failure)}.",
                "Check that the file and its directory belong to this user and that the disk has space.",
            ) from None
        except OperatorError:
            self.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable when the block ends and undone when it raises.

        Raises `StorageUnavailableError` when it could not be made durable. Takes as long as the disk does.
        """
        with self._write_lock:
            try:
                connection = self._writing_connection()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    # After some failures SQLite has rolled back by itself.
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
            except (sqlite3.Error, OSError) as failure:
                self._forget_writer()
                raise StorageUnavailableError(
                    f"The database cannot be written: {_plain(failure)}.",
                    f"Check the disk that holds {self._path}; nothing was changed.",
                ) from None

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """What was durable when the call began. Raises `StorageUnavailableError`."""
        with self._read_lock:
            try:
                return self._reader.execute(sql, parameters).fetchall()
            except sqlite3.Error as failure:
                raise StorageUnavailableError(
                    f"The database cannot be read: {_plain(failure)}.",
                    f"Check the disk that holds {self._path}.",
                ) from None

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """The first row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def close(self) -> None:
        with self._write_lock, self._read_lock:
            self._closed = True
            self._forget_writer()
            reader: sqlite3.Connection | None = getattr(self, "_reader", None)
            if reader is not None:
                reader.close()

    def _create_private_file(self) -> None:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    def _writing_connection(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.OperationalError("the database was closed")
        if self._writer is None:
            self._writer = self._open()
        return self._writer

    def _forget_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _migrate(connection: sqlite3.Connection) -> None:
    (present,) = connection.execute("PRAGMA user_version").fetchone()
    newest = MIGRATIONS[-1][0]
    if present > newest:
        raise OperatorError(
            f"The database is of a newer version of Ostiary (schema {present}, this one knows {newest}).",
            "Run the newer version, or restore a backup made before the upgrade.",
        )
    for number, script in MIGRATIONS:
        if number > present:
            connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")


def _plain(failure: BaseException) -> str:
    """The failure in SQLite's or the system's own words, which name files and states but no stored values."""
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return str(failure)
