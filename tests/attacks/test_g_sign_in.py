"""Signing in as somebody else, into somebody else's session, or where nobody should be let in."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from ostiary.control.caller import Caller, Permission
from ostiary.control.services.handles import handle_hash
from ostiary.control.services.owner_codes import matching_step
from ostiary.model.errors import CallerError, RefusedError, SignInRefusedError
from ostiary.model.issuer import Group, GroupSource, ScimSettings
from ostiary.model.person import Origin
from support.oidc_provider import OidcProvider, Person, oidc_provider
from support.owner import FIRST_OWNER, code_of, key_of, make_owner
from support.providers import an_issuer
from support.sign_in_room import SignInRoom, coroutine, parameters_of, sign_in_room


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SignInRoom]:
    with sign_in_room(tmp_path) as room:
        yield room


@pytest.fixture
def provider(house: SignInRoom) -> Iterator[OidcProvider]:
    with oidc_provider(clock=house.clock) as provider:
        house.trust(an_issuer(provider))
        yield provider


# -- G01: state, nonce, PKCE


@coroutine
async def test_g01_an_answer_without_the_right_state_is_refused(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    answer = await browser.answer(provider)
    for state in (None, "", "guessed", answer["state"] + "A", answer["state"].lower()):
        wrong = {name: value for name, value in answer.items() if name != "state"}
        if state is not None:
            wrong["state"] = state
        with pytest.raises(SignInRefusedError):
            await browser.finish(wrong)
    assert set(house.reasons()) == {"state_missing", "attempt_unknown"}
    assert provider.counts["token"] == 0
    await browser.finish(answer)


@coroutine
async def test_g01_an_answer_works_once(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    answer = await browser.answer(provider)
    await browser.finish(answer)
    with pytest.raises(SignInRefusedError):
        await browser.finish(answer)
    assert house.reasons() == ["attempt_unknown"]


@coroutine
async def test_g01_of_answers_brought_at_once_one_signs_in(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    answer = await browser.answer(provider)
    done = await asyncio.gather(*(browser.finish(answer) for _ in range(5)), return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in done) == 1


@coroutine
async def test_g01_an_answer_in_another_browser_signs_nobody_in(house: SignInRoom, provider: OidcProvider) -> None:
    attacker, victim = house.browser("198.51.100.7"), house.browser()
    for attempt in (victim.attempt, "", "x"):
        answer = await attacker.answer(provider)
        victim.attempt = attempt
        with pytest.raises(SignInRefusedError):
            await victim.finish(answer)
        with pytest.raises(SignInRefusedError):
            await attacker.finish(answer)  # used up, whoever brought it
    assert house.reasons() == ["another_browser", "attempt_unknown"] * 3
    assert house.people.named("ana@example.com") is None


@coroutine
async def test_g01_a_code_of_another_attempt_fails_by_its_verifier(house: SignInRoom, provider: OidcProvider) -> None:
    victim, attacker = house.browser(), house.browser("198.51.100.7")
    stolen = await victim.answer(provider)
    own = await attacker.answer(provider)
    with pytest.raises(SignInRefusedError):
        await attacker.finish({**own, "code": stolen["code"]})
    provider.checks_pkce = False  # even where the provider does not look, the nonce is another
    stolen = await victim.answer(provider)
    own = await attacker.answer(provider)
    with pytest.raises(SignInRefusedError):
        await attacker.finish({**own, "code": stolen["code"]})
    assert house.reasons() == ["code_refused_invalid_grant", "nonce_wrong"]


@coroutine
async def test_g01_a_provider_that_forgets_the_nonce_is_not_believed(house: SignInRoom, provider: OidcProvider) -> None:
    for nonce, reason in ((None, "nonce_missing"), ("another", "nonce_wrong"), (7, "nonce_missing")):
        provider.id_token["nonce"] = nonce
        with pytest.raises(SignInRefusedError):
            await house.browser().sign_in(provider)
        assert house.reasons()[-1] == reason


@coroutine
async def test_g01_an_attempt_is_over_after_ten_minutes(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    answer = await browser.answer(provider)
    house.clock.now += 600.0
    with pytest.raises(SignInRefusedError):
        await browser.finish(answer)
    assert house.reasons() == ["attempt_unknown"]


@coroutine
async def test_g01_two_providers_are_not_mixed_up(house: SignInRoom, provider: OidcProvider) -> None:
    with oidc_provider(clock=house.clock) as evil:
        house.trust(an_issuer(provider), replace(an_issuer(evil), name="evil"))
        browser = house.browser()
        # The answer of one brought to the other's address, and answers that claim to be of the other.
        answer = await browser.answer(provider)
        with pytest.raises(SignInRefusedError):
            await browser.finish(answer, "evil")
        for wrong in (evil.issuer, provider.issuer + "/", ""):
            answer = await browser.answer(provider)
            with pytest.raises(SignInRefusedError):
                await browser.finish({**answer, "iss": wrong})
        answer = await browser.answer(provider)
        del answer["iss"]
        with pytest.raises(SignInRefusedError):
            await browser.finish(answer)
        assert set(house.reasons()) == {"answer_of_other_issuer", "answer_without_issuer"}
        assert evil.counts["token"] == provider.counts["token"] == 0  # no code was shown to anybody


@coroutine
async def test_g01_the_same_subject_at_two_providers_is_two_people(house: SignInRoom, provider: OidcProvider) -> None:
    with oidc_provider(clock=house.clock) as other:
        other.person = Person("u-1", email="ben@example.com")
        house.trust(an_issuer(provider), replace(an_issuer(other), name="other"))
        one = await house.browser().sign_in(provider)
        two = await house.browser().sign_in(other, "other")
        assert one.user.id != two.user.id


# -- G10: who somebody is


@coroutine
async def test_g10_the_same_address_at_another_provider_is_nobody_known(
    house: SignInRoom, provider: OidcProvider
) -> None:
    with oidc_provider(clock=house.clock) as other:
        other.person = Person("u-9", email="ANA@example.com")
        house.trust(an_issuer(provider), replace(an_issuer(other), name="other"))
        await house.browser().sign_in(provider)
        with pytest.raises(SignInRefusedError):
            await house.browser().sign_in(other, "other")
        assert house.reasons() == ["name_taken"]
        assert house.user().issuer == "company"


@coroutine
async def test_g10_an_address_nobody_verified_is_no_name(house: SignInRoom, provider: OidcProvider) -> None:
    await house.browser().sign_in(provider)
    provider.person = Person("u-2", email="ana@example.com", email_verified=False)
    opened = await house.browser().sign_in(provider)
    assert (opened.user.name, opened.user.email) == ("company:u-2", None)
    provider.person = Person("u-3", email="", claims={"email_verified": "true"})
    assert (await house.browser().sign_in(provider)).user.name == "company:u-3"


@coroutine
async def test_g10_an_address_given_to_somebody_else_is_not_their_predecessors_account(
    house: SignInRoom, provider: OidcProvider
) -> None:
    await house.browser().sign_in(provider)
    provider.person = replace(provider.person, subject="u-2")
    with pytest.raises(SignInRefusedError):
        await house.browser().sign_in(provider)
    assert house.reasons() == ["name_taken"]


@coroutine
async def test_g10_nobody_takes_over_a_local_owner_or_another_issuers_provisioned_person(
    house: SignInRoom, provider: OidcProvider
) -> None:
    house.add_user("ana@example.com", origin=Origin.LOCAL)
    house.add_user("ben@example.com", origin=Origin.SCIM)
    house.configuration = replace(house.configuration, scim=ScimSettings("company"))
    with pytest.raises(SignInRefusedError):
        await house.browser().sign_in(provider)
    house.configuration = replace(house.configuration, scim=ScimSettings("another"))
    provider.person = Person("u-2", email="ben@example.com")
    with pytest.raises(SignInRefusedError):
        await house.browser().sign_in(provider)
    assert house.reasons() == ["name_taken", "name_taken"]


@coroutine
async def test_g10_nobody_is_called_what_the_audit_log_calls_others(house: SignInRoom, provider: OidcProvider) -> None:
    house.trust(an_issuer(provider, user_claim="login"))
    for name in ("local owner (uid 0)", "Local Owner", "nobody signed in", "scim", "Ostiary"):
        provider.person = Person("u-2", claims={"login": name})
        with pytest.raises(SignInRefusedError):
            await house.browser().sign_in(provider)
    assert house.reasons() == ["name_unusable"] * 5


@coroutine
async def test_g10_whom_the_company_deactivated_stays_out(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    await browser.sign_in(provider)
    user = house.user()
    assert house.people.change(replace(user, active=False))
    assert await house.visitor(browser.cookie) is None
    with pytest.raises(SignInRefusedError) as inactive:
        await house.browser().sign_in(provider)
    with pytest.raises(SignInRefusedError) as unknown:
        await house.browser().finish({"state": "x"})
    assert house.reasons() == ["inactive", "attempt_unknown"]
    assert str(inactive.value) == str(unknown.value)


@coroutine
async def test_g11_who_lost_a_group_loses_it_at_the_next_sign_in(house: SignInRoom, provider: OidcProvider) -> None:
    house.configuration = replace(
        house.configuration, groups=(Group("engineering", (GroupSource("company", "groups", "eng"),)),)
    )
    provider.person = replace(provider.person, groups=("eng",))
    browser = house.browser()
    await browser.sign_in(provider)
    assert (await browser.visitor()).caller.groups == {"engineering"}
    provider.person = replace(provider.person, groups=())
    await house.browser().sign_in(provider)
    assert (await browser.visitor()).caller.groups == frozenset()


# -- G12, G13: where a browser goes, and what it comes with


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/%0d%0aevil\r\nX: y", "evil",
     "javascript:alert(1)", "/\t/evil.example", " /", "", "/a//evil.example", "/é"],
)  # fmt: skip
@coroutine
async def test_g12_nobody_is_sent_away_from_the_console(house: SignInRoom, provider: OidcProvider, path: str) -> None:
    assert (await house.browser().sign_in(provider, next_path=path)).next_path == "/"


@coroutine
async def test_g13_a_cookie_from_before_signing_in_is_never_signed_in(
    house: SignInRoom, provider: OidcProvider
) -> None:
    for planted in ("planted", None, "A" * 43):
        browser = house.browser()
        browser.cookie = planted
        opened = await browser.sign_in(provider)
        assert opened.cookie != planted
        assert await house.visitor(planted) is None


@coroutine
async def test_g13_signing_in_again_ends_what_the_browser_came_with(house: SignInRoom, provider: OidcProvider) -> None:
    attacker = house.browser("198.51.100.7")
    await attacker.sign_in(provider)
    planted = (await attacker.visitor()).sign_in
    victim = house.browser()
    victim.cookie = attacker.cookie
    provider.person = Person("u-2", email="ben@example.com")
    await victim.sign_in(provider)
    assert (await victim.visitor()).user.name == "ben@example.com"
    assert await house.visitor(attacker.cookie) is None
    assert not house.is_live(planted)


@coroutine
async def test_g13_a_cookie_that_was_signed_out_or_guessed_opens_nothing(
    house: SignInRoom, provider: OidcProvider
) -> None:
    browser = house.browser()
    cookie = (await browser.sign_in(provider)).cookie
    for guess in (None, "", "x", cookie[:-1], cookie + "A", cookie.swapcase(), handle_hash(cookie).hex(), "A" * 10**6,
                  "\udcff", "é"):  # fmt: skip
        assert await house.visitor(guess) is None
    await house.service.sign_out(cookie)
    assert await house.visitor(cookie) is None


@coroutine
async def test_g13_a_refresh_token_is_no_console_cookie(house: SignInRoom, provider: OidcProvider) -> None:
    await house.browser().sign_in(provider)
    tool = house.tool(house.user())
    house.sign_ins.authenticated(tool.id, handle_hash("refresh"), house.clock())
    assert await house.visitor("refresh") is None


@coroutine
async def test_g13_a_step_up_takes_a_proof_made_after_it_began(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    await browser.sign_in(provider)
    house.clock.now += 3000.0
    url = await browser.begin(step_up=True)
    # Somebody at an open browser takes away what makes the provider ask again.
    for cut in ("prompt=login", "max_age=0"):
        url = url.replace(f"&{cut}", "")
    with pytest.raises(SignInRefusedError):
        await browser.finish(parameters_of(provider.sign_in(url)))
    assert house.reasons() == ["auth_time_too_old"]
    assert not (await browser.visitor()).caller.is_fresh


# -- logout by the provider


@coroutine
async def test_g09_back_channel_logout_ends_one_session_or_everything_of_a_person(
    house: SignInRoom, provider: OidcProvider
) -> None:
    one, two = house.browser(), house.browser()
    await one.sign_in(provider)
    first_session, provider.session = provider.session, "second"
    await two.sign_in(provider)
    tools = [house.tool(house.user(), "cursor", idp_session=session) for session in (first_session, "second")]
    await house.service.back_channel("company", provider.logout_token(session=first_session))
    assert await house.visitor(one.cookie) is None
    assert await house.visitor(two.cookie) is not None
    assert [house.is_live(tool) for tool in tools] == [False, True]
    await house.service.back_channel("company", provider.logout_token(subject="u-1"))
    assert await house.visitor(two.cookie) is None
    assert not house.has_token(house.user(), "cursor")
    assert house.access_changes >= 2
    assert [detail["why"] for detail in house.entries("admin.sign-in.ended")] == ["ended by the identity provider"] * 4


@coroutine
async def test_g09_a_logout_token_works_once_and_not_for_others(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    await browser.sign_in(provider)
    token = provider.logout_token(subject="u-2")
    await house.service.back_channel("company", token)
    assert await house.visitor(browser.cookie) is not None
    token = provider.logout_token(subject="u-1")
    await house.service.back_channel("company", token)
    await browser.sign_in(provider)
    for _ in range(2):
        with pytest.raises(SignInRefusedError):
            await house.service.back_channel("company", token)
    house.clock.now += 661.0
    await house.recheck.once()
    with pytest.raises(SignInRefusedError):
        await house.service.back_channel("company", token)
    assert await house.visitor(browser.cookie) is not None
    assert house.reasons() == ["used_before", "used_before", "expired"]


@coroutine
async def test_g09_a_logout_token_with_a_long_life_is_refused_when_it_is_old(
    house: SignInRoom, provider: OidcProvider
) -> None:
    token = provider.logout_token(subject="u-1", exp=int(house.clock()) + 86_400)
    house.clock.now += 661.0
    with pytest.raises(SignInRefusedError):
        await house.service.back_channel("company", token)
    assert house.reasons() == ["expired"]


@coroutine
async def test_g09_other_tokens_are_no_logout_tokens(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    await browser.sign_in(provider)
    tokens = house.held.of((await browser.visitor()).sign_in.id)
    assert tokens is not None and tokens.id_token is not None
    with oidc_provider(clock=house.clock) as other:
        for wrong in (tokens.id_token, "", "x.y.z", provider.logout_token(subject="u-1", iss="https://evil.example"),
                      other.logout_token(subject="u-1", iss=provider.issuer),
                      provider.logout_token(subject="u-1", aud="another"),
                      provider.logout_token(subject="u-1", nonce="n")):  # fmt: skip
            with pytest.raises(SignInRefusedError):
                await house.service.back_channel("company", wrong)
    assert await house.visitor(browser.cookie) is not None


# -- G20: the owner


@coroutine
async def test_g20_the_first_visitor_gets_nothing_without_the_link(house: SignInRoom) -> None:
    url = await house.owner.first_start_link()
    assert url is not None
    visit = house.browser().visit
    for code in ("", "x", "A" * 43, handle_hash(code_of(url)).hex()):
        for step in (
            house.owner.link(code, "192.0.2.1"),
            house.owner.enrol_totp(code, "eve", "192.0.2.1"),
            house.owner.enrol_passkey(code, "eve", "192.0.2.1"),
        ):
            with pytest.raises(SignInRefusedError):
                await step
    for late in (house.owner.confirm_totp("x", "123456", visit), house.owner.confirm_passkey("x", {}, visit),
                 house.owner.sign_in_totp("eve", "123456", visit, "/")):  # fmt: skip
        with pytest.raises(SignInRefusedError):
            await late
    assert house.people.list("", 10) == []
    assert set(house.reasons()) == {"link_unknown", "code_wrong"}


@coroutine
async def test_g20_a_link_works_once_for_a_day_and_only_the_newest(house: SignInRoom) -> None:
    older, newer = await house.owner.first_start_link(), await house.owner.first_start_link()
    assert older is not None and newer is not None
    with pytest.raises(SignInRefusedError):
        await house.owner.link(code_of(older), "192.0.2.1")
    await make_owner(house, newer)
    with pytest.raises(SignInRefusedError):
        await house.owner.link(code_of(newer), "192.0.2.1")
    assert await house.owner.first_start_link() is None
    recovery = await house.owner.new_link(house.room.owner)
    house.clock.now += 86_400.0
    said = set()
    for code in (code_of(recovery), code_of(older), code_of(newer), "guessed"):
        with pytest.raises(SignInRefusedError) as refused:
            await house.owner.link(code, "192.0.2.1")
        said.add(str(refused.value))
    (sentence,) = said  # the same for one that never was one
    assert "`ostiary owner link` makes a new one" in sentence


@coroutine
async def test_g20_of_two_who_hold_the_link_one_becomes_the_owner(house: SignInRoom) -> None:
    url = await house.owner.first_start_link()
    assert url is not None
    enrolment = await house.owner.enrol_totp(code_of(url), "owner", "192.0.2.1")
    right = key_of(enrolment).generate(house.clock()).decode()
    tries = (house.owner.confirm_totp(code_of(url), right, house.browser().visit) for _ in range(5))
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in done) == 1
    assert len(house.people.list("", 10)) == len(house.credentials.owner_ids()) == 1


@coroutine
async def test_g20_a_link_is_made_on_the_machine_only(house: SignInRoom) -> None:
    await make_owner(house)
    everything = frozenset(Permission)
    for caller in (
        Caller("eve", everything, user_id="u", sign_in="si_1"),
        Caller("eve", everything, user_id="u"),
        Caller("eve", frozenset()),
    ):
        with pytest.raises(RefusedError):
            await house.owner.new_link(caller)


@coroutine
async def test_g20_a_link_of_before_there_was_an_owner_lets_nobody_in_again(house: SignInRoom) -> None:
    url = await house.owner.first_start_link()
    assert url is not None
    held = house.one_time.peek("owner-link", handle_hash(code_of(url)), house.clock())
    assert held is not None
    await make_owner(house, url)
    house.one_time.put("owner-link", handle_hash("kept"), held, house.clock() + 100.0)
    with pytest.raises(SignInRefusedError):
        await house.owner.link("kept", "192.0.2.1")


# -- G21: guessing


@coroutine
async def test_g21_a_code_works_once(house: SignInRoom) -> None:
    key = await make_owner(house)
    house.clock.now += 60.0
    browser = house.browser()
    code = key.generate(house.clock()).decode()
    await house.owner.sign_in_totp(FIRST_OWNER, code, browser.visit, "/")
    for _ in range(2):
        with pytest.raises(SignInRefusedError):
            await house.owner.sign_in_totp(FIRST_OWNER, code, browser.visit, "/")
    earlier = key.generate(house.clock() - 30.0).decode()
    with pytest.raises(SignInRefusedError):
        await house.owner.sign_in_totp(FIRST_OWNER, earlier, browser.visit, "/")
    assert house.reasons() == ["code_used"] * 3


@coroutine
async def test_g21_the_code_that_made_the_owner_signs_nobody_in(house: SignInRoom) -> None:
    key = await make_owner(house)
    with pytest.raises(SignInRefusedError):
        await house.owner.sign_in_totp(
            FIRST_OWNER, key.generate(house.clock()).decode(), house.browser().visit, "/"
        )


@coroutine
async def test_g21_after_ten_wrong_codes_no_code_counts_until_a_new_link_is_used(house: SignInRoom) -> None:
    key = await make_owner(house)
    house.clock.now += 60.0
    for number in range(10):
        visit = house.browser(f"198.51.100.{number}").visit
        with pytest.raises(SignInRefusedError):
            await house.owner.sign_in_totp(FIRST_OWNER, _wrong(key, house), visit, "/")
    right = key.generate(house.clock()).decode()
    with pytest.raises(SignInRefusedError) as locked:
        await house.owner.sign_in_totp(FIRST_OWNER, right, house.browser().visit, "/")
    with pytest.raises(SignInRefusedError) as unknown:
        await house.owner.sign_in_totp("nobody", right, house.browser().visit, "/")
    assert (locked.value.reason, unknown.value.reason) == ("locked", "code_wrong")
    assert str(locked.value) == str(unknown.value)
    house.clock.now += 86_400.0
    with pytest.raises(SignInRefusedError):
        await house.owner.sign_in_totp(FIRST_OWNER, key.generate(house.clock()).decode(), house.browser().visit, "/")
    newer = await make_owner(house, await house.owner.new_link(house.room.owner))
    house.clock.now += 60.0
    await house.owner.sign_in_totp(FIRST_OWNER, newer.generate(house.clock()).decode(), house.browser().visit, "/")


@coroutine
async def test_g21_guesses_made_at_once_are_all_counted(house: SignInRoom) -> None:
    key = await make_owner(house)
    house.clock.now += 60.0
    wrong = _wrong(key, house)
    tries = (
        house.owner.sign_in_totp(FIRST_OWNER, wrong, house.browser(f"198.51.100.{number}").visit, "/")
        for number in range(40)
    )
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(each, SignInRefusedError) for each in done)
    (credential,) = house.credentials.of_user(house.user(FIRST_OWNER).id)
    assert credential.failures == 10


@coroutine
async def test_g21_one_network_tries_ten_codes_a_minute(house: SignInRoom) -> None:
    visit = house.browser().visit
    for _ in range(12):
        with pytest.raises(SignInRefusedError):
            await house.owner.sign_in_totp("owner", "123456", visit, "/")
    assert house.reasons()[-1] == "too_many_tries"
    with pytest.raises(SignInRefusedError) as refused:
        await house.owner.sign_in_totp("owner", "123456", house.browser("198.51.100.7").visit, "/")
    assert refused.value.reason == "code_wrong"


@coroutine
async def test_g21_a_name_that_exists_answers_as_one_that_does_not(house: SignInRoom) -> None:
    key = await make_owner(house)
    house.owner._answer_s = 0.05
    times: dict[str, list[float]] = {FIRST_OWNER: [], "nobody": []}
    sentences = set()
    for number in range(8):
        for name, taken in times.items():
            visit = house.browser(f"198.51.100.{number}").visit
            began = time.perf_counter()
            with pytest.raises(SignInRefusedError) as refused:
                await house.owner.sign_in_totp(name, _wrong(key, house), visit, "/")
            taken.append(time.perf_counter() - began)
            sentences.add(str(refused.value))
    assert len(sentences) == 1
    assert min(min(taken) for taken in times.values()) >= 0.049
    known, unknown = (statistics.median(taken) for taken in times.values())
    assert abs(known - unknown) < 0.02


@coroutine
async def test_g21_ten_wrong_codes_use_up_a_link(house: SignInRoom) -> None:
    url = await house.owner.first_start_link()
    assert url is not None
    enrolment = await house.owner.enrol_totp(code_of(url), "owner", "192.0.2.1")
    key = key_of(enrolment)
    for number in range(10):
        with pytest.raises(CallerError):
            await house.owner.confirm_totp(
                code_of(url), _wrong(key, house), house.browser(f"198.51.100.{number}").visit
            )
    with pytest.raises(SignInRefusedError):
        await house.owner.confirm_totp(code_of(url), key.generate(house.clock()).decode(), house.browser().visit)
    assert house.people.list("", 10) == []


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "１２３４５６", "12345\x00", "-12345", "99999a", "1" * 10_000]
)
def test_g21_only_six_digits_are_a_code(code: str) -> None:
    assert matching_step(b"k" * 20, code, 1_900_000_000.0) is None


@coroutine
async def test_g21_one_network_begins_sixty_sign_ins_a_minute(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser("2001:db8:1:2::1")
    for _ in range(60):
        await browser.begin()
    browser.network = "2001:db8:1:2:ffff::2"  # the same subscriber
    with pytest.raises(SignInRefusedError):
        await browser.begin()
    assert house.reasons() == ["too_many_tries"]
    await house.browser("2001:db8:1:3::1").begin()


@coroutine
async def test_g21_a_flood_of_refusals_is_counted_not_written(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    for _ in range(50):
        with pytest.raises(SignInRefusedError):
            await browser.finish({"state": "x", "code": "y"})
    assert len(house.reasons()) == 10
    house.clock.now += 60.0
    with pytest.raises(SignInRefusedError):
        await browser.finish({"state": "x", "code": "y"})
    assert house.entries("admin.sign-in.refused")[-1]["unwritten"] == 40


@coroutine
async def test_g21_what_was_presented_is_in_no_sentence_and_no_entry(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    answer = await browser.answer(provider)
    sentences = []
    marked = {"state": "MARKED-state", "code": "MARKED-code", "error": "MARKED-error", "error_description": "MARKED"}
    for wrong in (marked, {**marked, "state": answer["state"]}):
        with pytest.raises(SignInRefusedError) as refused:
            await browser.finish(wrong)
        sentences.append(str(refused.value))
    assert "MARKED" not in str(house.room.log.rows) + "".join(sentences)
    assert parse_qs(urlsplit(await browser.begin()).query)["state"][0] not in str(house.room.log.rows)


def _wrong(key: TOTP, house: SignInRoom) -> str:
    """A code that does not fit now, nor a step before or after."""
    near = {key.generate(house.clock() + off).decode() for off in (-60.0, -30.0, 0.0, 30.0, 60.0)}
    return next(code for digit in "0123456789" if (code := digit * 6) not in near)
