"""Waiting for what comes next, for the commands that follow."""

import time
from collections.abc import Iterator
from typing import Any

from ostiary.cli.client import AdminClient, rows_of
from ostiary.model.errors import UnreachableError

_POLL_S = 0.5
_PAGE = 200


def follow_events(server: AdminClient) -> Iterator[dict[str, Any]]:
    """Exchange entries from now on, for ever. Raises `UnreachableError` when the server stops."""
    after = _log_size(server) - 1
    while True:
        answer = server.get("events", after=after)
        rows = rows_of(answer, "entries")
        yield from (_entry(row) for row in rows)
        after = _last_index(answer, rows, after)


def follow_entries(server: AdminClient, last: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The audit log's `last` entries and then every new one, with its index."""
    after = max(0, _log_size(server) - last) - 1
    while True:
        answer = server.get("audit", "entries", after=after, limit=_PAGE)
        rows = rows_of(answer, "entries")
        for row in rows:
            yield int(row["index"]), _entry(row)
        after = _last_index(answer, rows, after)
        if not rows:
            time.sleep(_POLL_S)


def _log_size(server: AdminClient) -> int:
    answer = server.get("audit", "checkpoint")
    if not isinstance(answer, dict) or not isinstance(answer.get("size"), int):
        raise UnreachableError("The server did not say how long its audit log is.", "Run `ostiary doctor`.")
    return int(answer["size"])


def _last_index(answer: Any, rows: list[dict[str, Any]], after: int) -> int:
    """The index up to which everything has been seen; the server may have skipped entries of other types."""
    seen = [int(row["index"]) for row in rows if "index" in row]
    said = answer.get("after") if isinstance(answer, dict) else None
    return max([after, *seen, *([int(said)] if said is not None else [])])


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    inner = row.get("entry")
    return inner if isinstance(inner, dict) else row
