"""Stage 6: a request that waits for a person, who approves exactly what will be sent."""

import asyncio
import contextlib
from collections.abc import Callable
from hashlib import sha256

from ostiary.approval.fingerprint import fingerprint
from ostiary.approval.preview import preview
from ostiary.gateway.route import Route
from ostiary.gateway.state import Exchange
from ostiary.model.actor import Actor
from ostiary.model.approval import Approval, ApprovalState
from ostiary.model.decision import Ask
from ostiary.model.errors import GatewayRefusal, RefusedError
from ostiary.ports import ApprovalDesk
from ostiary.protocols.targets import redacted_target

_JUDGED_FIELDS = (b"content-type", b"accept", b"idempotency-key", b"anthropic-version", b"anthropic-beta")
HOLD_MAX_S = 600.0


def _judged_headers(exchange: Exchange) -> list[tuple[str, str]]:
    return [
        (name.decode("ascii"), value.decode("ascii"))
        for name, value, _fate in exchange.head.fields
        if name in _JUDGED_FIELDS
    ]


class Asking:
    """Holds requests. `console_url` says where approvals are shown, once that is known."""

    def __init__(self, desk: ApprovalDesk, console_url: Callable[[], str]) -> None:
        self._desk = desk
        self._console_url = console_url
        self._leaving: set[asyncio.Task[None]] = set()

    async def settle(
        self, exchange: Exchange, actor: Actor, route: Route, ask: Ask, body: bytes, identity: str, now: float
    ) -> None:
        """Return when this exact request has been approved and its grant is spent.

        Raises `GatewayRefusal` 403 with `approval_pending`, `approval_denied` or `approval_expired`.
        """
        approval = await self._open(exchange, actor, route, ask, body, identity, now)
        if approval.state is ApprovalState.WAITING:
            try:
                approval = await self._desk.wait(approval.id, min(ask.terms.hold_s, HOLD_MAX_S))
            except asyncio.CancelledError:
                # Access ended: nobody need decide any more. The client went: it may come back.
                lost_access = exchange.end != "complete" and not exchange.client_gone
                left = self._desk.retract(approval.id) if lost_access else self._desk.leave(approval.id)
                leaving = asyncio.get_running_loop().create_task(left)
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)
                if lost_access:
                    # Whoever is told so may rely on it; a client that goes meanwhile changes nothing.
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.shield(leaving)
                raise
        if approval.state is ApprovalState.GRANTED and await self._desk.use(approval.id):
            exchange.approval = approval.id
            exchange.approved_by = approval.decided_by
            return
        raise self._refusal(approval)

    async def _open(
        self, exchange: Exchange, actor: Actor, route: Route, ask: Ask, body: bytes, identity: str, now: float
    ) -> Approval:
        target = exchange.target
        shown_target = redacted_target(target) if target is not None else ""
        exact_target = bytes(target).decode("ascii") if target is not None else ""
        method = exchange.head.method.decode("ascii")
        headers = _judged_headers(exchange)
        number = fingerprint(
            actor=f"{actor.kind.value}:{actor.name}",
            agent=actor.agent,
            connection=route.name,
            method=method,
            target=exact_target,
            headers=headers,
            body_digest=sha256(body).digest(),
            rule=ask.rule,
        )
        text = await asyncio.get_running_loop().run_in_executor(
            None,
            lambda: preview(
                method=method,
                target=shown_target,
                headers=headers,
                body=body,
                secret_fields=exchange.operation.secret_fields,
            ),
        )
        try:
            return await self._desk.ask(
                Approval(
                    id=identity,
                    state=ApprovalState.WAITING,
                    fingerprint=number,
                    actor=actor.name,
                    agent=actor.agent,
                    connection=route.name,
                    operation=exchange.operation.name,
                    method=method,
                    target=shown_target,
                    rule=ask.rule,
                    preview=text,
                    body_bytes=len(body),
                    asked_at=now,
                    expires_at=now + ask.terms.expires_s,
                    exchange=exchange.id,
                    actor_kind=actor.kind,
                    reason_required=ask.terms.reason_required,
                    user_id=actor.user_id,
                    token_id=actor.token_id,
                )
            )
        except RefusedError as error:
            raise GatewayRefusal(403, "approval_pending", error.sentence, error.next_step) from None

    def _refusal(self, approval: Approval) -> GatewayRefusal:
        reason = f" Reason: {approval.reason}." if approval.reason else ""
        match approval.state:
            case ApprovalState.DENIED:
                return GatewayRefusal(
                    403, "approval_denied", f"{approval.decided_by or 'The approver'} denied this request.{reason}"
                )
            case ApprovalState.WAITING:
                return GatewayRefusal(
                    403,
                    "approval_pending",
                    f"Rule `{approval.rule}` lets this request through only after somebody approved it. "
                    f"Send exactly the same request again once approval {approval.id} is given.",
                    f"It waits at {self._console_url()}/approvals/{approval.id}",
                )
            case _:
                return GatewayRefusal(
                    403,
                    "approval_expired",
                    f"Approval {approval.id} was not answered or used in time.",
                    "Send the request again to ask anew.",
                )
