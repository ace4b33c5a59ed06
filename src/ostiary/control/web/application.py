"""The console listener as an ASGI application."""

import asyncio
import os
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.control.api.application import api_routes, http_problem
from ostiary.control.api.routes import PREFIX
from ostiary.control.web import api_callers
from ostiary.control.web.account_pages import AccountPages
from ostiary.control.web.api_callers import ApiCallers
from ostiary.control.web.approval_pages import ApprovalPages
from ostiary.control.web.console import Console, WebServices
from ostiary.control.web.device_pages import DevicePages
from ostiary.control.web.forwarded import BehindProxies
from ostiary.control.web.guard import Guard
from ostiary.control.web.oauth_endpoints import OAuthEndpoints
from ostiary.control.web.origins import Origins
from ostiary.control.web.owner_pages import OwnerPages
from ostiary.control.web.pages import not_done, prepare_pages, static_file
from ostiary.control.web.saml_endpoints import SamlEndpoints
from ostiary.control.web.sign_in_pages import SignInPages
from ostiary.protocols.forwarded import NOBODY, TrustedProxies


class _Prepared:
    """Loads what pages are made with when the first one is asked for, and beside the event loop: the gateway goes on
    meanwhile, and a server whose console nobody opens does not carry it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._is_done = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_done and not scope.get("path", "").startswith(_FOR_PROGRAMS):
            await asyncio.to_thread(prepare_pages)
            self._is_done = True
        await self._app(scope, receive, send)


_FOR_PROGRAMS = (
    PREFIX + "/",
    "/scim/",
    "/oauth/token",
    "/oauth/revoke",
    "/oauth/device-authorization",
    "/.well-known/",
)


def create_console(
    web: WebServices,
    *,
    console_url: Callable[[], str],
    allowed_hosts: str = "",
    trusted: TrustedProxies = NOBODY,
    randomness: Callable[[int], bytes] = os.urandom,
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """Pages, sign-in endpoints and the API for whoever is signed in or has a token.

    `console_url` answers with the address people use, without a slash at its end; `allowed_hosts` lists further names
    as the setting does; of `trusted` proxies it is believed for whom they ask. `more` are further routes, which stand
    behind the same check of the name that was asked for.
    """
    origins = Origins(allowed_hosts, console_url)
    console = Console(web, origins, console_url, randomness)
    rooms = (
        SignInPages(console), SamlEndpoints(console), OAuthEndpoints(console), DevicePages(console),
        AccountPages(console), OwnerPages(console), ApprovalPages(console),
    )  # fmt: skip
    pages: list[BaseRoute] = [route for room in rooms for route in room.routes()]
    api = api_routes(web.services, ApiCallers(console).of, api_callers.SENTENCE, api_callers.NEXT_STEP)
    static = Route("/static/{name}", static_file, methods=["GET"])
    console_app = Starlette(
        routes=[*pages, *api, static, *more],
        middleware=[
            Middleware(BehindProxies, trusted=trusted),
            Middleware(Guard, origins=origins),
            Middleware(_Prepared),
        ],
        exception_handlers={HTTPException: _not_done},
    )
    console_app.router.redirect_slashes = False  # no address but the ones there are, and no redirect made from Host
    return console_app


async def _not_done(request: Request, failure: Exception) -> Response:
    if request.url.path.startswith(_FOR_PROGRAMS) or not isinstance(failure, HTTPException):
        return await http_problem(request, failure)
    return not_done(failure.status_code, dict(failure.headers or {}))
