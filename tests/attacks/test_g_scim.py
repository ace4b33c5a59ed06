"""Family G over SCIM: whoever holds the provisioning token, or is named in the directory, gets no further."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.model.person import Origin, User
from support.scim_house import BASE, GROUP, OWNER, PATCH, SIGNED_IN, TOKEN, USER, Answer, ScimHouse, scim_house

SLOW_S = 10.0
"""More than any single request may take on a busy machine."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[ScimHouse]:
    with scim_house(tmp_path) as house:
        yield house


def post(name: Any, **more: Any) -> dict[str, Any]:
    return {"schemas": [USER], "userName": name, **more}


def refused(answer: Answer, status: int = 400) -> None:
    assert answer.status == status, answer.body[:300]
    assert answer.headers["content-type"] == "application/scim+json"
    assert answer.json["status"] == str(status)
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


RESERVED = ("local owner (uid 0)", "Local Owner", "nobody signed in", "scim", "SCIM", "ostiary")


@pytest.mark.parametrize("name", RESERVED)
def test_nobody_is_given_a_name_that_the_audit_log_has_for_others(house: ScimHouse, name: str) -> None:
    async def ask() -> list[Answer]:
        rename = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "userName", "value": name}]}
        return [
            await house.call("POST", "/Users", post(name)),
            await house.call("PUT", f"/Users/{SIGNED_IN.id}", post(name)),
            await house.call("PATCH", f"/Users/{SIGNED_IN.id}", rename),
        ]

    for answer in asyncio.run(ask()):
        refused(answer)
    assert house.people.named(name) is None


# -- who may come in ------------------------------------------------------------------------------------------------

PATHS = [
    ("GET", "/ServiceProviderConfig"), ("GET", "/Schemas"), ("GET", "/Users"), ("POST", "/Users"),
    ("GET", f"/Users/{OWNER.id}"), ("PATCH", f"/Users/{SIGNED_IN.id}"), ("DELETE", f"/Users/{SIGNED_IN.id}"),
    ("GET", "/Groups"), ("GET", "/nothing"), ("PUT", "/Schemas"), ("POST", "/Bulk"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_answer_without_the_right_token_is_the_same(house: ScimHouse, method: str, path: str) -> None:
    tokens: list[dict[str, Any]] = [
        {"token": None}, {"token": ""}, {"token": "ost_u" + "a" * 49}, {"token": TOKEN + "x"}, {"token": TOKEN[:-1]},
        {"token": None, "headers": {"authorization": f"Basic {TOKEN}"}},
        {"token": None, "headers": {"authorization": TOKEN}},
        {"token": None, "headers": {"cookie": f"__Host-ostiary={TOKEN}"}},
    ]  # fmt: skip

    async def ask() -> list[Answer]:
        return [await house.call(method, path, post("eve"), **more) for more in tokens]

    answers = asyncio.run(ask())
    assert {(answer.status, answer.body, answer.headers["www-authenticate"]) for answer in answers} == {
        (401, answers[0].body, "Bearer")
    }
    assert house.people.named("eve") is None
    assert house.entries == []


def test_a_token_in_the_address_or_given_twice_is_none(house: ScimHouse) -> None:
    async def ask() -> None:
        refused(await house.call("GET", f"/Users?access_token={TOKEN}", token=None), 401)

    asyncio.run(ask())


# -- mass assignment ------------------------------------------------------------------------------------------------


async def _assign(house: ScimHouse) -> None:
    more = {
        "id": OWNER.id, "meta": {"version": 'W/"99"', "location": "https://evil.example", "resourceType": "Group"},
        "groups": [{"value": "g", "display": "admins"}], "roles": [{"value": "owner"}],
        "entitlements": [{"value": "people.manage"}], "origin": "local", "issuer": "google", "subject": "sam",
        "version": 99, "permissions": ["people.manage"], "claims": {"groups": ["admins"]}, "__class__": "x",
        "urn:ostiary:User": {"origin": "local"},
    }  # fmt: skip
    created = (await house.call("POST", "/Users", post("eve", **more))).json
    replaced = (await house.call("PUT", f"/Users/{created['id']}", post("eve", title="x", **more))).json
    user = house.people.get(created["id"])
    assert user is not None
    assert (user.origin, user.issuer, user.subject, user.claims, user.version) == (Origin.SCIM, None, None, {}, 2)
    for shown in (created, replaced):
        assert shown["id"] == user.id != OWNER.id
        assert shown["meta"]["location"] == f"{BASE}/Users/{user.id}"
        assert shown["meta"]["resourceType"] == "User"
        assert not shown.keys() & {"groups", "origin", "issuer", "subject", "version", "permissions", "claims"}
    assert house.people.scim_groups_of(user.id) == frozenset()


def test_nobody_is_given_an_id_a_version_groups_or_an_identity(house: ScimHouse) -> None:
    asyncio.run(_assign(house))


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "id", "value": OWNER.id},
        {"op": "add", "path": "meta.version", "value": 'W/"99"'},
        {"op": "replace", "path": "meta", "value": {"location": "https://evil.example"}},
        {"op": "add", "path": "groups", "value": [{"value": "g"}]},
        {"op": "replace", "value": {"id": OWNER.id}},
        {"op": "replace", "value": {"groups": [{"value": "g"}]}},
        {"op": "remove", "path": "id"},
        {"op": "remove", "path": "userName"},
        {"op": "remove", "path": "active"},
        {"op": "Remove", "path": f"{USER}:active"},
        {"op": "replace", "path": "active", "value": "perhaps"},
        {"op": "replace", "path": "active", "value": {"value": True}},
        {"op": "replace", "path": "userName", "value": ["a", "b"]},
        {"op": "replace", "path": "userName", "value": ""},
        {"op": "replace", "path": "userName", "value": None},
        {"op": "move", "from": "userName", "path": "title"},
    ],
)
def test_what_is_the_servers_own_is_not_patched(house: ScimHouse, operation: dict[str, Any]) -> None:
    async def ask() -> None:
        eve = await house.add("eve")
        before = house.people.get(eve["id"])
        refused(await house.patch(f"/Users/{eve['id']}", operation))
        assert house.people.get(eve["id"]) == before

    asyncio.run(ask())


