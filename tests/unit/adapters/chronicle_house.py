"""An installation's chronicle in a directory, for the tests beside this file."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from ostiary.adapters.chronicle import Chronicle, ExchangeIndex
from ostiary.audit.standalone import Verdict
from ostiary.audit.verification import verify_directory
from ostiary.settings import Settings
from ostiary.vault.sealing import RootKey

ROOT_KEY = RootKey(bytes(range(32)))
NOW = 1_790_000_000.0


def run(scene: Coroutine[Any, Any, None]) -> None:
    uvloop.run(scene)


def make(home: Path, **settings: Any) -> Chronicle:
    loop = asyncio.get_running_loop()
    return Chronicle(home, loop, Settings(home=home, **settings), ROOT_KEY, "test", lambda: NOW)


@asynccontextmanager
async def opened(home: Path, **settings: Any) -> AsyncIterator[Chronicle]:
    chronicle = make(home, **settings)
    chronicle.start()
    try:
        yield chronicle
    finally:
        await chronicle.stop(5.0)


def index_of(chronicle: Chronicle) -> ExchangeIndex:
    return ExchangeIndex(chronicle.places.home, ROOT_KEY, "test", chronicle)


def intent(exchange: str, session: str = "s1", actor: str = "ana", connection: str = "openai") -> dict[str, Any]:
    return {
        "v": 1,
        "type": "exchange.intent",
        "time": "2026-01-01T00:00:00.000000Z",
        "exchange": exchange,
        "session": session,
        "actor": {"kind": "user", "name": actor, "agent": None, "token": "t1"},
        "connection": connection,
        "operation": "models.list",
        "method": "GET",
        "target": "/v1/models",
    }


def outcome(exchange: str, end: str = "complete") -> dict[str, Any]:
    return {"v": 1, "type": "exchange.outcome", "exchange": exchange, "status": 200, "end": end, "response_bytes": 9}


def lines(home: Path) -> list[bytes]:
    files = sorted((home / "audit").glob("entries-*.log"))
    return [line for file in files for line in file.read_bytes().splitlines()]


def verdict(home: Path, *, unsigned_allowed: bool = False) -> Verdict:
    return verify_directory(home / "audit", unsigned_allowed=unsigned_allowed)


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)
