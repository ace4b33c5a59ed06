"""What one exchange costs in our own code: no sockets, no disk, no threads; the least of several rounds.

Run: `.venv/bin/python bench/journey.py [--profile]`
"""

import asyncio
import cProfile
import pstats
import sys
import time
from collections.abc import Sequence
from typing import Any, cast

from ostiary.catalog import load_catalog
from ostiary.gateway.admission import HostList
from ostiary.gateway.asking import Asking
from ostiary.gateway.authenticator import Authenticator
from ostiary.gateway.client import ClientConnection
from ostiary.gateway.deadlines import Sweeper
from ostiary.gateway.exchange import House, Journeys
from ostiary.gateway.live import LiveExchanges
from ostiary.gateway.metrics import Metrics
from ostiary.gateway.pool import UpstreamPool
from ostiary.gateway.refusals import RefusalBook
from ostiary.gateway.route import Route, Snapshot
from ostiary.gateway.state import Identities
from ostiary.gateway.upstream import UpstreamConnection
from ostiary.identity.tokens import mint_token, token_hash
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.connection import Connection, Upstream
from ostiary.model.rule import Effect, Rule
from ostiary.model.secret import Secret
from ostiary.policy.evaluation import Policy
from ostiary.ports import ApprovalDesk, Frame, OpenedSecret, Receipt
from ostiary.protocols.heads import request_line_cache, response_line_cache
from ostiary.protocols.operation_table import OperationTable
from ostiary.recording.sessions import SessionBook
from ostiary.settings import Settings

TOKEN = mint_token("u", bytes(range(32)))
REQUEST = (
    f"GET /openai/v1/models HTTP/1.1\r\nHost: 127.0.0.1:8420\r\nAuthorization: Bearer {TOKEN}\r\n"
    "Accept: application/json\r\nUser-Agent: OpenAI/Python 2.1.0\r\nAccept-Encoding: gzip\r\n"
    "X-Stainless-Lang: python\r\nX-Stainless-OS: Linux\r\nConnection: keep-alive\r\n\r\n"
).encode()
BODY = (b'{"items":[' + b'{"id":1,"name":"a name"},' * 50)[:1024]
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 06:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1024\r\nConnection: keep-alive\r\n\r\n" + BODY
)


class Transport:
    """Takes what is written."""

    def __init__(self) -> None:
        self.written = 0

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        return ("127.0.0.1", 1)

    def write(self, data: bytes) -> None:
        self.written += len(data)

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class Done:
    """A future that has its result: the callback runs at once."""

    def __init__(self) -> None:
        self._receipt = Receipt(0)

    def add_done_callback(self, callback: Any) -> None:
        callback(self)

    def result(self) -> Receipt:
        return self._receipt


class NoChronicle:
    healthy = True
    backlog_bytes = 0

    def intend(self, entry: dict[str, Any]) -> Any:
        return Done()

    def note(self, entry: dict[str, Any]) -> None: ...
    def record(self, exchange: str, frames: Sequence[Frame]) -> None: ...
    def conclude(self, exchange: str, frames: Sequence[Frame], outcome: dict[str, Any]) -> None: ...
    def on_health(self, callback: Any) -> None: ...


class OneSecret:
    def __init__(self) -> None:
        secret = Secret("key", 1, b"sk-proj-0123456789abcdefghijABCDEFGHIJ0123456789")
        self._opened = OpenedSecret(secret, (secret,))

    def peek(self, _name: str) -> OpenedSecret:
        return self._opened

    async def open(self, _name: str) -> OpenedSecret:
        return self._opened


class OneToken:
    def find(self, digest: bytes) -> Actor | None:
        known = digest == token_hash(TOKEN.encode())
        return Actor(ActorKind.USER, "ann", frozenset({"engineering"}), "tok_1", 1e12) if known else None

    def used(self, token_id: str, at: float, network: str) -> None: ...


async def build() -> tuple[ClientConnection, UpstreamConnection, Transport]:
    loop = asyncio.get_running_loop()
    settings = Settings()
    sweeper = Sweeper(loop)
    kind = load_catalog()["openai"]
    connection = Connection("openai", "openai", Upstream("http", "127.0.0.1", 1), "key", allow_private=True)
    pool = UpstreamPool(connection, settings, sweeper, loop)
    route = Route(connection, kind, OperationTable(kind.operations), pool, OneSecret())
    policy = Policy([Rule("reads", Effect.ALLOW, operations=("class:read",))])
    chronicle = NoChronicle()
    identities = Identities()
    house = House(
        snapshot=Snapshot(1, {"openai": route}, policy),
        settings=settings,
        loop=loop,
        authenticator=Authenticator(OneToken()),
        chronicle=chronicle,
        sessions=SessionBook(lambda: identities.new("se_", time.time())),
        asking=Asking(cast(ApprovalDesk, None), ""),
        hosts=HostList(""),
        live=LiveExchanges(),
        metrics=Metrics(),
        refusals=RefusalBook(chronicle, loop, time.time),
        identities=identities,
    )
    await route.warm()
    upstream = UpstreamConnection(loop, settings, response_line_cache(), pool._release)
    upstream.connection_made(cast(asyncio.BaseTransport, Transport()))
    upstream.reused = True
    pool._all.add(upstream)
    pool._release(upstream, True)
    client = ClientConnection(loop, settings, request_line_cache(), Journeys(house), sweeper, lambda *_: None)
    transport = Transport()
    client.connection_made(cast(asyncio.BaseTransport, transport))
    return client, upstream, transport


async def main() -> None:
    client, upstream, transport = await build()
    upstream.idle_since = asyncio.get_running_loop().time() + 1e6

    def one() -> None:
        client.data_received(REQUEST)
        upstream.data_received(ANSWER)

    one()
    assert transport.written > 1024, "the exchange did not go through"
    if "--profile" in sys.argv:
        profile = cProfile.Profile()
        profile.enable()
        for _ in range(20_000):
            one()
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    best = float("inf")
    for _ in range(15):
        begun = time.perf_counter()
        for _ in range(2_000):
            one()
        best = min(best, (time.perf_counter() - begun) / 2_000)
    print(f"one exchange of 1 KiB in our own code: {best * 1e6:.1f} microseconds")


if __name__ == "__main__":
    asyncio.run(main())
