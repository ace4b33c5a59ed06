"""The start page, signing in with an identity provider or as the local owner, and signing out."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostiary.control.api.fields import InvalidRequestError
from ostiary.control.caller import Permission
from ostiary.control.services.console_sessions import Visitor
from ostiary.control.web import csrf
from ostiary.control.web.console import Console, relative
from ostiary.control.web.cookies import ATTEMPT, SESSION, drop_cookie, read_cookie
from ostiary.control.web.forms import read_form, read_query
from ostiary.control.web.pages import handled, page, reference_of, see_other
from ostiary.control.web.visitors import network_of
from ostiary.identity.roles import roles_of
from ostiary.identity.urls import is_https_or_loopback, with_query
from ostiary.model.approval import ApprovalState
from ostiary.model.errors import CallerError, OstiaryError, SignInRefusedError

WAITING_SHOWN_MAX = 20


class SignInPages:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._web = console.web

    def routes(self) -> list[Route]:
        return [
            Route("/", handled(self._start), methods=["GET"]),
            Route("/sign-in", handled(self._choices), methods=["GET"]),
            Route("/sign-in/local", handled(self._local), methods=["POST"]),
            Route("/sign-in/{issuer}", handled(self._begin), methods=["GET"]),
            Route("/sign-in/{issuer}/callback", handled(self._callback), methods=["GET"]),
            Route(
                "/sign-in/{issuer}/back-channel-logout", handled(self._back_channel, _logout_refused), methods=["POST"]
            ),
            Route("/sign-out", handled(self._sign_out), methods=["POST"]),
        ]

    # -- the start page

    async def _start(self, request: Request) -> Response:
        visitor = await self._console.visitor(request)
        has_owner = await self._web.owner.has_owner()
        if visitor is None:
            has_sign_in = has_owner or any(choice.kind != "local" for choice in self._web.sign_in.choices())
            return page("landing", None, has_owner=has_owner, has_sign_in=has_sign_in, console_url=self._console.url())
        approvals = self._web.services.approvals
        waiting = await approvals.list(visitor.caller, ApprovalState.WAITING, WAITING_SHOWN_MAX)
        groups, roles = standing(self._console, visitor)
        return page(
            "landing", visitor,
            console_url=self._console.url(), groups=groups, roles=roles, waiting=waiting,
            sees_all=visitor.caller.may(Permission.APPROVALS_READ),
        )  # fmt: skip

    # -- signing in

    async def _choices(self, request: Request) -> Response:
        query = read_query(request, {"next", "again"})
        visitor = await self._console.visitor(request)
        next_path, again = relative(query.get("next")), query.get("again") == "1"
        if visitor is not None and not again:
            return see_other(next_path)
        return await self._choices_page(request, visitor, next_path, again)

    async def _choices_page(
        self,
        request: Request,
        visitor: Visitor | None,
        next_path: str,
        again: bool,
        refused: OstiaryError | None = None,
    ) -> Response:
        attempt = self._console.attempt(request)
        has_owner = await self._web.owner.has_owner()
        more = [("again", "1")] if again else []
        choices = [
            {"title": choice.title, "href": with_query(f"/sign-in/{choice.name}", [("next", next_path), *more])}
            for choice in self._web.sign_in.choices()
            if choice.kind != "local"
        ]
        response = page(
            "sign_in", visitor, 200 if refused is None else 403,
            again=again, choices=choices, has_owner=has_owner, next_path=next_path,
            has_passkeys=not self._web.owner.what_passkeys_need(),
            csrf=csrf.token_of_attempt(attempt),
            complaint="" if refused is None else str(refused), reference=reference_of(refused),
        )  # fmt: skip
        return self._console.keep_attempt(response, attempt)

    async def _begin(self, request: Request) -> Response:
        query = read_query(request, {"next", "again"})
        again = query.get("again") == "1" and await self._console.visitor(request) is not None
        attempt = self._console.attempt(request)
        url = await self._web.sign_in.begin(
            str(request.path_params["issuer"]), attempt, relative(query.get("next")), again,
            network=network_of(request), cookie=read_cookie(request, SESSION),
        )  # fmt: skip
        return self._console.keep_attempt(see_other(url), attempt)

    async def _callback(self, request: Request) -> Response:
        opened = await self._web.sign_in.finish_oidc(
            str(request.path_params["issuer"]), read_cookie(request, ATTEMPT) or "", read_query(request, None),
            self._console.visit(request),
        )  # fmt: skip
        return self._console.opened(opened)

    async def _local(self, request: Request) -> Response:
        attempt, fields = await self._console.strangers_form(request, {"next", "step", "name", "code", "passkey"})
        next_path, visit, owner = relative(fields.get("next")), self._console.visit(request), self._web.owner
        try:
            match fields.get("step"):
                case "code":
                    code = fields.get("code", "").replace(" ", "")
                    opened = await owner.sign_in_totp(fields.get("name", ""), code, visit, next_path)
                case "passkey":
                    options = orjson.dumps(dict(await owner.passkey_options(attempt, visit.network))).decode()
                    token = csrf.token_of_attempt(attempt)
                    return page("sign_in_passkey", None, options=options, next_path=next_path, csrf=token)
                case "passkey-answer":
                    answer = credential_of(fields.get("passkey", ""))
                    opened = await owner.sign_in_passkey(attempt, answer, visit, next_path)
                case _:
                    raise InvalidRequestError("The form has no such step.")
        except InvalidRequestError:
            raise
        except (SignInRefusedError, CallerError) as refused:
            visitor = await self._console.visitor(request)
            return await self._choices_page(request, visitor, next_path, visitor is not None, refused)
        return self._console.opened(opened)

    # -- signing out

    async def _sign_out(self, request: Request) -> Response:
        await self._console.visitors_form(request, ())
        elsewhere = await self._web.sign_in.sign_out(read_cookie(request, SESSION))
        if elsewhere is not None and not is_https_or_loopback(elsewhere):
            elsewhere = None
        # A page, not a redirect: `form-action` would have to name the provider on every page with this button.
        response = page("signed_out", None, elsewhere=elsewhere)
        drop_cookie(response, SESSION)
        return response

    async def _back_channel(self, request: Request) -> Response:
        # A call of the provider's server: no cookie counts here, and no page sends it.
        fields = await read_form(request, None)
        token = fields.get("logout_token")
        if not token or not self._console.origins.may_read(request):
            raise InvalidRequestError("The logout token is missing.")
        issuer, network = str(request.path_params["issuer"]), network_of(request)
        await self._web.sign_in.back_channel(issuer, token, network=network)
        return Response(status_code=200)


def standing(console: Console, visitor: Visitor) -> tuple[list[str], list[str]]:
    """The groups and roles somebody has now."""
    groups = console.web.callers.groups(visitor.user)
    roles = roles_of(visitor.user, groups, console.web.configuration().assignments) | {"member"}
    return sorted(groups), sorted(roles)


def credential_of(text: str) -> Mapping[str, Any]:
    """A passkey's answer. Raises `InvalidRequestError`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidRequestError("The passkey's answer cannot be read.")
    return document


def _logout_refused(failure: OstiaryError) -> Response:
    """Back-Channel Logout 1.0 section 2.8."""
    document = {"error": "invalid_request", "error_description": "The logout token was not accepted."}
    status = 400 if isinstance(failure, SignInRefusedError | InvalidRequestError) else 503
    return Response(orjson.dumps(document), status, media_type="application/json")
