"""Something of a provider's that is fetched when it is needed, and kept for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

from ostiary.model.errors import OstiaryError, UnreachableError

AGAIN_S = 60.0
"""Between two fetches that somebody asked for, and after a fetch that failed while there is something to go on with."""
FAILURE_S = 10.0
"""As long a failure is the answer while there is nothing else."""

_What = TypeVar("_What")


class Fetched(NamedTuple, Generic[_What]):
    """`value` is as good as new until `fresh_until`, and better than nothing until `usable_until`."""

    value: _What
    fresh_until: float
    usable_until: float


class Kept(Generic[_What]):
    """There is one fetch at a time, and whoever asks meanwhile waits for it. A fetch goes on when those who wait leave,
    so that nobody can keep the others from its result."""

    def __init__(self, fetch: Callable[[], Awaitable[Fetched[_What]]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._fetched: Fetched[_What] | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._failure: OstiaryError | None = None
        self._tried_at = float("-inf")

    def peek(self) -> _What | None:
        """What there is, when `get` would give it without fetching."""
        return None if self._is_due() else self._usable()

    async def get(self) -> _What:
        """What is kept, fetched again when it is due. Raises what the fetch raised when there is nothing usable."""
        if self._is_due() or (self._fetching is not None and self._usable() is None):
            await self._fetched_anew()
        return self._outcome()

    async def again(self) -> _What:
        """As `get`, and fetched again if the last try is long enough ago."""
        if self._fetching is not None or not self._tried_within(AGAIN_S):
            await self._fetched_anew()
            return self._outcome()
        return await self.get()

    def _is_due(self) -> bool:
        if self._fetched is not None and self._clock() < self._fetched.fresh_until:
            return False
        if self._usable() is None:
            return self._failure is None or not self._tried_within(FAILURE_S)
        return not self._tried_within(AGAIN_S)

    def _tried_within(self, seconds: float) -> bool:
        """A clock that was set back does not make us wait."""
        return 0 <= self._clock() - self._tried_at < seconds

    def _usable(self) -> _What | None:
        kept = self._fetched
        return kept.value if kept is not None and self._clock() < kept.usable_until else None

    def _outcome(self) -> _What:
        usable = self._usable()
        if usable is not None:
            return usable
        raise self._failure or UnreachableError("What the identity provider publishes is over at once.")

    async def _fetched_anew(self) -> None:
        if self._fetching is None:
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._try())
        await asyncio.shield(self._fetching)

    async def _try(self) -> None:
        try:
            self._fetched = await self._fetch()
            self._failure = None
        except OstiaryError as failure:
            self._failure = failure
        finally:
            self._fetching = None
