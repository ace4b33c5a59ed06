"""The API as an ASGI application."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from ostiary.control.api.fields import read_body, read_query
from ostiary.control.api.openapi import openapi_document
from ostiary.control.api.problems import HEADERS, problem, problem_of
from ostiary.control.api.routes import PREFIX, ROUTES, Route
from ostiary.control.caller import Caller, local_owner
from ostiary.control.services import Services
from ostiary.model.errors import OstiaryError

_log = logging.getLogger("ostiary.control")

Endpoint = Callable[[Request], Awaitable[Response]]

Identify = Callable[[Request], Awaitable[Caller | None]]
"""Who calls; None for nobody. Raises `OstiaryError` for somebody whose request must not be taken."""


class BodyTooLargeError(Exception):
    """Read no further."""


def create_api(services: Services) -> Starlette:
    """All routes, for whoever the connection proves to be: the peer's uid stands in the request's state.
    Without one every route answers 401."""
    return _application(api_routes(services, _peer, "This needs the admin socket.", "Use the command line."))


def api_routes(services: Services, identify: Identify, sentence: str, next_step: str) -> list[StarletteRoute]:
    """Every route of the API for the callers that `identify` knows. Anybody else is answered 401 with `sentence` and
    `next_step`; only the description is everybody's."""
    nobody = (sentence, next_step)
    routes = [
        StarletteRoute(PREFIX + route.path, _endpoint(route, services, identify, nobody), methods=[route.method])
        for route in ROUTES
    ]
    return [*routes, _OPENAPI]


def _application(routes: list[StarletteRoute]) -> Starlette:
    return Starlette(
        routes=routes,
        exception_handlers={HTTPException: http_problem},
    )


def _endpoint(route: Route, services: Services, identify: Identify, nobody: tuple[str, str]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            caller = await identify(request)
            if caller is None:
                answer = problem(401, "not_signed_in", *nobody)
                answer.headers["www-authenticate"] = 'Bearer realm="ostiary"'
                return answer
            arguments = {
                **read_query(request.query_params.multi_items(), route.query),
                **read_body(await _content(request, route.body_max_bytes), route.body),
                **request.path_params,
            }
            result = await route.handler(services, caller, arguments)
        except OstiaryError as failure:
            return problem_of(failure)
        except BodyTooLargeError:
            return problem(413, "too_large", f"The body is larger than {route.body_max_bytes:,} bytes.")
        except ClientDisconnect:
            return problem(400, "bad_request", "The body ended early.")
        except asyncio.CancelledError:
            # The server stops and breaks off whoever still waits for events: an end, not a failure to log.
            return problem(503, "not_ready", "Ostiary is stopping.")
        except Exception as failure:  # noqa: BLE001 - the outermost place of a request
            # Only what kind of failure: its text, or a traceback's lines, could hold what somebody sent.
            _log.error("control_request_failed route=%s kind=%s", route.name, type(failure).__name__)
            return problem(500, "internal", "Something went wrong inside Ostiary.", "Look at the server's log.")
        content = await asyncio.to_thread(orjson.dumps, result)
        return Response(content, 201 if route.created else 200, HEADERS, "application/json")

    return endpoint


async def _peer(request: Request) -> Caller | None:
    uid: Any = getattr(request.state, "peer_uid", None)
    return local_owner(uid) if isinstance(uid, int) else None


async def _content(request: Request, most_bytes: int) -> bytes:
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > most_bytes:
            raise BodyTooLargeError
    return bytes(pieces)


async def _openapi(_request: Request) -> Response:
    return Response(orjson.dumps(openapi_document()), 200, HEADERS, "application/json")


_OPENAPI = StarletteRoute(f"{PREFIX}/openapi.json", _openapi, methods=["GET"])


async def http_problem(_request: Request, failure: Exception) -> Response:
    status = failure.status_code if isinstance(failure, HTTPException) else 500
    code = {404: "not_found", 405: "not_allowed_here"}.get(status, "bad_request")
    answer = problem(status, code, {404: "There is no such page.", 405: "Not with this method."}.get(status, ""))
    if isinstance(failure, HTTPException) and failure.headers:
        answer.headers.update(failure.headers)
    return answer
