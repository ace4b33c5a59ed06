"""The local owner: first start, authenticator app, passkey, and the way back in."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.control.caller import Permission
from ostiary.control.services.owner_codes import enrolment, matching_step
from ostiary.model.errors import CallerError, SignInRefusedError
from ostiary.model.person import Origin
from support.owner import FIRST_OWNER, code_of, key_of, make_owner
from support.passkey import PRESENT, SoftPasskey
from support.sign_in_room import CONSOLE, NETWORK, SignInRoom, sign_in_room


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SignInRoom]:
    with sign_in_room(tmp_path) as room:
        yield room


async def make_passkey_owner(house: SignInRoom, passkey: SoftPasskey, link: str | None = None) -> None:
    url = link or await house.owner.first_start_link()
    assert url is not None
    options = await house.owner.enrol_passkey(code_of(url), FIRST_OWNER, NETWORK)
    await house.owner.confirm_passkey(code_of(url), passkey.create(options), house.browser().visit)


async def test_the_first_start_makes_an_owner_who_is_signed_in_and_may_do_everything(house: SignInRoom) -> None:
    assert not await house.owner.has_owner()
    url = await house.owner.first_start_link()
    assert url is not None and url.startswith(f"{CONSOLE}/first-start?code=")
    assert (await house.owner.link(code_of(url), NETWORK)).name is None
    told = await house.owner.enrol_totp(code_of(url), f" {FIRST_OWNER} ", NETWORK)
    assert told.url.startswith("otpauth://totp/")
    assert house.people.list("", 10) == []  # nothing counts before the code was tried
    browser = house.browser()
    opened = await house.owner.confirm_totp(
        code_of(url), key_of(told).generate(house.clock()).decode(), browser.visit
    )
    visitor = await house.visitor(opened.cookie)
    assert visitor is not None
    assert (visitor.user.name, visitor.user.origin, visitor.sign_in.issuer) == (FIRST_OWNER, Origin.LOCAL, None)
    assert visitor.caller.permissions == frozenset(Permission)
    assert visitor.caller.is_fresh
    assert await house.owner.has_owner()
    assert house.entries("admin.user.add") == [{"user": FIRST_OWNER, "origin": "local"}]
    assert house.entries("admin.sign-in")[0]["issuer"] is None


async def test_the_owner_signs_in_with_name_and_code(house: SignInRoom) -> None:
    key = await make_owner(house)
    house.clock.now += 60.0
    browser = house.browser()
    opened = await house.owner.sign_in_totp(
        FIRST_OWNER.upper(), key.generate(house.clock()).decode(), browser.visit, "/account"
    )
    assert opened.next_path == "/account"
    browser.cookie = opened.cookie
    house.clock.now += 400.0
    assert not (await browser.visitor()).caller.is_fresh
    again = await house.owner.sign_in_totp(
        FIRST_OWNER, key.generate(house.clock()).decode(), browser.visit, "//evil.example"
    )
    assert again.next_path == "/"
    assert await house.visitor(browser.cookie) is None
    fresh = await house.visitor(again.cookie)
    assert fresh is not None and fresh.caller.is_fresh


async def test_a_clock_that_is_a_step_off_does_not_matter(house: SignInRoom) -> None:
    key = await make_owner(house)
    for off in (-30.0, 0.0, 30.0):
        house.clock.now += 300.0
        code = key.generate(house.clock() + off).decode()
        await house.owner.sign_in_totp(FIRST_OWNER, f"{code[:3]} {code[3:]}", house.browser().visit, "/")
    house.clock.now += 300.0
    for off in (-60.0, 60.0):
        code = key.generate(house.clock() + off).decode()
        with pytest.raises(SignInRefusedError):
            await house.owner.sign_in_totp(FIRST_OWNER, code, house.browser().visit, "/")


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 201, "a\u200bb", "local owner (uid 0)", "ANA"])
async def test_not_every_name_can_be_an_owners(house: SignInRoom, name: str) -> None:
    house.add_user("ana")
    url = await house.owner.first_start_link()
    assert url is not None
    for enrol in (house.owner.enrol_totp, house.owner.enrol_passkey):
        with pytest.raises(CallerError):
            await enrol(code_of(url), name, NETWORK)
    await house.owner.enrol_totp(code_of(url), "ben", NETWORK)


async def test_a_new_link_brings_the_same_owner_back_and_ends_what_was(house: SignInRoom) -> None:
    old = await make_owner(house)
    house.clock.now += 60.0
    browser = house.browser()
    browser.cookie = (
        await house.owner.sign_in_totp(FIRST_OWNER, old.generate(house.clock()).decode(), browser.visit, "/")
    ).cookie
    user = house.user(FIRST_OWNER)
    assert house.people.change(replace(user, active=False))  # even then
    url = await house.owner.new_link(house.room.owner)
    assert house.entries("admin.owner.link") == [{"for": "the owner"}]
    assert (await house.owner.link(code_of(url), NETWORK)).name == FIRST_OWNER
    told = await house.owner.enrol_totp(code_of(url), "somebody else", NETWORK)
    visit = house.browser().visit
    await house.owner.confirm_totp(code_of(url), key_of(told).generate(house.clock()).decode(), visit)
    assert house.user(FIRST_OWNER).id == user.id
    assert house.user(FIRST_OWNER).active
    assert await house.visitor(browser.cookie) is None
    house.clock.now += 60.0
    for key, is_right in ((old, False), (key_of(told), True)):
        trying = house.owner.sign_in_totp(FIRST_OWNER, key.generate(house.clock()).decode(), visit, "/")
        if is_right:
            await trying
        else:
            with pytest.raises(SignInRefusedError):
                await trying


async def test_an_owner_who_was_deactivated_does_not_sign_in(house: SignInRoom) -> None:
    key = await make_owner(house)
    house.clock.now += 60.0
    user = house.user(FIRST_OWNER)
    assert house.people.change(replace(user, active=False))
    with pytest.raises(SignInRefusedError):
        await house.owner.sign_in_totp(
            FIRST_OWNER, key.generate(house.clock()).decode(), house.browser().visit, "/"
        )


async def test_without_any_owner_a_new_link_is_for_the_first_one(house: SignInRoom) -> None:
    url = await house.owner.new_link(house.room.owner)
    assert (await house.owner.link(code_of(url), NETWORK)).name is None
    await make_owner(house, url)
    house.people.remove(house.user(FIRST_OWNER).id)
    assert not await house.owner.has_owner()
    await make_owner(house)


async def test_a_passkey_makes_an_owner_and_signs_them_in(house: SignInRoom) -> None:
    passkey = SoftPasskey(CONSOLE)
    await make_passkey_owner(house, passkey)
    browser = house.browser()
    options = await house.owner.passkey_options(browser.attempt, NETWORK)
    assert json.loads(json.dumps(options))["publicKey"].get("allowCredentials", []) == []  # they name nobody
    opened = await house.owner.sign_in_passkey(browser.attempt, passkey.get(options), browser.visit, "/account")
    assert (opened.user.name, opened.next_path) == (FIRST_OWNER, "/account")
    with pytest.raises(SignInRefusedError):
        await house.owner.sign_in_totp(FIRST_OWNER, "123456", browser.visit, "/")


async def test_a_passkey_that_does_not_count_works_again_and_again(house: SignInRoom) -> None:
    passkey = SoftPasskey(CONSOLE, counter=None)
    await make_passkey_owner(house, passkey)
    for _ in range(3):
        browser = house.browser()
        options = await house.owner.passkey_options(browser.attempt, NETWORK)
        await house.owner.sign_in_passkey(browser.attempt, passkey.get(options), browser.visit, "/")


async def test_g21_a_passkeys_answer_is_taken_once_from_its_browser_for_this_console(house: SignInRoom) -> None:
    passkey = SoftPasskey(CONSOLE)
    await make_passkey_owner(house, passkey)
    reasons = []

    async def refused(passkey: SoftPasskey, **changes: object) -> None:
        browser = house.browser(f"198.51.100.{len(reasons)}")
        options = await house.owner.passkey_options(browser.attempt, NETWORK)
        answer = passkey.get(options)
        answer.update(changes)
        with pytest.raises(SignInRefusedError) as failure:
            await house.owner.sign_in_passkey(browser.attempt, answer, browser.visit, "/")
        reasons.append(failure.value.reason)

    browser = house.browser()
    options = await house.owner.passkey_options(browser.attempt, NETWORK)
    answer = passkey.get(options)
    other = house.browser("198.51.100.100")
    with pytest.raises(SignInRefusedError):
        await house.owner.sign_in_passkey(other.attempt, answer, other.visit, "/")
    await house.owner.sign_in_passkey(browser.attempt, answer, browser.visit, "/")
    with pytest.raises(SignInRefusedError):
        await house.owner.sign_in_passkey(browser.attempt, answer, browser.visit, "/")

    same = {"id": passkey.id, "key": passkey.key, "counter": 10}
    await refused(SoftPasskey("https://evil.example", **same))  # type: ignore[arg-type]
    await refused(SoftPasskey(CONSOLE + ":8443", **same))  # type: ignore[arg-type]
    await refused(SoftPasskey(CONSOLE, flags=PRESENT, **same))  # type: ignore[arg-type]
    await refused(SoftPasskey(CONSOLE, cross_origin=True, **same))  # type: ignore[arg-type]
    await refused(SoftPasskey(CONSOLE, id=passkey.id))
    assert set(reasons) == {"passkey_wrong"}
    await refused(SoftPasskey(CONSOLE))
    assert reasons[-1] == "passkey_unknown"
    await refused(SoftPasskey(CONSOLE, id=passkey.id, key=passkey.key, counter=0))
    assert reasons[-1] == "passkey_copied"
    for nonsense in ({"rawId": 7}, {"response": None}, {"response": {}}, {"id": "x", "rawId": "x"}):
        await refused(passkey, **nonsense)


async def test_g21_a_passkeys_challenge_is_over_after_five_minutes(house: SignInRoom) -> None:
    passkey = SoftPasskey(CONSOLE)
    await make_passkey_owner(house, passkey)
    browser = house.browser()
    older = await house.owner.passkey_options(browser.attempt, NETWORK)
    newer = await house.owner.passkey_options(browser.attempt, NETWORK)
    with pytest.raises(SignInRefusedError):
        await house.owner.sign_in_passkey(browser.attempt, passkey.get(older), browser.visit, "/")
    newer = await house.owner.passkey_options(browser.attempt, NETWORK)
    house.clock.now += 300.0
    with pytest.raises(SignInRefusedError):
        await house.owner.sign_in_passkey(browser.attempt, passkey.get(newer), browser.visit, "/")


async def test_g20_a_passkey_made_for_another_site_makes_no_owner(house: SignInRoom) -> None:
    url = await house.owner.first_start_link()
    assert url is not None
    options = await house.owner.enrol_passkey(code_of(url), FIRST_OWNER, NETWORK)
    for wrong in (
        SoftPasskey("https://evil.example").create(options),
        SoftPasskey(CONSOLE, flags=PRESENT).create(options),
        SoftPasskey(CONSOLE).create({"publicKey": {**options["publicKey"], "challenge": "AAAA"}}),
        SoftPasskey(CONSOLE).get({"publicKey": {**options["publicKey"], "rpId": "ostiary.example"}}),
        {},
    ):
        with pytest.raises(SignInRefusedError):
            await house.owner.confirm_passkey(code_of(url), wrong, house.browser().visit)
    with pytest.raises(SignInRefusedError):  # what was begun is a passkey
        await house.owner.confirm_totp(code_of(url), "123456", house.browser().visit)
    assert house.people.list("", 10) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8421", "https://10.0.0.1", "https://[::1]:8421", "http://box.corp"])
async def test_where_browsers_make_no_passkeys_that_is_said(house: SignInRoom, url: str) -> None:
    house.console_url = url
    link = await house.owner.first_start_link()
    assert link is not None
    with pytest.raises(CallerError, match="host name"):
        await house.owner.enrol_passkey(code_of(link), FIRST_OWNER, NETWORK)
    await make_owner(house, link)


async def test_localhost_makes_passkeys(house: SignInRoom) -> None:
    house.console_url = "http://localhost:8421"
    await make_passkey_owner(house, SoftPasskey("http://localhost:8421"))


async def test_a_sealed_key_opens_for_its_own_credential_only(house: SignInRoom) -> None:
    await make_owner(house)
    (credential,) = house.credentials.of_user(house.user(FIRST_OWNER).id)
    house.credentials.add(replace(credential, id="oc_moved", created_at=credential.created_at - 1))
    with pytest.raises(SignInRefusedError) as refused:
        await house.owner.sign_in_totp(FIRST_OWNER, "123456", house.browser().visit, "/")
    assert refused.value.reason == "credential_unreadable"


def test_codes_are_those_of_rfc_6238() -> None:
    key = b"12345678901234567890"
    for at, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")):
        assert matching_step(key, code, at) == at // 30
    assert matching_step(key, "287082", 150) is None
    assert matching_step(key, "755224", 0) == 0  # and no step before the first
    told = enrolment(key, "Olga", "ostiary.example")
    assert told.secret == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert "Olga" in told.url and told.secret in told.url
    assert told.secret not in repr(told)


async def test_links_made_at_once_leave_one_that_works(house: SignInRoom) -> None:
    urls = await asyncio.gather(*(house.owner.first_start_link() for _ in range(4)))
    good = 0
    for url in urls:
        assert url is not None
        try:
            await house.owner.link(code_of(url), NETWORK)
            good += 1
        except SignInRefusedError:
            pass
    assert good == 1
