"""Whoever loses access loses it everywhere, running streams included; whoever keeps it is not disturbed."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browsing import new_profile, sign_in
from identity_house import IdentityHouse, Laptop, Stream
from playwright.sync_api import Browser, Page, expect
from providers import Providers
from test_identity_cli import URL, agree

RECHECKED_WITHIN_S = 66 + 15 + 5
"""The interval of 60 s as long as it may be, the round of checks that it waits for, and the end of streams."""


@dataclass(frozen=True, slots=True)
class Person:
    """At work: signed in to the console, with a tool that was signed in from there, in the middle of an answer."""

    page: Page
    laptop: Laptop
    token: str
    stream: Stream


@pytest.fixture
def at_work(house: IdentityHouse, new_page: Callable[[], Page], tmp_path: Path) -> Iterator[Callable[[str], Person]]:
    people: list[Person] = []

    def begin(login: str) -> Person:
        people.append(begin_to_work(house, new_page(), tmp_path, login))
        return people[-1]

    yield begin
    for person in people:
        person.stream.close()


def begin_to_work(house: IdentityHouse, page: Page, directory: Path, login: str) -> Person:
    sign_in(page, house.console, "corp", login)
    laptop = Laptop(directory / login, house.console)
    signing_in = laptop.login("--no-browser")
    found = URL.search(signing_in.line("/oauth/authorize"))
    assert found
    page.goto(found.group())
    agree(page)
    assert signing_in.end()[0] == 0
    token = laptop.token()
    return Person(page, laptop, token, Stream(house, token))


def has_lost_access(house: IdentityHouse, person: Person) -> None:
    assert house.ask(person.token).status == 401
    done = person.laptop.run("whoami")
    assert done.returncode != 0, done.stdout
    person.page.goto(house.console)
    expect(person.page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()


@pytest.fixture(scope="module", autouse=True)
def rita(
    house: IdentityHouse, providers: Providers, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Person, float]]:
    """Somebody whose account the provider deactivates while the other tests run: nobody tells us. And when that was."""
    context = new_profile(browser)
    person = begin_to_work(house, context.new_page(), tmp_path_factory.mktemp("rita"), "rita")
    providers["corp"].administer("deactivate?who=rita")
    yield person, time.monotonic()
    person.stream.close()
    context.close()


def test_a_provider_that_says_so_ends_access(
    house: IdentityHouse, providers: Providers, at_work: Callable[[str], Person]
) -> None:
    dave, carol = at_work("dave"), at_work("carol")
    page = dave.page
    page.goto(f"{providers['corp'].url}/session/end")
    began = time.monotonic()
    page.get_by_role("button", name="Sign out").click()
    dave.stream.ended_after(began)
    has_lost_access(house, dave)
    entry = house.newest("admin.sign-in.ended", user="dave@example.com")
    assert "identity provider" in entry["detail"]["why"]
    assert carol.stream.runs()


def test_deactivation_ends_access(house: IdentityHouse, at_work: Callable[[str], Person]) -> None:
    erin = at_work("erin")
    began = time.monotonic()
    house.command("user", "deactivate", "erin@example.com")
    erin.stream.ended_after(began)
    has_lost_access(house, erin)
    page = erin.page
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.get_by_role("link", name="Continue with corp", exact=True).click()
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    house.command("user", "activate", "erin@example.com")
    page.context.clear_cookies()
    sign_in(page, house.console, "corp", "erin")
    # What ended stays ended.
    assert house.ask(erin.token).status == 401


def test_scim_ends_access(house: IdentityHouse, at_work: Callable[[str], Person]) -> None:
    scim = Scim(house)
    frank = at_work("frank")
    made = scim.call("POST", "/Users", {"schemas": [USER], "userName": "frank@example.com", "active": True})
    assert frank.stream.runs()
    began = time.monotonic()
    patch = {"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"active": False}}]}
    scim.call("PATCH", f"/Users/{made['id']}", patch)
    frank.stream.ended_after(began)
    has_lost_access(house, frank)


def test_leaving_a_group_ends_what_it_gave(house: IdentityHouse, at_work: Callable[[str], Person]) -> None:
    scim = Scim(house)
    user = scim.call("POST", "/Users", {"schemas": [USER], "userName": "bob@example.com", "displayName": "Bob Example"})
    member = {"value": user["id"]}
    group = scim.call(
        "POST", "/Groups", {"schemas": [GROUP], "displayName": "Engineering", "members": [member]}
    )
    bob = at_work("bob")
    began = time.monotonic()
    removal = {"op": "remove", "path": f'members[value eq "{user["id"]}"]'}
    scim.call("PATCH", f"/Groups/{group['id']}", {"schemas": [PATCH], "Operations": [removal]})
    bob.stream.ended_after(began)
    # Still somebody, only not an engineer.
    assert house.ask(bob.laptop.token()).status == 404
    bob.page.goto(house.console)
    expect(bob.page.get_by_role("heading", name="Signed in as Bob Example")).to_be_visible()


def test_signing_out_ends_it_at_the_provider_too(house: IdentityHouse, providers: Providers, page: Page) -> None:
    sign_in(page, house.console, "corp", "alice")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{providers['corp'].url}/**")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{house.console}/sign-in**")
    page.get_by_role("link", name="Continue with corp", exact=True).click()
    expect(page.get_by_label("Login")).to_be_visible()


def test_who_is_deactivated_at_the_provider_is_found_out(
    house: IdentityHouse, rita: tuple[Person, float], at_work: Callable[[str], Person]
) -> None:
    person, since = rita
    carol = at_work("carol")
    person.stream.ended_after(since, RECHECKED_WITHIN_S)
    has_lost_access(house, person)
    assert house.newest("admin.sign-in.ended", user="rita@example.com")
    # Asked as often, and confirmed: her tokens were over long ago, her answer goes on.
    assert carol.stream.runs()


USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Scim:
    """The identity provider that provisions."""

    def __init__(self, house: IdentityHouse) -> None:
        self._url = f"{house.console}/scim/v2"
        self._token = house.json("scim", "token")["token"]

    def call(self, method: str, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._url + path,
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/scim+json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")
