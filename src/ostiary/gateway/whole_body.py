"""Reading a body that is there as a whole, without keeping the event loop from others."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ostiary.gateway.bodies import Body

_BESIDE_THE_LOOP_BYTES = 64 * 1024
"""Masking more than this would keep the event loop from others for too long."""


_Result = TypeVar("_Result")


async def through(make: Callable[[], Body], content: bytes) -> bytes:
    """What comes out of a body of this content."""

    def whole() -> bytes:
        body = make()
        return body.feed(content) + body.finish()

    return await in_turn(content, whole)


async def in_turn(content: bytes, work: Callable[[], _Result]) -> _Result:
    """What the work gives, done beside the event loop when the content is large."""
    if len(content) <= _BESIDE_THE_LOOP_BYTES:
        return work()
    return await asyncio.get_running_loop().run_in_executor(None, work)
