"""What tools did: sessions, exchanges, and the recordings, whose viewing is itself on record."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
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
        """The newest first; without the permission only the caller's own."""
        if caller.may(Permission.SESSIONS_READ):
            return await asyncio.to_thread(self._history.sessions, limit, actor, connection)
        caller.require(Permission.STATUS_READ)
        names = [name for name in sorted(caller.names) if actor in (None, name)]
        return await asyncio.to_thread(self._own_sessions, caller, names, limit, connection)

    async def session(self, caller: Caller, session_id: str) -> tuple[Session, Sequence[Mapping[str, Any]]]:
        """The session and its exchanges, the oldest first. Raises `NotFoundError`, for somebody else's too (I02)."""
        caller.require(Permission.STATUS_READ)
        session = await asyncio.to_thread(self._history.session, session_id)
        if session is not None:
            exchanges = await asyncio.to_thread(self._history.exchanges, session_id)
            if all(_may_see(caller, exchange) for exchange in exchanges):
                return session, exchanges
        raise NotFoundError("There is no such session.", "`ostiary sessions list` shows those there are.")

    async def exchange(self, caller: Caller, exchange_id: str) -> Mapping[str, Any]:
        """Raises `NotFoundError`, for somebody else's too."""
        caller.require(Permission.STATUS_READ)
        found = await asyncio.to_thread(self._history.exchange, exchange_id)
        if found is None or not _may_see(caller, found):
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

    def _own_sessions(
        self, caller: Caller, names: Sequence[str], limit: int, connection: str | None
    ) -> Sequence[Session]:
        found: list[Session] = []
        for name in names:
            for session in self._history.sessions(limit, name, connection):
                exchanges = self._history.exchanges(session.id)
                if exchanges and all(_may_see(caller, exchange) for exchange in exchanges):
                    found.append(session)
        return sorted(found, key=lambda session: session.last_at, reverse=True)[:limit]


def _may_see(caller: Caller, exchange: Mapping[str, Any]) -> bool:
    if caller.may(Permission.SESSIONS_READ):
        return True
    actor = exchange.get("actor")
    if not isinstance(actor, Mapping):
        return False
    user_id = None if actor.get("user") is None else str(actor["user"])
    at = datetime.fromisoformat(str(exchange.get("time", "1970-01-01T00:00:00Z"))).timestamp()
    return caller.is_own(str(actor.get("kind")), str(actor.get("name")), user_id, at)
