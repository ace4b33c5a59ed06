"""How an exchange ends: answered, refused, failed, or left by its client; always on record, and once."""

import asyncio
import logging
import time

from ostiary.gateway import entries
from ostiary.gateway.answers import error_answer
from ostiary.gateway.client import ClientConnection
from ostiary.gateway.house import House
from ostiary.gateway.state import Exchange, WallClock, now_s
from ostiary.model.errors import GatewayRefusal

_log = logging.getLogger("ostiary.gateway")

WENT_AWAY = "cut: client went away"


def internal() -> GatewayRefusal:
    return GatewayRefusal(500, "internal", "Ostiary failed on this request; nothing of the answer is passed on.")


class Endings:
    """Knows the exchanges that run."""

    def __init__(self, house: House, clock: WallClock) -> None:
        self._house = house
        self._clock = clock
        self._running: set[Exchange] = set()
        self._all_done: asyncio.Event | None = None
        self.begin = self._running.add

    @property
    def running(self) -> int:
        return len(self._running)

    async def all_done(self, timeout_s: float) -> None:
        """Wait until no exchange runs, at most so long."""
        if self._running:
            self._all_done = asyncio.Event()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._all_done.wait()
            except TimeoutError:
                pass

    def end(self, exchange: Exchange, refusal: GatewayRefusal | None) -> None:
        """Stage 13, for every exchange that had an intent. Then the client's next request."""
        if exchange.concluded:
            return
        exchange.concluded = True
        house = self._house
        upload, exchange.upload = exchange.upload, None
        if upload is not None:
            upload.finish_recording()
        if refusal is not None:
            exchange.end = f"failed: {refusal.code}"
            self._answer(exchange, refusal)
        duration_us = int((now_s() - exchange.started) * 1_000_000)
        house.chronicle.conclude(
            exchange.id, exchange.take_frames(), entries.outcome(self._clock.text(time.time()), exchange, duration_us)
        )
        house.metrics.concluded(exchange, duration_us)
        self._leave(exchange)

    def refuse(self, exchange: Exchange, refusal: GatewayRefusal) -> None:
        """The end of every exchange that had no intent: answered, recorded, forgotten."""
        if exchange.concluded:
            return
        exchange.concluded = True
        house = self._house
        self._answer(exchange, refusal)
        house.refusals.note(entries.refused(self._clock.text(time.time()), exchange, refusal))
        house.metrics.refused(refusal.code, exchange.findings)
        self._leave(exchange)

    def _leave(self, exchange: Exchange) -> None:
        self._house.live.discard(exchange)
        exchange.task = None
        exchange.relay = None  # they know each other: left so, every exchange would wait for the garbage collector
        self._running.discard(exchange)
        if self._all_done is not None and not self._running:
            self._all_done.set()
        exchange.client.finish(exchange.keep_alive)

    def _answer(self, exchange: Exchange, refusal: GatewayRefusal) -> None:
        """Send the refusal in the Kind's shape; close where the framing is in doubt or the body was not read."""
        client = exchange.client
        if refusal.close or not client.body_complete:
            exchange.keep_alive = False
        shape = exchange.route.error_shape if exchange.route is not None else "problem"
        exchange.status = refusal.status
        with_body = exchange.head.method != b"HEAD"
        client.write(error_answer(refusal, shape, exchange.id, with_body, close=not exchange.keep_alive))

    def fail(self, exchange: Exchange) -> None:
        """A defect of ours: nothing of it may reach the client, and the exchange still ends in the log."""
        _log.error("exchange.failed exchange=%s", exchange.id, exc_info=_log.isEnabledFor(logging.DEBUG))
        if exchange.receipt is None:
            self.refuse(exchange, internal())
            return
        if exchange.relay is not None:
            exchange.relay.stop("failed: internal")
        if exchange.first_byte_us:
            exchange.client.abort()
            self.end(exchange, None)
        else:
            self.end(exchange, internal())

    def gone(self, exchange: Exchange) -> None:
        """The client's connection is gone: stop whatever runs for it."""
        exchange.client_gone = True
        if exchange.task is not None:
            exchange.task.cancel()
        elif exchange.relay is not None and not exchange.concluded:
            exchange.relay.stop(exchange.end if exchange.end != "complete" else WENT_AWAY)
            self.end(exchange, None)

    def refuse_unread(self, client: ClientConnection, refusal: GatewayRefusal) -> None:
        """Answer what could not be read as a request, and close."""
        house = self._house
        now = time.time()
        identity = house.identities.new("ex_", now)
        client.write(error_answer(refusal, "problem", identity, with_body=True, close=True))
        client.finish(keep_alive=False)
        house.refusals.note(entries.refused_unread(self._clock.text(now), identity, client.peer, refusal))
        house.metrics.refused(refusal.code)
