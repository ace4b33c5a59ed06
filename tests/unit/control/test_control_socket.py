"""Listeners: who may connect, and how they end."""

import asyncio
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.control import socket as serving
from ostiary.model.errors import OperatorError


async def _whoami(request: Request) -> Response:
    return JSONResponse({"uid": getattr(request.state, "peer_uid", None)})


async def _slow(_request: Request) -> Response:
    await asyncio.sleep(0.2)
    return JSONResponse({"slow": True})


APP = Starlette(routes=[Route("/", _whoami), Route("/slow", _slow)])


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str = "/") -> bytes:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_the_socket_is_private_and_knows_its_peer(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    server = await serving.serve_unix(APP, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    answer = await ask(*await asyncio.open_unix_connection(str(path)))
    assert answer.endswith(b'{"uid":%d}' % os.getuid())
    assert b"server:" not in answer.lower()
    await server.close()
    assert not path.exists()


async def test_a_peer_of_another_user_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_peer_uid", lambda _connection: 4242)
    server = await serving.serve_unix(APP, tmp_path / "admin.sock")
    answer: Any = b""
    with suppress(ConnectionError):
        answer = await ask(*await asyncio.open_unix_connection(str(tmp_path / "admin.sock")))
    assert answer == b""
    await server.close()


async def test_a_dead_socket_file_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    first = await serving.serve_unix(APP, path)
    with pytest.raises(OperatorError, match="Another Ostiary"):
        await serving.serve_unix(APP, path)
    first._server.close()
    again = await serving.serve_unix(APP, path)
    assert (await ask(*await asyncio.open_unix_connection(str(path)))).startswith(b"HTTP/1.1 200")
    await again.close()


async def test_something_else_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "admin.sock").write_text("precious")
    with pytest.raises(OperatorError, match="not a socket"):
        await serving.serve_unix(APP, tmp_path / "admin.sock")
    assert (tmp_path / "admin.sock").read_text() == "precious"
    with pytest.raises(OperatorError, match="cannot be opened"):
        await serving.serve_unix(APP, tmp_path / "nowhere" / "admin.sock")


async def test_a_long_home_is_no_obstacle(tmp_path: Path) -> None:
    home = tmp_path / ("h" * 120)
    home.mkdir()
    server = await serving.serve_unix(APP, home / "admin.sock")
    with serving._short_name(home / "admin.sock") as name:
        assert (await ask(*await asyncio.open_unix_connection(name))).startswith(b"HTTP/1.1 200")
    await server.close()


async def test_closing_lets_a_running_request_end(tmp_path: Path) -> None:
    server = await serving.serve_unix(APP, tmp_path / "admin.sock")
    running = asyncio.create_task(ask(*await asyncio.open_unix_connection(str(tmp_path / "admin.sock")), "/slow"))
    idle = await asyncio.open_unix_connection(str(tmp_path / "admin.sock"))
    await asyncio.sleep(0.05)
    await server.close()
    assert (await running).endswith(b'{"slow":true}')
    assert await idle[0].read() == b""
    idle[1].close()


async def test_tcp_has_no_peer_and_a_taken_port_is_a_sentence() -> None:
    server = await serving.serve_tcp(APP, "127.0.0.1", 0)
    answer = await ask(*await asyncio.open_connection("127.0.0.1", server.port))
    assert answer.endswith(b'{"uid":null}')
    with pytest.raises(OperatorError, match="cannot be opened"):
        await serving.serve_tcp(APP, "127.0.0.1", server.port)
    await server.close()
