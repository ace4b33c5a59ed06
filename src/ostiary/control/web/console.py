"""What every page works with: the services, who is looking, and forms that are taken only from pages of ours."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ostiary.control.services import Services
from ostiary.control.services.callers import Callers
from ostiary.control.services.console_sessions import ConsoleSessions, Visit, Visitor
from ostiary.control.services.handles import new_handle
from ostiary.control.services.oauth import OAuthService
from ostiary.control.services.owner import OwnerService
from ostiary.control.services.sign_in import Opened, SignInService
from ostiary.control.web import csrf
from ostiary.control.web.cookies import ATTEMPT, ATTEMPT_LIFE_S, SESSION, drop_cookie, read_cookie, set_cookie
from ostiary.control.web.forms import read_form
from ostiary.control.web.origins import Origins
from ostiary.control.web.pages import see_other
from ostiary.control.web.visitors import device_of, network_of
from ostiary.identity.urls import is_relative_path
from ostiary.model.configuration import Configuration
from ostiary.model.errors import RefusedError


class ForeignPageError(RefusedError):
    """The request does not come from a page of ours, or from one that is long out of date."""

    code = "foreign_page"

    def __init__(self) -> None:
        super().__init__(
            "This was not sent from a page of this console, or the page is too old.",
            "Open the page again and repeat it. Behind a proxy, OSTIARY_CONSOLE_URL must be the address people use.",
        )


class NotSignedInError(RefusedError):
    code = "not_signed_in"
    status = 401

    def __init__(self) -> None:
        super().__init__("You are not signed in, or not any more.", "Sign in and repeat it.")


@dataclass(frozen=True, slots=True)
class WebServices:
    """`configuration` is the one in force; it answers at once."""

    services: Services
    callers: Callers
    sessions: ConsoleSessions
    sign_in: SignInService
    owner: OwnerService
    oauth: OAuthService
    configuration: Callable[[], Configuration]


class Console:
    """`console_url` is the address people use, without a slash at its end."""

    def __init__(
        self,
        web: WebServices,
        origins: Origins,
        console_url: Callable[[], str],
        randomness: Callable[[int], bytes],
    ) -> None:
        self.web = web
        self.origins = origins
        self.url = console_url
        self._randomness = randomness

    async def visitor(self, request: Request) -> Visitor | None:
        """None for whoever is not signed in."""
        cookie = read_cookie(request, SESSION)
        return None if cookie is None else await self.web.sessions.visitor(cookie)

    def visit(self, request: Request) -> Visit:
        return Visit(network_of(request), device_of(request), read_cookie(request, SESSION))

    # -- forms

    async def visitors_form(self, request: Request, known: Collection[str]) -> tuple[Visitor, Mapping[str, str]]:
        """A form of somebody who is signed in. Raises `ForeignPageError`, `NotSignedInError`, and what `read_form`
        does."""
        self._check_page(request)
        visitor = await self.visitor(request)
        if visitor is None:
            raise NotSignedInError
        return visitor, await self._checked_form(request, known, visitor.csrf)

    async def strangers_form(self, request: Request, known: Collection[str]) -> tuple[str, Mapping[str, str]]:
        """A form from before signing in, with the value of its browser's attempt cookie."""
        self._check_page(request)
        attempt = read_cookie(request, ATTEMPT)
        if attempt is None:
            raise ForeignPageError
        return attempt, await self._checked_form(request, known, csrf.token_of_attempt(attempt))

    def _check_page(self, request: Request) -> None:
        if not self.origins.may_write(request):
            raise ForeignPageError

    async def _checked_form(self, request: Request, known: Collection[str], expected: str) -> Mapping[str, str]:
        fields = await read_form(request, {csrf.FIELD, *known})
        if not csrf.matches(fields.get(csrf.FIELD), expected):
            raise ForeignPageError
        return fields

    # -- signing in

    def attempt(self, request: Request) -> str:
        """The value of the browser's attempt cookie, a new one where it has none: `keep_attempt` sets it."""
        return read_cookie(request, ATTEMPT) or new_handle(self._randomness)

    @staticmethod
    def keep_attempt(response: Response, attempt: str) -> Response:
        set_cookie(response, ATTEMPT, attempt, ATTEMPT_LIFE_S)
        return response

    @staticmethod
    def opened(opened: Opened) -> Response:
        """Signed in: the new session's cookie, and on to where they wanted to go."""
        response = see_other(relative(opened.next_path))
        set_cookie(response, SESSION, opened.cookie)
        drop_cookie(response, ATTEMPT)
        return response


def relative(path: str | None) -> str:
    """`path` where it stays on this console, the start page otherwise (G12)."""
    return path if path and is_relative_path(path) else "/"
