"""The gateway's own work for one exchange, without kernel, disk and threads: `python -m bench.exchange [--profile]`.

Real connections on transports that hand the bytes over in memory, a chronicle that agrees at once. It answers "what did
this change cost" on a machine whose other tenants make the end-to-end bench noisy: the best of many short batches.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from statistics import median
from typing import Any, cast

import uvloop

from bench import configurations
from ostiary.catalog import load_catalog
from ostiary.control.declarative import parse
from ostiary.gateway.admission import HostList
from ostiary.gateway.authenticator import Authenticator
from ostiary.gateway.client import ClientConnection
from ostiary.gateway.deadlines import Sweeper
from ostiary.gateway.house import House
from ostiary.gateway.judged import Verdicts
from ostiary.gateway.live import LiveExchanges
from ostiary.gateway.metrics import Metrics
from ostiary.gateway.possession import Possession
from ostiary.gateway.refusals import RefusalBook
from ostiary.gateway.server import GatewayServer
from ostiary.gateway.snapshots import SnapshotBuilder
from ostiary.gateway.state import Identities
from ostiary.gateway.upstream import UpstreamConnection
from ostiary.identity.limits import Limiter
from ostiary.identity.tokens import mint_token
from ostiary.masking.placeholders import Placeholders
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.secret import Secret
from ostiary.ports import Frame, OpenedSecret, Receipt
from ostiary.recording.sessions import SessionBook
from ostiary.settings import Settings

TOKEN = mint_token("u", b"\x11" * 32)
CONNECTIONS = 32
REQUEST = (
    f"GET /bench/v1/models HTTP/1.1\r\nHost: 127.0.0.1:8420\r\nAuthorization: Bearer {TOKEN}\r\n"
    "User-Agent: openai-python/1.100\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
).encode()


def answer(body: str) -> bytes:
    return (
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 06:00:00 GMT\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n{body}"
    ).encode()


class Wire:
    """A transport to nowhere: what is written goes to `written` on the next turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, written: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._written = written

    def write(self, data: bytes) -> None:
        self._loop.call_soon(self._written, data)

    def writelines(self, pieces: Sequence[bytes]) -> None:
        self.write(b"".join(pieces))

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 4711) if name in ("peername", "sockname") else None

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class AgreeingChronicle:
    """Every intent is durable at once and nothing is kept."""

    healthy = True
    backlog_bytes = 0

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._size = 0

    def intend(self, entry: dict[str, Any]) -> "asyncio.Future[Receipt]":
        future: asyncio.Future[Receipt] = self._loop.create_future()
        future.set_result(Receipt(self._size))
        self._size += 1
        return future

    def note(self, entry: dict[str, Any]) -> None:
        raise RuntimeError(f"refused: {entry}")

    def record(self, exchange: str, frames: Sequence[Frame]) -> None: ...
    def conclude(self, exchange: str, frames: Sequence[Frame], outcome: dict[str, Any]) -> None: ...
    def on_health(self, callback: Callable[[bool], None]) -> None: ...


class OneToken:
    def find(self, token_hash: bytes) -> Actor | None:
        if token_hash != sha256(TOKEN.encode()).digest():
            return None
        return Actor(ActorKind.USER, "bench", frozenset({"bench"}), "tok_bench", time.time() + 3600)

    def used(self, token_id: str, at: float, network: str) -> None: ...


class NoPlaceholders:
    """A `PlaceholderBook` for configurations that put none."""

    def peek(self, actor_key: str, session: str) -> None:
        return None

    async def open(self, actor_key: str, session: str) -> Placeholders:
        return Placeholders()

    async def keep(self, actor_key: str, session: str, placeholders: Placeholders) -> None:
        raise AssertionError("nothing is to be kept")

    async def drop_expired(self) -> None:
        return None


class OneSecret:
    def __init__(self) -> None:
        secret = Secret("bench-key", 1, configurations.KEY.encode())
        self._opened = OpenedSecret(secret, (secret,))

    def peek(self, name: str) -> OpenedSecret | None:
        return self._opened

    async def open(self, name: str) -> OpenedSecret:
        return self._opened


