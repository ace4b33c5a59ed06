"""The use-cases on a real store: what they do, what they record, and whom they refuse."""

import asyncio
import inspect
import threading
import time
from typing import Any

import pytest

from ostiary.adapters.placeholder_book import PlaceholderBook
from ostiary.control.caller import Caller, Permission, local_owner
from ostiary.control.declarative import DeclarativeError
from ostiary.control.services import Services
from ostiary.control.services.housekeeping import keep_house
from ostiary.identity.tokens import looks_like_token, token_hash
from ostiary.model.approval import ApprovalState
from ostiary.model.errors import CallerError, NotFoundError, OperatorError, RefusedError, StorageUnavailableError
from support.control_room import FILE, NOW, Room, asked


async def test_applying_makes_a_version_that_is_shown_and_recorded(room: Room) -> None:
    service = room.services.configuration
    assert (await service.show(room.owner)).version == 0
    planned = await service.plan(room.owner, FILE, "o.yaml", False)
    assert [change.action for change in planned.changes] == ["+", "+", "+"]
    assert room.changes == 0
    applied = await service.apply(room.owner, FILE, "o.yaml", False)
    assert (applied.version, applied.changes, room.changes) == (1, planned.changes, 1)
    shown = await service.show(room.owner)
    assert shown.version == 1
    assert (await service.plan(room.owner, shown.yaml, "o.yaml", True)).changes == ()
    entry = room.log.rows[-1]
    assert entry["type"] == "admin.configuration.apply"
    assert entry["by"] == room.owner.label
    assert entry["detail"]["plan"] == ["+ secret key", "+ connection cursor", "+ rule reads"]


