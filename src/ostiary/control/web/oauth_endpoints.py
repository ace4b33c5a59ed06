"""The OAuth 2.0 endpoints that programs call, and the page on which a person agrees to `ostiary login`."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostiary.control.api.fields import InvalidRequestError
from ostiary.control.services.oauth import OAuthError
from ostiary.control.web.console import Console, ForeignPageError
from ostiary.control.web.forms import SAML_MAX_BYTES, FormTooLargeError, read_form, read_query
from ostiary.control.web.headers import policy_with_form_target
from ostiary.control.web.origins import origin_of
from ostiary.control.web.pages import failure_page, handled, page, see_other
from ostiary.control.web.visitors import device_of, network_of
from ostiary.identity.urls import form_of, with_query
from ostiary.model.errors import OstiaryError, SignInRefusedError

_TOKEN_HEADERS = {"cache-control": "no-store", "pragma": "no-cache"}
_PARAMETERS = (
    "response_type", "client_id", "redirect_uri", "code_challenge", "code_challenge_method", "state", "scope", "agent",
    "device",
)  # fmt: skip
"""What the confirming page's form carries on; it is checked again when it comes back."""


class OAuthEndpoints:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._oauth = console.web.oauth

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/oauth-authorization-server", handled(self._metadata, oauth_problem), methods=["GET"]),
            Route("/oauth/authorize", handled(self._ask, _authorize_refused), methods=["GET"]),
            Route("/oauth/authorize", handled(self._decide, _authorize_refused), methods=["POST"]),
            Route("/oauth/device-authorization", handled(self._device_authorization, oauth_problem), methods=["POST"]),
            Route("/oauth/token", handled(self._token, oauth_problem), methods=["POST"]),
            Route("/oauth/revoke", handled(self._revoke, oauth_problem), methods=["POST"]),
        ]

    # -- for people

    async def _ask(self, request: Request) -> Response:
        query = read_query(request, None)
        parameters = {name: query[name] for name in _PARAMETERS if name in query}
        asked = self._oauth.check(list(query.items()))
        visitor = await self._console.visitor(request)
        if visitor is None:
            back = f"/oauth/authorize?{form_of(parameters.items())}"
            return see_other(with_query("/sign-in", [("next", back)]))
        response = page(
            "authorize", visitor,
            asked=asked.asked, parameters=parameters, network=network_of(request), browser=device_of(request),
            life_s=await self._oauth.life_s(visitor),
        )  # fmt: skip
        response.headers["content-security-policy"] = policy_with_form_target(origin_of(asked.redirect_uri))
        return response

    async def _decide(self, request: Request) -> Response:
        visitor, fields = await self._console.visitors_form(request, {*_PARAMETERS, "decision"})
        asked = self._oauth.check([(name, fields[name]) for name in _PARAMETERS if name in fields])
        match fields.get("decision"):
            case "allow":
                return see_other(await self._oauth.authorize(visitor, asked))
            case "deny":
                told = await self._oauth.authorize(visitor, asked, approve=False)
                return page("refused", visitor, tell_url=told)
            case _:
                raise InvalidRequestError("The form says neither yes nor no.")

    # -- for programs

    async def _metadata(self, _request: Request) -> Response:
        return _document(self._oauth.metadata())

    async def _device_authorization(self, request: Request) -> Response:
        form = await self._programs_form(request)
        return _document(await self._oauth.device_begin(form, network_of(request), proof_of(request)))

    async def _token(self, request: Request) -> Response:
        form = await self._programs_form(request)
        return _document(await self._oauth.token(form, network_of(request), proof_of(request)))

    async def _revoke(self, request: Request) -> Response:
        await self._oauth.revoke(await self._programs_form(request), network_of(request))
        return Response(status_code=200, headers=_TOKEN_HEADERS)

    async def _programs_form(self, request: Request) -> list[tuple[str, str]]:
        """Programs call these, and no page: a foreign one could have a visitor's browser ask in the visitor's name."""
        if not self._console.origins.may_read(request):
            raise ForeignPageError
        return list((await read_form(request, None, SAML_MAX_BYTES)).items())


def proof_of(request: Request) -> str | None:
    """The `DPoP` field (RFC 9449). Several are joined, which makes none of them."""
    return ",".join(request.headers.getlist("dpop")) or None


def oauth_problem(failure: OstiaryError) -> Response:
    """RFC 6749 section 5.2."""
    match failure:
        case OAuthError():
            return _document(failure.document(), failure.status, failure.headers())
        case FormTooLargeError():
            error, status = "invalid_request", 413
        case InvalidRequestError() | ForeignPageError():
            error, status = "invalid_request", 400
        case SignInRefusedError():
            error, status = "invalid_grant", 400
        case _:
            error, status = "temporarily_unavailable", 503
    return _document({"error": error, "error_description": failure.sentence}, status)


def _authorize_refused(failure: OstiaryError) -> Response:
    """Where the client may be told, it is (RFC 6749 section 4.1.2.1): by a link, since whoever is here may have been
    sent by anybody."""
    if isinstance(failure, OAuthError) and failure.redirect_to is not None:
        return page("refused", None, 400, tell_url=failure.redirect_to, sentence=failure.description)
    return failure_page(failure)


def _document(document: object, status: int = 200, more: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(document), status, {**_TOKEN_HEADERS, **(more or {})}, "application/json")
