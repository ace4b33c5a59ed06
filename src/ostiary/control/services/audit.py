"""The audit log: read, followed, verified."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ostiary.control.caller import Caller, Permission
from ostiary.control.ports import AuditLog

EVENTS_WAIT_S = 20.0
EVENTS_LIMIT = 500

Indexed = tuple[int, Mapping[str, Any]]


class AuditService:
    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._verifying = asyncio.Lock()

    async def entries(self, caller: Caller, after: int, limit: int) -> Sequence[Indexed]:
        caller.require(Permission.AUDIT_READ)
        return await asyncio.to_thread(self._log.entries, after, limit)

    async def checkpoint(self, caller: Caller) -> Mapping[str, Any]:
        caller.require(Permission.AUDIT_READ)
        return await asyncio.to_thread(self._log.checkpoint)

    async def verify(self, caller: Caller) -> Mapping[str, Any]:
        """One at a time: it reads the whole log."""
        caller.require(Permission.AUDIT_READ)
        async with self._verifying:
            return await asyncio.to_thread(self._log.verify)

    async def events(self, caller: Caller, after: int, wait_s: float = EVENTS_WAIT_S) -> tuple[Sequence[Indexed], int]:
        """Exchange entries beyond `after`, waiting up to `wait_s` for the first; and the index up to which
        everything has been looked at."""
        caller.require(Permission.AUDIT_READ)
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            page = await asyncio.to_thread(self._log.entries, after, EVENTS_LIMIT)
            events = [row for row in page if str(row[1].get("type", "")).startswith("exchange.")]
            after = page[-1][0] if page else after
            left_s = deadline - asyncio.get_running_loop().time()
            if events or left_s <= 0:
                return events, after
            if not page:
                await self._log.wait_beyond(after, left_s)
