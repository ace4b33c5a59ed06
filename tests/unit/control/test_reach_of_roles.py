"""What no role reaches by another way: one's own approval, another's identity, a secret elsewhere, others' doings."""

from dataclasses import replace
from typing import Any

import pytest

from ostiary.control.caller import Caller
from ostiary.control.services.callers import Callers
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.configuration import Configuration
from ostiary.model.errors import NotFoundError, RefusedError
from ostiary.model.permission import BUILT_IN_ROLES, STEP_UP, Permission
from ostiary.model.person import Origin, User
from ostiary.model.token import TokenRecord
from support.control_room import FILE, NOW, Room, asked

ADMIN = Caller("ana", BUILT_IN_ROLES["admin"], frozenset({"ana"}), user_id="u_ana")
TWO = """\
version: 1
secrets: [{name: key, from: {stored: true}}, {name: fresh, from: {stored: true}}]
connections:
  - {name: cursor, kind: cursor, secret: key}
  - {name: new, kind: http, upstream: "https://a.example", secret: fresh, auth: bearer}
"""


async def furnished(room: Room) -> None:
    await room.services.configuration.apply(room.owner, FILE, "o.yaml", False)
    await room.services.secrets.set(room.owner, "key", b"hunter2hunter2")


async def apply(room: Room, caller: Caller, text: str) -> None:
    await room.services.configuration.apply(caller, text, "o.yaml", False)


async def test_an_admin_changes_what_is_neither_people_nor_destinations(room: Room) -> None:
    await furnished(room)
    await apply(room, ADMIN, "version: 1\nrules: [{name: more, on: [cursor], effect: deny}]\n")
    await apply(room, ADMIN, TWO)  # a new connection with a secret that nobody has set yet


@pytest.mark.parametrize(
    "identity",
    [
        "identity: {assign: [{role: owner, users: [ana]}]}",
        "identity: {roles: [{name: mighty, permissions: [approvals.decide]}]}",
        "identity: {issuers: [{name: mine, oidc: {issuer: https://mine.example, client_id: x}}]}",
        "identity: {sessions: {step_up: 1h}}",
        "groups: [{name: platform-leads, members: [ana]}]",
    ],
)
async def test_an_admin_does_not_decide_who_is_who(room: Room, identity: str) -> None:
    await furnished(room)
    with pytest.raises(RefusedError, match=r"identity\.apply"):
        await apply(room, ADMIN, f"version: 1\n{identity}\n")
    assert room.changes == 2
    await apply(room, room.owner, f"version: 1\n{identity}\n")


@pytest.mark.parametrize(
    "document",
    [
        FILE.replace("kind: cursor, secret: key", "kind: cursor, secret: key, upstream: https://evil.example"),
        FILE.replace("kind: cursor, secret: key", "kind: cursor, secret: key, upstream: https://api.cursor.com:8443"),
        "version: 1\nconnections: [{name: e, kind: http, upstream: https://evil.example, secret: key, auth: bearer}]\n",
        "version: 1\nconnections: [{name: e, kind: http, upstream: https://e.test, auth: {header: k, secret: key}}]\n",
        "version: 1\nsecrets: [{name: file, from: {file: /root/.ssh/id_ed25519}}]\n",
        "version: 1\nsecrets: [{name: variable, from: {env: OSTIARY_ROOT_KEY}}]\n",
        "version: 1\nsecrets: [{name: key, from: {env: HOME}}]\n",
        "version: 1\ndetectors: [{name: d, presidio: {url: https://evil.example}}]\n",
    ],
)
async def test_an_admin_sends_no_secret_and_no_text_elsewhere(room: Room, document: str) -> None:
    await furnished(room)
    with pytest.raises(RefusedError, match=r"destinations\.apply"):
        await apply(room, ADMIN, document)
    assert room.changes == 2
    await apply(room, room.owner, document)


async def test_a_value_that_was_forgotten_and_declared_again_stays_where_it_was(room: Room) -> None:
    await furnished(room)
    await room.services.configuration.apply(room.owner, "version: 1\n", "o.yaml", True)
    evil = """\
version: 1
secrets: [{name: key, from: {stored: true}}]
connections: [{name: e, kind: http, upstream: https://evil.example, secret: key, auth: bearer}]
"""
    with pytest.raises(RefusedError, match=r"destinations\.apply"):
        await apply(room, ADMIN, evil)


