"""What somebody who is signed in holds: sign-ins and tokens, each of which they can end."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostiary.control.services.console_sessions import Visitor
from ostiary.control.web.console import Console
from ostiary.control.web.cookies import SESSION, drop_cookie
from ostiary.control.web.pages import handled, page, see_other
from ostiary.control.web.sign_in_pages import standing
from ostiary.model.token import TokenRecord

TOKENS_SHOWN_MAX = 200


class AccountPages:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._web = console.web

    def routes(self) -> list[Route]:
        return [
            Route("/account", handled(self._show), methods=["GET"]),
            Route("/account/sign-ins/{id}/end", handled(self._end), methods=["POST"]),
            Route("/account/tokens/{id}/revoke", handled(self._revoke), methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        visitor = await self._console.visitor(request)
        if visitor is None:
            return see_other("/sign-in?next=%2Faccount")
        groups, roles = standing(self._console, visitor)
        return page(
            "account", visitor,
            sign_ins=await self._web.sessions.own(visitor.user), tokens=await self._own_tokens(visitor),
            groups=groups, roles=roles, permissions=sorted(visitor.caller.permissions),
        )  # fmt: skip

    async def _own_tokens(self, visitor: Visitor) -> list[TokenRecord]:
        """Live ones. Who may see everybody's sees only their own here: asked as somebody without that permission."""
        caller = replace(visitor.caller, permissions=frozenset())
        records = await self._web.services.tokens.list(caller)
        return [record for record in records if record.revoked_at is None][:TOKENS_SHOWN_MAX]

    async def _end(self, request: Request) -> Response:
        visitor, _ = await self._console.visitors_form(request, ())
        sign_in = str(request.path_params["id"])
        await self._web.sessions.end_own(visitor.user, sign_in)
        if sign_in != visitor.sign_in.id:
            return see_other("/account")
        response = page("signed_out", None, elsewhere=None)
        drop_cookie(response, SESSION)
        return response

    async def _revoke(self, request: Request) -> Response:
        visitor, _ = await self._console.visitors_form(request, ())
        await self._web.services.tokens.revoke(visitor.caller, str(request.path_params["id"]))
        return see_other("/account")
