"""The console behind a proxy: every page and endpoint sees the client that a trusted proxy asks for."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from ostiary.control.web.forwarded import BehindProxies
from ostiary.control.web.visitors import network_of
from ostiary.protocols.forwarded import NOBODY, TrustedProxies

TRUSTED = TrustedProxies.parse("192.0.2.1")


def network(peer: tuple[str, int] | None, *lines: bytes, trusted: TrustedProxies = TRUSTED, path: str = "/") -> str:
    """What a page, or a mounted application such as SCIM's, takes for the client's network."""

    async def page(request: Request) -> Response:
        return Response(f"{network_of(request)} {request.url}")

    routes = [Route("/", page), Mount("/scim", Starlette(routes=[Route("/Users", page)]))]
    app = Starlette(routes=routes, middleware=[Middleware(BehindProxies, trusted=trusted)])
    headers = [(b"host", b"ostiary.test"), *[(b"x-forwarded-for", line) for line in lines]]
    headers += [(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"evil.test"), (b"x-real-ip", b"198.51.100.1")]
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "scheme": "http", "headers": headers, "client": peer, "server": ("127.0.0.1", 8421),
    }  # fmt: skip
    body = bytearray()

    async def send(message: Any) -> None:
        body.extend(message.get("body", b""))

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(app(scope, receive, send))
    client, _, url = body.decode().partition(" ")
    assert url == f"http://ostiary.test{path}"  # of the header fields nothing else counts
    return client


@pytest.mark.parametrize("path", ["/", "/scim/Users"])
def test_of_a_trusted_proxy_it_is_whom_it_asks_for(path: str) -> None:
    assert network(("192.0.2.1", 9), b"198.51.100.9, 203.0.113.7:80", path=path) == "203.0.113.7"
    assert network(("::ffff:192.0.2.1", 9), b"198.51.100.9", b"2001:db8::7", path=path) == "2001:db8::7"


@pytest.mark.parametrize("lines", [(), (b"",), (b"unknown",), (b"203.0.113.7, \xff",), (b"192.0.2.1",)])
def test_without_its_word_it_is_the_proxy(lines: tuple[bytes, ...]) -> None:
    assert network(("192.0.2.1", 9), *lines) == "192.0.2.1"


def test_of_anybody_else_it_is_the_peer() -> None:
    assert network(("192.0.2.2", 9), b"203.0.113.7") == "192.0.2.2"
    assert network(("192.0.2.1", 9), b"203.0.113.7", trusted=NOBODY) == "192.0.2.1"
    assert network(None, b"203.0.113.7") == ""
