"""Where SAML identity providers send their answers, and what they need to know of us."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostiary.control.api.fields import InvalidRequestError
from ostiary.control.services.sign_in_addresses import acs_url, sp_entity_id
from ostiary.control.web.console import Console
from ostiary.control.web.cookies import ATTEMPT, read_cookie
from ostiary.control.web.forms import SAML_MAX_BYTES, read_form
from ostiary.control.web.pages import handled
from ostiary.model.errors import NotFoundError
from ostiary.model.issuer import SamlIssuer


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
        from ostiary.identity.saml.request import sp_metadata  # lxml, only where SAML is used

        name = str(request.path_params["issuer"])
        issuers = self._console.web.configuration().issuers
        if not any(isinstance(issuer, SamlIssuer) and issuer.name == name for issuer in issuers):
            raise NotFoundError("There is no such SAML issuer.", "Its name is in the configuration.")
        url = self._console.url()
        document = sp_metadata(sp_entity_id(url, name), acs_url(url, name))
        return Response(document, media_type="application/samlmetadata+xml")
