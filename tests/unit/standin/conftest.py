"""A running stand-in in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standin_client import KEY, Client

from ostiary.standin.cursor import start


@pytest.fixture
def standin() -> Iterator[Callable[..., Client]]:
    """Starts a stand-in with the given options and returns a client for it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    started = []

    def begin(**options: Any) -> Client:
        options.setdefault("pace_s", 0.005)
        running, port = asyncio.run_coroutine_threadsafe(start(KEY, **options), loop).result(10)
        started.append(running)
        return Client(port)

    yield begin
    for running in started:
        asyncio.run_coroutine_threadsafe(running.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def client(standin: Callable[..., Client]) -> Client:
    return standin()
