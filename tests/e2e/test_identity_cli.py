"""`ostiary login` from a clean home, with the browser and with a code, and the tokens that it brings."""

import json
import re
import time
from pathlib import Path

from browsing import at_provider, fact, shown, sign_in
from identity_house import IdentityHouse, Laptop, Login
from playwright.sync_api import Page, expect

URL = re.compile(r"https?://\S+")


def allow(page: Page, login: Login, issuer: str, who: str) -> None:
    """Open the address that the command line shows, sign in at the provider, and agree."""
    found = URL.search(login.line("/oauth/authorize"))
    assert found
    page.goto(found.group())
    page.get_by_role("link", name=f"Continue with {issuer}", exact=True).click()
    at_provider(page, issuer, who)
    agree(page)


def agree(page: Page) -> None:
    expect(page.get_by_role("heading", name="Sign in the command line?")).to_be_visible()
    page.get_by_role("button", name="Yes, sign it in").click()
    expect(page.get_by_role("heading", name="Back to your terminal")).to_be_visible()


def test_a_browser_signs_the_command_line_in(house: IdentityHouse, laptop: Laptop, page: Page) -> None:
    assert laptop.run("token").returncode != 0
    login = laptop.login("--no-browser")
    found = URL.search(login.line("/oauth/authorize"))
    assert found
    page.goto(found.group())
    page.get_by_role("link", name="Continue with corp", exact=True).click()
    at_provider(page, "corp", "carol")
    expect(page.get_by_role("heading", name="Sign in the command line?")).to_be_visible()
    shown(page, "authorize")
    assert "carol@example.com" in fact(page, "As whom")
    assert fact(page, "From the address") == "127.0.0.1"
    agree(page)
    shown(page, "back-to-your-terminal")
    code, said = login.end()
    assert code == 0, said
    assert f"Signed in at {house.console} as carol@example.com." in said

    answer = house.ask(laptop.token())
    assert (answer.status, answer.json) == (200, {"path": "/hello"})
    done = laptop.run("whoami", "--json")
    (known,) = json.loads(done.stdout)["logins"]
    assert (known["user"], known["state"]) == ("carol@example.com", "signed in")

    assert laptop.run("logout").returncode == 0
    assert laptop.run("token").returncode != 0


def test_groups_decide(house: IdentityHouse, laptop: Laptop, page: Page) -> None:
    login = laptop.login("--no-browser")
    allow(page, login, "corp", "bob")
    assert login.end()[0] == 0
    refused = house.ask(laptop.token())
    # Nobody tells people of connections that they have no part in.
    assert (refused.status, refused.json["error"]["code"]) == (404, "unknown_connection")


def test_the_browser_of_the_desktop_is_opened(house: IdentityHouse, tmp_path: Path, page: Page) -> None:
    opened = tmp_path / "opened"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" >{opened}.part && mv {opened}.part {opened}\n')
    script.chmod(0o755)
    desktop = Laptop(tmp_path / "desktop", house.console, BROWSER=str(script))
    login = desktop.login()
    deadline = time.monotonic() + 20
    while not opened.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    page.goto(opened.read_text())
    page.get_by_role("link", name="Continue with people", exact=True).click()
    at_provider(page, "people", "gina")
    agree(page)
    assert login.end()[0] == 0
    assert house.ask(desktop.token()).status == 200


def test_tokens_are_short_and_renewed_without_a_word(house: IdentityHouse, laptop: Laptop, page: Page) -> None:
    login = laptop.login("--no-browser", "--agent", "cursor@laptop")
    allow(page, login, "corp", "carol")
    assert login.end()[0] == 0
    first = laptop.token("--agent", "cursor@laptop")
    assert house.ask(first, "/as-cursor").status == 200
    exchange = next(
        entry for entry in house.entries() if entry["type"] == "exchange.intent" and "/as-cursor" in entry["target"]
    )
    assert (exchange["actor"]["name"], exchange["actor"]["agent"]) == ("carol@example.com", "cursor@laptop")
    time.sleep(house.access_ttl_s + 0.5)
    assert house.ask(first).status == 401
    second = laptop.token("--agent", "cursor@laptop")
    assert second != first
    assert house.ask(second).status == 200


def test_a_code_signs_in_a_machine_without_a_browser(house: IdentityHouse, laptop: Laptop, page: Page) -> None:
    login = laptop.login("--device", "--agent", "codex@server")
    code = login.line("enter this code").split(":", 1)[1].strip()
    page.goto(f"{house.console}/device")
    page.get_by_role("link", name="Continue with corp", exact=True).click()
    at_provider(page, "corp", "carol")
    shown(page, "device")
    page.get_by_label("Code on the device").fill(code.lower())
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Sign this device in as you?")).to_be_visible()
    shown(page, "device-confirm")
    assert fact(page, "Agent") == "codex@server"
    assert fact(page, "Device calls itself") in login.said()
    assert fact(page, "Asked from the address") == "127.0.0.1"
    assert page.locator(".code-shown").inner_text().strip() == code
    page.get_by_role("button", name="Yes, sign it in").click()
    shown(page, "allowed")
    exit_code, said = login.end()
    assert exit_code == 0, said
    assert house.ask(laptop.token("--agent", "codex@server")).status == 200


def test_a_code_that_is_turned_down_signs_nothing_in(house: IdentityHouse, laptop: Laptop, page: Page) -> None:
    login = laptop.login("--device")
    code = login.line("enter this code").split(":", 1)[1].strip()
    sign_in(page, house.console, "corp", "carol")
    page.goto(f"{house.console}/device?user_code={code}")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Not me").click()
    shown(page, "refused")
    exit_code, said = login.end()
    assert exit_code != 0
    assert "Traceback" not in said
    assert laptop.run("token").returncode != 0


def test_ones_own_sign_ins_are_listed_and_ended(house: IdentityHouse, laptop: Laptop, page: Page) -> None:
    login = laptop.login("--no-browser", "--agent", "opencode@laptop")
    allow(page, login, "corp", "carol")
    assert login.end()[0] == 0
    token = laptop.token("--agent", "opencode@laptop")
    page.goto(f"{house.console}/account")
    shown(page, "account")
    row = page.get_by_role("row").filter(has_text="opencode@laptop").filter(has_text="Command line")
    row.get_by_role("button", name="End").click()
    expect(row).to_have_count(0)
    assert house.ask(token).status == 401
    assert laptop.run("token", "--agent", "opencode@laptop", "--fresh").returncode != 0
