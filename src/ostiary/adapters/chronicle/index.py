"""Sessions, exchanges and recordings by id, from a SQLite file that is derived from the log and may be deleted.

It is filled when somebody asks and when the log is quiet, never while an exchange waits.
"""

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from ostiary.adapters.chronicle import index_schema as sql
from ostiary.adapters.chronicle.files import Places
from ostiary.adapters.chronicle.index_file import IndexFile, position
from ostiary.adapters.chronicle.index_schema import exchange_row, outcome_row
from ostiary.adapters.chronicle.log_reader import Place, read_lines
from ostiary.adapters.chronicle.segments import PlacedPart, erase_part, read_part, read_segment_key, scan_parts
from ostiary.audit.entries import decode_entry
from ostiary.audit.merkle import leaf_hash
from ostiary.model.errors import IntegrityError, NotFoundError, OperatorError
from ostiary.ports import Frame
from ostiary.recording.frames import decode_frames
from ostiary.recording.sealing import COMMITMENT_BYTES, SegmentKey, root_of_parts
from ostiary.vault.sealing import RootKey

MARK_EVERY = 256
REFRESH_ENTRIES = 200
"""Read at once: a thread that computes makes the event loop wait for the interpreter."""
QUIET_S = 1.0
QUIET_ENTRIES = 50
BEHIND_ENTRIES = 500_000

Row = dict[str, Any]


class Growing(Protocol):
    """What the index needs of a running `Chronicle`."""

    @property
    def size(self) -> int: ...

    @property
    def first_own_index(self) -> int: ...

    async def wait_for_more(self, after: int, timeout_s: float) -> bool: ...


