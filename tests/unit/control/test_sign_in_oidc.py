"""Signing in through an OpenID provider on loopback, stepping up, and out again."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.control.services.sign_in import Choice
from ostiary.model.errors import NotFoundError, SignInRefusedError, UnreachableError
from ostiary.model.issuer import Group, GroupsFrom, GroupSource, SamlIssuer, ScimSettings, SignInLimits, WorkloadIssuer
from ostiary.model.permission import OWN, Assignment, Permission
from ostiary.model.person import Origin
from support.oidc_provider import OidcProvider, Person, oidc_provider
from support.providers import an_issuer
from support.sign_in_room import CONSOLE, SignInRoom, parameters_of, sign_in_room

ENGINEERS = Group("engineering", (GroupSource("company", "groups", "eng"),))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SignInRoom]:
    with sign_in_room(tmp_path) as room:
        yield room


@pytest.fixture
def provider(house: SignInRoom) -> Iterator[OidcProvider]:
    with oidc_provider(clock=house.clock) as provider:
        house.trust(an_issuer(provider), groups=(ENGINEERS,))
        yield provider


async def test_somebody_new_signs_in_and_is_a_member(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    opened = await browser.sign_in(provider, next_path="/account?tab=tokens")
    assert opened.next_path == "/account?tab=tokens"
    visitor = await browser.visitor()
    assert (visitor.user.name, visitor.user.origin) == ("ana@example.com", Origin.SIGN_IN)
    assert (visitor.user.issuer, visitor.user.subject) == ("company", "u-1")
    assert (visitor.user.display_name, visitor.user.email) == ("Ana Example", "ana@example.com")
    assert visitor.caller.permissions == OWN
    assert visitor.caller.names == {"ana@example.com"}
    assert (visitor.caller.user_id, visitor.caller.sign_in) == (visitor.user.id, visitor.sign_in.id)
    assert visitor.sign_in.idp_session == provider.session
    assert [detail["user"] for detail in house.entries("admin.user.add")] == ["ana@example.com"]
    assert house.entries("admin.sign-in") == [
        {
            "user": "ana@example.com", "issuer": "company", "kind": "console", "network": "192.0.2.1",
            "groups_missing": "The provider says no claim 'groups'.",
        }
    ]  # fmt: skip


async def test_who_comes_again_is_the_same_with_what_the_provider_says_now(
    house: SignInRoom, provider: OidcProvider
) -> None:
    browser = house.browser()
    first = await browser.sign_in(provider)
    assert house.callers.groups(house.user()) == frozenset()
    provider.person = replace(provider.person, name="Ana Moved", email="moved@example.com", groups=("eng",))
    again = await browser.sign_in(provider)
    assert again.user.id == first.user.id
    assert again.user.name == "ana@example.com"  # rules and the audit log know them by it
    assert (again.user.display_name, again.user.email) == ("Ana Moved", "moved@example.com")
    assert (await browser.visitor()).caller.groups == {"engineering"}
    assert house.access_changes > 0


async def test_groups_of_the_provider_give_roles(house: SignInRoom, provider: OidcProvider) -> None:
    house.configuration = replace(
        house.configuration, assignments=(Assignment("approver", groups=frozenset({"engineering"})),)
    )
    provider.person = replace(provider.person, groups=("eng", "all"))
    browser = house.browser()
    await browser.sign_in(provider)
    assert Permission.APPROVALS_DECIDE in (await browser.visitor()).caller.permissions


async def test_groups_and_names_may_come_from_userinfo(house: SignInRoom, provider: OidcProvider) -> None:
    house.trust(an_issuer(provider, groups_from=GroupsFrom.USERINFO, user_claim="login"), groups=(ENGINEERS,))
    provider.id_token.update({"groups": None, "login": None})
    provider.userinfo.update({"groups": ["eng"], "login": "ana"})
    browser = house.browser()
    await browser.sign_in(provider)
    visitor = await browser.visitor()
    assert (visitor.user.name, visitor.caller.groups) == ("ana", {"engineering"})


async def test_who_scim_provisioned_is_found_by_name_once_and_by_subject_afterwards(
    house: SignInRoom, provider: OidcProvider
) -> None:
    provisioned = house.add_user("Ana@Example.com", origin=Origin.SCIM, display_name="Ana of SCIM")
    house.configuration = replace(house.configuration, scim=ScimSettings("company"))
    opened = await house.browser().sign_in(provider)
    assert opened.user.id == provisioned.id
    assert (opened.user.issuer, opened.user.subject) == ("company", "u-1")
    assert opened.user.display_name == "Ana of SCIM"
    provider.person = replace(provider.person, email="other@example.com")
    assert (await house.browser().sign_in(provider)).user.id == provisioned.id
    provider.person = Person("u-2")
    with pytest.raises(SignInRefusedError):
        await house.browser().sign_in(provider)
    assert house.reasons() == ["name_taken"]


async def test_a_sign_in_says_what_scim_leaves_out(house: SignInRoom, provider: OidcProvider) -> None:
    provisioned = house.add_user("ana@example.com", origin=Origin.SCIM)
    house.configuration = replace(house.configuration, scim=ScimSettings("company"))
    opened = await house.browser().sign_in(provider)
    assert (opened.user.id, opened.user.display_name) == (provisioned.id, "Ana Example")
    assert opened.user.email == "ana@example.com"
    provider.person = replace(provider.person, name="Somebody Else", email="other@example.com")
    again = (await house.browser().sign_in(provider)).user
    assert (again.display_name, again.email) == ("Ana Example", "ana@example.com")


async def test_the_ways_to_sign_in_are_listed(house: SignInRoom, provider: OidcProvider) -> None:
    house.trust(
        WorkloadIssuer("ci", "https://ci.example", "ostiary", ()), SamlIssuer("adfs", metadata_file="idp.xml"),
        *house.configuration.issuers,
    )  # fmt: skip
    assert [(choice.name, choice.kind) for choice in house.service.choices()] == [
        ("adfs", "saml"),
        ("company", "oidc"),
        ("", "local"),
    ]
    assert isinstance(house.service.choices()[0], Choice)
    for name in ("ci", "unknown"):
        with pytest.raises(NotFoundError):
            await house.browser().begin(name)
    with pytest.raises(NotFoundError):
        await house.service.finish_oidc("adfs", "browser", {}, house.browser().visit)


async def test_the_provider_gets_what_it_needs_and_nothing_more(house: SignInRoom, provider: OidcProvider) -> None:
    sent = parameters_of(await house.browser().begin())
    assert sent["redirect_uri"] == f"{CONSOLE}/sign-in/company/callback"
    assert sent["code_challenge_method"] == "S256"
    assert {"state", "nonce", "code_challenge"} <= sent.keys()
    assert sent.keys().isdisjoint({"prompt", "max_age"})


async def test_a_step_up_proves_it_again_and_goes_on_under_a_new_cookie(
    house: SignInRoom, provider: OidcProvider
) -> None:
    browser = house.browser()
    before = (await browser.sign_in(provider)).cookie
    first = await browser.visitor()
    house.clock.now += 400.0
    assert not (await browser.visitor()).caller.is_fresh
    sent = parameters_of(await browser.begin(step_up=True))
    assert (sent["prompt"], sent["max_age"]) == ("login", "0")
    after = (await browser.sign_in(provider, step_up=True)).cookie
    visitor = await browser.visitor()
    assert visitor.caller.is_fresh
    assert visitor.sign_in.id == first.sign_in.id
    assert visitor.csrf != first.csrf
    assert after != before
    assert await house.visitor(before) is None


async def test_a_provider_that_does_not_say_when_makes_nobody_fresh(house: SignInRoom, provider: OidcProvider) -> None:
    provider.id_token["auth_time"] = None
    browser = house.browser()
    await browser.sign_in(provider)
    assert not (await browser.visitor()).caller.is_fresh
    with pytest.raises(SignInRefusedError):
        await browser.sign_in(provider, step_up=True)
    house.trust(an_issuer(provider, preset="google"))
    await browser.sign_in(provider, step_up=True)
    assert (await browser.visitor()).caller.is_fresh


async def test_a_step_up_by_somebody_else_is_a_sign_in_of_theirs(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    before = await browser.sign_in(provider)
    mine = (await browser.visitor()).sign_in
    provider.person = Person("u-2", email="ben@example.com")
    provider.session = "another"
    await browser.sign_in(provider, step_up=True)
    assert (await browser.visitor()).user.name == "ben@example.com"
    assert await house.visitor(before.cookie) is None
    assert not house.is_live(mine)


async def test_signing_out_ends_it_here_and_leads_to_the_provider(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    await browser.sign_in(provider)
    tool = house.tool(house.user(), idp_session=provider.session)
    url = await house.service.sign_out(browser.cookie)
    assert url is not None
    sent = parameters_of(url)
    assert url.startswith(f"{provider.issuer}/end-session?id_token_hint=")
    assert sent["post_logout_redirect_uri"] == f"{CONSOLE}/sign-in"
    assert sent["client_id"] == provider.client_id
    assert await house.visitor(browser.cookie) is None
    assert house.is_live(tool)  # `ostiary login` is another thing
    assert await house.service.sign_out(browser.cookie) is await house.service.sign_out(None) is None


async def test_signing_out_works_while_the_provider_is_away(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    await browser.sign_in(provider)
    provider.close()
    house.providers.put_in_force(())
    assert await house.service.sign_out(browser.cookie) is None
    assert await house.visitor(browser.cookie) is None


async def test_nobody_new_comes_in_while_the_provider_is_away(house: SignInRoom, provider: OidcProvider) -> None:
    provider.close()
    with pytest.raises(UnreachableError):
        await house.browser().begin()
    assert house.reasons() == ["provider_not_reachable"]


async def test_a_console_sign_in_ends_by_both_its_limits(house: SignInRoom, provider: OidcProvider) -> None:
    house.configuration = replace(house.configuration, sign_in_limits=SignInLimits(idle_s=600.0, absolute_s=1500.0))
    browser = house.browser()
    await browser.sign_in(provider)
    for _ in range(2):
        house.clock.now += 590.0
        assert await house.visitor(browser.cookie) is not None
    house.clock.now += 330.0
    assert await house.visitor(browser.cookie) is None
    await browser.sign_in(provider)
    house.clock.now += 600.0
    assert await house.visitor(browser.cookie) is None


async def test_shorter_limits_hold_for_those_who_are_signed_in(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    await browser.sign_in(provider)
    house.clock.now += 300.0
    assert await house.visitor(browser.cookie) is not None
    for limits in (SignInLimits(absolute_s=300.0), SignInLimits(idle_s=60.0)):
        house.configuration = replace(house.configuration, sign_in_limits=limits)
        assert (await house.visitor(browser.cookie) is None) is (limits.absolute_s == 300.0)
    house.clock.now += 60.0
    assert await house.visitor(browser.cookie) is None


async def test_who_signs_in_for_the_first_time_in_two_browsers_at_once_is_one_person(
    house: SignInRoom, provider: OidcProvider
) -> None:
    browsers = [house.browser() for _ in range(4)]
    answers = [await browser.answer(provider) for browser in browsers]
    opened = await asyncio.gather(
        *(browser.finish(answer) for browser, answer in zip(browsers, answers, strict=True))
    )
    assert len({each.user.id for each in opened}) == len(house.people.list("", 10)) == 1
    assert len(house.entries("admin.user.add")) == 1


async def test_when_somebody_was_seen_is_written_once_a_minute(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    await browser.sign_in(provider)
    sign_in = (await browser.visitor()).sign_in
    for seconds, seen in ((59.0, 0.0), (1.0, 60.0), (30.0, 60.0)):
        house.clock.now += seconds
        await house.visitor(browser.cookie)
        stored = house.sign_ins.get(sign_in.id)
        assert stored is not None
        assert stored.seen_at == sign_in.created_at + seen


async def test_people_see_and_end_their_own_sign_ins_only(house: SignInRoom, provider: OidcProvider) -> None:
    mine, also_mine = house.browser(), house.browser()
    await mine.sign_in(provider)
    await also_mine.sign_in(provider)
    tool = house.tool(house.user(), "cursor@laptop")
    provider.person = Person("u-2", email="ben@example.com")
    theirs = house.browser()
    await theirs.sign_in(provider)
    me = (await mine.visitor()).user
    assert len(await house.sessions.own(me)) == 3
    for sign_in_id in ((await theirs.visitor()).sign_in.id, "si_unknown"):
        with pytest.raises(NotFoundError):
            await house.sessions.end_own(me, sign_in_id)
    await house.sessions.end_own(me, (await also_mine.visitor()).sign_in.id)
    await house.sessions.end_own(me, tool.id)
    assert await house.visitor(also_mine.cookie) is None
    assert not house.has_token(me, "cursor@laptop")
    assert len(await house.sessions.own(me)) == 1


async def test_an_issuer_that_is_gone_keeps_nobody_signed_in(house: SignInRoom, provider: OidcProvider) -> None:
    browser = house.browser()
    await browser.sign_in(provider)
    tool = house.tool(house.user())
    house.trust()
    assert await house.visitor(browser.cookie) is None
    await house.recheck.once()
    assert not house.is_live(tool)
    assert not house.has_token(house.user())


async def test_what_is_stored_signs_nobody_in(house: SignInRoom, provider: OidcProvider, tmp_path: Path) -> None:
    browser = house.browser()
    answer = await browser.answer(provider)
    opened = await browser.finish(answer)
    tokens = house.held.of((await browser.visitor()).sign_in.id)
    assert tokens is not None and tokens.refresh_token is not None and tokens.id_token is not None
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("ostiary.db*"))
    for secret in (opened.cookie, answer["state"], answer["code"], browser.attempt, tokens.refresh_token):
        assert secret.encode() not in stored
    assert tokens.id_token.encode() not in stored
    assert not any(opened.cookie in str(entry) for entry in house.room.log.rows)
    assert opened.cookie not in repr(opened) + repr(browser.visit) + repr(await browser.visitor())
