"""The asking, and its result."""

from dataclasses import dataclass
from enum import StrEnum

from ostiary.model.actor import ActorKind


class ApprovalState(StrEnum):
    WAITING = "waiting"
    GRANTED = "granted"
    USED = "used"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Approval:
    """One asking. Times are seconds since the epoch; `fingerprint` is the SHA-256 (hex) of the exact request.

    `expires_at` bounds both the answer and the use of the grant. `preview` is the canonical request as the
    approver sees it, with odd characters escaped and secret fields removed. `user_id` and `token_id` say who asked,
    beyond the name; None in those of earlier versions.
    """

    id: str
    state: ApprovalState
    fingerprint: str
    actor: str
    agent: str | None
    connection: str
    operation: str
    method: str
    target: str
    rule: str
    preview: str
    body_bytes: int
    asked_at: float
    expires_at: float
    exchange: str
    actor_kind: ActorKind = ActorKind.USER
    reason_required: bool = False
    decided_by: str | None = None
    decided_at: float | None = None
    reason: str | None = None
    user_id: str | None = None
    token_id: str | None = None
