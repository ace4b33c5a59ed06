"""Groups by SCIM."""

from typing import Any

import pytest

from ostiary.model.errors import StorageUnavailableError
from support.scim_house import BASE, GROUP, OWNER, STRANGER, ScimHouse


async def test_a_group_and_its_members(house: ScimHouse) -> None:
    ada, ben = await house.add("ada"), await house.add("ben")
    team = await house.add_group("Team", ada["id"])
    assert team["members"] == [{"value": ada["id"], "$ref": f"{BASE}/Users/{ada['id']}", "type": "User"}]
    assert house.people.scim_groups_of(ada["id"]) == frozenset({"Team"})
    before = house.ending.reconsidered
    answer = await house.patch(
        f"/Groups/{team['id']}",
        {"op": "add", "path": "members", "value": [{"value": ben["id"]}]},
        {"op": "remove", "path": f'members[value eq "{ada["id"]}"]'},
    )
    assert [member["value"] for member in answer.json["members"]] == [ben["id"]]
    assert house.ending.reconsidered == before + 1
    assert house.entries[-1]["type"] == "admin.group.change"
    detail = house.entries[-1]["detail"]
    assert (detail["added"], detail["removed"], detail["members"]) == (["ben"], ["ada"], 1)


async def test_losing_a_group_is_looked_at_even_when_it_was_told_before(house: ScimHouse) -> None:
    ada = await house.add("ada")
    team = await house.add_group("Team", ada["id"])
    empty = {"op": "remove", "path": "members"}
    house.ending.failure = StorageUnavailableError("The disk is full.")
    assert (await house.patch(f"/Groups/{team['id']}", empty)).status == 503
    house.ending.failure, house.ending.reconsidered = None, 0
    assert (await house.patch(f"/Groups/{team['id']}", empty)).status == 200
    assert house.ending.reconsidered == 1
    assert (await house.call("DELETE", f"/Groups/{team['id']}")).status == 204
    assert house.ending.reconsidered == 2
    assert house.types()[-1] == "admin.group.remove"


@pytest.mark.parametrize(
    ("operations", "status", "kind"),
    [
        ([{"op": "add", "path": "members", "value": [{"value": "nobody"}]}], 400, "invalidValue"),
        ([{"op": "add", "path": "members", "value": [{"value": OWNER.id}]}], 400, "invalidValue"),
        ([{"op": "add", "path": "members", "value": [{"value": STRANGER.id}]}], 400, "invalidValue"),
        ([{"op": "add", "path": "members", "value": ["text"]}], 400, "invalidValue"),
        ([{"op": "add", "path": "members", "value": [{"value": "x", "type": "Group"}]}], 400, "invalidValue"),
        ([{"op": "replace", "path": "id", "value": "mine"}], 400, "mutability"),
        ([{"op": "replace", "value": {"id": "mine"}}], 400, "mutability"),
        ([{"op": "remove"}], 400, "noTarget"),
        ([{"op": "replace", "path": 'members[value eq "nobody"].display', "value": "x"}], 400, "noTarget"),
        ([{"op": "remove", "path": 'members[display eq "x"]'}], 400, "invalidFilter"),
        ([{"op": "remove", "path": "members.value"}], 400, "invalidPath"),
        ([{"op": "remove", "path": "displayName"}], 400, "invalidValue"),
        ([{"op": "replace", "path": "displayName", "value": "a\nb"}], 400, "invalidValue"),
        ([{"op": "replace", "path": "mem]bers", "value": "x"}], 400, "invalidPath"),
        ([{"op": "swap", "path": "members"}], 400, "invalidSyntax"),
        ([], 400, "invalidSyntax"),
        ("x", 400, "invalidSyntax"),
    ],
)
async def test_what_makes_no_sense_changes_nothing(house: ScimHouse, operations: Any, status: int, kind: str) -> None:
    ada = await house.add("ada")
    team = await house.add_group("Team", ada["id"])
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
    answer = await house.call("PATCH", f"/Groups/{team['id']}", body)
    assert (answer.status, answer.json.get("scimType")) == (status, kind), answer.body
    assert (await house.call("GET", f"/Groups/{team['id']}")).json == team


async def test_all_operations_or_none(house: ScimHouse) -> None:
    ada = await house.add("ada")
    team = await house.add_group("Team", ada["id"])
    answer = await house.patch(
        f"/Groups/{team['id']}",
        {"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": [{"value": "nobody"}]},
    )
    assert answer.status == 400
    assert house.people.scim_groups_of(ada["id"]) == frozenset({"Team"})


async def test_names_are_their_own(house: ScimHouse) -> None:
    await house.add_group("Team")
    other = await house.add_group("Other")
    for answer in (
        await house.call("POST", "/Groups", {"schemas": [GROUP], "displayName": "TEAM"}),
        await house.call("PUT", f"/Groups/{other['id']}", {"schemas": [GROUP], "displayName": "team"}),
    ):
        assert (answer.status, answer.json["scimType"]) == (409, "uniqueness")
    for body in ({"displayName": "x"}, {"schemas": [GROUP]}, {"schemas": [GROUP], "displayName": 5}):
        assert (await house.call("POST", "/Groups", body)).status == 400


async def test_members_that_are_named_twice_are_one(house: ScimHouse) -> None:
    ada = await house.add("ada")
    team = await house.add_group("Team", ada["id"], ada["id"])
    assert len(team["members"]) == 1


async def test_a_large_group_is_changed_without_telling_it_all(house: ScimHouse) -> None:
    ids = [(await house.add(f"u{number}"))["id"] for number in range(3)]
    team = await house.add_group("Team", *ids)
    answer = await house.patch(
        f"/Groups/{team['id']}?attributes=displayName", {"op": "add", "path": "externalId", "value": "g"}
    )
    assert answer.json.keys() == {"schemas", "id", "displayName"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('displayName eq "TEAM"', {"Team"}),
        ('members eq "{ada}"', {"Team", "Tea"}),
        ('members[value eq "{ben}"]', {"Team"}),
        ('members.value eq "{ben}" and displayName co "e"', {"Team"}),
        ('externalId eq "g-1"', {"Other"}),
        ("not (members pr)", {"Other"}),
        ('id eq "{ada}"', set()),
        ('meta.lastModified gt "2000-01-01T00:00:00Z"', {"Team", "Tea", "Other"}),
    ],
)
async def test_filters(house: ScimHouse, text: str, found: set[str]) -> None:
    ada, ben = await house.add("ada"), await house.add("ben")
    await house.add_group("Team", ada["id"], ben["id"])
    await house.add_group("Tea", ada["id"])
    await house.call("POST", "/Groups", {"schemas": [GROUP], "displayName": "Other", "externalId": "g-1"})
    text = text.replace("{ada}", ada["id"]).replace("{ben}", ben["id"])
    page = (await house.call("GET", f"/Groups?filter={text}")).json
    assert {group["displayName"] for group in page["Resources"]} == found