@pytest.mark.parametrize("path", ["password", f"{USER}:password", "Password"])
def test_a_password_is_neither_kept_nor_told(house: ScimHouse, path: str) -> None:
    async def ask() -> None:
        eve = await house.add("eve")
        answer = await house.patch(f"/Users/{eve['id']}", {"op": "add", "path": path, "value": "hunter2-hunter2"})
        shown = await house.call("GET", f"/Users/{eve['id']}?attributes=password,{USER}:password")
        stored = json.dumps(dict(house.people.scim_document(eve["id"])))
        assert b"hunter2" not in answer.body + shown.body + stored.encode()

    asyncio.run(ask())


# -- names ----------------------------------------------------------------------------------------------------------

SAME_AS_OWNER = ["owner", "OWNER", "Owner", "ｏｗｎｅｒ", "oᴡner".replace("ᴡ", "w"), "𝐨𝐰𝐧𝐞𝐫", "ownеr", "оwner", "ownℯr"]
DECEIVING = [
    "own\u200ber", "owner\u202e", "\ufeffowner", " owner", "owner ", "owner\n", "owner\x00", "own\u00ader", "", " ",
    "a" * 201, "owner\ud800", "ow\tner", "owner\u2066x",
]  # fmt: skip


@pytest.mark.parametrize("name", SAME_AS_OWNER + DECEIVING)
def test_nobody_is_named_like_somebody_else(house: ScimHouse, name: str) -> None:
    async def ask() -> None:
        created = await house.call("POST", "/Users", post(name))
        assert created.status in {400, 409}, created.body
        eve = await house.add("eve")
        path = f"/Users/{eve['id']}"
        for answer in (
            await house.call("PUT", path, post(name)),
            await house.patch(path, {"op": "replace", "path": "userName", "value": name}),
            await house.patch(path, {"op": "replace", "value": {"userName": name}}),
        ):
            assert answer.status in {400, 409}, answer.body
        found = house.people.get(eve["id"])
        assert found is not None
        assert found.name == "eve"
        assert house.people.get(OWNER.id) == OWNER

    asyncio.run(ask())


