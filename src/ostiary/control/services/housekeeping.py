"""What must be done now and then although nobody asks for it."""

import asyncio
import logging
import time
from collections.abc import Callable

from ostiary.control.ports import DecisionDesk, TokenStore
from ostiary.model.errors import OstiaryError
from ostiary.ports import PlaceholderBook

_log = logging.getLogger("ostiary.control")

INTERVAL_S = 5.0
FORGET_INTERVAL_S = 3600.0
EXPIRED_KEPT_S = 86_400.0
"""How long a sign-in's expired tokens are kept; what they did is in the audit log."""


async def keep_house(
    tokens: TokenStore,
    desk: DecisionDesk,
    placeholders: PlaceholderBook,
    interval_s: float = INTERVAL_S,
    clock: Callable[[], float] = time.time,
) -> None:
    """For ever: write when tokens were last used, end approvals whose time is over, and forget the placeholders of
    sessions that are over and tokens of sign-ins that expired long ago. Cancel it to stop."""
    forget_at = 0.0
    while True:
        await asyncio.sleep(interval_s)
        try:
            await asyncio.to_thread(tokens.flush)
            await desk.sweep()
            await placeholders.drop_expired()
            if (now := clock()) >= forget_at:
                await asyncio.to_thread(tokens.drop_old, now - EXPIRED_KEPT_S)
                forget_at = now + FORGET_INTERVAL_S
        except OstiaryError as failure:
            _log.warning("housekeeping_failed code=%s", failure.code)
        except Exception as failure:  # noqa: BLE001 - the outermost loop: nobody would start it again
            _log.error("housekeeping_failed kind=%s", type(failure).__name__)
