"""Requests that wait for a person, and the decisions."""

from dataclasses import dataclass

from ostiary.control.caller import Caller, Permission
from ostiary.control.ports import DecisionDesk
from ostiary.model.approval import Approval, ApprovalState


@dataclass(frozen=True, slots=True)
class SeenApproval:
    """`clients_waiting`: requests that are held for it at this moment."""

    approval: Approval
    clients_waiting: int


class ApprovalService:
    def __init__(self, desk: DecisionDesk) -> None:
        self._desk = desk

    async def list(self, caller: Caller, state: ApprovalState | None, limit: int) -> list[SeenApproval]:
        """The newest first."""
        caller.require(Permission.APPROVALS_READ)
        await self._desk.sweep()
        return [self._seen(approval) for approval in self._desk.newest(state, limit)]

    async def get(self, caller: Caller, approval_id: str) -> SeenApproval:
        """Raises `NotFoundError`."""
        caller.require(Permission.APPROVALS_READ)
        await self._desk.sweep()
        return self._seen(self._desk.get(approval_id))

    async def decide(self, caller: Caller, approval_id: str, approve: bool, reason: str | None) -> SeenApproval:
        """Raises `NotFoundError`, `CallerError` and, for the caller's own request, `RefusedError`."""
        caller.require(Permission.APPROVALS_DECIDE)
        return self._seen(await self._desk.decide(approval_id, approve, caller.label, reason, caller.names))

    def _seen(self, approval: Approval) -> SeenApproval:
        return SeenApproval(approval, self._desk.clients_waiting(approval.id))
