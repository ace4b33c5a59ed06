"""Debian's Chromium, and what a person does in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from providers import PASSWORD, install_debian

CHROMIUM = "/usr/bin/chromium"
_QUIET = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_TIMEOUT_MS = 15_000
_SHOTS = os.environ.get("E2E_SHOTS", "")
"""A directory for a picture of every page that is shown; none by default."""


@contextmanager
def running_browser() -> Iterator[Browser]:
    install_debian("chromium", CHROMIUM)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*sandbox, *_QUIET])
        yield browser
        browser.close()


def new_profile(browser: Browser) -> BrowserContext:
    """A browser that has never been anywhere."""
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    context.set_default_timeout(_TIMEOUT_MS)
    return context


def shown(page: Page, name: str) -> None:
    """Keeps a picture of the page, when somebody wants to look at them."""
    if _SHOTS:
        page.screenshot(path=Path(_SHOTS) / f"{name}.png", full_page=True)


def sign_in(page: Page, console: str, issuer: str, login: str) -> None:
    """From the console's first page through the provider's own, and back."""
    page.goto(console)
    page.get_by_role("link", name="Sign in", exact=True).click()
    continue_with(page, issuer, login)
    expect(page.get_by_role("heading", name="Signed in as")).to_be_visible()


def continue_with(page: Page, issuer: str, login: str) -> None:
    """From the page of choices."""
    shown(page, "sign-in")
    page.get_by_role("link", name=f"Continue with {issuer}", exact=True).click()
    at_provider(page, issuer, login)


def at_provider(page: Page, issuer: str, login: str) -> None:
    match issuer:
        case "odd":
            return  # it asks nobody
        case "people":
            page.locator("input[name=login]").fill(login)
            page.locator("input[name=login]").press("Enter")
            page.locator("input[name=password]").fill(PASSWORD)
            page.locator("input[name=password]").press("Enter")
        case _:
            page.get_by_label("Login").fill(login)
            page.get_by_role("button", name="Continue").click()


def fact(page: Page, name: str) -> str:
    """What stands beside `name` in the page's list of facts."""
    return page.locator(f"xpath=//dt[normalize-space()='{name}']/following-sibling::dd[1]").inner_text().strip()
