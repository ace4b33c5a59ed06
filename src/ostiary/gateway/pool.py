"""Connections to one upstream, kept between requests."""

import asyncio
import ssl
from collections import deque

from ostiary.gateway.deadlines import Sweeper
from ostiary.gateway.guard import admitted_addresses
from ostiary.gateway.trust import client_context
from ostiary.gateway.upstream import UpstreamConnection
from ostiary.model.connection import Connection
from ostiary.model.errors import GatewayRefusal
from ostiary.settings import Settings

_FRESH_S = 4.0
"""Unsafe methods are never retried, so they only use a connection that was busy this recently: servers close idle
connections after five seconds at the earliest in common use."""


class UpstreamPool:
    """Nothing but the socket is shared between actors: no cookies, no connection-bound authentication (A39)."""

    def __init__(
        self, connection: Connection, settings: Settings, sweeper: Sweeper, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._sweeper = sweeper
        self._loop = loop
        self._idle: deque[UpstreamConnection] = deque()
        self._all: set[UpstreamConnection] = set()
        self._dialling = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._tls: ssl.SSLContext | None = None
        if connection.upstream.scheme == "https":
            self._tls = client_context(connection.ca_file)

    def take_idle(self, safe: bool) -> UpstreamConnection | None:
        """The connection used last, if it is still good for a request of this kind."""
        now = self._loop.time()
        while self._idle:
            candidate = self._idle.pop()
            age_s = now - candidate.idle_since
            if candidate.transport.is_closing() or age_s > candidate.idle_limit_s:
                candidate.abort()
                continue
            if not safe and age_s > _FRESH_S:
                self._idle.append(candidate)
                return None
            return candidate
        return None

    async def acquire(self, safe: bool, fresh: bool = False) -> UpstreamConnection:
        """An idle connection, or a new one to an address that passed the guard. `fresh` always dials.

        Raises `GatewayRefusal` (502 or 504).
        """
        if not fresh:
            idle = self.take_idle(safe)
            if idle is not None:
                return idle
        deadline = self._loop.time() + self._settings.upstream_connect_timeout_s
        while len(self._all) + self._dialling >= self._settings.upstream_connections_max:
            if self._idle:
                self._idle.popleft().abort()
                continue
            await self._wait_for_place(deadline)
            idle = None if fresh else self.take_idle(safe)
            if idle is not None:
                return idle
        self._dialling += 1
        connection = None
        try:
            async with asyncio.timeout_at(deadline):
                connection = await self._dial()
        except TimeoutError:
            raise GatewayRefusal(504, "upstream_timeout", "The upstream does not accept connections in time.") from None
        finally:
            self._dialling -= 1
            if connection is None:
                self._wake_one()
        self._all.add(connection)
        self._sweeper.add(connection)
        return connection

    async def _wait_for_place(self, deadline: float) -> None:
        place: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout_at(deadline):
                await place
        except TimeoutError:
            raise GatewayRefusal(
                504, "upstream_timeout", "Every connection to the upstream is busy.", "Try again later."
            ) from None
        except asyncio.CancelledError:
            if place.done():
                self._wake_one()  # the place was given to one that will not take it
            raise
        finally:
            if place in self._waiting:
                self._waiting.remove(place)

    async def _dial(self) -> UpstreamConnection:
        upstream = self._connection.upstream
        addresses = await admitted_addresses(upstream, self._connection.allow_private)
        untrusted = False
        for address in addresses:
            try:
                _, protocol = await self._loop.create_connection(
                    lambda: UpstreamConnection(self._loop, self._settings, self._release),
                    address,
                    upstream.port,
                    ssl=self._tls,
                    server_hostname=upstream.host if self._tls else None,
                )
            except ssl.SSLError:
                untrusted = True
            except (OSError, asyncio.IncompleteReadError):
                continue
            else:
                return protocol
        if untrusted:
            raise GatewayRefusal(
                502,
                "upstream_unreachable",
                "The upstream's TLS certificate is not trusted or its TLS failed.",
                "For an internal authority, name its PEM file as `ca_file` on the connection.",
            )
        raise GatewayRefusal(
            502, "upstream_unreachable", "The upstream does not accept connections.", "Try again later."
        )

    def _release(self, connection: UpstreamConnection, reusable: bool) -> None:
        if reusable and not self._closed:
            self._idle.append(connection)
        else:
            self._all.discard(connection)
            self._sweeper.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            if reusable:
                connection.abort()
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                break

    def close(self) -> None:
        """Close what is idle now and the rest as it comes back."""
        self._closed = True
        while self._idle:
            self._idle.pop().abort()
