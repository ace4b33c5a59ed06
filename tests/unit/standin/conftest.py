"""Running stand-ins in a thread of their own, reused between tests with fresh state."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standin_client import KEY, Client

from ostiary.standin.cursor import Running, start
from ostiary.standin.cursor_door import StandIn


class Pool:
    """Servers that outlive a test; each test begins with the first one again."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.servers: list[tuple[Running, int]] = []

    def serve(self, index: int, options: dict[str, Any]) -> Client:
        if index == len(self.servers):
            self.servers.append(asyncio.run_coroutine_threadsafe(start(KEY), self.loop).result(10))
        running, port = self.servers[index]
        running.server.config.app.state.standin = StandIn(KEY, **options)
        return Client(port)

    def close(self) -> None:
        for running, _ in self.servers:
            asyncio.run_coroutine_threadsafe(running.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.close()


@pytest.fixture
def standin(pool: Pool) -> Callable[..., Client]:
    """Starts a stand-in with the given options and returns a client for it."""
    count = iter(range(100))

    def begin(**options: Any) -> Client:
        return pool.serve(next(count), {"pace_s": 0.005, **options})

    return begin


@pytest.fixture
def client(standin: Callable[..., Client]) -> Client:
    return standin()