async def test_plans_are_compared_two_at_a_time_whoever_goes_away(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is long work; an auditor who sends many, and stays for none, must not take the machine."""
    service, lock, running = room.services.configuration, threading.Lock(), 0
    most, compare = 0, service._compare

    def slow(*arguments: Any) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return compare(*arguments)

    monkeypatch.setattr(service, "_compare", slow)
    gone = [asyncio.ensure_future(service.plan(room.owner, FILE, "o.yaml", False)) for _ in range(6)]
    await asyncio.sleep(0.005)
    for task in gone:
        task.cancel()
    plans = [service.plan(room.owner, FILE, "o.yaml", False) for _ in range(6)]
    reads = [service.read(room.owner, FILE, "o.yaml") for _ in range(6)]
    assert len(await asyncio.gather(*plans, *reads)) == 12
    assert most == 2


async def test_applying_the_same_again_changes_nothing(room: Room) -> None:
    await room.services.configuration.apply(room.owner, FILE, "o.yaml", False)
    again = await room.services.configuration.apply(room.owner, FILE, "o.yaml", False)
    assert (again.changes, again.version, room.changes) == ((), 1, 1)


async def test_a_wrong_file_changes_nothing(room: Room) -> None:
    with pytest.raises(DeclarativeError):
        await room.services.configuration.apply(room.owner, FILE.replace("[cursor]", "[x]"), "o.yaml", False)
    assert (room.changes, room.log.rows, room.store.configurations.current()) == (0, [], None)


async def test_a_configuration_that_does_not_come_up_is_taken_back(room: Room) -> None:
    service = room.services.configuration
    await service.apply(room.owner, FILE, "o.yaml", False)
    room.refuse_change = OperatorError("The CA file is not there.")
    with pytest.raises(OperatorError, match="CA file"):
        await service.apply(room.owner, "version: 1\n", "o.yaml", True)
    assert (await service.show(room.owner)).version == 1
    assert [rule.name for rule in service.current().rules] == ["reads"]
    assert room.changes == 2
    assert room.types() == ["admin.configuration.apply"]


async def test_without_prune_what_the_file_does_not_name_stays(room: Room) -> None:
    service = room.services.configuration
    await service.apply(room.owner, FILE, "o.yaml", False)
    await service.apply(room.owner, "version: 1\nrules: [{name: shut, effect: deny}]\n", "p.yaml", False)
    assert [rule.name for rule in service.current().rules] == ["reads", "shut"]
    removed = await service.apply(room.owner, "version: 1\nrules: [{name: shut, effect: deny}]\n", "p.yaml", True)
    assert [(change.action, change.name) for change in removed.changes] == [
        ("-", "key"),
        ("-", "cursor"),
        ("-", "reads"),
    ]


async def test_pruning_may_not_leave_a_rule_without_its_connection(room: Room) -> None:
    await room.services.configuration.apply(room.owner, FILE, "o.yaml", False)
    with pytest.raises(DeclarativeError, match="no connection 'cursor'"):
        await room.services.configuration.apply(
            room.owner, "version: 1\nrules: [{name: r, on: [cursor], effect: deny}]\n", "o.yaml", True
        )


async def test_parallel_applies_follow_each_other(room: Room) -> None:
    service = room.services.configuration
    files = [f"version: 1\nrules: [{{name: r{number}, effect: deny}}]\n" for number in range(8)]
    await asyncio.gather(*(service.apply(room.owner, text, "o.yaml", False) for text in files))
    assert {rule.name for rule in service.current().rules} == {f"r{number}" for number in range(8)}


async def test_a_secret_is_sealed_versioned_and_never_listed(room: Room) -> None:
    await room.services.configuration.apply(room.owner, FILE, "o.yaml", False)
    assert await room.services.secrets.set(room.owner, "key", b"hunter2hunter2") == 1
    assert await room.services.secrets.set(room.owner, "key", b"hunter3hunter3") == 2
    assert room.opened("key") == b"hunter3hunter3"
    (listed,) = await room.services.secrets.list(room.owner)
    assert [version.version for version in listed.versions] == [2, 1]
    assert listed.versions[1].replaced_at == NOW
    assert "hunter" not in repr(listed) + repr(room.log.rows)
    assert room.types()[-1] == "admin.secret.set"
    assert room.changes == 3


async def test_a_secret_that_was_not_declared_becomes_a_stored_one(room: Room) -> None:
    await room.services.secrets.set(room.owner, "fresh", b"hunter2hunter2")
    assert [(secret.name, secret.provider) for secret in room.services.configuration.current().secrets] == [
        ("fresh", "stored")
    ]
    text = "version: 1\nconnections: [{name: cursor, kind: cursor, secret: fresh}]\n"
    await room.services.configuration.apply(room.owner, text, "o.yaml", False)


@pytest.mark.parametrize(
    "value", [b"short", b"hunter2\r\nhunter2", b"\x00" * 9, b"x" * 5000, "hünter2hünter2".encode()]
)
async def test_an_illegal_value_is_refused_and_not_repeated(room: Room, value: bytes) -> None:
    with pytest.raises(CallerError) as caught:
        await room.services.secrets.set(room.owner, "key", value)
    assert "hunter" not in str(caught.value)
    assert room.store.secrets.versions() == []


async def test_a_secret_kept_elsewhere_is_not_set_here(room: Room) -> None:
    await room.services.configuration.apply(
        room.owner, "version: 1\nsecrets: [{name: key, from: {env: CURSOR}}]\n", "o.yaml", False
    )
    with pytest.raises(CallerError, match="read from env CURSOR"):
        await room.services.secrets.set(room.owner, "key", b"hunter2hunter2")


async def test_a_token_is_made_once_and_only_its_hash_is_kept(room: Room) -> None:
    created = await room.services.tokens.create(
        room.owner, actor="anna", kind="user", groups=["eng"], ttl_s=3600, connections=["cursor"], agent="cursor@laptop"
    )
    assert looks_like_token(created.text.encode())
    assert created.text.startswith("ost_a")
    assert created.unknown_connections == ("cursor",)
    actor = room.store.tokens.find(token_hash(created.text.encode()))
    assert actor is not None
    assert (actor.kind, actor.name, actor.agent, actor.expires_at) == ("agent", "anna", "cursor@laptop", NOW + 3600)
    assert created.text not in repr(created) + repr(room.log.rows) + repr(await room.services.tokens.list(room.owner))


@pytest.mark.parametrize(
    "wrong",
    [
        {"actor": ""},
        {"actor": "an\nna"},
        {"actor": " anna"},
        {"actor": "an\u202ena"},
        {"kind": "root"},
        {"kind": "agent"},
        {"kind": "service", "agent": "x"},
        {"ttl_s": 0},
        {"ttl_s": -1},
        {"ttl_s": float("nan")},
        {"ttl_s": float("inf")},
        {"ttl_s": 31 * 86_400},
        {"groups": ["a\x00"]},
        {"groups": ["g"] * 201},
        {"connections": [""]},
    ],
)
async def test_an_impossible_token_is_refused(room: Room, wrong: dict[str, Any]) -> None:
    with pytest.raises(CallerError):
        await room.services.tokens.create(room.owner, **{"actor": "anna", "kind": "user", **wrong})
    assert room.store.tokens.newest() == []


async def test_revoking_ends_a_token_and_withdraws_what_its_actor_still_asks(room: Room) -> None:
    first = await room.services.tokens.create(room.owner, actor="anna", kind="user")
    second = await room.services.tokens.create(room.owner, actor="anna", kind="user")
    await room.desk.ask(asked("a1"))
    await room.services.tokens.revoke(room.owner, first.record.id)
    assert room.desk.get("a1").state is ApprovalState.WAITING
    await room.services.tokens.revoke(room.owner, second.record.id)
    await room.services.tokens.revoke(room.owner, second.record.id)
    assert room.desk.get("a1").state is ApprovalState.WITHDRAWN
    assert room.revoked == [first.record.id, second.record.id]
    assert room.store.tokens.find(token_hash(second.text.encode())) is None
    assert room.types().count("admin.token.revoke") == 2
    with pytest.raises(NotFoundError):
        await room.services.tokens.revoke(room.owner, "tok_unknown")


async def test_viewing_a_recording_is_recorded(room: Room) -> None:
    moments = await room.services.history.recording(room.owner, "e1")
    assert [moment.head for moment in moments] == [True, False]
    assert room.log.rows[-1]["type"] == "recording.view"
    assert room.log.rows[-1]["detail"]["exchange"] == "e1"
    with pytest.raises(NotFoundError):
        await room.services.history.recording(room.owner, "e2")


async def test_events_wait_for_exchanges_and_pass_over_the_rest(room: Room) -> None:
    waiting = asyncio.create_task(room.services.audit.events(room.owner, -1, wait_s=5))
    await asyncio.sleep(0.02)
    room.log.append({"type": "admin.secret.set"})
    await asyncio.sleep(0.02)
    assert not waiting.done()
    room.log.append({"type": "exchange.intent"})
    events, after = await waiting
    assert ([index for index, _ in events], after) == ([1], 1)
    assert await room.services.audit.events(room.owner, 1, wait_s=0.01) == ([], 1)


async def test_nobody_approves_their_own_request(room: Room) -> None:
    await room.desk.ask(asked("a1", actor="Anna"))
    anna = Caller("local owner (uid 7)", frozenset(Permission), frozenset({"anna"}))
    with pytest.raises(RefusedError, match="their own"):
        await room.services.approvals.decide(anna, "a1", True, None)
    seen = await room.services.approvals.decide(anna, "a1", False, "no")
    assert seen.approval.state is ApprovalState.DENIED


def test_the_local_owner_is_named_by_uid_and_may_do_everything() -> None:
    owner = local_owner(0)
    assert owner.label == "local owner (uid 0)"
    assert owner.names == {"root"}
    assert owner.permissions == frozenset(Permission)
    assert local_owner(4_000_000).names == frozenset()


def use_cases() -> list[tuple[str, str]]:
    return [
        (part, name)
        for part, service in inspect.get_annotations(Services, eval_str=True).items()
        for name, function in inspect.getmembers(service, inspect.isfunction)
        if not name.startswith("_") and "caller" in inspect.signature(function).parameters
    ]


ANYBODYS = {("configuration", "declare_stored_secret"), ("people", "me")}
"""The one is asked for by another use-case, the other tells callers who they are themselves."""


@pytest.mark.parametrize(("part", "name"), [case for case in use_cases() if case not in ANYBODYS])
async def test_every_use_case_refuses_a_caller_without_permission(
    room: Room, nobody: Caller, part: str, name: str
) -> None:
    function = getattr(getattr(room.services, part), name)
    others = {
        parameter.name: b"hunter2hunter2" if parameter.name == "value" else "x"
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "caller" and parameter.default is parameter.empty
    }

    async def call() -> None:
        result = function(nobody, **others)
        if inspect.isawaitable(result):
            await result

    # What is somebody else's is not there at all.
    with pytest.raises((RefusedError, NotFoundError), match=r"permission|no such person|no such sign-in"):
        await call()
    assert room.log.rows == []


async def test_housekeeping_writes_last_uses_and_ends_what_is_due_also_after_a_failure(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await room.services.tokens.create(room.owner, actor="anna", kind="user")
    await room.desk.ask(asked("a1"))
    refusals = [StorageUnavailableError("The disk is full."), ValueError("a defect of ours")]
    flush = room.store.tokens.flush

    def once_refused() -> None:
        if refusals:
            raise refusals.pop()
        flush()

    monkeypatch.setattr(room.store.tokens, "flush", once_refused)
    monkeypatch.setattr(room.desk, "_clock", lambda: NOW + 601)
    room.store.tokens.used(created.record.id, NOW + 1, "10.0.0.1")
    now = [NOW]
    placeholders = PlaceholderBook(room.store.placeholders, room.root, "house", 600.0, lambda: now[0])
    mapping = await placeholders.open("user:anna:", "se_1")
    mapping.placeholder_for("email", b"anna@example.org")
    await placeholders.keep("user:anna:", "se_1", mapping)
    del mapping
    now[0] += 601
    keeping = asyncio.create_task(keep_house(room.store.tokens, room.desk, placeholders, interval_s=0.01))
    async with asyncio.timeout(30.0):
        while room.desk.get("a1").state is not ApprovalState.EXPIRED or room.store._database.row(
            "SELECT 1 FROM placeholders"
        ):
            await asyncio.sleep(0.01)
    keeping.cancel()
    record = room.store.tokens.get(created.record.id)
    assert record is not None
    assert record.last_used_at == NOW + 1