async def test_an_admin_makes_no_token_that_provisions_people(room: Room) -> None:
    with pytest.raises(RefusedError, match=r"identity\.apply"):
        await room.services.tokens.create(ADMIN, actor="scim", kind="service", scope="scim")


def test_what_an_owner_alone_may_takes_a_recent_sign_in() -> None:
    assert {Permission.IDENTITY_APPLY, Permission.DESTINATIONS_APPLY} <= STEP_UP
    for name, permissions in BUILT_IN_ROLES.items():
        assert (Permission.IDENTITY_APPLY in permissions) == (name == "owner")


# -- one's own


def person(room: Room, name: str, email: str | None = None, **more: Any) -> User:
    user = User(f"u_{name}", name, Origin.SIGN_IN, NOW, NOW, email=email, **more)
    assert room.store.people.add(user)
    return user


def caller(room: Room, user: User, *permissions: Permission) -> Caller:
    found = Callers(room.store.people, Configuration, lambda: NOW).of(user, None)
    return replace(found, permissions=found.permissions | set(permissions), is_fresh=True)


async def test_nobody_approves_what_they_asked_through_another_identity_of_theirs(room: Room) -> None:
    partner = person(room, "ana-partner", "ana@example.com")
    home = person(room, "ana@example.com")
    for asker, decider in ((partner, home), (home, partner)):
        approval = asked(f"ap_{asker.id}", asker.name, user_id=asker.id, token_id="tok_1")
        await room.desk.ask(approval)
        with pytest.raises(RefusedError, match="own request"):
            await room.services.approvals.decide(
                caller(room, decider, Permission.APPROVALS_DECIDE), approval.id, True, None
            )


async def test_nobody_approves_what_a_token_they_made_asked(room: Room) -> None:
    ana, bob = person(room, "ana"), person(room, "bob")
    actor = Actor(ActorKind.SERVICE, "deploy", frozenset(), "tok_made", NOW + 600)
    room.store.tokens.add(b"h" * 32, TokenRecord(actor, NOW, "ana"))
    await room.desk.ask(asked("ap_1", "deploy", actor_kind=ActorKind.SERVICE, token_id="tok_made"))
    with pytest.raises(RefusedError, match="own request"):
        await room.services.approvals.decide(caller(room, ana, Permission.APPROVALS_DECIDE), "ap_1", True, None)
    decided = await room.services.approvals.decide(
        caller(room, bob, Permission.APPROVALS_DECIDE), "ap_1", True, None
    )
    assert decided.approval.decided_by == "bob"


async def test_the_local_owner_may_make_a_token_and_answer_what_it_asks(room: Room) -> None:
    made = await room.services.tokens.create(room.owner, actor="you", kind="user")
    await room.desk.ask(asked("ap_1", "you", token_id=made.record.id))
    assert (await room.services.approvals.decide(room.owner, "ap_1", True, None)).approval.decided_by


async def test_somebody_with_the_same_address_elsewhere_sees_nothing(room: Room) -> None:
    ana = person(room, "ana@example.com")
    mallory = person(room, "mallory", "ana@example.com")
    await room.desk.ask(asked("ap_1", ana.name, user_id=ana.id))
    assert await room.services.approvals.list(caller(room, mallory), None, 50) == []
    with pytest.raises(NotFoundError):
        await room.services.approvals.get(caller(room, mallory), "ap_1")
    assert (await room.services.approvals.get(caller(room, ana), "ap_1")).approval.id == "ap_1"


async def test_somebody_who_gets_a_name_later_sees_nothing_of_the_former(room: Room) -> None:
    await room.desk.ask(asked("ap_1", "ana", user_id="u_former"))
    await room.desk.ask(asked("ap_2", "ana"))  # by a token made by hand
    later = User("u_later", "ana", Origin.SIGN_IN, NOW + 60, NOW + 60)
    assert room.store.people.add(later)
    assert await room.services.approvals.list(caller(room, later), None, 50) == []
