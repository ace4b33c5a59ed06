"""People by SCIM: what is kept, what is said back, and what ends."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from ostiary.model.errors import StorageUnavailableError
from ostiary.model.person import Origin
from support.scim_house import BASE, ENTERPRISE, OWNER, SIGNED_IN, STRANGER, USER, ScimHouse


async def test_a_new_person_is_stored_and_has_no_identity_until_they_sign_in(house: ScimHouse) -> None:
    created = await house.add(
        "ada@example.com",
        externalId="00u1",
        name={"givenName": "Ada", "familyName": "Lovelace"},
        emails=[{"value": "ada@home.example", "type": "home"}, {"value": "ada@corp.local", "type": "work"}],
    )
    user = house.people.get(created["id"])
    assert user is not None
    assert (user.origin, user.issuer, user.subject, user.active) == (Origin.SCIM, None, None, True)
    assert (user.display_name, user.email, user.external_id) == ("Ada Lovelace", "ada@corp.local", "00u1")
    assert created["meta"]["location"] == f"{BASE}/Users/{user.id}"
    detail = {"user": user.id, "name": "ada@example.com", "active": True}
    assert [(entry["type"], entry["by"], entry["detail"]) for entry in house.entries] == [
        ("admin.user.add", "scim", detail)
    ]


async def test_what_means_nothing_here_is_kept_and_read_back_and_passwords_are_not(house: ScimHouse) -> None:
    more: dict[str, Any] = {
        "title": "Countess",
        "phoneNumbers": [{"value": "+44 20 7946 0000", "type": "work"}],
        "photos": [{"value": "https://photos.example/ada", "type": "photo"}],
        "x509Certificates": [{"value": "QUJD"}],
        "roles": [{"value": "owner"}],
        ENTERPRISE: {"department": "Engines", "manager": {"value": "m-1"}},
    }
    created = await house.add("ada", password="hunter2-hunter2", **more)
    shown = (await house.call("GET", f"/Users/{created['id']}")).json
    assert {name: shown[name] for name in more} == more
    assert shown["schemas"] == [USER, ENTERPRISE]
    assert "hunter2" not in json.dumps([shown, created, dict(house.people.scim_document(created["id"]))])


async def test_names_that_differ_only_in_case_are_one(house: ScimHouse) -> None:
    await house.add("Ada@example.com")
    answer = await house.call("POST", "/Users", {"schemas": [USER], "userName": "ada@EXAMPLE.com"})
    assert (answer.status, answer.json["scimType"]) == (409, "uniqueness")


async def test_somebody_who_signed_in_first_is_taken_over_by_name(house: ScimHouse) -> None:
    created = await house.add("Ines@example.com", externalId="00u9")
    assert created["id"] == SIGNED_IN.id
    user = house.people.get(SIGNED_IN.id)
    assert user is not None
    assert (user.origin, user.issuer, user.subject, user.external_id) == (Origin.SCIM, "okta", "ines", "00u9")
    again = await house.call("POST", "/Users", {"schemas": [USER], "userName": "ines@example.com"})
    assert again.status == 409


async def test_being_taken_over_takes_no_words_away_that_the_directory_leaves_out(house: ScimHouse) -> None:
    assert house.people.change(replace(SIGNED_IN, display_name="Ines Example"))
    await house.add(SIGNED_IN.name)
    user = house.people.get(SIGNED_IN.id)
    assert user is not None
    assert (user.origin, user.display_name, user.email) == (Origin.SCIM, "Ines Example", SIGNED_IN.email)


async def test_somebody_who_signed_in_is_shown_as_they_are(house: ScimHouse) -> None:
    shown = (await house.call("GET", f"/Users/{SIGNED_IN.id}")).json
    assert (shown["userName"], shown["emails"]) == (SIGNED_IN.name, [{"value": SIGNED_IN.email, "primary": True}])


@pytest.mark.parametrize("untouchable", [OWNER, STRANGER])
async def test_the_owner_and_other_providers_people_are_none_of_scims(house: ScimHouse, untouchable: Any) -> None:
    path = f"/Users/{untouchable.id}"
    body = {"schemas": [USER], "userName": untouchable.name, "active": False}
    assert (await house.call("GET", path)).status == 404
    for answer in (
        await house.call("PUT", path, body),
        await house.patch(path, {"op": "replace", "path": "active", "value": False}),
        await house.call("DELETE", path),
    ):
        assert answer.status == 403
        assert "." in answer.json["detail"]
    assert (await house.call("POST", "/Users", body)).status == 409
    assert (await house.call("GET", f'/Users?filter=userName eq "{untouchable.name}"')).json["totalResults"] == 0
    assert (await house.call("GET", "/Users")).json["totalResults"] == 1
    assert house.people.get(untouchable.id) == untouchable
    assert house.ending.ended == []


async def test_people_of_the_provider_that_was_scims_before_are_none_of_it(house: ScimHouse) -> None:
    """Another directory, which knows nothing of them, must not end them or take them over."""
    here = await house.add(SIGNED_IN.name)
    waiting = await house.add("new@example.com")
    house.issuer = "google"
    path = f"/Users/{here['id']}"
    body = {"schemas": [USER], "userName": SIGNED_IN.name, "active": False}
    assert (await house.call("GET", path)).status == 404
    for answer in (await house.call("PUT", path, body), await house.call("DELETE", path)):
        assert answer.status == 403
    assert (await house.call("POST", "/Users", body)).status == 409
    listed = (await house.call("GET", "/Users")).json
    assert {row["id"] for row in listed["Resources"]} == {waiting["id"], STRANGER.id}
    found = (await house.call("GET", f'/Users?filter=userName eq "{SIGNED_IN.name}"')).json
    assert found["totalResults"] == 0
    user = house.people.get(SIGNED_IN.id)
    assert user is not None
    assert user.active
    assert house.ending.ended == []


@pytest.mark.parametrize("value", [False, "False", "false"])
async def test_deactivation_ends_access(house: ScimHouse, value: Any) -> None:
    ada = await house.add("ada")
    answer = await house.patch(f"/Users/{ada['id']}", {"op": "Replace", "path": "active", "value": value})
    assert (answer.status, answer.json["active"]) == (200, False)
    assert house.ending.ended == [("ada", "deactivated")]
    assert house.types() == ["admin.user.add", "admin.user.deactivate"]


async def test_a_deactivation_that_failed_half_way_is_made_good_by_repeating_it(house: ScimHouse) -> None:
    ada = await house.add("ada")
    off = {"op": "replace", "value": {"active": False}}
    house.ending.failure = StorageUnavailableError("The disk is full.")
    assert (await house.patch(f"/Users/{ada['id']}", off)).status == 503
    house.ending.failure = None
    assert (await house.patch(f"/Users/{ada['id']}", off)).status == 200
    assert house.ending.ended == [("ada", "deactivated")]


async def test_who_was_deactivated_here_stays_so_until_the_provider_takes_access_away_and_gives_it_back(
    house: ScimHouse,
) -> None:
    ada = await house.add("ada")
    path = f"/Users/{ada['id']}"
    user = house.people.get(ada["id"])
    assert user is not None
    assert house.people.change(replace(user, active=False))
    pushed = {"schemas": [USER], "userName": "ada", "title": "Countess", "active": True}
    assert (await house.call("PUT", path, pushed)).json["active"] is False
    assert (await house.patch(path, {"op": "replace", "path": "active", "value": True})).json["active"] is False
    assert (await house.patch(path, {"op": "replace", "path": "active", "value": False})).json["active"] is False
    assert (await house.patch(path, {"op": "replace", "path": "active", "value": True})).json["active"] is True


async def test_other_changes_say_nothing_of_access(house: ScimHouse) -> None:
    ada = await house.add("ada", active=False)
    path = f"/Users/{ada['id']}"
    user = house.people.get(ada["id"])
    assert user is not None
    assert house.people.change(replace(user, active=True))
    assert (await house.patch(path, {"op": "replace", "path": "title", "value": "Dr"})).json["active"] is True
    assert (await house.call("PUT", path, {"schemas": [USER], "userName": "ada"})).json["active"] is True
    assert (await house.call("PUT", path, {"schemas": [USER], "userName": "ada", "active": False})).json[
        "active"
    ] is False


async def test_a_rename_ends_what_speaks_the_old_name(house: ScimHouse) -> None:
    ada = await house.add("ada")
    answer = await house.patch(f"/Users/{ada['id']}", {"op": "replace", "path": "userName", "value": "ada.king"})
    assert answer.json["userName"] == "ada.king"
    assert set(house.ending.ended) == {("ada", "renamed")}
    assert house.entries[-1]["detail"] == {
        "user": ada["id"], "name": "ada.king", "changes": ["name"], "was": "ada",
    }  # fmt: skip


async def test_a_removal_ends_access_first(house: ScimHouse) -> None:
    ada = await house.add("ada")
    team = await house.add_group("Team", ada["id"])
    house.ending.failure = StorageUnavailableError("The disk is full.")
    assert (await house.call("DELETE", f"/Users/{ada['id']}")).status == 503
    user = house.people.get(ada["id"])
    assert user is not None
    assert not user.active
    house.ending.failure = None
    assert (await house.call("DELETE", f"/Users/{ada['id']}")).status == 204
    assert house.ending.ended == [("ada", "removed")]
    assert (await house.call("DELETE", f"/Users/{ada['id']}")).status == 404
    assert "members" not in (await house.call("GET", f"/Groups/{team['id']}")).json


async def test_the_same_again_changes_nothing(house: ScimHouse) -> None:
    ada = await house.add("ada", title="Dr")
    before = len(house.entries)
    body = {"schemas": [USER], "userName": "ada", "title": "Dr", "active": True}
    answer = await house.call("PUT", f"/Users/{ada['id']}", body)
    assert answer.headers["etag"] == ada["meta"]["version"]
    assert len(house.entries) == before


async def test_entity_tags(house: ScimHouse) -> None:
    ada = await house.add("ada")
    path, tag = f"/Users/{ada['id']}", ada["meta"]["version"]
    assert (await house.call("GET", path, headers={"if-none-match": tag})).status == 304
    title = {"op": "add", "path": "title", "value": "Dr"}
    changed = await house.patch(path, title, headers={"if-match": tag})
    assert (changed.status, changed.headers["etag"]) == (200, changed.json["meta"]["version"])
    stale = await house.patch(path, {**title, "value": "Prof"}, headers={"if-match": tag})
    assert (stale.status, stale.json["status"]) == (412, "412")
    assert (await house.call("DELETE", path, headers={"if-match": tag})).status == 412
    assert (await house.patch(path, {**title, "value": "Prof"}, headers={"if-match": "*"})).status == 200
    assert (await house.call("GET", path, headers={"if-none-match": tag})).status == 200


async def test_pages_are_in_one_order_and_count_everybody(house: ScimHouse) -> None:
    for number in range(7):
        await house.add(f"user-{number}")
    seen: list[str] = []
    for start in (1, 4, 7):
        page = (await house.call("GET", f"/Users?startIndex={start}&count=3")).json
        assert (page["totalResults"], page["startIndex"]) == (8, start)
        seen += [user["userName"] for user in page["Resources"]]
    assert seen == [SIGNED_IN.name, *(f"user-{number}" for number in range(7))]
    assert (await house.call("GET", "/Users?count=0")).json["Resources"] == []
    assert (await house.call("GET", "/Users?count=-3&startIndex=-4")).json["startIndex"] == 1
    assert (await house.call("GET", "/Users?startIndex=99")).json["itemsPerPage"] == 0
    filtered = (await house.call("GET", '/Users?filter=userName sw "USER-"&startIndex=3&count=2')).json
    assert filtered["totalResults"] == 7
    assert [user["userName"] for user in filtered["Resources"]] == ["user-2", "user-3"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("attributes=userName", {"schemas", "id", "userName"}),
        ("attributes=NAME.givenName,emails.value", {"schemas", "id", "name", "emails"}),
        (f"attributes={ENTERPRISE}:department", {"schemas", "id", ENTERPRISE}),
        (f"attributes={USER}:title", {"schemas", "id", "title"}),
        (f"excludedAttributes=id,name,emails,title,meta,active,{ENTERPRISE}", {"schemas", "id", "userName"}),
    ],
)
async def test_only_what_is_asked_for_is_told(house: ScimHouse, query: str, names: set[str]) -> None:
    ada = await house.add(
        "ada",
        title="Dr",
        name={"givenName": "Ada", "familyName": "L"},
        emails=[{"value": "a@e.example", "type": "work"}],
        **{ENTERPRISE: {"department": "Engines", "division": "One"}},
    )
    shown = (await house.call("GET", f"/Users/{ada['id']}?{query}")).json
    assert shown.keys() == names
    assert shown.get("name", {}).get("familyName") is None
    assert shown.get(ENTERPRISE, {}).get("division") is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('emails.value eq "ADA@corp.local"', {"ada"}),
        ('emails[type eq "home"].value eq "ada@corp.local"', set()),
        ('emails eq "I@E.example"', {SIGNED_IN.name}),
        ('emails.value eq "é\\"x@e.example"', {"eva"}),
        ('title eq "Dr" or emails.value eq "none"', {"ada", "eva"}),
        (f'userName eq "{OWNER.name}"', set()),
        (f'id eq "{OWNER.id}" or id eq "{SIGNED_IN.id}"', {SIGNED_IN.name}),
        ('groups.display eq "Team"', {"eva"}),
        ("externalId pr", set()),
    ],
)
async def test_filters(house: ScimHouse, text: str, names: set[str]) -> None:
    await house.add("ada", title="Dr", emails=[{"value": "ada@corp.local", "type": "work"}])
    eva = await house.add("eva", title="DR", emails=[{"value": 'é"x@e.example', "type": "work"}])
    await house.add_group("Team", eva["id"])
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": text}
    page = (await house.call("POST", "/Users/.search", body)).json
    assert {user["userName"] for user in page["Resources"]} == names
    assert page["totalResults"] == len(names)


async def test_searches_by_post(house: ScimHouse) -> None:
    await house.add("ada", title="Dr")
    await house.add_group("Team")
    search = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": 'userName eq "ADA"',
        "attributes": ["title"],
        "startIndex": 1,
        "count": 5,
    }
    found = (await house.call("POST", "/Users/.search", search)).json
    assert [user.keys() - {"schemas", "id"} for user in found["Resources"]] == [{"title"}]
    everything = (await house.call("POST", "/.search", {"schemas": search["schemas"], "count": 2})).json
    assert (everything["totalResults"], everything["itemsPerPage"]) == (3, 2)
    last = (await house.call("POST", "/.search", {"schemas": search["schemas"], "startIndex": 3})).json
    assert [group["displayName"] for group in last["Resources"]] == ["Team"]
    assert (await house.call("POST", "/.search", search)).json["totalResults"] == 1


async def test_switched_off_it_does_nothing(house: ScimHouse) -> None:
    house.issuer = None
    answer = await house.call("POST", "/Users", {"schemas": [USER], "userName": "ada"})
    assert (answer.status, house.people.named("ada")) == (403, None)


def test_without_scim_nothing_loads_pydantic() -> None:
    code = (
        "import sys, ostiary.control.scim; print([m for m in sys.modules if m in ('pydantic', 'scim2_models', 'lark')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
