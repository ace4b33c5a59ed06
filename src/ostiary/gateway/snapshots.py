"""From a configuration to what the gateway runs on; connections to unchanged upstreams are kept."""

import asyncio
from collections.abc import Callable, Sequence

from ostiary.gateway.deadlines import Sweeper
from ostiary.gateway.masks import RouteMasks
from ostiary.gateway.pool import UpstreamPool
from ostiary.gateway.route import Route, Snapshot
from ostiary.model.configuration import Configuration
from ostiary.model.connection import Connection
from ostiary.policy.evaluation import Policy
from ostiary.ports import PlaceholderBook, RemoteDetector, SecretKeeper
from ostiary.protocols.kinds import Kind
from ostiary.protocols.operation_table import OperationTable
from ostiary.settings import Settings

_PoolKey = tuple[object, ...]


class SnapshotBuilder:
    """`kind_of` gives a connection's Kind with its operations (raises `OperatorError` for an unusable file).
    `hash_key` makes the marks of `action: hash` this installation's own. `detectors_of` gives the remote detectors."""

    def __init__(
        self,
        settings: Settings,
        sweeper: Sweeper,
        loop: asyncio.AbstractEventLoop,
        keeper: SecretKeeper,
        kind_of: Callable[[Connection], Kind],
        book: PlaceholderBook,
        hash_key: bytes,
        detectors_of: Callable[[Configuration], Sequence[RemoteDetector]] = lambda _: (),
    ) -> None:
        self._book = book
        self._hash_key = hash_key
        self._detectors_of = detectors_of
        self._settings = settings
        self._sweeper = sweeper
        self._loop = loop
        self._keeper = keeper
        self._kind_of = kind_of
        self._pools: dict[_PoolKey, UpstreamPool] = {}

    def build(self, version: int, configuration: Configuration) -> Snapshot:
        """Everything is checked before anything is replaced. Raises `OperatorError`."""
        pools: dict[_PoolKey, UpstreamPool] = {}
        routes: dict[str, Route] = {}
        detectors = self._detectors_of(configuration)
        for connection in configuration.connections:
            kind = self._kind_of(connection)
            key: _PoolKey = (
                connection.name,
                connection.upstream,
                connection.allow_private,
                connection.ca_file,
            )
            pool = self._pools.get(key) or UpstreamPool(connection, self._settings, self._sweeper, self._loop)
            pools[key] = pool
            masks = RouteMasks(
                connection, configuration.masking, kind.text_channels, self._hash_key, self._book, detectors
            )
            masks.compile()
            routes[connection.name] = Route(
                connection, kind, OperationTable(kind.operations), pool, self._keeper, masks
            )
        gone = [pool for key, pool in self._pools.items() if key not in pools]
        self._pools = pools
        for pool in gone:
            pool.close()
        return Snapshot(version, routes, Policy(configuration.rules))
