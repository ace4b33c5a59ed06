"""Waiting for what comes next, for the commands that follow."""

import time
from collections.abc import Iterator
from typing import Any

from ostiary.cli.client import Api

_POLL_S = 0.5
_PAGE = 200


def follow_events(server: Api) -> Iterator[dict[str, Any]]:
    """Exchange entries from now on, for ever. Raises `UnreachableError` when the server stops."""
    after = _log_size(server) - 1
    while True:
        answer = server.get("events", after=after)
        rows = answer["entries"]
        yield from (row["entry"] for row in rows)
        after = int(answer["after"])


def follow_entries(server: Api, last: int, *, forever: bool = True) -> Iterator[tuple[int, dict[str, Any]]]:
    """The audit log's `last` entries and then, unless not `forever`, every new one, with its index."""
    after = max(0, _log_size(server) - last) - 1
    while True:
        answer = server.get("audit", "entries", after=after, limit=_PAGE)
        rows = answer["entries"]
        for row in rows:
            after = int(row["index"])
            yield after, row["entry"]
        if not rows and not forever:
            return
        if not rows:
            time.sleep(_POLL_S)


def _log_size(server: Api) -> int:
    return int(server.get("audit", "checkpoint")["size"])
