"""Signing in to the console: with an OpenID or SAML provider, as the local owner, and out again."""

import base64
import html
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from ostiary.control.web.qr import qr_code
from ostiary.model.configuration import Configuration
from ostiary.model.errors import OstiaryError
from support import saml_idp
from support.oidc_provider import OidcProvider, Person, oidc_provider
from support.providers import a_saml_issuer, an_issuer
from support.web_room import ATTEMPT, COOKIE, Browser, Page, WebRoom


def local(url: str | None) -> str:
    assert url is not None
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def begin(web: WebRoom, browser: Browser, provider: OidcProvider, query: str = "") -> str:
    """The path of the callback that the provider sends the browser to."""
    away = browser.get(f"/sign-in/company{query}")
    assert away.status == 303
    location = away.header("location")
    assert location is not None
    assert location.startswith(provider.issuer)
    return local(provider.sign_in(location))


def with_company(web: WebRoom, provider: OidcProvider) -> None:
    provider.clock = web.clock
    web.configuration = replace(web.configuration, issuers=(an_issuer(provider),))


def owner_code(secret: str, now: float) -> str:
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return TOTP(key, 6, SHA1(), 30).generate(now).decode()


def become_owner(web: WebRoom, browser: Browser, name: str = "root") -> tuple[str, Page]:
    """The secret of the app, and the last page."""
    link = web.run(web.web.owner.first_start_link())
    page = browser.get(local(link))
    assert "Become the owner" in page.text
    fields = {"csrf": page.field("csrf"), "code": page.field("code")}
    page = browser.post("/first-start", {**fields, "name": name, "step": "totp"})
    found = re.search(r'class="code-shown">([A-Z2-7 ]+)<', page.text)
    assert found is not None, page.text
    secret = found.group(1).replace(" ", "")
    wrong = browser.post("/first-start", {**fields, "step": "totp-confirm", "totp": "000000"})
    assert wrong.status == 422
    assert secret not in wrong.text
    code = owner_code(secret, web.clock())
    return secret, browser.post("/first-start", {**fields, "step": "totp-confirm", "totp": f"{code[:3]} {code[3:]}"})


# -- OpenID Connect


def test_signing_in_with_an_openid_provider_goes_on_to_where_one_was(web: WebRoom) -> None:
    with oidc_provider() as provider:
        with_company(web, provider)
        browser = web.browser()
        assert 'href="/sign-in/company?next=%2Faccount"' in browser.get("/sign-in?next=%2Faccount").text
        callback = begin(web, browser, provider, "?next=%2Faccount")
        page = browser.get(callback)
        assert (page.status, page.header("location")) == (303, "/account")
        (session,) = [cookie for cookie in page.all("set-cookie") if cookie.startswith(COOKIE + "=")]
        assert re.fullmatch(r"__Host-ostiary=[\w-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax", session)
        assert ATTEMPT not in browser.cookies
        account = browser.get("/account")
        assert "ana@example.com" in account.text
        assert "Firefox on Linux" in account.text
        assert "127.0.0.1" in account.text
        assert browser.get(callback).status == 403  # once


def test_a_refused_sign_in_says_one_sentence_and_a_reference_that_is_on_record(web: WebRoom) -> None:
    with oidc_provider() as provider:
        with_company(web, provider)
        callback = begin(web, web.browser(), provider)
        page = web.browser().get(callback)  # another browser
        assert page.status == 403
        assert "The sign-in was not accepted." in page.text
        assert "another_browser" not in page.text
        (entry,) = web.entries("admin.sign-in.refused")
        assert entry["detail"]["reason"] == "another_browser"
        assert f"<code>{entry['detail']['reference']}</code>" in page.text
        error = web.browser().get("/sign-in/company/callback?error=access_denied&error_description=%3Cb%3E&state=x")
        assert error.status == 403
        assert "<b>" not in error.text


def test_a_second_sign_in_ends_the_first_session_of_the_browser(web: WebRoom) -> None:
    with oidc_provider() as provider:
        with_company(web, provider)
        browser = web.browser()
        browser.get(begin(web, browser, provider))
        first = dict(browser.cookies)
        browser.get(begin(web, browser, provider))
        assert browser.cookies[COOKIE] != first[COOKIE]
        assert Browser(web.port, first).get("/account").status == 303
        assert browser.get("/account").status == 200


def test_a_step_up_asks_the_provider_to_ask_again(web: WebRoom) -> None:
    with oidc_provider() as provider:
        with_company(web, provider)
        browser = web.browser()
        browser.get(begin(web, browser, provider))
        page = browser.get("/sign-in?next=%2Fapprovals%2Fx&again=1")
        assert "Show again that it is you" in page.text
        assert "next=%2Fapprovals%2Fx&amp;again=1" in page.text
        asked = parse_qs(urlsplit(browser.get("/sign-in/company?again=1").header("location") or "").query)
        assert asked["max_age"] == ["0"]
        assert "max_age" not in parse_qs(
            urlsplit(web.browser().get("/sign-in/company?again=1").header("location") or "").query
        )


