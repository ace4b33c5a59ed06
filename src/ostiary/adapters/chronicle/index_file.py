"""The SQLite file of the index: made, recognised, and thrown away when it does not fit the log."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ostiary.adapters.chronicle.files import Places
from ostiary.adapters.chronicle.index_schema import TABLES, VERSION
from ostiary.adapters.chronicle.log_reader import Place, read_lines
from ostiary.audit.merkle import leaf_hash
from ostiary.model.errors import OperatorError


class IndexFile:
    """One connection, used by one thread at a time."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """The database, opened on first use. Raises `OperatorError` when it cannot be made."""
        with self._lock:
            if self._database is None:
                try:
                    self._database = self._opened()
                except sqlite3.Error as error:
                    raise OperatorError(
                        f"HOME/index.db cannot be made ({error}).", "Make HOME writable and free some space."
                    ) from error
            yield self._database

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def delete(self) -> None:
        with self._lock:
            self.close()
            for ending in ("", "-wal", "-shm"):
                Path(f"{self._places.index}{ending}").unlink(missing_ok=True)

    def _opened(self) -> sqlite3.Connection:
        try:
            database = self._connect()
        except sqlite3.DatabaseError:
            self.delete()
            return self._connect()
        if self._fits(database):
            return database
        database.close()
        self.delete()
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._places.index, check_same_thread=False, isolation_level=None)
        try:
            self._places.index.chmod(0o600)
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = OFF")  # derived data: what does not fit is made again
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'position'").fetchone():
                database.executescript(TABLES)
                database.execute("INSERT INTO position VALUES (1, ?, x'', 1, 0, 0)", (VERSION,))
        except BaseException:
            database.close()
            raise
        return database

    def _fits(self, database: sqlite3.Connection) -> bool:
        """Whether it is of this version and of this log."""
        row = database.execute("SELECT version, beginning, entries, file, offset FROM position").fetchone()
        if row is None or row["version"] != VERSION:
            return False
        if row["entries"] == 0:
            return True
        first = next(read_lines(self._places, Place(), 1), None)
        path = self._places.log(row["file"])
        same_log = first is not None and leaf_hash(first[1]) == row["beginning"]
        return same_log and path.exists() and path.stat().st_size >= row["offset"]


def position(database: sqlite3.Connection) -> Place:
    """How far the log was read."""
    row = database.execute("SELECT entries, file, offset FROM position").fetchone()
    return Place(row["entries"], row["file"], row["offset"])