class ExchangeIndex:
    """Answers questions about the log. All but the coroutines block: call them in a worker thread.

    Without a `chronicle` it reads a log that nobody writes, up to its last complete line.
    """

    def __init__(self, home: Path, root_key: RootKey, installation: str, chronicle: Growing | None = None) -> None:
        self._places = Places(home)
        self._root_key = root_key
        self._installation = installation
        self._chronicle = chronicle
        self._file = IndexFile(self._places)
        self._read = 0
        self._segment_keys: dict[int, SegmentKey] = {}

    def close(self) -> None:
        self._file.close()

    # ── filling ──

    def refresh(self, entries_max: int | None = None) -> bool:
        """Read what is new of the log, at most `entries_max` entries. Whether there is more."""
        with self._file.use() as database:
            start = position(database)
            durable = self._chronicle.size if self._chronicle else None
            if durable == start.entry:
                self._read = start.entry
                return False
            until = durable
            if entries_max is not None:
                until = start.entry + entries_max if durable is None else min(durable, start.entry + entries_max)
            end = start
            database.execute("BEGIN")
            try:
                for place, line, following in read_lines(self._places, start, until):
                    if place.entry % MARK_EVERY == 0:
                        database.execute(
                            "INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (place.entry, place.file, place.offset)
                        )
                    if place.entry == 0:
                        database.execute("UPDATE position SET beginning = ?", (leaf_hash(line),))
                    self._take(database, place.entry, line)
                    end = following
                database.execute(
                    "UPDATE position SET file = ?, offset = ?, entries = ?", (end.file, end.offset, end.entry)
                )
                database.execute("COMMIT")
            except BaseException:
                database.execute("ROLLBACK")
                raise
            self._read = end.entry
            return end.entry < durable if durable is not None else end.entry - start.entry == entries_max

    def rebuild(self) -> None:
        """Delete the file and make it again."""
        self._file.delete()
        self.refresh()

    async def follow(self) -> None:
        """Keep the index fresh while the log is quiet, until cancelled."""
        chronicle = self._chronicle
        if chronicle is None:
            return
        while True:
            await chronicle.wait_for_more(self._read, 3600.0)
            before = chronicle.size
            await asyncio.sleep(QUIET_S)
            quiet = chronicle.size - before < QUIET_ENTRIES
            more = quiet or chronicle.size - self._read > BEHIND_ENTRIES
            while more:
                more = await asyncio.to_thread(self.refresh, REFRESH_ENTRIES)
                await asyncio.sleep(0.01)

    def _take(self, database: sqlite3.Connection, number: int, line: bytes) -> None:
        if b'"type":"exchange.' not in line:
            return
        try:
            entry = decode_entry(line, number)
        except IntegrityError:
            return  # verifying the log names it; listing goes on
        match entry.get("type"):
            case "exchange.intent" | "exchange.refused" as type_:
                row = exchange_row(entry, number, refused=type_ == "exchange.refused")
                known = database.execute("SELECT 1 FROM exchange WHERE id = ?", (row["exchange"],)).fetchone()
                database.execute(sql.EXCHANGE, row)
                if row["session"] and known is None:
                    database.execute(sql.SESSION, row)
            case "exchange.outcome":
                database.execute(sql.OUTCOME, outcome_row(entry, number))
            case _:
                pass

    # ── questions ──

    def sessions(
        self,
        *,
        limit: int = 50,
        actor: str | None = None,
        connection: str | None = None,
        cursor: int | None = None,
    ) -> tuple[list[Row], int | None]:
        """Sessions, the one used last first, and the cursor of the next page (None on the last)."""
        self.refresh()
        with self._file.use() as database:
            rows = database.execute(
                sql.SESSIONS, {"actor": actor, "connection": connection, "before": cursor, "limit": limit + 1}
            ).fetchall()
        shown = [dict(row) for row in rows[:limit]]
        following = shown[-1]["last_entry"] if len(rows) > limit else None
        return shown, following

    def session(self, session: str) -> Row:
        """The session with its `exchanges`, oldest first. Raises `NotFoundError`."""
        self.refresh()
        with self._file.use() as database:
            row = database.execute("SELECT * FROM session WHERE id = ?", (session,)).fetchone()
            if row is None:
                raise NotFoundError(f"There is no session {session}.", "`ostiary sessions list` shows them.")
            exchanges = database.execute(
                "SELECT * FROM exchange WHERE session = ? ORDER BY coalesce(intent, refused)", (session,)
            ).fetchall()
        return {**dict(row), "count": row["exchanges"], "exchanges": [self._described(each) for each in exchanges]}

    def exchange(self, exchange: str) -> Row:
        """The exchange with its `state` and its entries `intent`, `outcome` and `refused`. Raises `NotFoundError`.

        `state` is `complete`, `cut`, `refused`, `running`, or `outcome unknown` when the process ended in between.
        """
        row = self._row(exchange)
        described = self._described(row)
        for name in ("intent", "outcome", "refused"):
            described[name] = None if row[name] is None else self.entry(row[name])
        return described

    def entry(self, number: int) -> dict[str, Any]:
        """Entry `number`. Raises `NotFoundError`."""
        found = self.entries(after=number, limit=1)
        if not found:
            raise NotFoundError(f"There is no entry {number}.")
        entry: dict[str, Any] = found[0]["entry"]
        return entry

    def entries(self, *, after: int = 0, limit: int = 100) -> list[Row]:
        """`{"index", "entry"}` of up to `limit` entries from number `after` on; below 0 it counts from the end."""
        self.refresh()
        with self._file.use() as database:
            size = position(database).entry
            first = max(0, size + after) if after < 0 else after
            mark = database.execute(
                "SELECT entry, file, offset FROM mark WHERE entry <= ? ORDER BY entry DESC LIMIT 1", (first,)
            ).fetchone()
        start = Place(*mark) if mark else Place()
        lines = read_lines(self._places, start, min(size, first + limit))
        return [
            {"index": place.entry, "entry": decode_entry(line, place.entry)}
            for place, line, _ in lines
            if place.entry >= first
        ]

    async def wait_for_more(self, after: int, timeout_s: float) -> bool:
        """Whether the log has more than `after` entries, as soon as it has, or after `timeout_s`."""
        if self._chronicle is None:
            return False
        return await self._chronicle.wait_for_more(after, timeout_s)

    def _row(self, exchange: str) -> sqlite3.Row:
        self.refresh()
        with self._file.use() as database:
            row = database.execute("SELECT * FROM exchange WHERE id = ?", (exchange,)).fetchone()
        if row is None:
            raise NotFoundError(f"There is no exchange {exchange}.", "`ostiary sessions list` shows them.")
        found: sqlite3.Row = row
        return found

    def _described(self, row: sqlite3.Row) -> Row:
        described = dict(row)
        if row["outcome"] is not None:
            state = row["ended"] or "complete"
        elif row["refused"] is not None:
            state = "refused"
        elif self._chronicle is not None and row["intent"] >= self._chronicle.first_own_index:
            state = "running"
        else:
            state = "outcome unknown"
        return {**described, "state": state}

    # ── recordings ──

    def read_recording(self, exchange: str) -> list[Frame]:
        """The frames in the order they were recorded; of a running exchange those so far.

        Raises `NotFoundError` when nothing was recorded or it was erased, `IntegrityError` when parts are missing or
        not those whose root hash is in the log.
        """
        parts = self._parts(exchange)
        recorded = self._recorded(exchange)
        if not parts:
            if recorded and recorded.get("parts"):
                raise _not_as_logged(exchange)
            raise NotFoundError(f"Nothing was recorded of exchange {exchange}.")
        texts = [read_part(self._places, part, self._segment_key(part.segment), self._installation) for part in parts]
        if [part.header.number for part in parts] != list(range(len(parts))):
            raise _not_as_logged(exchange)
        if recorded is not None and (recorded.get("root"), recorded.get("parts")) != (
            root_of_parts(texts).hex(),
            len(parts),
        ):
            raise _not_as_logged(exchange)
        texts[0] = texts[0][COMMITMENT_BYTES:]
        return [frame for text in texts for frame in decode_frames(text)]

    def erase_recording(self, exchange: str) -> int:
        """Overwrite the recording for good and return its number of parts. The caller writes the entry about it.

        Raises `NotFoundError` when there is none. Log and root hash stay as they are and go on to verify.
        """
        parts = self._parts(exchange)
        if not parts:
            raise NotFoundError(f"Nothing was recorded of exchange {exchange}.")
        try:
            for part in parts:
                erase_part(self._places, part)
        except OSError as error:
            raise OperatorError(
                f"The recording of {exchange} cannot be erased: {error.strerror}.", "Make HOME/recordings writable."
            ) from error
        return len(parts)

    def _recorded(self, exchange: str) -> dict[str, Any] | None:
        row = self._row(exchange)
        if row["outcome"] is None:
            return None
        recorded = self.entry(row["outcome"]).get("recording")
        return recorded if isinstance(recorded, dict) else None

    def _parts(self, exchange: str) -> list[PlacedPart]:
        with self._file.use() as database:
            self._scan_segments(database)
            rows = database.execute(
                "SELECT segment, offset FROM part WHERE exchange = ? ORDER BY number", (exchange,)
            ).fetchall()
        parts = []
        for row in rows:
            path = self._places.recording(row["segment"])
            placed = None
            with suppress(FileNotFoundError):
                placed = next(scan_parts(path, row["segment"], row["offset"]), None)
            if placed is None or placed.header.exchange != exchange:
                raise _not_as_logged(exchange)
            parts.append(placed)
        return parts

    def _scan_segments(self, database: sqlite3.Connection) -> None:
        scanned = dict(database.execute("SELECT segment, offset FROM scanned").fetchall())
        with database:
            for number in self._places.recording_numbers():
                end = offset = scanned.get(number, 0)
                with suppress(FileNotFoundError):
                    for placed in scan_parts(self._places.recording(number), number, offset):
                        row = (placed.header.exchange, placed.header.number, number, placed.offset)
                        database.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?)", row)
                        end = placed.offset + placed.header.size
                if end != offset:
                    database.execute("INSERT OR REPLACE INTO scanned VALUES (?, ?)", (number, end))

    def _segment_key(self, number: int) -> SegmentKey:
        key = self._segment_keys.get(number)
        if key is None:
            path = self._places.recording(number)
            key = read_segment_key(path, number, self._root_key, self._installation)
            if len(self._segment_keys) >= 64:
                self._segment_keys.clear()
            self._segment_keys[number] = key
        return key


def _not_as_logged(exchange: str) -> IntegrityError:
    return IntegrityError(
        f"The recording of {exchange} is not the one in the audit log.", "Restore HOME/recordings from a backup."
    )
