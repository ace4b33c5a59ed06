"""Where a person agrees to `ostiary login` on a machine without a browser (RFC 8628)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostiary.control.api.fields import InvalidRequestError
from ostiary.control.services.console_sessions import Visitor
from ostiary.control.services.oauth import OAuthError
from ostiary.control.web.console import Console
from ostiary.control.web.forms import read_query
from ostiary.control.web.pages import handled, page, see_other
from ostiary.control.web.visitors import network_of
from ostiary.identity.urls import with_query


class DevicePages:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._oauth = console.web.oauth

    def routes(self) -> list[Route]:
        return [
            Route("/device", handled(self._ask), methods=["GET"]),
            Route("/device", handled(self._decide), methods=["POST"]),
        ]

    async def _ask(self, request: Request) -> Response:
        """The field for the code, filled in where the address has it: looking it up takes a form, because a link that
        somebody else made must not be all there is between them and the confirming button."""
        code = read_query(request, {"user_code"}).get("user_code", "")
        visitor = await self._console.visitor(request)
        if visitor is None:
            back = with_query("/device", [("user_code", code)] if code else [])
            return see_other(with_query("/sign-in", [("next", back)]))
        return page("device", visitor, user_code=code[:40], complaint="")

    async def _decide(self, request: Request) -> Response:
        visitor, fields = await self._console.visitors_form(request, {"user_code", "decision"})
        code, network = fields.get("user_code", ""), network_of(request)
        try:
            match fields.get("decision"):
                case "show":
                    return await self._confirm(visitor, code, network)
                case "allow":
                    await self._oauth.device_decide(visitor, code, True, network)
                    return page("allowed", visitor)
                case "deny":
                    await self._oauth.device_decide(visitor, code, False, network)
                    return page("refused", visitor, tell_url=None)
                case _:
                    raise InvalidRequestError("The form says neither yes nor no.")
        except OAuthError as refused:
            response = page("device", visitor, refused.status, user_code=code[:40], complaint=refused.description)
            response.headers.update(refused.headers())
            return response

    async def _confirm(self, visitor: Visitor, code: str, network: str) -> Response:
        request = await self._oauth.device_show(visitor, code, network)
        return page(
            "device_confirm", visitor,
            asked=request.asked, request=request, own_network=network,
            life_s=await self._oauth.life_s(visitor),
        )  # fmt: skip
