"""The one-time link that makes its holder the owner, or lets the owner in again: a name, then an app or a passkey."""

import asyncio

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostiary.control.api.fields import InvalidRequestError
from ostiary.control.web import csrf
from ostiary.control.web.console import Console
from ostiary.control.web.forms import read_query
from ostiary.control.web.pages import handled, page
from ostiary.control.web.qr import qr_code
from ostiary.control.web.sign_in_pages import credential_of
from ostiary.control.web.visitors import network_of
from ostiary.model.errors import CallerError


class OwnerPages:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._owner = console.web.owner

    def routes(self) -> list[Route]:
        return [
            Route("/first-start", handled(self._show), methods=["GET"]),
            Route("/first-start", handled(self._step), methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        code = read_query(request, {"code"}).get("code", "")
        return await self._first_page(request, code)

    async def _first_page(self, request: Request, code: str, complaint: str = "", name: str = "") -> Response:
        link = await self._owner.link(code, network_of(request))
        attempt = self._console.attempt(request)
        response = page(
            "first_start", None, 422 if complaint else 200,
            code=code, owner=link.name, name=name, complaint=complaint, csrf=csrf.token_of_attempt(attempt),
            passkeys_need=self._owner.what_passkeys_need(),
        )  # fmt: skip
        return self._console.keep_attempt(response, attempt)

    async def _step(self, request: Request) -> Response:
        attempt, fields = await self._console.strangers_form(request, {"code", "name", "step", "totp", "passkey"})
        code, name, network = fields.get("code", ""), fields.get("name", "").strip(), network_of(request)
        kept = {"code": code, "csrf": csrf.token_of_attempt(attempt)}
        try:
            match fields.get("step"):
                case "totp":
                    enrolment = await self._owner.enrol_totp(code, name, network)
                    qr = await asyncio.to_thread(qr_code, enrolment.url)  # drawing takes its time
                    return page("first_start_totp", None, enrolment=enrolment, qr=qr, complaint="", **kept)
                case "totp-confirm":
                    return await self._confirm_totp(request, fields.get("totp", ""), kept)
                case "passkey":
                    options = orjson.dumps(dict(await self._owner.enrol_passkey(code, name, network))).decode()
                    return page("first_start_passkey", None, options=options, **kept)
                case "passkey-confirm":
                    answer = credential_of(fields.get("passkey", ""))
                    return self._console.opened(
                        await self._owner.confirm_passkey(code, answer, self._console.visit(request))
                    )
                case _:
                    raise InvalidRequestError("The form has no such step.")
        except InvalidRequestError:
            raise
        except CallerError as refused:
            return await self._first_page(request, code, str(refused), name)

    async def _confirm_totp(self, request: Request, typed: str, kept: dict[str, str]) -> Response:
        try:
            opened = await self._owner.confirm_totp(kept["code"], typed.replace(" ", ""), self._console.visit(request))
        except CallerError as refused:
            # The app keeps what it has; only what it shows is asked for again.
            return page("first_start_totp", None, 422, enrolment=None, qr=None, complaint=str(refused), **kept)
        return self._console.opened(opened)
