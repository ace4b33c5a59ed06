"""A provider's own tokens at the token endpoint (RFC 8693) and at the gateway, and the change of its keys."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from browsing import at_provider, sign_in
from identity_house import IdentityHouse, fetch
from playwright.sync_api import Page
from providers import GATEWAY_AUDIENCE, Providers

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE = "urn:ietf:params:oauth:token-type:"
KEYS_ASKED_FOR_EVERY_S = 60


def tokens_from(
    providers: Providers, house: IdentityHouse, page: Page, login: str, *, knows_already: bool = False
) -> dict[str, str]:
    """What a tool gets that signs somebody in by itself: `id_token`, and `access_token` for the gateway."""
    corp = providers["corp"]
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    landed = f"{corp.url}/landed"
    asked = {
        "client_id": "ostiary", "response_type": "code", "redirect_uri": landed, "scope": "openid profile email",
        "resource": GATEWAY_AUDIENCE, "code_challenge": challenge, "code_challenge_method": "S256", "state": "s",
    }  # fmt: skip
    page.goto(f"{corp.url}/auth?{urlencode(asked)}")
    if not knows_already:
        at_provider(page, "corp", login)
    page.wait_for_url(f"{landed}**")
    (code,) = parse_qs(urlsplit(page.url).query)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": landed, "code_verifier": verifier}
    client = base64.b64encode(f"ostiary:{house.client_secret}".encode()).decode()
    answer = fetch(
        f"http://127.0.0.1:{corp.port}/token", {"Authorization": f"Basic {client}"}, urlencode(form).encode()
    )
    assert answer.status == 200, answer.body
    return dict(answer.json)


@pytest.mark.parametrize("kind", ["id_token", "access_token"])
def test_a_providers_token_is_exchanged(house: IdentityHouse, providers: Providers, page: Page, kind: str) -> None:
    given = tokens_from(providers, house, page, "carol")
    subject = {"subject_token": given[kind], "subject_token_type": TYPE + kind}
    exchanged = house.grant(grant_type=EXCHANGE, agent="opencode@ci", **subject)
    assert exchanged.status == 200, exchanged.body
    assert exchanged.json["issued_token_type"] == f"{TYPE}access_token"
    assert exchanged.json["expires_in"] <= house.access_ttl_s
    assert house.ask(exchanged.json["access_token"], f"/exchanged-{kind}").status == 200
    seen = next(entry for entry in house.entries() if f"/exchanged-{kind}" in entry.get("target", ""))
    assert (seen["actor"]["name"], seen["actor"]["agent"]) == ("carol@example.com", "opencode@ci")

    spoilt = {**subject, "subject_token": given[kind][:-8] + "AAAAAAAA"}
    refused = house.grant(grant_type=EXCHANGE, **spoilt)
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")


def test_a_providers_access_token_opens_the_gateway_and_its_id_token_does_not(
    house: IdentityHouse, providers: Providers, page: Page
) -> None:
    given = tokens_from(providers, house, page, "carol")
    assert house.ask(given["access_token"]).status == 200
    assert house.ask(given["id_token"]).status == 401
    head, body, signature = given["access_token"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    for changed in ({"sub": "alice"}, {"exp": int(time.time()) + 86_400}):
        forged = base64.urlsafe_b64encode(json.dumps({**claims, **changed}).encode()).decode().rstrip("=")
        assert house.ask(f"{head}.{forged}.{signature}").status == 401


def test_groups_decide_what_a_providers_access_token_is_worth(
    house: IdentityHouse, providers: Providers, page: Page
) -> None:
    sign_in(page, house.console, "corp", "alice")
    given = tokens_from(providers, house, page, "alice", knows_already=True)
    assert house.ask(given["access_token"]).status == 200
    # Groups are those of the last sign-in, not what an old token says.
    providers["corp"].administer("groups?who=alice", {"groups": ["sales"]})
    try:
        page.context.clear_cookies()
        sign_in(page, house.console, "corp", "alice")
        assert house.ask(given["access_token"]).status == 404
    finally:
        providers["corp"].administer("groups?who=alice", {"groups": ["eng", "everybody"]})
        page.context.clear_cookies()
        sign_in(page, house.console, "corp", "alice")


def test_somebody_who_never_signed_in_is_nobody_yet(house: IdentityHouse, providers: Providers, page: Page) -> None:
    given = tokens_from(providers, house, page, "nora")
    assert house.ask(given["access_token"]).status == 401
    page.context.clear_cookies()
    sign_in(page, house.console, "corp", "nora")
    assert house.ask(given["access_token"]).status == 200


def test_a_provider_changes_its_keys(house: IdentityHouse, providers: Providers, new_page: Callable[[], Page]) -> None:
    page = new_page()
    sign_in(page, house.console, "corp", "carol")
    old = tokens_from(providers, house, page, "carol", knows_already=True)
    providers["corp"].administer("rotate-keys")
    # The keys are asked for again when one is not among them, but not more often than this.
    deadline = time.monotonic() + KEYS_ASKED_FOR_EVERY_S + 5
    newer = tokens_from(providers, house, new_page(), "carol")
    while (status := house.ask(newer["access_token"]).status) == 401 and time.monotonic() < deadline:
        time.sleep(1)
    assert status == 200
    sign_in(new_page(), house.console, "corp", "carol")
    # What the old key signed is worth nothing any more.
    assert house.ask(old["access_token"]).status == 401
