"""One sweep a second over everything that has a deadline, instead of a timer for each."""

import asyncio
from typing import Protocol

NEVER = float("inf")


class HasDeadline(Protocol):
    """`deadline` is loop time; when it has passed, `expired` is called until it is moved."""

    deadline: float

    def expired(self) -> None: ...


class Sweeper:
    """Keeps a set of things with deadlines. Precise to about a second, which is what these deadlines are for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, interval_s: float = 1.0) -> None:
        self._loop = loop
        self._interval_s = interval_s
        self._members: set[HasDeadline] = set()
        self._handle: asyncio.TimerHandle | None = None
        self.add = self._members.add
        self.discard = self._members.discard

    def start(self) -> None:
        self._handle = self._loop.call_later(self._interval_s, self._sweep)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _sweep(self) -> None:
        now = self._loop.time()
        for member in [member for member in self._members if member.deadline <= now]:
            member.expired()
        self.start()
