"""Whatever answers `ports.ApprovalDesk` behaves like this."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ostiary.adapters.desk import EXPIRES_MAX_S, Desk
from ostiary.model.actor import ActorKind
from ostiary.model.approval import Approval, ApprovalState
from ostiary.model.errors import CallerError, NotFoundError, RefusedError
from support.control_room import NOW, asked

BY = "local owner (uid 0)"


class Scene:
    """A desk with a clock that the test moves."""

    def __init__(self, store: Any) -> None:
        self.now = NOW
        self.entries: list[dict[str, Any]] = []
        self.desk = Desk(store.approvals, waiting_max=3, clock=lambda: self.now, note=self.entries.append)

    def types(self) -> list[str]:
        return [str(entry["type"]).removeprefix("approval.") for entry in self.entries]


def play(store: Any, story: Callable[[Scene], Awaitable[None]]) -> Scene:
    scene = Scene(store)

    async def told() -> None:
        await asyncio.wait_for(story(scene), 30)

    try:
        asyncio.run(told())
    finally:
        scene.desk.close()
    return scene


def test_an_approved_request_wakes_at_once_and_is_used_once(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        waiting = [asyncio.create_task(scene.desk.wait("a1", 20)) for _ in range(5)]
        await asyncio.sleep(0.02)
        assert scene.desk.clients_waiting("a1") == 5
        decided = await scene.desk.decide("a1", True, BY, " fine ")
        assert (decided.state, decided.decided_by, decided.decided_at, decided.reason) == ("granted", BY, NOW, "fine")
        assert {approval.state for approval in await asyncio.gather(*waiting)} == {ApprovalState.GRANTED}
        assert scene.desk.clients_waiting("a1") == 0
        assert sum(await asyncio.gather(*(scene.desk.use("a1") for _ in range(100)))) == 1
        assert scene.desk.get("a1").state is ApprovalState.USED

    assert play(store, story).types() == ["asked", "approved", "used"]


def test_a_decision_is_durable_before_anybody_wakes(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))

        async def seen() -> ApprovalState:
            await scene.desk.wait("a1", 20)
            return store.approvals.get("a1").state

        waiting = asyncio.create_task(seen())
        await asyncio.sleep(0)
        await scene.desk.decide("a1", True, BY)
        assert await waiting is ApprovalState.GRANTED

    play(store, story)


def test_a_decision_just_before_the_wait_is_not_missed(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        await scene.desk.decide("a1", False, BY, "no")
        assert (await scene.desk.wait("a1", 20)).reason == "no"

    play(store, story)


def test_the_same_request_is_one_approval_and_another_actors_is_another(store: Any) -> None:
    async def story(scene: Scene) -> None:
        first = await scene.desk.ask(asked("a1", fingerprint="f"))
        assert (await scene.desk.ask(asked("a2", fingerprint="f"))).id == first.id
        assert (await scene.desk.ask(asked("a3", fingerprint="f", actor="bob"))).id == "a3"
        assert (await scene.desk.ask(asked("a4", fingerprint="f", agent="x"))).id == "a4"
        assert (await scene.desk.ask(asked("a5", fingerprint="f", actor_kind=ActorKind.SERVICE))).id == "a5"
        await scene.desk.decide("a1", True, BY)
        again = await scene.desk.ask(asked("a6", fingerprint="f"))
        assert (again.id, again.state) == ("a1", ApprovalState.GRANTED)
        assert await scene.desk.use("a1")
        assert (await scene.desk.ask(asked("a7", fingerprint="f"))).id == "a7"

    play(store, story)


def test_many_at_once_become_one(store: Any) -> None:
    async def story(scene: Scene) -> None:
        opened = await asyncio.gather(*(scene.desk.ask(asked(f"a{n}", fingerprint="f")) for n in range(50)))
        assert len({approval.id for approval in opened}) == 1

    assert play(store, story).types() == ["asked"]


def test_an_actor_and_their_agents_have_a_cap_together(store: Any) -> None:
    async def story(scene: Scene) -> None:
        for number in range(3):
            await scene.desk.ask(asked(f"a{number}", agent=f"tool{number}"))
        with pytest.raises(RefusedError, match="already has 3 requests waiting"):
            await scene.desk.ask(asked("a9"))
        await scene.desk.ask(asked("b1", actor="bob"))
        await scene.desk.decide("a0", False, BY)
        await scene.desk.ask(asked("a9"))

    play(store, story)


def test_time_ends_what_waits_and_what_was_granted(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        await scene.desk.ask(asked("a2"))
        await scene.desk.decide("a2", True, BY)
        assert (await scene.desk.wait("a1", 0.01)).state is ApprovalState.WAITING
        scene.now = NOW + 600
        assert await scene.desk.use("a2") is False
        assert (await scene.desk.wait("a1", 20)).state is ApprovalState.EXPIRED
        with pytest.raises(CallerError, match="is expired"):
            await scene.desk.decide("a1", True, BY)
        assert scene.desk.get("a2").state is ApprovalState.EXPIRED

    assert play(store, story).types() == ["asked", "asked", "approved", "expired", "expired"]


def test_a_clock_that_jumps_back_revives_nothing(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        await scene.desk.decide("a1", True, BY)
        scene.now = NOW + 601
        await scene.desk.ask(asked("a2", expires_at=NOW + 2000))
        scene.now = NOW
        assert await scene.desk.use("a1") is False

    play(store, story)


def test_no_approval_outlives_the_longest_time(store: Any) -> None:
    async def story(scene: Scene) -> None:
        opened = await scene.desk.ask(asked("a1", expires_at=NOW + 1e12, asked_at=0.0))
        assert (opened.asked_at, opened.expires_at) == (NOW, NOW + EXPIRES_MAX_S)

    play(store, story)


def test_a_denied_grant_cannot_be_used_and_nothing_ended_is_decided_again(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        await scene.desk.decide("a1", True, BY, "yes")
        denied = await scene.desk.decide("a1", False, BY, "changed my mind")
        assert (denied.state, denied.reason) == (ApprovalState.DENIED, "changed my mind")
        assert await scene.desk.use("a1") is False
        for approve in (True, False):
            with pytest.raises(CallerError, match="is denied"):
                await scene.desk.decide("a1", approve, BY)

    play(store, story)


def test_nothing_waiting_is_used(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        assert await scene.desk.use("a1") is False
        assert await scene.desk.use("unknown") is False
        with pytest.raises(NotFoundError):
            await scene.desk.wait("unknown", 1)
        with pytest.raises(NotFoundError):
            await scene.desk.decide("unknown", True, BY)

    play(store, story)


@pytest.mark.parametrize("own", ["anna", "ANNA"])
def test_nobody_approves_their_own_request_but_may_deny_it(store: Any, own: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1", agent="tool"))
        with pytest.raises(RefusedError):
            await scene.desk.decide("a1", True, BY, own_names=frozenset({own, "other"}))
        await scene.desk.decide("a1", False, BY, own_names=frozenset({own}))

    play(store, story)


def test_a_demanded_reason_is_demanded(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1", reason_required=True))
        for reason in (None, "", "  "):
            with pytest.raises(CallerError, match="demands a reason"):
                await scene.desk.decide("a1", True, BY, reason)
        with pytest.raises(CallerError, match="at most"):
            await scene.desk.decide("a1", True, BY, "x" * 1001)
        await scene.desk.decide("a1", True, BY, "because")

    play(store, story)


def test_a_client_that_left_is_not_counted_and_leaves_the_approval_to_the_next(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        held = asyncio.create_task(scene.desk.wait("a1", 20))
        await asyncio.sleep(0.01)
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
        await scene.desk.leave("a1")
        assert scene.desk.clients_waiting("a1") == 0
        await scene.desk.decide("a1", True, BY)
        assert await scene.desk.use("a1")

    assert play(store, story).types() == ["asked", "left", "approved", "used"]


def test_a_cancelled_asker_leaves_nothing_untold(store: Any) -> None:
    async def story(scene: Scene) -> None:
        asking = asyncio.create_task(scene.desk.ask(asked("a1")))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0.1)
        assert scene.desk.get("a1").state is ApprovalState.WAITING

    assert play(store, story).types() == ["asked"]


def test_what_is_withdrawn_can_no_longer_be_granted(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        await scene.desk.ask(asked("a2", agent="tool"))
        held = asyncio.create_task(scene.desk.wait("a1", 20))
        await asyncio.sleep(0.01)
        await scene.desk.withdraw(ActorKind.USER, "anna", None)
        assert (await held).state is ApprovalState.WITHDRAWN
        assert scene.desk.get("a2").state is ApprovalState.WAITING

    play(store, story)


def test_what_was_asked_without_access_is_closed_unless_another_client_waits(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        waiting = asyncio.create_task(scene.desk.wait("a1", 20))
        await asyncio.sleep(0.02)
        await scene.desk.retract("a1")
        assert scene.desk.get("a1").state is ApprovalState.WAITING
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await scene.desk.retract("a1")
        await scene.desk.retract("a1")
        assert scene.desk.get("a1").state is ApprovalState.WITHDRAWN

    assert play(store, story).types() == ["asked", "withdrawn"]


def test_open_approvals_survive_the_desk(store: Any) -> None:
    async def before(scene: Scene) -> None:
        await scene.desk.ask(asked("a1"))
        await scene.desk.decide("a1", True, BY)

    async def after(scene: Scene) -> None:
        assert (await scene.desk.ask(asked("a2", fingerprint="fa1"))).id == "a1"
        assert await scene.desk.use("a1")

    play(store, before)
    play(store, after)


def test_entries_name_who_asked_for_what_and_never_the_request(store: Any) -> None:
    async def story(scene: Scene) -> None:
        await scene.desk.ask(asked("a1", preview="the body"))

    (entry,) = play(store, story).entries
    assert (entry["v"], entry["approval"], entry["exchange"]) == (1, "a1", "e1")
    assert entry["actor"] == {"kind": "user", "name": "anna", "agent": None}
    assert "the body" not in repr(entry)


def test_lists_are_newest_first_and_by_state(store: Any) -> None:
    async def story(scene: Scene) -> None:
        for number in range(3):
            scene.now = NOW + number
            await scene.desk.ask(asked(f"a{number}"))
        await scene.desk.decide("a1", True, BY)
        assert ids(scene.desk.newest(None, 10)) == ["a2", "a1", "a0"]
        assert ids(scene.desk.newest(ApprovalState.GRANTED, 10)) == ["a1"]
        assert ids(scene.desk.newest(None, 1)) == ["a2"]

    play(store, story)


def ids(approvals: list[Approval]) -> list[str]:
    return [approval.id for approval in approvals]
