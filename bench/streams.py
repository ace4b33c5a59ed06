"""Server-sent events through a proxy, read by a raw protocol on uvloop: bursts, paced and idle streams."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

from bench.latency import Percentiles, percentiles
from bench.machine import BenchError

SENT_AT = re.compile(rb'"content":" (\d+)~"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n")
END = b"\r\n0\r\n\r\n"


def order(path: str, token: str, what: str) -> bytes:
    """A chat completion request whose `user` field tells the upstream what to stream."""
    body = (
        '{"model":"gpt-5.4-mini","stream":true,"messages":[{"role":"system","content":"Answer briefly."},'
        f'{{"role":"user","content":"Who keeps the door?"}}],"user":"{what}"}}'
    )
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: text/event-stream\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@dataclass(slots=True)
class Tally:
    """What all connections of one run saw."""

    events: int = 0
    open: int = 0
    failure: str = ""
    delays_us: list[float] = field(default_factory=list)


class Reader(asyncio.Protocol):
    """Sends its order `times` over, one after the other, and counts events by their one `~`."""

    transport: asyncio.Transport

    def __init__(self, message: bytes, times: int, paced: bool, tally: Tally) -> None:
        self.message = message
        self.left = times
        self.paced = paced
        self.tally = tally
        self.tail = b""
        self.started = False
        self.remaining: int | None = None
        self.finished = asyncio.get_running_loop().create_future()
        self.first = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.transport.write(self.message)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns() if self.paced else 0
        seen = self.tail + data
        self.tally.events += data.count(b"~")
        if not self.started:
            head_end = seen.find(b"\r\n\r\n") + 4
            if head_end == 3:
                self.tail = seen
                return
            head = seen[:head_end].lower()
            if not head.startswith(b"http/1.1 200"):
                self.fail(f"unexpected answer: {seen[:200]!r}")
                return
            self.started = True
            # A proxy that has the whole answer may send its length instead of chunks.
            length = LENGTH.search(head)
            self.remaining = None if length is None else int(length[1]) + head_end - len(seen)
        elif self.remaining is not None:
            self.remaining -= len(data)
        if not self.first.done() and b"~" in data:
            self.tally.open += 1
            self.first.set_result(None)
        if self.paced:
            last = 0
            for match in SENT_AT.finditer(seen):
                self.tally.delays_us.append((now - int(match[1])) / 1000)
                last = match.end()
            seen = seen[last:]
        self.tail = seen[-400:] if self.paced else seen[-len(END) :]
        if seen.endswith(END) if self.remaining is None else self.remaining == 0:
            self._next()

    def _next(self) -> None:
        self.left -= 1
        self.tail, self.started = b"", False
        if self.left:
            self.transport.write(self.message)
        elif not self.finished.done():
            self.finished.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.fail("the proxy closed the connection")

    def fail(self, sentence: str) -> None:
        for waiting in (self.first, self.finished):
            if not waiting.done():
                self.tally.failure = self.tally.failure or sentence
                waiting.set_result(None)


async def _read_all(port: int, message: bytes, connections: int, times: int, paced: bool) -> tuple[Tally, float]:
    loop = asyncio.get_running_loop()
    tally = Tally()
    begun = time.monotonic()
    readers = []
    for number in range(connections):
        _, reader = await loop.create_connection(lambda: Reader(message, times, paced, tally), "127.0.0.1", port)
        readers.append(reader)
        if paced and number % 10 == 9:  # streams that begin together would all send together
            await asyncio.sleep(0.013)
    await asyncio.wait_for(asyncio.gather(*(reader.finished for reader in readers)), 120)
    seconds = time.monotonic() - begun
    for reader in readers:
        reader.transport.abort()
    if tally.failure:
        raise BenchError(tally.failure)
    return tally, seconds


def bursts(port: int, path: str, token: str, connections: int, times: int, events: int) -> tuple[int, float]:
    """Events received and seconds, for `times` answers of `events` events on each connection."""
    message = order(path, token, f"burst {events}")
    tally, seconds = uvloop.run(_read_all(port, message, connections, times, False))
    if tally.events != connections * times * events:
        raise BenchError(f"{tally.events} events arrived, {connections * times * events} were sent")
    return tally.events, seconds


def paced(port: int, path: str, token: str, connections: int, events: int, interval_ms: int) -> tuple[int, Percentiles]:
    """Events received, and how long after being sent each arrived."""
    message = order(path, token, f"paced {events} {interval_ms}")
    tally, _ = uvloop.run(_read_all(port, message, connections, 1, True))
    if len(tally.delays_us) != connections * events:
        raise BenchError(f"{len(tally.delays_us)} of {connections * events} events could be read")
    return tally.events, percentiles(tally.delays_us)


class IdleStreams:
    """Opens streams that stay silent after their first event, until `close`."""

    def __init__(self, port: int, path: str, token: str, count: int) -> None:
        self._loop = uvloop.new_event_loop()
        self._readers: list[Reader] = []
        self._loop.run_until_complete(self._open(port, order(path, token, "idle"), count))

    async def _open(self, port: int, message: bytes, count: int) -> None:
        loop = asyncio.get_running_loop()
        tally = Tally()
        for begin in range(0, count, 50):
            batch = []
            for _ in range(min(50, count - begin)):
                _, reader = await loop.create_connection(lambda: Reader(message, 1, False, tally), "127.0.0.1", port)
                batch.append(reader)
            await asyncio.wait_for(asyncio.gather(*(reader.first for reader in batch)), 30)
            self._readers += batch
        if tally.failure:
            raise BenchError(tally.failure)

    def rest(self, seconds: float) -> None:
        self._loop.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        for reader in self._readers:
            reader.transport.abort()
        self.rest(0.5)
        self._loop.close()
