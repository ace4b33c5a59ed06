"""What tools did: sessions, exchanges, and the recordings, whose viewing is itself on record."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ostiary.control.caller import Caller, Permission
from ostiary.control.ports import History
from ostiary.control.services.admin_log import AdminLog
from ostiary.model.errors import NotFoundError
from ostiary.model.session import Session
from ostiary.recording.timeline import Moment, timeline


class HistoryService:
    def __init__(self, history: History, log: AdminLog) -> None:
        self._history = history
        self._log = log

    async def sessions(
        self, caller: Caller, limit: int, actor: str | None, connection: str | None
    ) -> Sequence[Session]:
        """The newest first."""
        caller.require(Permission.SESSIONS_READ)
        return await asyncio.to_thread(self._history.sessions, limit, actor, connection)

    async def session(self, caller: Caller, session_id: str) -> tuple[Session, Sequence[Mapping[str, Any]]]:
        """The session and its exchanges, the oldest first. Raises `NotFoundError`."""
        caller.require(Permission.SESSIONS_READ)
        session = await asyncio.to_thread(self._history.session, session_id)
        if session is None:
            raise NotFoundError("There is no such session.", "`ostiary sessions list` shows those there are.")
        return session, await asyncio.to_thread(self._history.exchanges, session_id)

    async def exchange(self, caller: Caller, exchange_id: str) -> Mapping[str, Any]:
        """Raises `NotFoundError`."""
        caller.require(Permission.SESSIONS_READ)
        found = await asyncio.to_thread(self._history.exchange, exchange_id)
        if found is None:
            raise NotFoundError("There is no such exchange.", "`ostiary sessions show ID` shows those there are.")
        return found

    async def recording(self, caller: Caller, exchange_id: str) -> list[Moment]:
        """What went through, masked as it was recorded. Raises `NotFoundError` and `IntegrityError`."""
        caller.require(Permission.RECORDINGS_READ)
        frames = await asyncio.to_thread(self._history.frames, exchange_id)
        if frames is None:
            raise NotFoundError("There is no recording of this exchange.")
        self._log.write("recording.view", caller, {"exchange": exchange_id, "frames": len(frames)})
        return await asyncio.to_thread(timeline, frames)
