"""A local stand-in for Cursor's API, for demos and tests: `python -m ostiary.standin.cursor --port 0 --key KEY`.

It speaks the documented shapes, keeps its state in memory, listens on loopback only and prints one JSON line
`{"port": N}` when it is ready. One key opens everything; the real service has several kinds that are not
interchangeable. With `--echo-authorization` its 403 and 404 answers about agents repeat the Authorization header
they were asked with, as several real APIs do: that shows what a gateway must mask.
"""

import argparse
import asyncio
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Router

from ostiary.standin import cursor_admin, cursor_agents, cursor_legacy
from ostiary.standin.cursor_door import StandIn, answer_error
from ostiary.standin.cursor_errors import ApiError

LOOPBACK = "127.0.0.1"


async def _no_such_route(request: Request, _error: Exception) -> Response:
    body = {
        "message": f"Route {request.method}:{request.url.path} not found",
        "error": "Not Found",
        "statusCode": 404,
    }
    return JSONResponse(body, status_code=404)


def application(standin: StandIn) -> Starlette:
    """The ASGI application over one stand-in's state."""
    app = Starlette(
        routes=[*cursor_admin.ROUTES, *cursor_agents.ROUTES, *cursor_legacy.ROUTES],
        exception_handlers={ApiError: answer_error, HTTPException: _no_such_route},
    )
    router: Router = app.router
    router.redirect_slashes = False
    app.state.standin = standin
    return app


@dataclass(slots=True)
class Running:
    """A stand-in that answers. `standin` is its state."""

    standin: StandIn
    server: uvicorn.Server
    task: "asyncio.Task[None]"

    async def stop(self) -> None:
        """Close the listener and all connections; running streams end where they are."""
        self.standin.closing = True
        self.server.should_exit = True
        await self.task


class _Server(uvicorn.Server):
    """Leaves signals to whoever owns the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def start(
    key: str,
    port: int = 0,
    *,
    echo_authorization: bool = False,
    rate_limits: bool = False,
    pace_s: float = 0.05,
    retention_s: float = 3600.0,
) -> tuple[Running, int]:
    """Start answering on loopback inside this event loop; the second part is the port (0 asks for a free one)."""
    standin = StandIn(
        key=key,
        echo_authorization=echo_authorization,
        rate_limits=rate_limits,
        pace_s=pace_s,
        retention_s=retention_s,
    )
    listener = socket.create_server((LOOPBACK, port))
    # asyncio sets this only on sockets with an explicit protocol number; without it a body trails its head by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        application(standin), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    return Running(standin, server, task), int(listener.getsockname()[1])


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ostiary.standin.cursor", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--key", required=True, help="the only key that is accepted")
    parser.add_argument("--echo-authorization", action="store_true")
    parser.add_argument("--rate-limits", action="store_true", help="answer 429 beyond the documented limits")
    parser.add_argument("--pace", type=float, default=0.05, metavar="SECONDS", help="between two events of a run")
    parser.add_argument("--retention", type=float, default=3600.0, metavar="SECONDS", help="of an ended stream")
    return parser.parse_args(words)


async def _serve(arguments: argparse.Namespace) -> None:
    running, port = await start(
        arguments.key,
        arguments.port,
        echo_authorization=arguments.echo_authorization,
        rate_limits=arguments.rate_limits,
        pace_s=arguments.pace,
        retention_s=arguments.retention,
    )
    print(json.dumps({"port": port}), flush=True)
    await running.task


def main() -> None:
    """Serve until interrupted."""
    try:
        asyncio.run(_serve(_arguments(sys.argv[1:])))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