def test_renaming_onto_another_is_refused_and_ends_nobodys_access_but_ones_own(house: ScimHouse) -> None:
    async def ask() -> None:
        eve, ben = await house.add("eve"), await house.add("ben")
        for name in ("BEN", SIGNED_IN.name.upper(), "owner"):
            answer = await house.patch(f"/Users/{eve['id']}", {"op": "replace", "path": "userName", "value": name})
            assert (answer.status, answer.json["scimType"]) == (409, "uniqueness")
        assert {name for name, _ in house.ending.ended} <= {"eve"}
        found = house.people.get(ben["id"])
        assert found is not None
        assert found.name == "ben"

    asyncio.run(ask())


def test_names_of_other_scripts_are_taken(house: ScimHouse) -> None:
    async def ask() -> None:
        for name in ("иван@example.com", "josé", "Ὀδυσσεύς", "山田太郎", "иван.ivanov", "zoë-müller"):
            assert (await house.call("POST", "/Users", post(name))).status == 201

    asyncio.run(ask())


def test_markup_stays_text_and_answers_are_no_pages(house: ScimHouse) -> None:
    async def ask() -> None:
        markup = "<script>alert(1)</script>"
        eve = await house.add(markup, displayName=markup, title="{{7*7}}", profileUrl="javascript:alert(1)")
        group = await house.add_group(f"{markup}", eve["id"])
        for answer in (
            await house.call("GET", f"/Users/{eve['id']}"),
            await house.call("GET", f"/Groups/{group['id']}"),
            await house.call("GET", f'/Users?filter=title eq "{markup}" and nosuch pr'),
            await house.call("GET", f"/{markup}"),
        ):
            assert answer.headers["content-type"] == "application/scim+json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
        user = house.people.get(eve["id"])
        assert user is not None
        assert (user.name, user.display_name, eve["title"]) == (markup, markup, "{{7*7}}")

    asyncio.run(ask())


def test_a_display_name_is_shown_without_what_is_hidden_in_it(house: ScimHouse) -> None:
    async def ask() -> None:
        eve = await house.add("eve", displayName="Ada\u202e\u200b\n Lovelace\x07" + "x" * 500)
        user = house.people.get(eve["id"])
        assert user is not None
        assert user.display_name.startswith("Ada Lovelacex")
        assert len(user.display_name) <= 200

    asyncio.run(ask())


# -- bombs ----------------------------------------------------------------------------------------------------------

FILTERS = [
    "(" * 2000 + "userName pr" + ")" * 2000, "not (" * 800 + "userName pr" + ")" * 800, "[" * 4000, "(" * 4000,
    " and ".join(["userName pr"] * 250), " or ".join(["title pr"] * 350), 'userName eq "' + "a" * 5000 + '"',
    'userName co "' + "\\" * 4000 + '"', "emails[" * 500 + "type pr" + "]" * 500,
    'userName eq "\\ud800"', "userName eq 1e999",
    "userName eq " + "9" * 4000, 'userName eq "a" ' * 200, "a.b.c.d eq 1", "\x00", 'id eq "%"', '__class__ eq "x"',
    'meta.created gt "0001-01-01T00:00:00+99:99"', 'meta.created gt "' + "9" * 3000 + '"',
]  # fmt: skip


@pytest.mark.parametrize("text", FILTERS)
def test_no_filter_takes_long_or_breaks_anything(house: ScimHouse, text: str) -> None:
    async def ask() -> None:
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": text}
        for kind in ("Users", "Groups"):
            answer = await house.call("POST", f"/{kind}/.search", body)
            assert answer.status in {200, 400}
            if answer.status == 200:
                assert answer.json["totalResults"] == 0

    began = time.monotonic()
    asyncio.run(ask())
    assert time.monotonic() - began < SLOW_S


