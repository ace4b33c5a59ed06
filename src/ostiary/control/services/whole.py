"""Steps that run to their end even when whoever asked for them goes away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_running: set[asyncio.Task[Any]] = set()


async def whole(steps: Coroutine[Any, Any, _Result]) -> _Result:
    """What `steps` return. Cancelling the caller does not cancel them: access must not end by half."""
    task = asyncio.get_running_loop().create_task(steps)
    _running.add(task)
    task.add_done_callback(_finished)
    return await asyncio.shield(task)


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()
