"""An OpenID provider whose ID tokens are odd in one way at a time: nobody is signed in, and the audit log says why."""

import pytest
from browsing import continue_with, fact, sign_in
from identity_house import IdentityHouse
from playwright.sync_api import Page, expect
from providers import Providers

ODD = {
    "audience": "aud_wrong",
    "two-audiences": "azp_missing",
    "authorized-party": "azp_wrong",
    "issuer": "iss_wrong",
    "nonce": "nonce_wrong",
    "no-nonce": "nonce_missing",
    "expired": "expired",
    "not-yet-valid": "not_yet_valid",
    "no-subject": "sub_missing",
    "no-expiry": "exp_missing",
    "unsigned": "algorithm_not_allowed",
    "hs256": "algorithm_not_allowed",
    "tampered": "signature_wrong",
    "stranger's-key": "signature_wrong",
}
"""What is odd, and the reason that the audit log gives; the page gives none."""


def test_a_token_as_it_should_be_is_believed(house: IdentityHouse, providers: Providers, page: Page) -> None:
    providers["odd"].administer("odd", {"way": "none"})
    sign_in(page, house.console, "odd", "")
    assert fact(page, "Name in rules and records") == "olga@odd.example"
    assert fact(page, "Groups") == "everybody"


@pytest.mark.parametrize("way", ODD)
def test_an_odd_token_is_not(house: IdentityHouse, providers: Providers, page: Page, way: str) -> None:
    providers["odd"].administer("odd", {"way": way})
    page.goto(f"{house.console}/sign-in")
    continue_with(page, "odd", "")
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    assert [each["name"] for each in page.context.cookies() if each["name"] == "__Host-ostiary"] == []
    reference = page.locator("main code").inner_text()
    refused = house.newest("admin.sign-in.refused", reference=reference)["detail"]
    assert refused["issuer"] == "odd"
    assert refused["reason"] == ODD[way]
    assert refused["reason"] not in page.content()
