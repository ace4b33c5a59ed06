"""Pages for people who are signed in: what they show, and what their forms do."""

import re

import pytest

from ostiary.control.web.pages import STATIC, grouped, moment, span
from ostiary.model.approval import ApprovalState
from ostiary.model.issuer import Group
from support.control_room import NOW, asked
from support.web_room import ATTEMPT, COOKIE, WebRoom


def test_the_start_page_says_who_is_signed_in_and_what_to_do_next(web: WebRoom) -> None:
    ana = web.user("ana", "approver", display_name="Ana Example")
    web.configuration = web.configuration.__class__(
        assignments=web.configuration.assignments, groups=(Group("engineering", members=("ana",)),)
    )
    page = web.signed_in(ana).get("/")
    assert page.status == 200
    assert "Signed in as Ana Example" in page.text
    assert "engineering" in page.text
    assert "approver, member" in page.text
    assert f"ostiary login --console {web.url()}" in page.text


def test_the_account_marks_this_sign_in_and_ends_others(web: WebRoom) -> None:
    ana, ben = web.user("ana"), web.user("ben")
    here, elsewhere, bens = web.signed_in(ana), web.signed_in(ana, network="198.51.100.1"), web.signed_in(ben)
    page = here.get("/account")
    ends = re.findall(r"/account/sign-ins/(\w+)/end", page.text)
    assert len(ends) == 2
    assert page.text.count("this one") == 1
    assert "198.51.100.1" in page.text
    other = next(each.id for each in web.run(web.web.sessions.own(ana)) if each.network == "198.51.100.1")
    assert here.form("/account", f"/account/sign-ins/{other}/end", {}).header("location") == "/account"
    assert elsewhere.get("/account").status == 303
    assert here.get("/account").status == 200
    foreign = web.run(web.web.sessions.own(ben))[0].id
    assert here.form("/account", f"/account/sign-ins/{foreign}/end", {}).status == 404
    assert bens.get("/account").status == 200
    mine = web.run(web.web.sessions.own(ana))[0].id
    page = here.form("/account", f"/account/sign-ins/{mine}/end", {})
    assert "You are signed out" in page.text
    assert COOKIE not in here.cookies


def test_the_account_lists_and_revokes_own_tokens_only(web: WebRoom) -> None:
    ana = web.user("ana", "owner")
    own, other = [
        web.run(web.room.services.tokens.create(web.room.owner, actor=name, kind="user")).record.id
        for name in ("ana", "ben")
    ]
    browser = web.signed_in(ana)
    page = browser.get("/account")
    assert own in page.text
    assert other not in page.text
    assert browser.form("/account", f"/account/tokens/{own}/revoke", {}).status == 303
    assert own not in browser.get("/account").text
    assert web.room.revoked == [own]
    ben = web.signed_in(web.user("carl"))
    assert ben.form("/account", f"/account/tokens/{other}/revoke", {}).status == 404


def test_an_approver_sees_and_answers_an_approval(web: WebRoom) -> None:
    web.run(web.room.desk.ask(asked("ap_1", "ben", reason_required=True, preview="POST /v1/agents\n\n{}")))
    browser = web.signed_in(web.user("ana", "approver"))
    assert "/approvals/ap_1" in browser.get("/").text
    page = browser.get("/approvals/ap_1")
    assert "POST /v1/agents\n\n{}" in page.text
    refused = browser.form("/approvals/ap_1", "/approvals/ap_1", {"decision": "approve", "reason": " "})
    assert refused.status == 422
    assert "reason" in refused.text
    done = browser.form("/approvals/ap_1", "/approvals/ap_1", {"decision": "approve", "reason": "as agreed"})
    assert (done.status, done.header("location")) == (303, "/approvals/ap_1")
    decided = web.room.desk.get("ap_1")
    assert (decided.state, decided.decided_by, decided.reason) == (ApprovalState.GRANTED, "ana", "as agreed")
    assert "Take the approval back" in browser.get("/approvals/ap_1").text


def test_ones_own_request_is_refused_with_a_sentence(web: WebRoom) -> None:
    web.run(web.room.desk.ask(asked("ap_1", "ana")))
    browser = web.signed_in(web.user("ana", "approver"))
    page = browser.form("/approvals/ap_1", "/approvals/ap_1", {"decision": "approve"})
    assert page.status == 422
    assert web.room.desk.get("ap_1").state is ApprovalState.WAITING


def test_an_answer_takes_a_recent_sign_in(web: WebRoom) -> None:
    web.run(web.room.desk.ask(asked("ap_1", "ben")))
    browser = web.signed_in(web.user("ana", "approver"), ago_s=301)
    page = browser.form("/approvals/ap_1", "/approvals/ap_1", {"decision": "approve"})
    assert (page.status, page.header("location")) == (303, "/sign-in?next=%2Fapprovals%2Fap_1&again=1")
    assert web.room.desk.get("ap_1").state is ApprovalState.WAITING


def test_an_approval_that_is_not_ones_own_looks_like_none(web: WebRoom) -> None:
    web.run(web.room.desk.ask(asked("ap_1", "ben")))
    web.run(web.room.desk.ask(asked("ap_3", "ana")))
    member, nobody = web.signed_in(web.user("ana")), web.browser()
    for browser in (member, nobody):
        there, not_there = (browser.get(f"/approvals/{name}") for name in ("ap_1", "ap_2"))
        assert there.status == not_there.status == 200
        assert there.text.replace("ap_1", "ap_2") == not_there.text
        assert "ostiary approvals approve ap_1" in there.text
    own = member.get("/approvals/ap_3").text
    assert "Exactly this would be sent" in own
    assert 'value="approve"' not in own


def test_pages_need_a_sign_in_and_remember_where_to_go(web: WebRoom) -> None:
    browser = web.browser()
    assert browser.get("/account").header("location") == "/sign-in?next=%2Faccount"
    assert browser.get("/device?user_code=ABCD").header("location") == "/sign-in?next=%2Fdevice%3Fuser_code%3DABCD"


def test_the_idle_limit_signs_out(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana"))
    web.clock.now += 3601
    assert browser.get("/account").status == 303


def test_static_files_are_a_table(web: WebRoom) -> None:
    browser = web.browser()
    for name, kind in STATIC.items():
        page = browser.get(f"/static/{name}")
        assert (page.status, page.header("content-type")) == (200, kind)
    for name in ("../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "nothing.css", ""):
        assert browser.get(f"/static/{name}").status == 404


def test_no_page_has_a_script_or_style_of_its_own(web: WebRoom) -> None:
    browser = web.signed_in(web.user("ana", "owner"))
    for path in ("/", "/account", "/device", "/approvals/x", "/nowhere"):
        text = browser.get(path).text
        assert "<style" not in text
        assert not re.search(r"<script(?! src=)", text)
        assert not re.search(r"\s(on\w+|style)=", text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (30 * 86_400, "30 days"),
        (86_400, "1 day"),
        (900, "15 minutes"),
        (3600, "1 hour"),
        (7200, "2 hours"),
        (45, "45 seconds"),
    ],
)
def test_lengths_of_time_are_words(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_moments_and_keys_are_readable() -> None:
    assert moment(NOW) == "2030-03-17 17:46 UTC"
    assert moment(None) == "–"
    assert grouped("ABCDEFGHIJ") == "ABCD EFGH IJ"


def test_an_attempt_cookie_alone_is_nobody(web: WebRoom) -> None:
    browser = web.browser()
    browser.cookies[ATTEMPT] = web.signed_in(web.user("ana")).cookies[COOKIE]
    assert browser.get("/account").status == 303