def test_a_path_of_a_patch_is_limited_like_a_filter(house: ScimHouse) -> None:
    async def ask() -> None:
        eve = await house.add("eve")
        team = await house.add_group("Team", eve["id"])
        deep = "members[" + "(" * 2000 + "value pr" + ")" * 2000 + "]"
        wide = "emails[" + " or ".join(['type eq "a"'] * 3000) + "].value"
        for path in (f"/Groups/{team['id']}", f"/Users/{eve['id']}"):
            for text in (deep, wide, deep.replace("members", "emails"), "[" * 50_000, "a" * 500_000, "urn:" * 50_000):
                answer = await house.patch(path, {"op": "add", "path": text, "value": "x"})
                assert answer.status in {200, 400}
        assert (await house.call("GET", f"/Users/{eve['id']}")).json["meta"]["version"] == eve["meta"]["version"]

    began = time.monotonic()
    asyncio.run(ask())
    assert time.monotonic() - began < 3 * SLOW_S


BODIES = [
    (b"", 400), (b"{", 400), (b"[]", 400), (b'"text"', 400), (b"null", 400), (b"\xff\xfe{}", 400),
    (b"[" * 100_000, 400),
    (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 400),
    (b'{"schemas":["' + USER.encode() + b'"],"userName":"\\ud800"}', 400),
    (b'{"schemas":["' + USER.encode() + b'"],"userName":"eve","userName":"owner"}', 400),
    (b'{"schemas":["' + USER.encode() + b'"],"userName":"eve","USERNAME":"owner"}', 400),
    (b'{"schemas":["' + USER.encode() + b'"],"userName":NaN}', 400),
    (b'{"schemas":["' + USER.encode() + b'"],"userName":{"a":1}}', 400),
    (b'{"schemas":[],"userName":"eve"}', 400), (b'{"userName":"eve"}', 400),
    (b'{"schemas":["' + GROUP.encode() + b'"],"userName":"eve"}', 400),
    (b'{"schemas":["' + USER.encode() + b'"],"userName":"eve","title":"' + b"a" * 1_100_000 + b'"}', 413),
    (b'{"schemas":["' + USER.encode() + b'"],"userName":"eve","title":"' + b"a" * 100_000 + b'"}', 400),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status"), BODIES)
def test_a_body_that_is_no_user_makes_none(house: ScimHouse, body: bytes, status: int) -> None:
    async def ask() -> None:
        refused(await house.call("POST", "/Users", body), status)

    began = time.monotonic()
    asyncio.run(ask())
    assert time.monotonic() - began < SLOW_S
    assert house.people.named("eve") is None


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_page_can_send_across_sites_is_not_taken(house: ScimHouse, media_type: str) -> None:
    async def ask() -> None:
        refused(await house.call("POST", "/Users", post("eve"), headers={"content-type": media_type}), 415)

    asyncio.run(ask())


def test_patches_are_limited_in_number_and_in_what_they_make(house: ScimHouse) -> None:
    async def ask() -> None:
        eve = await house.add("eve")
        team = await house.add_group("Team")
        title = {"op": "replace", "path": "title", "value": "x"}
        refused(await house.patch(f"/Users/{eve['id']}", *[title] * 1001), 413)
        refused(await house.patch(f"/Groups/{team['id']}", *[{**title, "path": "displayName"}] * 1001), 413)
        many = [{"op": "add", "path": f'emails[type eq "t{n}"].value', "value": f"{n}@e.example"} for n in range(200)]
        refused(await house.patch(f"/Users/{eve['id']}", *many))
        refused(await house.call("POST", "/Users", post("fay", emails=[{"value": f"{n}@e"} for n in range(5000)])))
        names = {"op": "add", "value": {f"k{n}": 1 for n in range(40_000)}}
        refused(await house.patch(f"/Users/{eve['id']}", names))
        refused(await house.call("POST", "/Users", post("fay", **{f"k{n}": 1 for n in range(40_000)})))
        paths = {"op": "add", "value": {f'emails[type eq "{n}"].value': "x" for n in range(10_000)}}
        refused(await house.patch(f"/Users/{eve['id']}", paths))
        refused(await house.call("PUT", f"/Groups/{team['id']}", {
            "schemas": [GROUP], "displayName": "Team", "members": [{"value": f"{n}"} for n in range(30_000)],
        }))  # fmt: skip
        assert house.people.scim_document(eve["id"]) == {"active": True}

    began = time.monotonic()
    asyncio.run(ask())
    assert time.monotonic() - began < 4 * SLOW_S


def test_a_thousand_member_operations_are_quick(house: ScimHouse) -> None:
    async def ask() -> float:
        team = await house.add_group("Team", (await house.add("eve"))["id"])
        operations = [{"op": "remove", "path": f'members[value eq "{n}"]'} for n in range(1000)]
        began = time.monotonic()
        assert (await house.patch(f"/Groups/{team['id']}", *operations)).status == 200
        return time.monotonic() - began

    assert asyncio.run(ask()) < SLOW_S


@pytest.mark.parametrize(
    "query", ["count=99999999", "count=1e9", "startIndex=999999999999", "count=" + "9" * 400, "count=x"]
)
def test_pages_have_an_end(house: ScimHouse, query: str) -> None:
    async def ask() -> None:
        for number in range(205):
            assert house.people.add(User(f"a{number:031d}", f"many-{number}", Origin.SCIM, 1.0, 1.0))
        answer = await house.call("GET", f"/Users?{query}")
        assert answer.status in {200, 400}
        if answer.status == 200:
            assert answer.json["itemsPerPage"] <= 200

    asyncio.run(ask())


# -- races ----------------------------------------------------------------------------------------------------------


def test_of_two_changes_of_one_version_one_is_made(house: ScimHouse) -> None:
    async def ask() -> None:
        eve = await house.add("eve")
        tag = {"if-match": eve["meta"]["version"]}
        answers = await asyncio.gather(
            *(
                house.patch(f"/Users/{eve['id']}", {"op": "add", "path": "title", "value": f"t{n}"}, headers=tag)
                for n in range(6)
            ),
            house.call("DELETE", f"/Users/{eve['id']}", headers=tag),
        )
        statuses = sorted(answer.status for answer in answers)
        assert statuses.count(200) + statuses.count(204) == 1
        assert set(statuses) <= {200, 204, 404, 412}

    asyncio.run(ask())


def test_of_two_people_of_one_name_at_once_one_is_made(house: ScimHouse) -> None:
    async def ask() -> None:
        names = ["eve", "EVE", "Eve", "eVe"]
        answers = await asyncio.gather(*(house.call("POST", "/Users", post(name)) for name in names))
        assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
        team = [{"schemas": [GROUP], "displayName": name} for name in names]
        answers = await asyncio.gather(*(house.call("POST", "/Groups", body) for body in team))
        assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]

    asyncio.run(ask())


