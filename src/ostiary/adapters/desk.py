"""Where requests wait for a person: durable in the store first, then the waiting coroutines wake."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from ostiary.adapters.stores.approvals import Approvals, TooManyWaitingError
from ostiary.approval.automaton import ApprovalEvent
from ostiary.audit.entries import VERSION, entry_time
from ostiary.model.actor import ActorKind
from ostiary.model.approval import Approval, ApprovalState
from ostiary.model.errors import CallerError, NotFoundError, RefusedError

EXPIRES_MAX_S = 7 * 86_400.0
"""No approval stays open longer, whatever its rule says."""

REASON_MAX_CHARACTERS = 1000

_Result = TypeVar("_Result")


class Desk:
    """Implements `ports.ApprovalDesk`, and the decisions. Lives on one event loop; the store is written by
    one thread of its own. `clock` gives seconds since the epoch; when it jumps back, the desk's time stands.
    """

    def __init__(
        self,
        approvals: Approvals,
        *,
        waiting_max: int,
        clock: Callable[[], float],
        note: Callable[[dict[str, Any]], None],
    ) -> None:
        """`note` queues an audit entry."""
        self._approvals = approvals
        self._waiting_max = waiting_max
        self._clock = clock
        self._latest = 0.0
        self._note = note
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="approvals")

    async def ask(self, approval: Approval) -> Approval:
        """The approval that is open now: this one, or the one already open for the same fingerprint and
        actor. Raises `RefusedError` when the actor has too many waiting."""
        return await self._whole(self._ask(approval))

    async def _ask(self, approval: Approval) -> Approval:
        await self._sweep()
        now = self._now()
        asked = replace(
            approval,
            state=ApprovalState.WAITING,
            asked_at=now,
            expires_at=min(approval.expires_at, now + EXPIRES_MAX_S),
        )
        try:
            opened, is_new = await self._write(self._approvals.open, asked, now, self._waiting_max)
        except TooManyWaitingError:
            raise RefusedError(
                f"{approval.actor} already has {self._waiting_max} requests waiting for approval.",
                "Wait until some are answered, then send this one again.",
            ) from None
        if is_new:
            self._note_approval("approval.asked", opened, fingerprint=opened.fingerprint, rule=opened.rule)
        return opened

    async def wait(self, approval_id: str, timeout_s: float) -> Approval:
        """The approval as soon as it is no longer waiting, or as it stands after `timeout_s`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(approval_id, set()).add(future)
        try:
            # Looked at only after registering, so that a decision in between is not missed.
            approval = self.get(approval_id)
            if approval.state is ApprovalState.WAITING:
                left_s = min(timeout_s, approval.expires_at - self._now())
                await asyncio.wait([future], timeout=max(0.0, left_s))
                await self.sweep()
            return self.get(approval_id)
        finally:
            waiting = self._waiters[approval_id]
            waiting.discard(future)
            if not waiting:
                del self._waiters[approval_id]

    async def use(self, approval_id: str) -> bool:
        """Spend the grant; True exactly once."""
        return await self._whole(self._use(approval_id))

    async def _use(self, approval_id: str) -> bool:
        done = await self._write(self._approvals.move, approval_id, ApprovalEvent.USE, self._now())
        if done:
            self._note_approval("approval.used", self.get(approval_id))
        return done

    async def leave(self, approval_id: str) -> None:
        """Nothing is sent for a client that went away: its coroutine is gone, the approval stays for the same
        request sent again. The record says that it left."""
        self._note_approval("approval.left", self.get(approval_id))

    async def decide(
        self,
        approval_id: str,
        approve: bool,
        by: str,
        reason: str | None = None,
        own_names: frozenset[str] = frozenset(),
    ) -> Approval:
        """The approval as decided. `by` goes on record; `own_names` are names under which the decider may
        have asked. Denying also takes back a grant that is not used yet.

        Raises `NotFoundError`, `CallerError` when a demanded reason is missing or there is nothing to decide
        any more, and `RefusedError` for one's own request.
        """
        return await self._whole(self._decide(approval_id, approve, by, reason, own_names))

    async def _decide(
        self, approval_id: str, approve: bool, by: str, reason: str | None, own_names: frozenset[str]
    ) -> Approval:
        await self._sweep()
        approval = self.get(approval_id)
        given = (reason or "").strip()
        _check_reason(approval, approve, given)
        if approve and approval.actor.lower() in {name.lower() for name in own_names}:
            raise RefusedError("Nobody approves their own request.", "Ask somebody else to approve it.")
        event = ApprovalEvent.APPROVE if approve else ApprovalEvent.DENY
        if not await self._write(self._approvals.move, approval_id, event, self._now(), by, given or None):
            state = self.get(approval_id).state
            raise CallerError(f"This approval is {state}; it can no longer be {'approved' if approve else 'denied'}.")
        decided = self.get(approval_id)
        self._note_approval(
            "approval.approved" if approve else "approval.denied", decided, by=by, reason=decided.reason
        )
        self._wake(approval_id)
        return decided

    async def withdraw(self, kind: ActorKind, actor: str, agent: str | None) -> None:
        """Close everything an actor has open, because they may no longer ask."""
        await self._whole(self._withdraw(kind, actor, agent))

    async def _withdraw(self, kind: ActorKind, actor: str, agent: str | None) -> None:
        for approval_id in self._approvals.open_of(kind, actor, agent):
            await self._close(approval_id, ApprovalEvent.WITHDRAW, "approval.withdrawn")

    async def retract(self, approval_id: str) -> None:
        """Close it, because whoever waited for it lost their access; not while others wait for it."""
        if not self.clients_waiting(approval_id):
            await self._whole(self._close(approval_id, ApprovalEvent.WITHDRAW, "approval.withdrawn"))

    async def sweep(self) -> None:
        """Expire what is due and wake those who wait for it."""
        await self._whole(self._sweep())

    async def _sweep(self) -> None:
        for approval_id in self._approvals.due(self._now()):
            await self._close(approval_id, ApprovalEvent.EXPIRE, "approval.expired")

    def get(self, approval_id: str) -> Approval:
        """Raises `NotFoundError`."""
        found = self._approvals.get(approval_id)
        if found is None:
            raise NotFoundError("There is no such approval.", "`ostiary approvals list` shows those there are.")
        return found

    def newest(self, state: ApprovalState | None, limit: int) -> list[Approval]:
        return self._approvals.newest(state, limit)

    def clients_waiting(self, approval_id: str) -> int:
        """How many requests are being held for it at this moment."""
        return len(self._waiters.get(approval_id, ()))

    def close(self) -> None:
        """Waits for a write that is under way."""
        self._writer.shutdown(wait=True)

    async def _close(self, approval_id: str, event: ApprovalEvent, entry_type: str) -> None:
        if await self._write(self._approvals.move, approval_id, event, self._now()):
            self._note_approval(entry_type, self.get(approval_id))
            self._wake(approval_id)

    async def _write(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)

    async def _whole(self, steps: Coroutine[Any, Any, _Result]) -> _Result:
        """Run to the end even when the caller is cancelled: a client that goes away must not leave a change
        made and not told."""
        task = asyncio.get_running_loop().create_task(steps)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    def _wake(self, approval_id: str) -> None:
        for future in self._waiters.get(approval_id, ()):
            if not future.done():
                future.set_result(None)

    def _note_approval(self, entry_type: str, approval: Approval, **more: object) -> None:
        self._note(
            {
                "v": VERSION,
                "type": entry_type,
                "time": entry_time(self._now()),
                "approval": approval.id,
                "exchange": approval.exchange,
                "actor": {
                    "kind": approval.actor_kind.value,
                    "name": approval.actor,
                    "agent": approval.agent,
                },
                "connection": approval.connection,
                "operation": approval.operation,
                **more,
            }
        )

    def _now(self) -> float:
        self._latest = max(self._latest, self._clock())
        return self._latest


def _check_reason(approval: Approval, approve: bool, reason: str) -> None:
    if len(reason) > REASON_MAX_CHARACTERS:
        raise CallerError(f"A reason has at most {REASON_MAX_CHARACTERS} characters.")
    if approve and approval.reason_required and not reason:
        raise CallerError("The rule demands a reason for approving.", "Give one with --reason.")
