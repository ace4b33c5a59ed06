"""Time as Cursor's API writes it."""

import time
from datetime import UTC, datetime


def milliseconds() -> int:
    """Now, in milliseconds since the epoch."""
    return int(time.time() * 1000)


def iso(at_ms: int | None = None) -> str:
    """RFC 3339 UTC with milliseconds."""
    moment = datetime.fromtimestamp((milliseconds() if at_ms is None else at_ms) / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")