def test_signing_out_ends_here_and_leads_to_the_provider(web: WebRoom) -> None:
    with oidc_provider() as provider:
        with_company(web, provider)
        browser = web.browser()
        browser.get(begin(web, browser, provider))
        kept = dict(browser.cookies)
        page = browser.form("/account", "/sign-out", {})
        assert page.status == 200
        found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
        assert found is not None
        assert html.unescape(found.group(1)).startswith(provider.issuer)
        assert Browser(web.port, kept).get("/account").status == 303


def test_the_provider_ends_sign_ins_over_the_back_channel(web: WebRoom) -> None:
    with oidc_provider() as provider:
        with_company(web, provider)
        browser = web.browser()
        browser.get(begin(web, browser, provider))
        to = f"{web.url()}/sign-in/company/back-channel-logout"
        assert provider.send_logout(to, subject=Person().subject) == 200
        assert browser.get("/account").status == 303
        answer = web.browser().post("/sign-in/company/back-channel-logout", {"logout_token": "x"}, origin=None)
        assert answer.status == 400


def test_unknown_issuers_are_not_found_and_unreachable_ones_say_so(web: WebRoom) -> None:
    assert web.browser().get("/sign-in/nobody").status == 404
    assert web.browser().get("/sign-in/nobody/callback?code=x&state=y").status == 404
    with oidc_provider() as provider:
        with_company(web, provider)
    assert web.browser().get("/sign-in/company").status == 503


# -- SAML


def with_saml(web: WebRoom, tmp_path: Path) -> None:
    file = tmp_path / "idp.xml"
    file.write_text(saml_idp.metadata_xml())
    web.clock.now = saml_idp.NOW
    web.configuration = Configuration(issuers=(a_saml_issuer(metadata_file=str(file)),))


def saml_words(web: WebRoom, away: str) -> tuple[saml_idp.Words, str]:
    """What the provider says to this request, and its RelayState."""
    import zlib

    query = parse_qs(urlsplit(away).query)
    request = zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15).decode()
    found = re.search(r'ID="([^"]+)"', request)
    assert found is not None
    acs, entity = f"{web.url()}/saml/saml/acs", f"{web.url()}/saml/saml/metadata"
    audience = f"<saml:AudienceRestriction><saml:Audience>{entity}</saml:Audience></saml:AudienceRestriction>"
    words = saml_idp.Words(
        recipient=acs, destination=acs, audiences_xml=audience, answers=found.group(1),
        confirmation_answers=found.group(1),
    )  # fmt: skip
    return words, query["RelayState"][0]


def test_a_saml_answer_comes_from_a_foreign_page_and_the_session_survives(web: WebRoom, tmp_path: Path) -> None:
    with_saml(web, tmp_path)
    browser = web.browser()
    away = browser.get("/sign-in/saml?next=%2Faccount").header("location")
    assert away is not None
    assert away.startswith("https://idp.example/sso?")
    words, relay_state = saml_words(web, away)
    form = {"SAMLResponse": saml_idp.post(saml_idp.signed_response(words)), "RelayState": relay_state}
    foreign = {"origin": "https://idp.example", "sec_fetch_site": "cross-site"}
    other = web.browser().post("/saml/saml/acs", form, **foreign)
    assert other.status == 403
    away = browser.get("/sign-in/saml?next=%2Faccount").header("location")
    words, relay_state = saml_words(web, away or "")
    form = {"SAMLResponse": saml_idp.post(saml_idp.signed_response(words)), "RelayState": relay_state}
    page = browser.post("/saml/saml/acs", form, **foreign)
    assert (page.status, page.header("location")) == (303, "/account")
    assert browser.get("/account", sec_fetch_site="cross-site").status == 200
    assert browser.post("/saml/saml/acs", form, **foreign).status == 403  # once


def test_our_saml_metadata_names_where_answers_go(web: WebRoom, tmp_path: Path) -> None:
    with_saml(web, tmp_path)
    page = web.browser().get("/saml/saml/metadata")
    assert page.status == 200
    assert page.header("content-type") == "application/samlmetadata+xml"
    assert f'Location="{web.url()}/saml/saml/acs"' in page.text
    assert '<md:KeyDescriptor use="signing">' in page.text
    assert web.browser().get("/saml/other/metadata").status == 404


# -- the local owner


def test_without_an_owner_the_pages_say_where_the_link_is(web: WebRoom) -> None:
    for path in ("/", "/sign-in"):
        assert "ostiary owner link" in web.browser().get(path).text


