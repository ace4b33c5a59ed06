"""Signing in to the console with SAML providers of two makes, in a real browser, and their assertions for tokens."""

import base64
from collections.abc import Callable

import pytest
from browsing import continue_with, fact, shown, sign_in
from identity_house import IdentityHouse
from playwright.sync_api import Page, expect
from providers import Providers

PEOPLE = {"paper": ("paula", "Paula Example"), "stamp": ("sara", "Sara Example")}
BEARER = "urn:ietf:params:oauth:grant-type:saml2-bearer"


@pytest.mark.parametrize(
    ("response", "assertion"), [(True, True), (True, False), (False, True)], ids=["both", "response", "assertion"]
)
@pytest.mark.parametrize("issuer", PEOPLE)
def test_what_is_signed_is_believed(
    house: IdentityHouse, providers: Providers, page: Page, issuer: str, response: bool, assertion: bool
) -> None:
    providers[issuer].administer("sign", {"response": response, "assertion": assertion})
    login, _ = PEOPLE[issuer]
    sign_in(page, house.console, issuer, login)
    assert fact(page, "Name in rules and records") == f"{login}@{issuer}.example"
    assert fact(page, "Signed in with") == issuer
    assert fact(page, "Groups") == "engineering"


@pytest.mark.parametrize("issuer", PEOPLE)
def test_what_is_not_signed_is_not(house: IdentityHouse, providers: Providers, page: Page, issuer: str) -> None:
    providers[issuer].administer("sign", {"response": False, "assertion": False})
    try:
        page.goto(f"{house.console}/sign-in")
        continue_with(page, issuer, PEOPLE[issuer][0])
        expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    finally:
        providers[issuer].administer("sign", {"response": True, "assertion": True})
    shown(page, "sign-in-refused")
    reference = page.locator("main code").inner_text()
    refused = house.newest("admin.sign-in.refused", reference=reference)
    assert (refused["detail"]["issuer"], refused["detail"]["reason"]) == (issuer, "unsigned")
    page.goto(house.console)
    expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()


def test_an_answer_works_once_and_only_in_the_browser_that_asked(
    house: IdentityHouse, providers: Providers, page: Page, new_page: Callable[[], Page]
) -> None:
    answers: list[str] = []
    page.on("request", lambda request: answers.append(request.post_data or "") if "/acs" in request.url else None)
    sign_in(page, house.console, "paper", "paula")
    (answer,) = answers
    url = f"{house.console}/saml/paper/acs"
    for other in (page, new_page()):
        replayed = other.request.post(
            url, data=answer, headers={"content-type": "application/x-www-form-urlencoded"}, max_redirects=0
        )
        assert replayed.status == 403
        assert "__Host-ostiary=" not in replayed.headers.get("set-cookie", "")


def test_a_provider_changes_its_certificate(house: IdentityHouse, providers: Providers, page: Page) -> None:
    paper = providers["paper"]
    metadata = house.paper_metadata.read_bytes()
    try:
        paper.administer("sign", {"with": "second"})
        page.goto(f"{house.console}/sign-in")
        continue_with(page, "paper", "paula")
        expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
        # Before the change, both are published; afterwards the old one goes.
        for published in (["first", "second"], ["second"]):
            paper.administer("sign", {"publish": published})
            house.paper_metadata.write_bytes(paper.get("/metadata"))
            page.context.clear_cookies()
            sign_in(page, house.console, "paper", "paula")
        paper.administer("sign", {"with": "first"})
        page.context.clear_cookies()
        page.goto(f"{house.console}/sign-in")
        continue_with(page, "paper", "paula")
        expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    finally:
        paper.administer("sign", {"with": "first", "publish": ["first"]})
        house.paper_metadata.write_bytes(metadata)


def test_an_assertion_buys_a_token_once(house: IdentityHouse, providers: Providers) -> None:
    assertion = providers["paper"].administer("assertion?who=paula")["assertion"]
    encoded = base64.urlsafe_b64encode(assertion.encode()).decode()
    granted = house.grant(grant_type=BEARER, assertion=encoded, agent="ci@build")
    assert granted.status == 200, granted.body
    assert granted.json["token_type"] == "Bearer"
    assert "refresh_token" not in granted.json
    answer = house.ask(granted.json["access_token"])
    assert (answer.status, answer.json) == (200, {"path": "/hello"})
    again = house.grant(grant_type=BEARER, assertion=encoded)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")
    assert house.newest("admin.sign-in.refused", reason="used_before")


def test_groups_decide_what_an_assertion_is_worth(house: IdentityHouse, providers: Providers) -> None:
    assertion = providers["paper"].administer("assertion?who=peter")["assertion"]
    encoded = base64.urlsafe_b64encode(assertion.encode()).decode()
    granted = house.grant(grant_type=BEARER, assertion=encoded)
    refused = house.ask(granted.json["access_token"])
    assert (refused.status, refused.json["error"]["code"]) == (404, "unknown_connection")


def test_an_assertion_that_was_changed_buys_nothing(house: IdentityHouse, providers: Providers) -> None:
    assertion = providers["paper"].administer("assertion?who=peter")["assertion"]
    changed = assertion.replace(">sales<", ">eng<")
    assert changed != assertion
    refused = house.grant(grant_type=BEARER, assertion=base64.urlsafe_b64encode(changed.encode()).decode())
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")


def test_the_console_describes_itself_to_saml_providers(house: IdentityHouse, page: Page) -> None:
    answer = page.request.get(f"{house.console}/saml/paper/metadata")
    assert answer.ok
    text = answer.text()
    assert f"{house.console}/saml/paper/acs" in text
