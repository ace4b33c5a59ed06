"""Who calls the API over TCP: a browser that is signed in, or a program with a token of scope `api`."""

from starlette.requests import Request

from ostiary.control.caller import Caller
from ostiary.control.web import csrf
from ostiary.control.web.console import Console, ForeignPageError
from ostiary.control.web.oauth_endpoints import proof_of
from ostiary.control.web.origins import SAFE_METHODS
from ostiary.control.web.visitors import network_of

SENTENCE = "This needs a sign-in."
NEXT_STEP = (
    "Send `Authorization: Bearer` with a token of scope `api` (`ostiary login` gets one), or sign in to the console."
)

_SCHEMES = frozenset({"bearer", "dpop"})


class ApiCallers:
    def __init__(self, console: Console) -> None:
        self._console = console

    async def of(self, request: Request) -> Caller | None:
        """A token counts alone: with one that is no good, a cookie does not help. Raises `ForeignPageError` where a
        cookie comes with somebody else's page, and `OAuthError` for too many wrong tokens."""
        if request.headers.getlist("authorization"):
            return await self._of_token(request)
        visitor = await self._console.visitor(request)
        if visitor is None:
            return None
        if request.method in SAFE_METHODS:
            is_own = self._console.origins.may_read(request)
        else:
            is_own = self._console.origins.may_write(request) and csrf.matches(
                request.headers.get(csrf.HEADER), visitor.csrf
            )
        if not is_own:
            raise ForeignPageError
        return visitor.caller

    async def _of_token(self, request: Request) -> Caller | None:
        fields = request.headers.getlist("authorization")
        scheme, _, token = fields[0].partition(" ")
        if len(fields) != 1 or scheme.lower() not in _SCHEMES or not self._console.origins.may_read(request):
            return None
        return await self._console.web.oauth.caller_of(
            token.strip(), network_of(request), method=request.method, path=request.url.path, proof=proof_of(request)
        )
