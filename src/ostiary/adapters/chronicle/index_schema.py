"""The tables and rows of index.db. All of it is derived from the log and the segment files and can be made again."""

from typing import Any

VERSION = 2

TABLES = """
CREATE TABLE position (            -- how far the log was read; one row
    only INTEGER PRIMARY KEY CHECK (only = 1),
    version INTEGER NOT NULL,
    beginning BLOB NOT NULL,       -- leaf hash of entry 0: tells another log
    file INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    entries INTEGER NOT NULL
);
CREATE TABLE mark (                -- where every 256th entry begins
    entry INTEGER PRIMARY KEY,
    file INTEGER NOT NULL,
    offset INTEGER NOT NULL
);
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    actor TEXT NOT NULL,
    agent TEXT,
    connection TEXT NOT NULL,
    tool_session TEXT,             -- the tool's own id of it
    started_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    last_entry INTEGER NOT NULL,   -- sessions are listed by it, newest first
    exchanges INTEGER NOT NULL
);
CREATE INDEX session_by_last ON session (last_entry);
CREATE TABLE exchange (
    id TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    time TEXT NOT NULL,
    actor TEXT NOT NULL,
    agent TEXT,
    connection TEXT NOT NULL,
    operation TEXT,
    method TEXT,
    target TEXT,
    intent INTEGER,                -- entry numbers
    outcome INTEGER,
    refused INTEGER,
    status INTEGER,
    ended TEXT,                    -- complete, cut
    code TEXT,                     -- of a refusal
    duration_us INTEGER,
    response_bytes INTEGER
) WITHOUT ROWID;
CREATE INDEX exchange_by_session ON exchange (session, intent);
CREATE TABLE scanned (             -- how far each segment file was read
    segment INTEGER PRIMARY KEY,
    offset INTEGER NOT NULL
);
CREATE TABLE part (
    exchange TEXT NOT NULL,
    number INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    PRIMARY KEY (exchange, number)
) WITHOUT ROWID;
"""

SESSION = """
INSERT INTO session VALUES (:session, :actor, :agent, :connection, :tool_session, :time, :time, :entry, 1)
ON CONFLICT (id) DO UPDATE SET last_at = excluded.last_at, last_entry = excluded.last_entry, exchanges = exchanges + 1
"""

EXCHANGE = """
INSERT INTO exchange
    (id, session, time, actor, agent, connection, operation, method, target, intent, refused, status, code)
VALUES
    (:exchange, :session, :time, :actor, :agent, :connection, :operation, :method, :target, :intent, :refused,
     :status, :code)
ON CONFLICT (id) DO UPDATE SET
    intent = coalesce(intent, excluded.intent), refused = coalesce(excluded.refused, refused),
    status = coalesce(excluded.status, status), code = coalesce(excluded.code, code)
"""

OUTCOME = """
UPDATE exchange SET outcome = :outcome, status = :status, ended = :ended, duration_us = :duration_us,
    response_bytes = :response_bytes WHERE id = :exchange
"""

SESSIONS = """
SELECT * FROM session
WHERE (:actor IS NULL OR actor = :actor) AND (:connection IS NULL OR connection = :connection)
    AND (:before IS NULL OR last_entry < :before)
ORDER BY last_entry DESC LIMIT :limit
"""

Row = dict[str, Any]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def exchange_row(entry: dict[str, object], number: int, *, refused: bool) -> Row:
    actor = entry.get("actor")
    who: dict[str, object] = actor if isinstance(actor, dict) else {}
    return {
        "exchange": str(entry.get("exchange")),
        "session": _text(entry.get("session")) or "",
        "time": _text(entry.get("time")) or "",
        "actor": _text(who.get("name")) or "",
        "agent": _text(who.get("agent")),
        "connection": _text(entry.get("connection")) or "",
        "tool_session": _text(entry.get("tool_session")),
        "operation": _text(entry.get("operation")),
        "method": _text(entry.get("method")),
        "target": _text(entry.get("target")),
        "entry": number,
        "intent": None if refused else number,
        "refused": number if refused else None,
        "status": _number(entry.get("status")) if refused else None,
        "code": _text(entry.get("code")) if refused else None,
    }


def outcome_row(entry: dict[str, object], number: int) -> Row:
    return {
        "exchange": str(entry.get("exchange")),
        "outcome": number,
        "status": _number(entry.get("status")),
        "ended": _text(entry.get("end")),
        "duration_us": _number(entry.get("duration_us")),
        "response_bytes": _number(entry.get("response_bytes")),
    }
