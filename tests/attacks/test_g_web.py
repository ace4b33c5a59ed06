"""G12, G13, G14, G21, C09, I01, I02, I04 in the console: what foreign pages, forged forms and hostile names get."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from ostiary.control.web.cookies import ATTEMPT as ATTEMPT_NAME
from ostiary.model.approval import ApprovalState
from support.control_room import asked
from support.web_room import ATTEMPT, COOKIE, Browser, Page, WebRoom, web_room

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}${7*7}"
TURNED = "nimda\u202etxt.exe\u200b"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebRoom]:
    with web_room(tmp_path) as web:
        yield web


# -- G14: forged requests

FORGED: dict[str, dict[str, str | None]] = {
    "a foreign page": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "a foreign page, old browser": {"origin": "https://evil.example", "sec-fetch-site": None},
    "a sandboxed page": {"origin": "null", "sec-fetch-site": "cross-site"},
    "a page without an origin": {"origin": "null", "sec-fetch-site": None},
    "a page of another port": {"origin": "http://127.0.0.1:1", "sec-fetch-site": "same-site"},
    "a page of another scheme": {"origin": "https://127.0.0.1", "sec-fetch-site": "same-site"},
    "a page whose name begins alike": {"origin": "http://127.0.0.1.evil.example", "sec-fetch-site": None},
    "a sibling that hides its origin": {"origin": None, "sec-fetch-site": "same-site"},
    "no page at all": {"origin": None, "sec-fetch-site": None},
    "contradicting fields": {"sec-fetch-site": "cross-site"},
    "a made-up site": {"sec-fetch-site": "same-origin, cross-site"},
}  # fmt: skip


def posts(web: WebRoom) -> list[tuple[str, dict[str, str]]]:
    """Every form of somebody who is signed in."""
    return [
        ("/sign-out", {}),
        ("/account/sign-ins/x/end", {}),
        ("/account/tokens/x/revoke", {}),
        ("/approvals/ap_1", {"decision": "approve"}),
        ("/device", {"user_code": "ABCD-EFGH", "decision": "allow"}),
        ("/oauth/authorize", {"client_id": "ostiary-cli", "decision": "allow"}),
    ]


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_G14_a_form_from_elsewhere_changes_nothing_even_with_the_token(
    web: WebRoom, headers: dict[str, str | None]
) -> None:
    web.run(web.room.desk.ask(asked("ap_1", "ben")))
    browser = web.signed_in(web.user("ana", "owner"))
    token = browser.get("/account").field("csrf")
    for path, fields in posts(web):
        assert browser.post(path, {"csrf": token, **fields}, **headers).status == 403, path
    assert web.room.desk.get("ap_1").state is ApprovalState.WAITING
    assert browser.get("/account").status == 200


@pytest.mark.parametrize("token", [None, "", "0" * 64, "another's"])
def test_G14_a_form_without_its_token_changes_nothing(web: WebRoom, token: str | None) -> None:
    web.run(web.room.desk.ask(asked("ap_1", "ben")))
    ana = web.user("ana", "owner")
    browser, other = web.signed_in(ana), web.signed_in(ana)
    given = {} if token is None else {"csrf": other.get("/account").field("csrf") if token == "another's" else token}
    for path, fields in posts(web):
        assert browser.post(path, {**given, **fields}).status == 403, path
    assert web.room.desk.get("ap_1").state is ApprovalState.WAITING
    assert browser.get("/account").status == 200


@pytest.mark.parametrize("path", ["/sign-in/local", "/first-start"])
def test_G14_before_signing_in_the_token_belongs_to_the_browser(web: WebRoom, path: str) -> None:
    victim, attacker = web.browser(), web.browser()
    attackers_token = attacker.get("/sign-in").field("csrf") if 'name="csrf"' in attacker.get("/sign-in").text else "x"
    victim.get("/sign-in")
    assert victim.post(path, {"csrf": attackers_token, "name": "a", "code": "123456"}).status == 403
    assert web.browser().post(path, {"csrf": attackers_token}).status == 403
    assert web.browser().post(path, {}).status == 403


def test_G14_the_api_takes_a_cookie_only_from_our_own_pages(web: WebRoom) -> None:
    web.run(web.room.desk.ask(asked("ap_1", "ben")))
    browser = web.signed_in(web.user("ana", "owner"))
    token = browser.get("/account").field("csrf")
    path, json_type = "/api/v1/approvals/ap_1/deny", {"content-type": "application/json"}
    own = {"origin": browser.origin, "sec-fetch-site": "same-origin"}

    def ask(headers: dict[str, str]) -> Page:
        return browser.send("POST", path, b"{}", {**json_type, **headers})

    for headers in FORGED.values():
        sent = {**own, **headers, "x-ostiary-csrf": token}
        assert ask({name: value for name, value in sent.items() if value is not None}).status == 403
    assert ask(own).status == 403
    assert ask({**own, "x-ostiary-csrf": "0" * 64}).status == 403
    assert web.room.desk.get("ap_1").state is ApprovalState.WAITING
    assert ask({**own, "x-ostiary-csrf": token}).status == 200
    read = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert browser.send("GET", "/api/v1/status", headers=read).status == 403
    assert browser.get("/api/v1/status").status == 200


def test_G14_there_is_no_cors(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana", "owner"))
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for path in ("/api/v1/approvals", "/oauth/token", "/account"):
        answer = browser.send("OPTIONS", path, headers=headers)
        assert answer.status == 405
        for page in (answer, browser.get(path, origin="https://evil.example")):
            assert not [name for name, _ in page.headers if name.lower().startswith("access-control-")]


def test_G14_programs_endpoints_take_nothing_from_pages(web: WebRoom) -> None:
    for path in ("/oauth/token", "/oauth/device-authorization", "/oauth/revoke"):
        headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        answer = web.browser().post(path, {"client_id": "ostiary-cli"}, **headers)
        assert answer.status == 400
        assert answer.header("content-type") == "application/json"


def test_G14_get_changes_nothing(web: WebRoom) -> None:
    web.run(web.room.desk.ask(asked("ap_1", "ben")))
    browser = web.signed_in(web.user("ana", "owner"))
    token, before = browser.get("/account").field("csrf"), len(web.room.log.rows)
    sign_in = web.run(web.web.sessions.own(web.people.named("ana")))[0].id  # type: ignore[arg-type]
    for path, status in (
        (f"/sign-out?csrf={token}", 405),
        (f"/account/sign-ins/{sign_in}/end?csrf={token}", 405),
        (f"/account/tokens/x/revoke?csrf={token}", 405),
        (f"/sign-in/local?csrf={token}&name=a", 400),
        (f"/approvals/ap_1?csrf={token}&decision=approve", 200),
        (f"/device?csrf={token}&user_code=AAAA&decision=allow", 400),
    ):
        assert browser.get(path).status == status, path
        assert browser.send("HEAD", path).status == status, path
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        assert browser.send(method, "/account").status == 405
    assert web.room.desk.get("ap_1").state is ApprovalState.WAITING
    assert len(web.room.log.rows) == before
    assert browser.get("/account").status == 200


# -- G13: cookies


def test_G13_cookies_are_host_bound_secure_and_out_of_reach_of_scripts(web: WebRoom) -> None:
    (attempt,) = web.browser().get("/sign-in").all("set-cookie")
    assert re.fullmatch(
        r"__Host-ostiary-attempt=[\w-]{43}; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=3600", attempt
    )
    browser = web.signed_in(web.user("ana"))
    dropped = browser.form("/account", "/sign-out", {}).all("set-cookie")
    assert dropped == ["__Host-ostiary=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"]


@pytest.mark.parametrize(
    "name", ["ostiary", "__host-ostiary", "__Secure-ostiary", "__Host-ostiary-attempt", " __Host-ostiary x"]
)
def test_G13_only_the_cookie_of_the_right_name_counts(web: WebRoom, name: str) -> None:
    value = web.signed_in(web.user("ana")).cookies[COOKIE]
    assert web.browser().get("/account", cookie=f"{name}={value}").status == 303


def test_G13_two_cookies_of_one_name_are_none(web: WebRoom) -> None:
    ana, ben = (web.signed_in(web.user(name)).cookies[COOKIE] for name in ("ana", "ben"))
    for values in ((ana, ben), (ben, ana), ("", ana), (ana, "")):
        cookie = "; a=b; ".join(f"{COOKIE}={value}" for value in values)
        assert web.browser().get("/account", cookie=cookie).status == 303
    assert web.browser().get("/account", cookie=f"{COOKIE}={ana}").status == 200


def test_G13_a_planted_session_is_never_taken_up(web: WebRoom) -> None:
    planted = "A" * 43
    browser = Browser(web.port, {COOKIE: planted, ATTEMPT: planted})
    assert browser.get("/account").status == 303
    assert browser.get("/sign-in").status == 200
    assert browser.cookies[COOKIE] == planted  # nothing on the way there makes it anybody's
    assert Browser(web.port, {COOKIE: planted}).get("/account").status == 303


def test_G13_after_signing_out_the_cookie_is_worth_nothing(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana"))
    kept = dict(browser.cookies)
    browser.form("/account", "/sign-out", {})
    assert Browser(web.port, kept).get("/account").status == 303
    assert Browser(web.port, kept).get("/api/v1/status").status == 401


# -- G12: where people are sent

ELSEWHERE = (
    "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "/\t/evil.example", "javascript:alert(1)", "/%0d%0aset-cookie:%20x=1/\r\nx: y", " //evil.example",
    "/a//evil.example", "evil.example", "/\u2028evil", "http:evil.example", "/" + "a" * 5000,
)  # fmt: skip


def test_G12_no_redirect_is_made_from_an_odd_address(web: WebRoom) -> None:
    for path in ("/account/", "//evil.example/", "/sign-in/", "/\\evil.example/", "/device//", "/static/"):
        page = web.browser().get(path)
        assert page.status == 404, path
        assert page.header("location") is None


@pytest.mark.parametrize("target", ELSEWHERE)
def test_G12_next_stays_here(web: WebRoom, target: str) -> None:
    path = f"/sign-in?next={quote(target, safe='')}"
    signed_in = web.signed_in(web.user("ana")).get(path)
    assert (signed_in.status, signed_in.header("location")) == (303, "/")
    page = web.browser().get(path)
    assert page.status == 200
    assert "evil" not in page.text
    assert "javascript:" not in page.text


# -- C09: names that point here


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.nip.io", "localhost.evil.example", "127.0.0.1@evil.example", "evil.example:80", "",
     "a,b", "2130706433", "localhost:99999999", "[::1", "[fe80::1%25eth0]", "xn--80ak6aa92e.com", "localhost/evil",
     "*"],
)  # fmt: skip
def test_C09_a_name_that_was_made_to_point_here_gets_nothing(web: WebRoom, host: str) -> None:
    browser = web.signed_in(web.user("ana", "owner"))
    for path in ("/", "/account", "/api/v1/status", "/api/v1/openapi.json", "/static/ostiary.css", "/oauth/token"):
        page = browser.get(path, host=host)
        assert page.status in {400, 421}
        assert b"ana" not in page.body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:{port}", "127.0.0.1:{port}", "[::1]:{port}", "192.0.2.1"])
def test_C09_own_names_and_addresses_pass(web: WebRoom, host: str) -> None:
    assert web.browser().get("/", host=host.format(port=web.port)).status == 200


def test_C09_two_hosts_or_none_get_nothing(web: WebRoom) -> None:
    for hosts in ("Host: localhost\r\nHost: evil.example\r\n", "Host: localhost\r\nHost: localhost\r\n", ""):
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
            answer = connection.recv(65_536)
        assert answer.split(b" ")[1] in {b"400", b"421"}


def test_C09_a_listed_name_and_the_public_address_pass(tmp_path: Path) -> None:
    public = "https://ostiary.example.com"
    with web_room(tmp_path, allowed_hosts="alias.example", console_url=public) as web:
        browser = web.signed_in(web.user("ana"))
        for host in ("ostiary.example.com", "ostiary.example.com:443", "alias.example"):
            assert browser.get("/", host=host).status == 200
        assert browser.get("/", host="other.example.com").status == 421
        token = browser.get("/account").field("csrf")
        headers = {"host": "ostiary.example.com", "origin": public}
        assert browser.post("/account/tokens/x/revoke", {"csrf": token}, **headers).status == 404
        headers["origin"] = "https://other.example.com"
        assert browser.post("/account/tokens/x/revoke", {"csrf": token}, **headers).status == 403


# -- I01: what others wrote, on our pages


def test_I01_every_answer_forbids_frames_inline_scripts_and_guessed_types(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana", "owner"))
    paths = "/ /account /nowhere /api/v1/status /api/v1/nowhere /static/ostiary.css /saml/x/metadata"
    for path in paths.split():
        for page in (browser.get(path), browser.get(path, host="evil.example"), browser.send("PUT", path)):
            policy = page.header("content-security-policy") or ""
            for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
                assert part in policy
            assert "unsafe" not in policy
            assert page.header("x-content-type-options") == "nosniff"
            assert page.header("x-frame-options") == "DENY"
            assert page.header("referrer-policy") == "same-origin"
            assert page.header("cross-origin-opener-policy") == "same-origin"
            assert page.header("permissions-policy")
            assert page.header("cache-control")
            assert page.header("server") is None
            assert len(page.all("content-security-policy")) == 1
        assert path.startswith("/static/") or "no-store" in (browser.get(path).header("cache-control") or "")


def test_I01_names_and_requests_are_text(web: WebRoom) -> None:
    ana = web.user("ana", "owner", display_name=HOSTILE, email=HOSTILE)
    web.run(web.room.services.tokens.create(web.room.owner, actor="ana", kind="user", agent="<b>x"))
    hostile = asked(
        "ap_1", HOSTILE, agent=HOSTILE, target=f"/{HOSTILE}", preview=HOSTILE + "</code></pre>", operation=HOSTILE,
        rule=HOSTILE, method=HOSTILE, connection=HOSTILE,
    )  # fmt: skip
    web.run(web.room.desk.ask(hostile))
    browser = web.signed_in(ana)
    for path in ("/", "/account", "/approvals/ap_1", "/device?user_code=" + quote(HOSTILE)):
        page = browser.get(path)
        assert page.status == 200
        assert "<script>" not in page.text
        assert "<img" not in page.text
        assert "<b>x" not in page.text
        assert "49" not in re.sub(r"[0-9a-f]{6,}", "", page.text) or "{{7*7}}" in page.text


def test_I01_what_hides_or_turns_text_around_is_shown_by_number(web: WebRoom) -> None:
    web.run(web.room.desk.ask(asked("ap_1", TURNED, agent=TURNED, preview=f"{TURNED}\n\x1b[2J\x00")))
    page = web.signed_in(web.user("ana", "owner")).get("/approvals/ap_1")
    for character in "\u202e\u200b\x1b\x00":
        assert character not in page.text
    assert "nimda\\u{202e}txt.exe\\u{200b}" in page.text


@pytest.mark.parametrize(
    "path",
    ["/sign-in?next={}", "/sign-in?{}=1", "/sign-in/{}", "/sign-in/{}/callback?error={}",
     "/sign-in/x/callback?error={}&state={}", "/saml/{}/metadata", "/approvals/{}", "/first-start?code={}",
     "/device?user_code={}", "/{}", "/api/v1/{}",
     "/oauth/authorize?client_id={}&state={}&redirect_uri={}", "/static/{}"],
)  # fmt: skip
def test_I01_nothing_of_an_address_comes_back_as_markup(web: WebRoom, path: str) -> None:
    target = path.replace("{}", quote(HOSTILE, safe=""))
    for browser in (web.browser(), web.signed_in(web.user("ana", "owner"))):
        page = browser.get(target)
        assert page.status < 500
        assert b"<script>alert" not in page.body
        assert b"onerror=alert(1)>" not in page.body


# -- I04: forms


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"csrf={csrf}&reason=a&reason=b&decision=deny", None),
        (b"csrf={csrf}&csrf={csrf}&decision=deny", None),
        (b"csrf={csrf}&decision=deny&extra=1", None),
        (b"csrf={csrf}&decision=maybe", None),
        (b"csrf={csrf}&decision=deny&novalue", None),
        (b"csrf={csrf}&decision=deny&reason=%ff%fe", None),
        (b"csrf={csrf}&decision=deny&reason=\xff", None),
        (b"csrf={csrf}&decision=deny&reason=" + b"a" * 1001, None),
        (b"&".join(b"a%d=1" % number for number in range(60)), None),
        (b'{"csrf": "{csrf}", "decision": "deny"}', "application/json"),
        (b"csrf={csrf}&decision=deny", "text/plain"),
        (b"csrf={csrf}&decision=deny", "multipart/form-data; boundary=x"),
        (b"csrf={csrf}&decision=deny", None.__class__.__name__),
    ],
)
def test_I04_doubtful_forms_are_refused(web: WebRoom, body: bytes, kind: str | None) -> None:
    web.run(web.room.desk.ask(asked("ap_1", "ben")))
    browser = web.signed_in(web.user("ana", "owner"))
    token = browser.get("/account").field("csrf").encode()
    more = {} if kind is None else {"content-type": kind}
    assert browser.post("/approvals/ap_1", body.replace(b"{csrf}", token), **more).status == 400
    assert web.room.desk.get("ap_1").state is ApprovalState.WAITING


def test_I04_large_forms_are_not_read(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana", "owner"))
    token = browser.get("/account").field("csrf").encode()
    assert browser.post("/approvals/x", b"csrf=" + token + b"&reason=" + b"a" * 40_000).status == 413
    assert browser.post("/saml/x/acs", b"SAMLResponse=" + b"A" * (256 * 1024)).status == 413
    answer = browser.post("/oauth/token", b"assertion=" + b"A" * (256 * 1024), origin=None, sec_fetch_site=None)
    assert answer.status == 413
    squeezed = browser.post("/approvals/x", b"\x1f\x8b", content_encoding="gzip")
    assert squeezed.status == 400


# -- G21, I02: what strangers learn


def test_G21_a_stranger_is_told_the_same_everywhere(web: WebRoom) -> None:
    browser = web.browser()
    answers = [
        browser.get(f"/api/v1/{path}", authorization=value)
        for path in ("status", "tokens", "secrets/x")
        for value in ("Basic eDp4", "Bearer", "Nothing at all", "Bearer ost_u" + "0" * 49)
    ]
    assert {answer.status for answer in answers} <= {401, 405}
    refused = browser.get("/api/v1/status")
    assert refused.status == 401
    assert (refused.header("www-authenticate") or "").startswith("Bearer")
    assert b"ostiary login" in refused.body


def test_G21_a_cookie_does_not_help_a_token_that_is_no_good(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana", "owner"))
    assert browser.get("/api/v1/status").status == 200
    assert browser.get("/api/v1/status", authorization="Basic eDp4").status == 401


def test_I02_another_persons_ids_are_unknown(web: WebRoom) -> None:
    ben = web.user("ben")
    web.signed_in(ben)
    foreign = web.run(web.web.sessions.own(ben))[0].id
    token = web.run(web.room.services.tokens.create(web.room.owner, actor="ben", kind="user")).record.id
    browser = web.signed_in(web.user("ana"))
    for known, unknown in (
        (f"/account/sign-ins/{foreign}/end", "/account/sign-ins/si_0000000000000000/end"),
        (f"/account/tokens/{token}/revoke", "/account/tokens/tok_0000000000000000/revoke"),
    ):
        there, not_there = browser.form("/account", known, {}), browser.form("/account", unknown, {})
        assert (there.status, there.body) == (not_there.status, not_there.body)
        assert there.status == 404
    assert len(web.run(web.web.sessions.own(ben))) == 1


def test_the_names_of_the_cookies_are_what_is_promised() -> None:
    assert ATTEMPT_NAME == ATTEMPT
