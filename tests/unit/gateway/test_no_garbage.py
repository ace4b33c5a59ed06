"""A finished exchange leaves nothing for the garbage collector: cycles cost pauses of 15 ms under load, once."""

import asyncio
import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from bench.exchange import Bench

EXCHANGES = 500


def test_exchanges_are_freed_without_the_garbage_collector() -> None:
    async def scene() -> int:
        bench = Bench(asyncio.get_running_loop())
        await bench.furnish()
        await bench.batch(EXCHANGES)
        gc.collect()
        gc.disable()
        try:
            await bench.batch(EXCHANGES)
            return gc.collect()
        finally:
            gc.enable()

    assert asyncio.run(scene()) < EXCHANGES // 10
