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
    after = _log_size(server)
    while True:
        answer = server.get("events", after=after)
        yield from (_entry(row) for row in rows_of(answer, "entries"))
        after = _next_after(answer, after)


def follow_entries(server: AdminClient, last: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The audit log's `last` entries and then every new one, with its index."""
    after = max(0, _log_size(server) - last)
    while True:
        answer = server.get("audit", "entries", after=after, limit=_PAGE)
        rows = rows_of(answer, "entries")
        for offset, row in enumerate(rows):
            yield int(row.get("index", after + offset)), _entry(row)
        after = _next_after(answer, after)
        if not rows:
            time.sleep(_POLL_S)


def _log_size(server: AdminClient) -> int:
    answer = server.get("audit", "checkpoint")
    if not isinstance(answer, dict) or not isinstance(answer.get("size"), int):
        raise UnreachableError("The server did not say how long its audit log is.", "Run `ostiary doctor`.")
    return int(answer["size"])


def _next_after(answer: dict[str, Any], after: int) -> int:
    return int(answer.get("next", after))


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    inner = row.get("entry")
    return inner if isinstance(inner, dict) else row
