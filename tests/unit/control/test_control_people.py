"""People: who sees whom, whose access ends, and who stays."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.scim_groups import ScimGroups
from ostiary.adapters.stores.sign_ins import SignIns
from ostiary.control.caller import Caller, Permission, StepUpRequiredError
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.people import PeopleService
from ostiary.model.configuration import Configuration
from ostiary.model.errors import NotFoundError, RefusedError, StorageUnavailableError
from ostiary.model.issuer import Group, GroupSource, OidcIssuer
from ostiary.model.permission import BUILT_IN_ROLES, Assignment
from ostiary.model.person import Origin, ScimGroup, SignIn, SignInKind, User
from support.scim_house import NotedEnding

NOW = 1_900_000_000.0


def user(number: int, name: str, **more: Any) -> User:
    return User(f"{number:032x}", name, more.pop("origin", Origin.SIGN_IN), NOW, NOW, **more)


ROOT = user(1, "root", origin=Origin.LOCAL)
OLGA = user(2, "olga", issuer="corp", subject="o")
ANN = user(3, "ann", issuer="corp", subject="a", claims={"groups": ("eng",)})
BOB = user(4, "bob", origin=Origin.SCIM)
EVE = user(5, "Eve", issuer="corp", subject="e")

CORP = OidcIssuer("corp", "https://corp.example", "ostiary")
CONFIGURATION = Configuration(
    issuers=(CORP,),
    groups=(
        Group("engineering", sources=(GroupSource("corp", "groups", "eng"),), scim=("Engineers",), members=("EVE",)),
        Group("empty"),
    ),
    assignments=(
        Assignment("owner", users=frozenset({"Olga"})),
        Assignment("admin", groups=frozenset({"engineering"})),
        Assignment("no-such-role", users=frozenset({"bob"})),
    ),
)


def caller(of: User | None, role: str, *, fresh: bool = True) -> Caller:
    return Caller(of.name if of else "local owner", BUILT_IN_ROLES[role], is_fresh=fresh, user_id=of.id if of else None)


OWNER = caller(OLGA, "owner")
ADMIN = caller(ANN, "admin")
AUDITOR = caller(BOB, "auditor")
MEMBER = caller(EVE, "member")
SOCKET = caller(None, "owner")


class Ending(NotedEnding):
    def __init__(self) -> None:
        super().__init__()
        self.sign_ins: list[str] = []

    async def of_sign_in(self, sign_in: SignIn, why: str) -> None:
        self.sign_ins.append(sign_in.id)


@dataclass
class House:
    people: People
    groups: ScimGroups
    sign_ins: SignIns
    ending: Ending = field(default_factory=Ending)
    entries: list[dict[str, Any]] = field(default_factory=list)

    @property
    def service(self) -> PeopleService:
        log = AdminLog(self.entries.append, lambda: NOW + 5)
        return PeopleService(self.people, self.groups, self.sign_ins, self.ending, lambda: CONFIGURATION, log)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    database = Database(tmp_path / "ostiary.db")
    house = House(People(database), ScimGroups(database), SignIns(database))
    for person in (ROOT, OLGA, ANN, BOB, EVE):
        assert house.people.add(person)
    for number, person in enumerate((OLGA, ANN, EVE)):
        sign_in = SignIn(f"s-{person.name}", SignInKind.CONSOLE, person.id, NOW, NOW, NOW, NOW + 60)
        house.sign_ins.add(bytes([number]) * 32, sign_in, None, None)
    assert house.groups.add(ScimGroup("a" * 32, "Engineers", NOW, NOW, members=frozenset({BOB.id})))
    yield house
    database.close()


async def test_everybody_sees_themselves_and_some_see_everybody(house: House) -> None:
    service = house.service
    assert [person.user.name for person in await service.list(AUDITOR, "", 10)] == ["ann", "bob", "Eve", "olga", "root"]
    assert [person.user.name for person in await service.list(AUDITOR, "bob", 2)] == ["Eve", "olga"]
    assert [person.user for person in await service.list(MEMBER, "", 10)] == [EVE]
    assert await service.list(MEMBER, "Eve", 10) == []
    assert (await service.show(MEMBER, EVE.id)).user == EVE
    for hidden in (BOB.id, "0" * 32):
        with pytest.raises(NotFoundError, match="no such person"):
            await service.show(MEMBER, hidden)
    with pytest.raises(RefusedError):
        await service.list(Caller("tool", frozenset()), "", 10)


async def test_what_people_have_is_what_the_configuration_gives_them_now(house: House) -> None:
    people = {person.user.name: person for person in await house.service.list(AUDITOR, "", 10)}
    assert {name: person.roles for name, person in people.items()} == {
        "root": {"owner", "member"},
        "olga": {"owner", "member"},
        "ann": {"admin", "member"},
        "bob": {"admin", "member"},
        "Eve": {"admin", "member"},
    }
    assert {name for name, person in people.items() if "engineering" in person.groups} == {"ann", "bob", "Eve"}
    off = await house.service.deactivate(OWNER, ANN.id)
    assert (off.groups, off.roles) == (frozenset(), frozenset())


async def test_groups_are_told_with_their_sources_and_members(house: House) -> None:
    found = await house.service.groups(AUDITOR)
    assert [(group.group.name, group.members, group.member_count) for group in found.groups] == [
        ("engineering", ("ann", "bob", "Eve"), 3),
        ("empty", (), 0),
    ]
    assert found.provisioned == {"Engineers": 1}
    with pytest.raises(RefusedError):
        await house.service.groups(MEMBER)


async def test_who_one_is(house: House) -> None:
    me = await house.service.me(MEMBER)
    assert (me.label, me.permissions, me.person and me.person.user) == ("Eve", BUILT_IN_ROLES["member"], EVE)
    assert (await house.service.me(SOCKET)).person is None


async def test_deactivation_ends_access_and_is_on_record(house: House) -> None:
    off = await house.service.deactivate(ADMIN, BOB.id)
    assert (off.user.active, off.user.version, off.user.changed_at) == (False, 2, NOW + 5)
    assert house.people.get(BOB.id) == off.user
    assert house.ending.ended == [("bob", "deactivated")]
    on = await house.service.reactivate(ADMIN, BOB.id)
    assert on.user.active
    detail = {"user": BOB.id, "name": "bob"}
    assert [(entry["type"], entry["by"], entry["detail"]) for entry in house.entries] == [
        ("admin.user.deactivate", "ann", detail),
        ("admin.user.activate", "ann", detail),
    ]


async def test_a_deactivation_that_failed_half_way_is_made_good_by_repeating_it(house: House) -> None:
    house.ending.failure = StorageUnavailableError("The disk is full.")
    with pytest.raises(StorageUnavailableError):
        await house.service.deactivate(ADMIN, BOB.id)
    house.ending.failure = None
    await house.service.deactivate(ADMIN, BOB.id)
    assert house.ending.ended == [("bob", "deactivated")]
    assert len(house.entries) == 1


async def test_a_deactivation_goes_on_when_whoever_asked_goes_away(house: House) -> None:
    asked = asyncio.create_task(house.service.deactivate(ADMIN, BOB.id))
    await asyncio.sleep(0)
    asked.cancel()
    for _ in range(500):
        if house.ending.ended:
            break
        await asyncio.sleep(0.01)
    assert house.ending.ended == [("bob", "deactivated")]


@pytest.mark.parametrize("action", ["deactivate", "reactivate", "forget"])
async def test_who_may_not_manage_changes_nobody(house: House, action: str) -> None:
    act = getattr(house.service, action)
    with pytest.raises(NotFoundError):
        await act(MEMBER, BOB.id)
    with pytest.raises(RefusedError, match=r"people\.manage"):
        await act(MEMBER, EVE.id)
    with pytest.raises(RefusedError, match=r"people\.manage"):
        await act(AUDITOR, EVE.id)
    with pytest.raises(StepUpRequiredError):
        await act(caller(ANN, "admin", fresh=False), EVE.id)
    with pytest.raises(NotFoundError):
        await act(OWNER, "0" * 32)
    assert (house.entries, house.ending.ended) == ([], [])


@pytest.mark.parametrize("action", ["deactivate", "reactivate", "forget"])
@pytest.mark.parametrize("owner", [ROOT, OLGA])
async def test_only_owners_touch_owners(house: House, owner: User, action: str) -> None:
    with pytest.raises(RefusedError, match="Only an owner"):
        await getattr(house.service, action)(ADMIN, owner.id)
    assert house.people.change(replace(owner, active=False))
    with pytest.raises(RefusedError, match="Only an owner"):
        await getattr(house.service, action)(ADMIN, owner.id)
    assert house.entries == []


@pytest.mark.parametrize("action", ["deactivate", "forget"])
async def test_the_last_owner_stays(house: House, action: str) -> None:
    service = house.service
    await service.deactivate(OWNER, ROOT.id)
    for by in (OWNER, SOCKET):
        with pytest.raises(RefusedError, match="last owner"):
            await getattr(service, action)(by, OLGA.id)
    await service.reactivate(OWNER, ROOT.id)
    await getattr(service, action)(OWNER, OLGA.id)


async def test_an_owner_whose_provider_is_another_one_now_has_nothing_and_may_go(house: House) -> None:
    service = house.service
    assert house.people.change(replace(OLGA, issuer_identifier="https://before.example"))
    shown = await service.show(SOCKET, OLGA.id)
    assert (shown.groups, shown.roles) == (frozenset(), frozenset())
    with pytest.raises(RefusedError, match="last owner"):
        await service.deactivate(SOCKET, ROOT.id)
    await service.forget(SOCKET, OLGA.id)


async def test_two_owners_at_once_do_not_lock_everybody_out(house: House) -> None:
    service = house.service
    results = await asyncio.gather(
        service.deactivate(OWNER, ROOT.id), service.deactivate(SOCKET, OLGA.id), return_exceptions=True
    )
    assert [type(result) for result in results].count(RefusedError) == 1
    owners = [house.people.get(person.id) for person in (ROOT, OLGA)]
    assert [owner.active for owner in owners if owner is not None].count(True) == 1


async def test_who_is_forgotten_is_gone_after_their_access(house: House) -> None:
    await house.service.forget(ADMIN, BOB.id)
    assert house.people.get(BOB.id) is None
    assert house.ending.ended == [("bob", "removed")]
    assert [entry["type"] for entry in house.entries] == ["admin.user.deactivate", "admin.user.remove"]
    group = house.groups.get("a" * 32)
    assert group is not None
    assert group.members == frozenset()


async def test_sign_ins_are_seen_and_ended_by_their_own_people_and_by_managers(house: House) -> None:
    service = house.service
    assert [found.id for found in await service.sign_ins(MEMBER, EVE.id)] == ["s-Eve"]
    with pytest.raises(NotFoundError):
        await service.sign_ins(MEMBER, ANN.id)
    await service.end_sign_in(caller(EVE, "member", fresh=False), "s-Eve")
    for absent in ("s-ann", "s-nobody"):
        with pytest.raises(NotFoundError, match="no such sign-in"):
            await service.end_sign_in(MEMBER, absent)
    with pytest.raises(RefusedError, match=r"people\.manage"):
        await service.end_sign_in(AUDITOR, "s-ann")
    with pytest.raises(RefusedError, match="Only an owner"):
        await service.end_sign_in(ADMIN, "s-olga")
    await service.end_sign_in(OWNER, "s-ann")
    await service.end_sign_in(SOCKET, "s-olga")
    assert house.ending.sign_ins == ["s-Eve", "s-ann", "s-olga"]


async def test_nobody_without_an_id_is_taken_for_oneself(house: House) -> None:
    nobody = Caller("tool", frozenset({Permission.STATUS_READ}))
    with pytest.raises(NotFoundError):
        await house.service.sign_ins(nobody, EVE.id)
    with pytest.raises(NotFoundError):
        await house.service.end_sign_in(nobody, "s-Eve")
