"""What may become of an approval, as a table. What is not in it cannot happen."""

from enum import StrEnum

from ostiary.model.approval import ApprovalState


class ApprovalEvent(StrEnum):
    APPROVE = "approve"
    DENY = "deny"
    """Also takes back a grant that is not used yet."""
    USE = "use"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    """The one who asked may no longer ask."""


TRANSITIONS: dict[tuple[ApprovalState, ApprovalEvent], ApprovalState] = {
    (ApprovalState.WAITING, ApprovalEvent.APPROVE): ApprovalState.GRANTED,
    (ApprovalState.WAITING, ApprovalEvent.DENY): ApprovalState.DENIED,
    (ApprovalState.WAITING, ApprovalEvent.EXPIRE): ApprovalState.EXPIRED,
    (ApprovalState.WAITING, ApprovalEvent.WITHDRAW): ApprovalState.WITHDRAWN,
    (ApprovalState.GRANTED, ApprovalEvent.USE): ApprovalState.USED,
    (ApprovalState.GRANTED, ApprovalEvent.DENY): ApprovalState.DENIED,
    (ApprovalState.GRANTED, ApprovalEvent.EXPIRE): ApprovalState.EXPIRED,
    (ApprovalState.GRANTED, ApprovalEvent.WITHDRAW): ApprovalState.WITHDRAWN,
}

OPEN_STATES = frozenset({ApprovalState.WAITING, ApprovalState.GRANTED})
"""Something can still come of these."""


def after(state: ApprovalState, event: ApprovalEvent) -> ApprovalState | None:
    """The next state, or None when the event cannot happen in `state`."""
    return TRANSITIONS.get((state, event))


def states_before(event: ApprovalEvent) -> frozenset[ApprovalState]:
    """The states in which `event` can happen."""
    return frozenset(state for state, possible in TRANSITIONS if possible is event)