def test_changes_at_once_without_a_version_are_all_made(house: ScimHouse) -> None:
    async def ask() -> None:
        people = [await house.add(f"user-{number}") for number in range(6)]
        team = await house.add_group("Team")
        answers = await asyncio.gather(
            *(
                house.patch(f"/Groups/{team['id']}", {"op": "add", "path": "members", "value": [{"value": user["id"]}]})
                for user in people
            )
        )
        assert {answer.status for answer in answers} == {200}
        shown = (await house.call("GET", f"/Groups/{team['id']}")).json
        assert {member["value"] for member in shown["members"]} == {user["id"] for user in people}

    asyncio.run(ask())


def test_an_entry_names_few_of_many_members(house: ScimHouse) -> None:
    async def ask() -> None:
        ids = []
        for number in range(300):
            assert house.people.add(User(f"a{number:031d}", f"many-{number}", Origin.SCIM, 1.0, 1.0))
            ids.append({"value": f"a{number:031d}"})
        answer = await house.call("POST", "/Groups", {"schemas": [GROUP], "displayName": "All", "members": ids})
        assert answer.status == 201

    asyncio.run(ask())
    assert len(json.dumps(house.entries[-1])) < 4096
    assert house.entries[-1]["detail"]["added_count"] == 300


def test_what_is_refused_leaves_no_trace_of_what_was_sent(house: ScimHouse, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        body = {"schemas": [PATCH], "Operations": [{"op": "add", "path": "emails", "value": "secret-of-somebody"}]}
        eve = await house.add("eve")
        refused(await house.call("PATCH", f"/Users/{eve['id']}", body))
        refused(await house.call("POST", "/Users", post("fay", emails="secret-of-somebody")))

    asyncio.run(ask())
    assert "secret-of-somebody" not in caplog.text + json.dumps(house.entries)
