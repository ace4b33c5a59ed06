"""What the audit log and the recordings cost: `python bench/chronicle.py [DIRECTORY]`.

Exchanges run N at a time, each waits for its intent and then concludes, as in the gateway. CPU time is the whole
process's, all threads together, less what the same loop costs with a chronicle that does nothing. DIRECTORY should
lie on the disk in question; without one a temporary directory is used.
"""

import asyncio
import resource
import sys
import tempfile
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import uvloop

from ostiary.adapters.chronicle import Chronicle
from ostiary.ports import Frame, Receipt
from ostiary.settings import Settings
from ostiary.vault.sealing import RootKey

EXCHANGES = 20_000
ROUNDS = 3
INTENT: dict[str, Any] = {
    "v": 1, "type": "exchange.intent", "time": "2026-01-01T00:00:00.000000Z", "exchange": "", "session": "se_4k2j5h6",
    "actor": {"kind": "user", "name": "ana@example.com", "agent": None, "token": "tk_81hf72"}, "connection": "openai",
    "operation": "chat.completions.create", "classes": ["write", "spend"], "method": "POST",
    "target": "/v1/chat/completions", "decision": {"effect": "allow", "rule": "models"}, "client": "127.0.0.1",
}  # fmt: skip
OUTCOME: dict[str, Any] = {
    "v": 1, "type": "exchange.outcome", "time": "2026-01-01T00:00:00.000000Z", "exchange": "", "session": "se_4k2j5h6",
    "status": 200, "end": "complete", "request_bytes": 300, "response_bytes": 700, "duration_us": 1200,
    "first_byte_us": 900, "findings": [],
}  # fmt: skip
HEAD_REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\n\r\n"
BODY = (b'{"id":"chatcmpl-81","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant"' * 12)[
    :1024
]
FRAMES: list[Frame] = [
    (0, 2, HEAD_REQUEST), (10, 0, BODY[:300]), (900, 3, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"),
    (950, 1, BODY[300:]),
]  # fmt: skip


class Nothing:
    """A chronicle that writes nothing: what the measuring loop itself costs."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop

    def intend(self, entry: dict[str, Any]) -> Future[Receipt]:
        future: Future[Receipt] = self._loop.create_future()
        future.set_result(Receipt(0))
        return future

    def conclude(self, exchange: str, frames: Sequence[Frame], outcome: dict[str, Any]) -> None:
        pass


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def run(
    chronicle: Any, concurrent: int, count: int, frames: list[Frame], settle: Callable[[], bool]
) -> tuple[float, float, list[float]]:
    """CPU µs and wall µs an exchange, and the waits for an intent in ms."""
    done = asyncio.get_running_loop().create_future()
    waits: list[float] = []
    begun = ended = 0
    clock = time.perf_counter

    def begin() -> None:
        nonlocal begun
        number, begun = begun, begun + 1
        name = f"ex_{number:012d}"
        started = clock()

        def intended(future: Future[Receipt]) -> None:
            nonlocal ended
            future.result()
            waits.append((clock() - started) * 1000)
            chronicle.conclude(name, list(frames), {**OUTCOME, "exchange": name})
            ended += 1
            if ended == count:
                done.set_result(None)
            elif begun < count:
                begin()

        chronicle.intend({**INTENT, "exchange": name}).add_done_callback(intended)

    before_cpu, before = cpu_s(), clock()
    for _ in range(concurrent):
        begin()
    await done
    wall = clock() - before
    while not settle():
        await asyncio.sleep(0.01)
    return (cpu_s() - before_cpu) / count * 1e6, wall / count * 1e6, waits


async def measure(directory: Path) -> None:
    loop = asyncio.get_running_loop()
    print(f"{'concurrent':>10} {'recorded':>9} {'CPU µs/exchange':>16} {'exchanges/s':>12} {'intent p50/p99 ms':>18}")
    for concurrent, frames in ((1, []), (32, []), (32, FRAMES), (256, []), (256, FRAMES)):
        count = EXCHANGES // 20 if concurrent == 1 else EXCHANGES
        cpus, walls, waits = [], [], []
        for _ in range(ROUNDS):
            idle = (await run(Nothing(loop), concurrent, count, frames, lambda: True))[0]
            with tempfile.TemporaryDirectory(dir=directory) as home:
                chronicle = Chronicle(Path(home), loop, Settings(), RootKey(bytes(32)), "bench", time.time)
                chronicle.start()
                target = 2 * count + 1

                def settled(chronicle: Chronicle = chronicle, target: int = target) -> bool:
                    return chronicle.size >= target

                cpu, wall, waited = await run(chronicle, concurrent, count, frames, settled)
                await chronicle.stop()
            cpus.append(cpu - idle)
            walls.append(wall)
            waits += waited
        recorded = sum(len(frame[2]) for frame in frames)
        print(
            f"{concurrent:>10} {recorded:>7} B {median(cpus):>16.1f} {1e6 / median(walls):>12.0f}"
            f" {median(waits):>10.2f} / {quantiles(waits, n=100)[98]:.2f}"
        )


if __name__ == "__main__":
    uvloop.run(measure(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir())))
