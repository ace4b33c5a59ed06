"""Which session an exchange belongs to: the tool's own where it names one, else one without long silence."""

from collections.abc import Callable

SESSIONS_MAX = 50_000
"""Sessions remembered; beyond it those that are over are forgotten, then the ones silent longest."""


class SessionBook:
    """The running sessions' ids, in memory: after a restart every session begins anew."""

    def __init__(self, new_id: Callable[[], str], gap_s: float = 1800.0) -> None:
        self._new_id = new_id
        self._gap_s = gap_s
        self._running: dict[tuple[str, str, str | None], tuple[str, float]] = {}

    def session_for(self, actor_key: str, connection: str, tool_session: str | None, now: float) -> str:
        """The id of the session of an exchange that begins `now` (seconds; the clock must not go back)."""
        place = (actor_key, connection, tool_session)
        known = self._running.pop(place, None)
        if known is not None and (tool_session is not None or now - known[1] <= self._gap_s):
            session = known[0]
        else:
            session = self._new_id()
            if len(self._running) >= SESSIONS_MAX:
                self._forget(now)
        self._running[place] = (session, now)  # put at the end: the dict stays ordered by last use
        return session

    def __len__(self) -> int:
        return len(self._running)

    def _forget(self, now: float) -> None:
        over = [place for place, (_, last) in self._running.items() if now - last > self._gap_s]
        for place in over or list(self._running)[: SESSIONS_MAX // 10]:
            del self._running[place]
