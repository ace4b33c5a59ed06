"""Every state with every event, and every path through the table."""

import itertools

import pytest

from ostiary.approval.automaton import OPEN_STATES, TRANSITIONS, ApprovalEvent, after, states_before
from ostiary.model.approval import ApprovalState

EXPECTED = {
    "waiting": {
        "approve": "granted",
        "deny": "denied",
        "expire": "expired",
        "withdraw": "withdrawn",
        "use": None,
    },
    "granted": {
        "approve": None,
        "deny": "denied",
        "expire": "expired",
        "withdraw": "withdrawn",
        "use": "used",
    },
    "used": dict.fromkeys(["approve", "deny", "expire", "withdraw", "use"]),
    "denied": dict.fromkeys(["approve", "deny", "expire", "withdraw", "use"]),
    "expired": dict.fromkeys(["approve", "deny", "expire", "withdraw", "use"]),
    "withdrawn": dict.fromkeys(["approve", "deny", "expire", "withdraw", "use"]),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(ApprovalState, ApprovalEvent)))
def test_every_state_and_event(state: ApprovalState, event: ApprovalEvent) -> None:
    assert after(state, event) == EXPECTED[state.value][event.value]
    assert (state in states_before(event)) == (EXPECTED[state.value][event.value] is not None)


def test_on_every_path_a_grant_is_used_at_most_once_and_only_after_an_approval() -> None:
    paths: list[tuple[ApprovalState, tuple[ApprovalEvent, ...]]] = [(ApprovalState.WAITING, ())]
    seen = set()
    while paths:
        state, events = paths.pop()
        seen.add(state)
        assert events.count(ApprovalEvent.USE) <= 1
        assert ApprovalEvent.USE not in events or ApprovalEvent.APPROVE in events[: events.index(ApprovalEvent.USE)]
        if ApprovalEvent.DENY in events:
            assert state is ApprovalState.DENIED
        following = [(target, (*events, event)) for (source, event), target in TRANSITIONS.items() if source is state]
        assert bool(following) == (state in OPEN_STATES)
        paths += following
    assert seen == set(ApprovalState)
