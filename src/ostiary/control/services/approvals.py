"""Requests that wait for a person, and the decisions."""

from dataclasses import dataclass

from ostiary.control.caller import Caller, Permission
from ostiary.control.ports import DecisionDesk
from ostiary.model.approval import Approval, ApprovalState
from ostiary.model.errors import NotFoundError

LOOKED_THROUGH_MAX = 5000
"""Approvals among which somebody's own are looked for, the newest first."""


@dataclass(frozen=True, slots=True)
class SeenApproval:
    """`clients_waiting`: requests that are held for it at this moment."""

    approval: Approval
    clients_waiting: int


class ApprovalService:
    def __init__(self, desk: DecisionDesk) -> None:
        self._desk = desk

    async def list(self, caller: Caller, state: ApprovalState | None, limit: int) -> list[SeenApproval]:
        """The newest first; without the permission only what the caller asked for."""
        caller.require(Permission.STATUS_READ)
        await self._desk.sweep()
        found = self._desk.newest(state, limit if caller.may(Permission.APPROVALS_READ) else LOOKED_THROUGH_MAX)
        return [self._seen(approval) for approval in found if _may_see(caller, approval)][:limit]

    async def get(self, caller: Caller, approval_id: str) -> SeenApproval:
        """Raises `NotFoundError`, for somebody else's too (I02)."""
        caller.require(Permission.STATUS_READ)
        await self._desk.sweep()
        approval = self._desk.get(approval_id)
        if not _may_see(caller, approval):
            raise NotFoundError("There is no such approval.", "`ostiary approvals list` shows those there are.")
        return self._seen(approval)

    async def decide(self, caller: Caller, approval_id: str, approve: bool, reason: str | None) -> SeenApproval:
        """Raises `NotFoundError`, `CallerError` and, for the caller's own request, `RefusedError`."""
        caller.require(Permission.APPROVALS_DECIDE)
        return self._seen(await self._desk.decide(approval_id, approve, caller.label, reason, caller.names))

    def _seen(self, approval: Approval) -> SeenApproval:
        return SeenApproval(approval, self._desk.clients_waiting(approval.id))


def _may_see(caller: Caller, approval: Approval) -> bool:
    return caller.may(Permission.APPROVALS_READ) or caller.is_own(approval.actor_kind, approval.actor)
