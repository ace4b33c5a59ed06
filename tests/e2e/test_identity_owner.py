"""The local owner: the link of the first start, the codes of an app, and passkeys of a (virtual) authenticator."""

import base64
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import fact, shown
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from house import Installation
from playwright.sync_api import Page, expect
from processes import free_port

STEP_S = 30


@pytest.fixture
def new_installation(tmp_path: Path) -> Iterator[Callable[[str], Installation]]:
    """Each call starts one that nobody owns yet, for browsers that call its host by this name."""
    made: list[Installation] = []

    def new(host: str) -> Installation:
        port = free_port()
        url = f"http://{host}:{port}"
        made.append(Installation(tmp_path / str(len(made)), {"OSTIARY_CONSOLE_URL": url}, port))
        return made[-1]

    yield new
    assert [each.stop() for each in made] == [0] * len(made)


def printed_link(installation: Installation) -> str:
    """The one of the first start, from what the server says."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if found := re.search(r"http\S+/first-start\?code=\S+", installation.said()):
            return found.group()
        time.sleep(0.05)
    raise AssertionError(installation.said())


def code_of(key: str, at: float) -> str:
    return TOTP(base64.b32decode(key.replace(" ", "")), 6, SHA1(), STEP_S).generate(int(at)).decode()


def become_owner_with_an_app(page: Page, link: str, name: str | None = None) -> str:
    """The key that the app has now."""
    page.goto(link)
    shown(page, "first-start" if name else "owner-link")
    if name is not None:
        page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Authenticator app").click()
    shown(page, "first-start-totp")
    key = page.locator(".code-shown").inner_text()
    page.get_by_label("Code from the app").fill("000000")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Code from the app").fill(code_of(key, time.time()))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Signed in as")).to_be_visible()
    return key


def test_an_app_makes_the_owner_and_lets_them_in_again(
    new_installation: Callable[[str], Installation], page: Page, new_page: Callable[[], Page]
) -> None:
    installation = new_installation("127.0.0.1")
    link = printed_link(installation)
    console = link.partition("/first-start")[0]
    key = become_owner_with_an_app(page, link, "olive")
    assert "owner" in fact(page, "Roles")

    # The link is over, also for somebody else.
    thief = new_page()
    thief.goto(link)
    expect(thief.get_by_role("heading", name="That did not work")).to_be_visible()
    shown(thief, "first-start-used")

    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{console}/sign-in")
    shown(page, "sign-in-owner")
    spent = code_of(key, time.time() - STEP_S)
    for code, comes_in in ((spent, False), (code_of(key, time.time() + STEP_S), True)):
        page.get_by_label("Name").fill("olive")
        page.get_by_label("Code from the authenticator app").fill(code)
        page.get_by_role("button", name="Sign in with a code").click()
        heading = "Signed in as olive" if comes_in else "Sign in"
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()

    # The way back in when the app is lost: from the server itself.
    made = installation.json("owner", "link")["url"]
    finder = new_page()
    become_owner_with_an_app(finder, made)
    page.goto(console)
    expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()


def test_a_passkey_makes_the_owner_and_lets_them_in_again(
    new_installation: Callable[[str], Installation], page: Page
) -> None:
    installation = new_installation("localhost")
    link = printed_link(installation)
    console = link.partition("/first-start")[0]
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
                "isUserVerified": True, "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip
    page.goto(link)
    page.get_by_label("Your name").fill("olive")
    page.get_by_role("button", name="Passkey").click()
    shown(page, "first-start-passkey")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Signed in as olive")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{console}/sign-in")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Signed in as olive")).to_be_visible()


def test_where_browsers_make_no_passkeys_none_are_offered(
    new_installation: Callable[[str], Installation], page: Page
) -> None:
    page.goto(printed_link(new_installation("127.0.0.1")))
    shown(page, "first-start-no-passkeys")
    expect(page.get_by_role("button", name="Authenticator app")).to_be_visible()
    expect(page.get_by_role("button", name="Passkey")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("http://localhost")
