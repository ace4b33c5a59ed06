"""Signing in to the console with OpenID providers, in a real browser."""

from browsing import fact, shown, sign_in
from identity_house import IdentityHouse
from playwright.sync_api import Page, expect


def test_oidc_provider_signs_somebody_in(house: IdentityHouse, page: Page) -> None:
    page.goto(house.console)
    shown(page, "start")
    sign_in(page, house.console, "corp", "alice")
    shown(page, "landing")
    expect(page.get_by_role("heading", name="Signed in as Alice Example")).to_be_visible()
    assert fact(page, "Name in rules and records") == "alice@example.com"
    assert fact(page, "Groups") == "engineering, everybody"
    assert fact(page, "Roles") == "auditor, member"
    (cookie,) = [each for each in page.context.cookies(house.console) if each["name"].startswith("__Host-ostiary")]
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (
        "__Host-ostiary", True, True, "Lax", "/",
    )  # fmt: skip
    entry = house.newest("admin.sign-in", user="alice@example.com")
    assert entry["detail"]["issuer"] == "corp"


def test_canaille_signs_somebody_in(house: IdentityHouse, page: Page) -> None:
    sign_in(page, house.console, "people", "gina")
    expect(page.get_by_role("heading", name="Signed in as Gina Example")).to_be_visible()
    assert fact(page, "Name in rules and records") == "gina@people.example"
    assert fact(page, "Groups") == "engineering, everybody"
