"""Serving an ASGI application: on a Unix socket that proves its peer, and on TCP."""

import asyncio
import os
import socket
import ssl
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ostiary.model.errors import OperatorError

_CREDENTIALS = struct.Struct("3i")
_PATH_MAX_BYTES = 107
_KEEP_ALIVE_S = 5
_CLOSE_WITHIN_S = 5.0


class _PeerProtocol(HttpToolsProtocol):
    """Takes only connections of a permitted user, whose uid it puts into the request's state."""

    permitted_uids: frozenset[int] = frozenset()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        uid = _peer_uid(transport.get_extra_info("socket"))
        if uid not in self.permitted_uids:
            transport.abort()
            return
        self.app_state = {**self.app_state, "peer_uid": uid}

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)


class Serving:
    """A listener and its connections."""

    def __init__(self, server: asyncio.Server, state: ServerState, path: Path | None = None) -> None:
        self._server = server
        self._state = state
        self._path = path

    @property
    def port(self) -> int:
        """The TCP port that was bound; 0 for a Unix socket."""
        name = self._server.sockets[0].getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    async def close(self) -> None:
        """Takes no more, lets running requests end within five seconds, then breaks them off."""
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=_CLOSE_WITHIN_S)
        for task in set(self._state.tasks):
            task.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


async def serve_unix(app: ASGIApp, path: Path) -> Serving:
    """Listen on `path` (mode 0600) for the user who runs this process, and root. A socket file that nobody
    answers is replaced. Raises `OperatorError`."""
    try:
        _make_way(path)
        listener = _bound(path)
    except OSError as failure:
        raise OperatorError(
            f"The admin socket {path} cannot be opened: {failure.strerror}.",
            "Check that HOME is a directory of this user.",
        ) from None
    protocol = type("_Peer", (_PeerProtocol,), {"permitted_uids": frozenset({os.geteuid(), 0})})
    state = ServerState()
    config = _config(app)
    server = await asyncio.get_running_loop().create_unix_server(lambda: protocol(config, state, {}), sock=listener)
    return Serving(server, state, path)


async def serve_tcp(app: ASGIApp, host: str, port: int, context: ssl.SSLContext | None = None) -> Serving:
    """Raises `OperatorError` when the address cannot be bound."""
    state = ServerState()
    config = _config(app)
    try:
        server = await asyncio.get_running_loop().create_server(
            lambda: HttpToolsProtocol(config, state, {}), host, port, ssl=context
        )
    except OSError as failure:
        raise OperatorError(
            f"The address {host}:{port} cannot be opened: {failure.strerror or 'no such address'}.",
            "Stop what uses it, or choose another with --console or --ops.",
        ) from None
    return Serving(server, state)


def _config(app: ASGIApp) -> Config:
    config = Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        ws="none",
    )
    config.load()
    return config


def _peer_uid(connection: Any) -> int | None:
    try:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except (OSError, AttributeError):
        return None
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    return int(uid)


def _make_way(path: Path) -> None:
    """Removes a socket that nobody listens on any more."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OperatorError(f"{path} is in the way and is not a socket.", "Move it elsewhere.")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, _short_name(path) as name:
        probe.settimeout(1.0)
        try:
            probe.connect(name)
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise OperatorError(f"Another Ostiary already serves {path}.", "Stop it first, or use another --home.")


def _bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with _short_name(path) as name:
            listener.bind(name)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


@contextmanager
def _short_name(path: Path) -> Iterator[str]:
    """A name that fits into `sockaddr_un`, also when HOME is a long path."""
    if len(os.fsencode(path)) <= _PATH_MAX_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
