"""The gateway's listener: accepts connections, and lets running exchanges finish when it is told to stop."""

import asyncio
import ssl

from ostiary.gateway.client import ClientConnection
from ostiary.gateway.deadlines import Sweeper
from ostiary.gateway.exchange import Journeys
from ostiary.gateway.house import House
from ostiary.model.errors import OperatorError
from ostiary.protocols.heads import request_line_cache

_BACKLOG = 4096
_LAST_WORDS_S = 5.0
"""For the outcome entries of exchanges that were cut."""


class GatewayServer:
    def __init__(self, house: House, sweeper: Sweeper) -> None:
        self._house = house
        self._sweeper = sweeper
        self._journeys = Journeys(house)
        self._cache = request_line_cache()
        self._clients: set[ClientConnection] = set()
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        return len(self._clients)

    @property
    def running(self) -> int:
        return self._journeys.running

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Start accepting; the port that was bound. Raises `OperatorError` when the address is taken."""
        try:
            self._server = await self._house.loop.create_server(
                self._connection, host, port, ssl=tls, backlog=_BACKLOG, reuse_address=True
            )
        except OSError as error:
            raise OperatorError(
                f"The gateway cannot listen on {host}:{port}: {error.strerror or 'address not usable'}.",
                "Stop what uses it, or choose another with --gateway ADDRESS:PORT.",
            ) from None
        return int(self._server.sockets[0].getsockname()[1])

    def _connection(self) -> ClientConnection:
        house = self._house
        return ClientConnection(
            house.loop, house.settings, self._cache, self._journeys, self._sweeper, self._register, house.trusted
        )

    def _register(self, client: ClientConnection, present: bool) -> None:
        if not present:
            self._clients.discard(client)
        elif len(self._clients) >= self._house.settings.client_connections_max:
            client.abort()
        else:
            self._clients.add(client)

    async def drain(self, timeout_s: float) -> int:
        """Stop accepting, let running exchanges finish, cut the rest. Returns how many were cut."""
        if self._server is not None:
            self._server.close()
        for client in tuple(self._clients):
            client.retire()
        await self._journeys.all_done(timeout_s)
        left = self._journeys.running
        self._house.live.cut("the gateway stopped", lambda _exchange: True)
        for client in tuple(self._clients):
            client.abort()
        await self._journeys.all_done(_LAST_WORDS_S)
        self._house.refusals.flush()
        return left
