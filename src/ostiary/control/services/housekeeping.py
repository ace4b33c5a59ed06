"""What must be done now and then although nobody asks for it."""

import asyncio
import logging

from ostiary.control.ports import DecisionDesk, TokenStore
from ostiary.model.errors import OstiaryError
from ostiary.ports import PlaceholderBook

_log = logging.getLogger("ostiary.control")

INTERVAL_S = 5.0


async def keep_house(
    tokens: TokenStore, desk: DecisionDesk, placeholders: PlaceholderBook, interval_s: float = INTERVAL_S
) -> None:
    """For ever: write when tokens were last used, end approvals whose time is over, and forget the placeholders of
    sessions that are over. Cancel it to stop."""
    while True:
        await asyncio.sleep(interval_s)
        try:
            await asyncio.to_thread(tokens.flush)
            await desk.sweep()
            await placeholders.drop_expired()
        except OstiaryError as failure:
            _log.warning("housekeeping_failed", extra={"code": failure.code})
