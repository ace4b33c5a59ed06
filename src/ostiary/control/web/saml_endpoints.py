"""Where SAML identity providers send their answers, and what they need to know of us."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostiary.control.api.fields import InvalidRequestError
from ostiary.control.web.console import Console
from ostiary.control.web.cookies import ATTEMPT, read_cookie
from ostiary.control.web.forms import SAML_MAX_BYTES, read_form
from ostiary.control.web.pages import handled


class SamlEndpoints:
    def __init__(self, console: Console) -> None:
        self._console = console

    def routes(self) -> list[Route]:
        return [
            Route("/saml/{issuer}/acs", handled(self._consume), methods=["POST"]),
            Route("/saml/{issuer}/metadata", handled(self._metadata), methods=["GET"]),
        ]

    async def _consume(self, request: Request) -> Response:
        """The one form that a foreign page sends. What binds it to this browser is the attempt cookie, and RelayState
        with InResponseTo to the request it answers."""
        fields = await read_form(request, None, SAML_MAX_BYTES)
        if not fields.get("SAMLResponse"):
            raise InvalidRequestError("This is not an answer of a SAML identity provider.")
        opened = await self._console.web.sign_in.finish_saml(
            str(request.path_params["issuer"]), read_cookie(request, ATTEMPT) or "", fields["SAMLResponse"],
            fields.get("RelayState", ""), self._console.visit(request),
        )  # fmt: skip
        return self._console.opened(opened)

    async def _metadata(self, request: Request) -> Response:
        document = await self._console.web.sign_in.saml_metadata(str(request.path_params["issuer"]))
        return Response(document, media_type="application/samlmetadata+xml")
