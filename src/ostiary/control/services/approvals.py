"""Requests that wait for a person, and the decisions."""

import asyncio
from dataclasses import dataclass

from ostiary.control.caller import Caller, Permission
from ostiary.control.identity_ports import People
from ostiary.control.ports import DecisionDesk, TokenStore
from ostiary.model.approval import Approval, ApprovalState
from ostiary.model.errors import NotFoundError, RefusedError
from ostiary.model.person import name_key

LOOKED_THROUGH_MAX = 5000
"""Approvals among which somebody's own are looked for, the newest first."""


@dataclass(frozen=True, slots=True)
class SeenApproval:
    """`clients_waiting`: requests that are held for it at this moment."""

    approval: Approval
    clients_waiting: int


class ApprovalService:
    def __init__(self, desk: DecisionDesk, people: People, tokens: TokenStore) -> None:
        self._desk = desk
        self._people = people
        self._tokens = tokens

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
        if approve and await asyncio.to_thread(self._is_of, caller, self._desk.get(approval_id)):
            raise RefusedError("Nobody approves their own request.", "Ask somebody else to approve it.")
        return self._seen(await self._desk.decide(approval_id, approve, caller.label, reason, caller.all_names))

    def _is_of(self, caller: Caller, approval: Approval) -> bool:
        """Whether the caller asked: as themselves, as somebody who has a name or address of theirs, or with a token
        that they made (F03)."""
        if approval.user_id is not None:
            asker = self._people.get(approval.user_id)
            theirs = {name_key(name) for name in (asker.name, asker.email) if name} if asker is not None else set()
            if approval.user_id == caller.user_id or not theirs.isdisjoint(map(name_key, caller.all_names)):
                return True
        record = self._tokens.get(approval.token_id) if approval.token_id is not None else None
        return record is not None and caller.user_id is not None and record.created_by == caller.label

    def _seen(self, approval: Approval) -> SeenApproval:
        return SeenApproval(approval, self._desk.clients_waiting(approval.id))


def _may_see(caller: Caller, approval: Approval) -> bool:
    return caller.may(Permission.APPROVALS_READ) or caller.is_own(
        approval.actor_kind, approval.actor, approval.user_id, approval.asked_at
    )