class Bench:
    """Every client asks again as soon as it has its answer, until `target` answers have come."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._done = 0
        self._target = 0
        self._finished: asyncio.Future[None] | None = None
        self._clients: list[ClientConnection] = []
        self.response = answer(configurations.BODY_1K)

    async def furnish(self) -> None:
        loop, settings, sweeper, kinds = self._loop, Settings(), Sweeper(self._loop), load_catalog()
        chronicle = AgreeingChronicle(loop)
        builder = SnapshotBuilder(
            settings, sweeper, loop, OneSecret(), lambda connection: kinds[connection.kind], NoPlaceholders(), b""
        )
        snapshot = builder.build(1, parse(configurations.ostiary(9, 9), "bench.yaml", kinds))
        identities = Identities()
        house = House(
            snapshot=snapshot,
            settings=settings,
            loop=loop,
            authenticator=Authenticator(
                OneToken(),
                cast(Any, None),
                Possession(tls=False, behind_proxy=False),
                Limiter(1, 1, time.time),
            ),
            chronicle=chronicle,
            sessions=SessionBook(lambda: identities.new("se_", time.time())),
            asking=cast(Any, None),  # no rule here asks anybody
            hosts=HostList(""),
            live=LiveExchanges(),
            metrics=Metrics(),
            refusals=RefusalBook(chronicle, loop, time.time),
            identities=identities,
            verdicts=Verdicts(),
        )
        server = GatewayServer(house, sweeper)
        route = snapshot.routes[b"bench"]
        await route.warm()
        for _ in range(CONNECTIONS):
            upstream = UpstreamConnection(loop, settings, route.pool._release)
            self._connect_upstream(upstream)
            route.pool._all.add(upstream)
            upstream.idle_since = loop.time()
            upstream.reused = True
            route.pool._idle.append(upstream)
            self._connect_client(server._connection())

    def _connect_upstream(self, upstream: UpstreamConnection) -> None:
        def answered(_request: bytes) -> None:
            upstream.data_received(self.response)

        upstream.connection_made(cast(asyncio.Transport, Wire(self._loop, answered)))

    def _connect_client(self, client: ClientConnection) -> None:
        def received(data: bytes) -> None:
            if not data.startswith(b"HTTP/1.1 200"):
                if data.startswith(b"HTTP/1.1 "):
                    raise RuntimeError(data[:200].decode())
                return  # a long body, written after its head
            self._done += 1
            if self._done < self._target:
                client.data_received(REQUEST)
            elif self._done == self._target + CONNECTIONS - 1 and self._finished is not None:
                self._finished.set_result(None)

        client.connection_made(cast(asyncio.Transport, Wire(self._loop, received)))
        self._clients.append(client)

    async def batch(self, exchanges: int) -> float:
        """Microseconds of this thread's CPU time for each exchange."""
        self._done, self._target = 0, exchanges
        self._finished = self._loop.create_future()
        begun = time.thread_time()
        for client in self._clients:
            client.data_received(REQUEST)
        await self._finished
        return (time.thread_time() - begun) * 1e6 / (exchanges + CONNECTIONS - 1)


async def run(profile: bool) -> None:
    bench = Bench(asyncio.get_running_loop())
    await bench.furnish()
    await bench.batch(2000)
    gc.collect()
    gc.freeze()
    for name, body in (("1 KiB", configurations.BODY_1K), ("64 KiB", configurations.BODY_64K)):
        bench.response = answer(body)
        times = [await bench.batch(500) for _ in range(40)]
        print(f"{name}: best {min(times):.1f} µs, median {median(times):.1f} µs an exchange")
    if profile:
        bench.response = answer(configurations.BODY_1K)
        profiler = cProfile.Profile()
        profiler.enable()
        await bench.batch(5000)
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.exchange", description=__doc__)
    parser.add_argument("--profile", action="store_true", help="also where the time goes, by function")
    uvloop.run(run(parser.parse_args().profile))