def test_the_first_start_makes_an_owner_who_comes_back_with_a_code(web: WebRoom) -> None:
    browser = web.browser()
    secret, page = become_owner(web, browser)
    assert (page.status, page.header("location")) == (303, "/")
    assert "owner, member" in html.unescape(browser.get("/").text).replace("member, owner", "owner, member")
    web.clock.now += 60
    back = web.browser()
    fields = {"name": "ROOT", "next": "/account", "step": "code"}
    refused = back.form("/sign-in", "/sign-in/local", {**fields, "code": "123456"})
    assert refused.status == 403
    assert "The sign-in was not accepted." in refused.text
    nobody = back.form("/sign-in", "/sign-in/local", {**fields, "name": "<b>", "code": "123456"})
    hidden = re.compile(r"[0-9a-f]{10}")
    assert hidden.sub("", nobody.text) == hidden.sub("", refused.text)
    signed_in = back.form("/sign-in", "/sign-in/local", {**fields, "code": owner_code(secret, web.clock())})
    assert (signed_in.status, signed_in.header("location")) == (303, "/account")
    assert back.get("/account").status == 200


def test_the_link_is_used_up_and_looking_at_it_is_not(web: WebRoom) -> None:
    link = local(web.run(web.web.owner.first_start_link()))
    for _ in range(3):
        assert web.browser().get(link).status == 200
    become_owner(web, web.browser())
    web.clock.now += 60
    assert web.browser().get(link).status == 403
    assert web.browser().get("/first-start?code=x").status == 403
    assert web.browser().get("/first-start").status == 403


def test_an_unusable_name_is_asked_for_again(web: WebRoom) -> None:
    browser = web.browser()
    page = browser.get(local(web.run(web.web.owner.first_start_link())))
    fields = {"csrf": page.field("csrf"), "code": page.field("code"), "step": "totp"}
    again = browser.post("/first-start", {**fields, "name": "a\u202eb<script>"})
    assert again.status == 422
    assert "<script>" not in again.text


def test_at_an_address_passkeys_are_not_offered_and_it_is_said_what_they_take(web: WebRoom) -> None:
    page = web.browser().get(local(web.run(web.web.owner.first_start_link())))
    assert 'value="totp"' in page.text
    assert 'value="passkey"' not in page.text
    assert f"OSTIARY_CONSOLE_URL set to http://localhost:{web.port}." in page.text
    become_owner(web, web.browser())
    assert 'value="passkey"' not in web.browser().get("/sign-in").text


def test_under_a_name_passkeys_are_offered(web: WebRoom) -> None:
    web.console_url = f"http://localhost:{web.port}"
    page = web.browser().get(local(web.run(web.web.owner.first_start_link())))
    assert 'value="passkey"' in page.text
    assert "OSTIARY_CONSOLE_URL" not in page.text
    become_owner(web, web.browser())
    assert 'value="passkey"' in web.browser().get("/sign-in").text


def test_the_key_for_the_app_is_a_qr_code_too(web: WebRoom) -> None:
    browser = web.browser()
    page = browser.get(local(web.run(web.web.owner.first_start_link())))
    fields = {"csrf": page.field("csrf"), "code": page.field("code"), "step": "totp", "name": "root"}
    page = browser.post("/first-start", fields)
    url = re.search(r'href="(otpauth://[^"]+)"', page.text)
    assert url is not None
    code = qr_code(html.unescape(url.group(1)))
    assert code is not None
    assert f'<path d="{code.path}"/>' in page.text
    assert not re.search(r"<svg[^>]*style=", page.text)  # the policy allows none
    far = browser.post("/first-start", {**fields, "name": "\u00f6" * 200})
    assert "<path" not in far.text.partition("<main")[2]
    assert "by hand" in far.text


def test_passkeys_need_a_name_and_say_so_at_an_address(web: WebRoom) -> None:
    become_owner(web, web.browser())
    web.clock.now += 60
    page = web.browser().form("/sign-in", "/sign-in/local", {"step": "passkey", "next": "/"})
    assert page.status in {200, 403}
    for answer in ("", "x", "[]", '{"id": 1}', '{"id": "' + "x" * 9 + '"}'):
        refused = web.browser().form("/sign-in", "/sign-in/local", {"step": "passkey-answer", "passkey": answer})
        assert refused.status in {400, 403}
        web.clock.now += 60


def test_an_owners_step_up_shows_the_form_again(web: WebRoom) -> None:
    browser = web.browser()
    become_owner(web, browser)
    page = browser.get("/sign-in?again=1&next=%2Fapprovals%2Fx")
    assert 'name="code"' in page.text
    assert page.field("next") == "/approvals/x"


def test_unknown_fields_and_steps_of_sign_in_are_refused(web: WebRoom) -> None:
    become_owner(web, web.browser())
    for fields in ({"step": "other"}, {"step": "code", "more": "1"}, {}):
        assert web.browser().form("/sign-in", "/sign-in/local", fields).status == 400
    assert web.browser().get("/sign-in?nope=1").status == 400
    assert web.browser().get("/sign-in?next=a&next=b").status == 400


def test_owners_links_are_made_over_the_admin_socket_only(web: WebRoom) -> None:
    owner = web.signed_in(web.user("ana", "owner"))
    assert owner.get("/first-start").status == 403
    visitor = web.run(web.web.sessions.visitor(owner.cookies[COOKIE]))
    assert visitor is not None
    with pytest.raises(OstiaryError):
        web.run(web.web.owner.new_link(visitor.caller))
