"""Exchanges that belong together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Session:
    """Times are seconds since the epoch. `tool_session` is the tool's own session id where it sends one."""

    id: str
    actor: str
    agent: str | None
    connection: str
    tool_session: str | None
    started_at: float
    last_at: float
    exchanges: int = 0
