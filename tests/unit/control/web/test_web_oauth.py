"""`ostiary login` in the browser and with a code, and the endpoints that programs call."""

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from support.web_room import Browser, Page, WebRoom

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1:54321/callback"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def parameters(**changes: str | None) -> dict[str, str]:
    usual: dict[str, str | None] = {
        "response_type": "code",
        "client_id": "ostiary-cli",
        "redirect_uri": REDIRECT,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "state": "a&b=<x>",
        "device": "anas-laptop",
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def program(web: WebRoom, path: str, form: Mapping[str, str], **headers: str | None) -> tuple[Page, Any]:
    plain = Browser(web.port, agent="ostiary")
    page = plain.post(path, form, **{"origin": None, "sec_fetch_site": None, **headers})
    return page, json.loads(page.body) if page.body else None


def hidden_fields(page: Page) -> dict[str, str]:
    import re

    return {
        name: html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    }


def agreed(web: WebRoom, browser: Browser, decision: str = "allow", **changes: str | None) -> Page:
    page = browser.get("/oauth/authorize?" + urlencode(parameters(**changes)))
    assert page.status == 200, page.text
    return browser.post("/oauth/authorize", {**hidden_fields(page), "decision": decision})


def test_agreeing_sends_a_code_to_the_command_line_that_becomes_tokens(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana", display_name="Ana Example"))
    page = browser.get("/oauth/authorize?" + urlencode(parameters(agent="cursor@laptop", scope="gateway")))
    for shown in ("Ana Example", "<code>ana</code>", "cursor@laptop", "anas-laptop", "127.0.0.1", "30 days", "Not me"):
        assert shown in page.text
    policy = page.header("content-security-policy") or ""
    assert "form-action 'self' http://127.0.0.1:54321;" in policy
    done = browser.post("/oauth/authorize", {**hidden_fields(page), "decision": "allow"})
    assert done.status == 303
    location = done.header("location") or ""
    assert location.startswith(REDIRECT + "?")
    answer = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert answer["state"] == "a&b=<x>"
    form = {
        "grant_type": "authorization_code", "code": answer["code"], "redirect_uri": REDIRECT,
        "client_id": "ostiary-cli", "code_verifier": VERIFIER,
    }  # fmt: skip
    page, tokens = program(web, "/oauth/token", form)
    assert page.status == 200
    assert page.header("cache-control") == "no-store"
    assert tokens["token_type"] == "Bearer"
    assert "cursor@laptop" in browser.get("/account").text
    again, refused = program(web, "/oauth/token", form)
    assert (again.status, refused["error"]) == (400, "invalid_grant")


def test_an_ipv6_command_line_is_redirected_to_as_well(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana"))
    page = browser.get("/oauth/authorize?" + urlencode(parameters(redirect_uri="http://[::1]:54321/callback")))
    assert "form-action 'self' http:;" in (page.header("content-security-policy") or "")
    done = browser.post("/oauth/authorize", {**hidden_fields(page), "decision": "allow"})
    assert (done.header("location") or "").startswith("http://[::1]:54321/callback?")


def test_an_api_token_opens_the_api_as_its_person(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana", "auditor"))
    location = agreed(web, browser).header("location") or ""
    code = parse_qs(urlsplit(location).query)["code"][0]
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": "ostiary-cli",
        "code_verifier": VERIFIER, "scope": "api",
    }  # fmt: skip
    _, tokens = program(web, "/oauth/token", form)
    if tokens["scope"] != "api":
        again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "scope": "api"}
        _, tokens = program(web, "/oauth/token", {**again, "client_id": "ostiary-cli"})
    plain = web.browser()
    bearer = f"Bearer {tokens['access_token']}"
    assert plain.get("/api/v1/audit/checkpoint", authorization=bearer).status == 200
    assert plain.get("/api/v1/secrets", authorization=bearer).status == 200
    problem = plain.send("POST", "/api/v1/approvals/x/approve", b"{}", {"authorization": bearer})
    assert (problem.status, json.loads(problem.body)["code"]) == (403, "denied")
    assert plain.get("/api/v1/status", authorization=f"Basic {tokens['access_token']}").status == 401
    foreign = plain.get("/api/v1/status", authorization=bearer, origin="https://evil.example")
    assert foreign.status == 401
    gateway = web.run(web.room.services.tokens.create(web.room.owner, actor="ana", kind="user")).text
    assert plain.get("/api/v1/status", authorization=f"Bearer {gateway}").status == 401


def test_an_old_sign_in_is_told_to_step_up(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana", "owner"), ago_s=301)
    page = browser.get("/api/v1/recordings/e1")
    assert (page.status, json.loads(page.body)["code"]) == (403, "step_up_required")


def test_whoever_is_not_signed_in_comes_back_to_the_same_question(web: WebRoom) -> None:
    page = web.browser().get("/oauth/authorize?" + urlencode(parameters()))
    assert page.status == 303
    back = parse_qs(urlsplit(page.header("location") or "").query)["next"][0]
    assert back.startswith("/oauth/authorize?")
    assert parse_qs(urlsplit(back).query)["state"] == ["a&b=<x>"]
    signed_in = web.signed_in(web.user("ana")).get(back)
    assert hidden_fields(signed_in)["state"] == "a&b=<x>"


def test_not_me_gives_nothing_and_lets_the_command_line_know(web: WebRoom) -> None:
    page = agreed(web, web.signed_in(web.user("ana")), "deny")
    assert page.status == 200
    assert "Nothing was given" in page.text
    assert "error=access_denied" in page.text
    assert "code=" not in page.text


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://evil.example/cb"}, {"redirect_uri": "http://localhost:1/cb"}, {"redirect_uri": None},
        {"redirect_uri": "http://127.0.0.1:1/cb#x"}, {"redirect_uri": "http://127.0.0.1:1@evil.example/cb"},
        {"client_id": "other"}, {"client_id": None}, {"code_challenge": None}, {"code_challenge_method": "plain"},
        {"response_type": "token"}, {"code_challenge_method": None}, {"scope": "scim"}, {"agent": "a\nb"},
    ],
)  # fmt: skip
def test_a_doubtful_question_is_not_asked_and_sends_nobody_anywhere(
    web: WebRoom, change: dict[str, str | None]
) -> None:
    for browser in (web.browser(), web.signed_in(web.user("ana"))):
        page = browser.get("/oauth/authorize?" + urlencode(parameters(**change)))
        assert page.status in {400, 401, 422}
        assert page.header("location") is None
        assert 'href="https://evil.example' not in page.text
        assert 'value="allow"' not in page.text


def test_a_question_that_changed_on_the_way_back_is_checked_again(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana"))
    page = browser.get("/oauth/authorize?" + urlencode(parameters()))
    fields = {**hidden_fields(page), "decision": "allow", "redirect_uri": "https://evil.example/"}
    answer = browser.post("/oauth/authorize", fields)
    assert answer.status in {400, 401}
    assert answer.header("location") is None


def test_a_doubled_parameter_is_refused(web: WebRoom) -> None:
    query = urlencode(parameters()) + "&redirect_uri=https%3A%2F%2Fevil.example"
    assert web.signed_in(web.user("ana")).get("/oauth/authorize?" + query).status == 400


# -- the device flow


def asked_by_device(web: WebRoom, **more: str) -> Any:
    page, answer = program(web, "/oauth/device-authorization", {"client_id": "ostiary-cli", **more})
    assert page.status == 200, answer
    return answer


def redeem(web: WebRoom, device_code: str) -> tuple[Page, Any]:
    return program(
        web, "/oauth/token", {"grant_type": DEVICE_GRANT, "device_code": device_code, "client_id": "ostiary-cli"}
    )


def test_a_device_is_signed_in_after_its_code_was_confirmed(web: WebRoom) -> None:
    asked = asked_by_device(web, agent="codex@server", device="build-server")
    browser = web.signed_in(web.user("ana"))
    assert asked["verification_uri"] == web.url() + "/device"
    page = browser.get("/device?" + urlencode({"user_code": asked["user_code"]}))
    assert asked["user_code"] in page.text
    assert 'value="allow"' not in page.text  # a link alone leads to no button that agrees
    page = browser.post("/device", {**hidden_fields(page), "user_code": asked["user_code"], "decision": "show"})
    for shown in (asked["user_code"], "codex@server", "build-server", "127.0.0.1", "<code>ana</code>", "30 days"):
        assert shown in page.text
    pending, waits = redeem(web, asked["device_code"])
    assert (pending.status, waits["error"]) == (400, "authorization_pending")
    page = browser.post("/device", {**hidden_fields(page), "decision": "allow"})
    assert "The device is signed in" in page.text
    web.clock.now += 30
    page, tokens = redeem(web, asked["device_code"])
    assert page.status == 200, tokens
    assert "codex@server" in browser.get("/account").text


def test_not_me_refuses_the_device(web: WebRoom) -> None:
    asked = asked_by_device(web)
    browser = web.signed_in(web.user("ana"))
    page = browser.form("/device", "/device", {"user_code": asked["user_code"], "decision": "deny"})
    assert "Nothing was given" in page.text
    web.clock.now += 30
    refused, answer = redeem(web, asked["device_code"])
    assert (refused.status, answer["error"]) == (400, "access_denied")


def test_a_wrong_code_is_asked_for_again(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana"))
    page = browser.form("/device", "/device", {"user_code": "<b>WRONG", "decision": "show"})
    assert page.status >= 400
    assert "<b>" not in page.text
    assert 'name="user_code"' in page.text


def test_guessing_device_codes_is_slowed_down(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana"))
    token = browser.get("/device").field("csrf")
    statuses = [
        browser.post("/device", {"csrf": token, "user_code": f"BCDF-{number:04}", "decision": "show"}).status
        for number in range(120)
    ]
    assert 429 in statuses


# -- for programs


def test_the_metadata_names_every_endpoint_there_is(web: WebRoom) -> None:
    page = web.browser().get("/.well-known/oauth-authorization-server")
    document = json.loads(page.body)
    assert document["issuer"] == web.url()
    assert document["code_challenge_methods_supported"] == ["S256"]
    for name, url in document.items():
        if name.endswith("_endpoint"):
            assert web.browser().get(urlsplit(url).path).status in {400, 401, 405}, name


def test_revoking_ends_the_sign_in_and_knows_nobody(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana"))
    code = parse_qs(urlsplit(agreed(web, browser).header("location") or "").query)["code"][0]
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": "ostiary-cli",
        "code_verifier": VERIFIER,
    }  # fmt: skip
    _, tokens = program(web, "/oauth/token", form)
    assert "Command line" in browser.get("/account").text
    for token in (tokens["refresh_token"], tokens["refresh_token"], "unknown"):
        page, _ = program(web, "/oauth/revoke", {"token": token, "client_id": "ostiary-cli"})
        assert page.status == 200
    assert "Command line" not in browser.get("/account").text


@pytest.mark.parametrize("grant", ["password", "client_credentials", "implicit", ""])
def test_other_grants_are_not_known(web: WebRoom, grant: str) -> None:
    page, answer = program(web, "/oauth/token", {"grant_type": grant, "client_id": "ostiary-cli"})
    assert page.status == 400
    assert answer["error"] in {"unsupported_grant_type", "invalid_request"}


def test_forms_of_programs_are_strict_about_form_only(web: WebRoom) -> None:
    for body, kind in ((b"a=1&a=2", None), (b"{}", "application/json"), (b"a", None), (b"a=%ff", None)):
        more = {} if kind is None else {"content_type": kind}
        page = web.browser().post("/oauth/token", body, origin=None, sec_fetch_site=None, **more)
        assert (page.status, json.loads(page.body)["error"]) == (400, "invalid_request")
