"""A request that waits for a person. Looking never decides (F05)."""

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostiary.control.api.fields import InvalidRequestError
from ostiary.control.caller import Permission, StepUpRequiredError
from ostiary.control.services.approvals import SeenApproval
from ostiary.control.services.console_sessions import Visitor
from ostiary.control.web.console import Console
from ostiary.control.web.pages import handled, page, see_other
from ostiary.identity.urls import with_query
from ostiary.model.approval import ApprovalState
from ostiary.model.errors import CallerError, NotFoundError, RefusedError

REASON_MAX_CHARACTERS = 1000
_APPROVAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ANSWERABLE = frozenset({ApprovalState.WAITING, ApprovalState.GRANTED})


class ApprovalPages:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._approvals = console.web.services.approvals

    def routes(self) -> list[Route]:
        return [
            Route("/approvals/{id}", handled(self._show), methods=["GET"]),
            Route("/approvals/{id}", handled(self._decide), methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        return await self._page(request, await self._console.visitor(request))

    async def _page(
        self, request: Request, visitor: Visitor | None, complaint: str = "", status: int = 200, typed: str = ""
    ) -> Response:
        """The same page whether there is no such approval or somebody may not see it (E21)."""
        name = _name_of(request)
        seen = await self._seen(visitor, name)
        return page(
            "approval", visitor, status,
            name=name, seen=seen, complaint=complaint, typed=typed,
            may_decide=visitor is not None and visitor.caller.may(Permission.APPROVALS_DECIDE),
            can_approve=seen is not None and seen.approval.state is ApprovalState.WAITING,
            can_deny=seen is not None and seen.approval.state in _ANSWERABLE,
        )  # fmt: skip

    async def _seen(self, visitor: Visitor | None, name: str) -> SeenApproval | None:
        if visitor is None or not name:
            return None
        try:
            return await self._approvals.get(visitor.caller, name)
        except (NotFoundError, RefusedError):
            return None

    async def _decide(self, request: Request) -> Response:
        visitor, fields = await self._console.visitors_form(request, {"decision", "reason"})
        decision, reason = fields.get("decision"), fields.get("reason", "").strip()
        if decision not in {"approve", "deny"} or len(reason) > REASON_MAX_CHARACTERS:
            raise InvalidRequestError("The form says neither yes nor no, or too much.")
        here = f"/approvals/{_name_of(request)}"
        try:
            await self._approvals.decide(visitor.caller, _name_of(request), decision == "approve", reason or None)
        except StepUpRequiredError:
            # Nothing is remembered of the answer: whoever comes back looks again and decides then.
            return see_other(with_query("/sign-in", [("next", here), ("again", "1")]))
        except NotFoundError:
            raise
        except (CallerError, RefusedError) as refused:
            return await self._page(request, visitor, str(refused), 422, reason)
        return see_other(here)


def _name_of(request: Request) -> str:
    """Empty for what cannot be an approval's id."""
    name = str(request.path_params["id"])
    return name if _APPROVAL_ID.fullmatch(name) else ""
