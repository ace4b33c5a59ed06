"""Re-checks of those who are signed in, and the end of access."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.control.services.provider_tokens import ProviderTokens
from ostiary.model.actor import ActorKind
from ostiary.model.approval import Approval, ApprovalState
from ostiary.model.errors import StorageUnavailableError
from ostiary.model.issuer import Group, GroupsFrom, GroupSource, SamlIssuer, ScimSettings, SignInLimits
from ostiary.model.person import Origin, SignIn
from support.control_room import NOW, asked
from support.http_server import Reply
from support.oidc_provider import OidcProvider, oidc_provider
from support.providers import an_issuer
from support.sign_in_room import Browser, SignInRoom, sign_in_room

DUE_S = 1000.0
"""Beyond the usual interval of 900 seconds, whatever its spread."""

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


async def signed_in(house: SignInRoom, provider: OidcProvider) -> tuple[Browser, SignIn]:
    browser = house.browser()
    await browser.sign_in(provider)
    return browser, (await browser.visitor()).sign_in


async def recheck(house: SignInRoom, after_s: float = DUE_S) -> None:
    house.clock.now += after_s
    await house.recheck.once()


def stored(house: SignInRoom, sign_in: SignIn) -> SignIn:
    found = house.sign_ins.get(sign_in.id)
    assert found is not None
    return found


async def test_who_still_has_access_stays_with_the_groups_of_now(house: SignInRoom, provider: OidcProvider) -> None:
    provider.people["u-1"] = replace(provider.person, groups=("eng",))
    browser, sign_in = await signed_in(house, provider)
    tool = house.tool(house.user(), "cursor", idp_session=provider.session)
    for _ in range(3):  # refresh tokens are replaced with every use
        await recheck(house)
        assert stored(house, sign_in).checked_at == stored(house, tool).checked_at == house.clock()
    assert (await browser.visitor()).caller.groups == {"engineering"}
    provider.people["u-1"] = replace(provider.person, groups=())
    changes = house.access_changes
    await recheck(house)
    assert (await browser.visitor()).caller.groups == frozenset()
    assert house.access_changes == changes + 1
    assert house.is_live(tool)


async def test_nobody_is_asked_about_before_it_is_time(house: SignInRoom, provider: OidcProvider) -> None:
    await signed_in(house, provider)
    await recheck(house, 800.0)
    assert provider.counts["token"] == 1
    await recheck(house, 200.0)
    await recheck(house, 0.0)
    assert provider.counts["token"] == 2


async def test_who_lost_access_is_out_with_their_tools_and_what_they_wait_for(
    house: SignInRoom, provider: OidcProvider
) -> None:
    browser, _ = await signed_in(house, provider)
    user = house.user()
    tool = house.tool(user, "cursor", idp_session=provider.session)
    waiting = await ask(house, "a1", user.name, "cursor")
    changes = house.access_changes
    provider.withdraw("u-1")
    await recheck(house)
    assert await house.visitor(browser.cookie) is None
    assert not house.is_live(tool)
    assert not house.has_token(user, "cursor")
    assert house.room.desk.get(waiting.id).state is ApprovalState.WITHDRAWN
    assert house.access_changes > changes
    assert {detail["why"] for detail in house.entries("admin.sign-in.ended")} == {
        "the identity provider no longer confirms it"
    }


async def test_a_session_that_is_over_there_ends_that_one_only(house: SignInRoom, provider: OidcProvider) -> None:
    one, first = await signed_in(house, provider)
    first_tool = house.tool(house.user(), "one", idp_session=provider.session)
    provider.session = "second"
    two, _ = await signed_in(house, provider)
    second_tool = house.tool(house.user(), "two", idp_session="second")
    tokens = house.held.of(first.id)
    assert tokens is not None
    provider._refresh.pop(tokens.refresh_token or "")
    await recheck(house)
    assert await house.visitor(one.cookie) is None
    assert await house.visitor(two.cookie) is not None
    assert [house.is_live(tool) for tool in (first_tool, second_tool)] == [False, True]


async def test_a_tool_stays_while_another_browser_of_its_session_is_confirmed(
    house: SignInRoom, provider: OidcProvider
) -> None:
    one, first = await signed_in(house, provider)
    two, _ = await signed_in(house, provider)
    tool = house.tool(house.user(), "cursor", idp_session=provider.session)
    tokens = house.held.of(first.id)
    assert tokens is not None
    provider._refresh.pop(tokens.refresh_token or "")
    await recheck(house)
    assert await house.visitor(one.cookie) is None
    assert await house.visitor(two.cookie) is not None
    assert house.is_live(tool)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(503),
        Reply(500, b'{"error":"invalid_grant"}'),
        Reply(400, b'{"error":"invalid_client"}'),
        Reply(401, b'{"error":"unauthorized_client"}'),
        Reply(400, b"invalid_grant"),
        Reply(200, b"no JSON"),
        Reply(200, b"{}"),
    ],
)
async def test_a_provider_in_trouble_puts_nobody_out(house: SignInRoom, provider: OidcProvider, answer: Reply) -> None:
    browser, _ = await signed_in(house, provider)
    tool = house.tool(house.user(), idp_session=provider.session)
    provider.faults["token"] = answer
    for _ in range(3):
        await recheck(house)
    assert await house.visitor(browser.cookie) is not None
    assert house.is_live(tool)
    del provider.faults["token"]
    provider.withdraw("u-1")
    await recheck(house)
    assert await house.visitor(browser.cookie) is None


async def test_a_provider_that_is_away_keeps_people_until_their_limits(
    house: SignInRoom, provider: OidcProvider
) -> None:
    house.configuration = replace(house.configuration, sign_in_limits=SignInLimits(idle_s=7200.0, absolute_s=7200.0))
    browser, sign_in = await signed_in(house, provider)
    provider.close()
    house.providers.put_in_force(())
    await recheck(house, 7000.0)
    assert await house.visitor(browser.cookie) is not None
    await recheck(house, 200.0)
    assert await house.visitor(browser.cookie) is None
    assert stored(house, sign_in).ended_why == "over its limits"
    assert house.sign_ins.sealed(sign_in.id) is None


async def test_a_provider_that_does_not_answer_is_left_alone_for_a_minute(
    house: SignInRoom, provider: OidcProvider
) -> None:
    await signed_in(house, provider)
    provider.faults["token"] = Reply(503)
    await recheck(house)
    asked_before = provider.counts["token"]
    await recheck(house, 30.0)
    assert provider.counts["token"] == asked_before
    await recheck(house, 31.0)
    assert provider.counts["token"] == asked_before + 1


async def test_without_refresh_tokens_userinfo_is_asked_while_the_access_token_is_good(
    house: SignInRoom, provider: OidcProvider
) -> None:
    house.trust(an_issuer(provider, groups_from=GroupsFrom.USERINFO), groups=(ENGINEERS,))
    provider.token_answer["refresh_token"] = None
    provider.token_ttl_s = 1500.0
    browser, sign_in = await signed_in(house, provider)
    provider.people["u-1"] = replace(provider.person, groups=("eng",))
    await recheck(house)
    assert (await browser.visitor()).caller.groups == {"engineering"}
    assert stored(house, sign_in).checked_at == house.clock()
    provider.withdraw("u-1")
    await recheck(house)  # the token is over: what the provider says of it says nothing of the person
    assert await house.visitor(browser.cookie) is not None


async def test_a_good_access_token_that_is_refused_ends_the_sign_in(house: SignInRoom, provider: OidcProvider) -> None:
    provider.token_answer["refresh_token"] = None
    provider.token_ttl_s = 3600.0
    browser, _ = await signed_in(house, provider)
    provider.withdraw("u-1")
    await recheck(house)
    assert await house.visitor(browser.cookie) is None


async def test_a_refreshed_token_of_somebody_else_changes_nothing(house: SignInRoom, provider: OidcProvider) -> None:
    browser, _ = await signed_in(house, provider)
    provider.id_token.update({"sub": "u-2", "groups": ["eng"]})
    await recheck(house)
    assert (await browser.visitor()).caller.groups == frozenset()
    assert house.people.of_subject("company", "u-2") is None


async def test_a_closed_browser_leaves_its_tools_to_be_rechecked(house: SignInRoom, provider: OidcProvider) -> None:
    house.configuration = replace(house.configuration, sign_in_limits=SignInLimits(idle_s=600.0))
    _, sign_in = await signed_in(house, provider)
    tool = house.tool(house.user(), "cursor", idp_session=provider.session)
    stranger = house.tool(house.user(), "other", idp_session="another session")
    await recheck(house, 700.0)
    assert not house.is_live(sign_in)
    assert house.held.of(stranger.id) is None
    await recheck(house)
    assert stored(house, tool).checked_at == house.clock()
    provider.withdraw("u-1")
    await recheck(house)
    assert not house.is_live(tool)
    assert house.is_live(stranger)


# -- who nobody confirms any more


DAY_S = 86_400.0


def reasons(house: SignInRoom, *sign_ins: SignIn) -> list[str]:
    return [stored(house, each).ended_why for each in sign_ins]


async def test_without_anybody_to_ask_a_tool_ends_a_day_after_it_was_confirmed(
    house: SignInRoom, provider: OidcProvider
) -> None:
    provider.token_answer["refresh_token"] = None
    provider.token_ttl_s = 1500.0
    _, sign_in = await signed_in(house, provider)
    tool = house.tool(house.user(), "cursor", idp_session=provider.session, ends_at=NOW + 30 * DAY_S)
    await recheck(house)  # confirmed with the access token, for the last time
    confirmed_at = house.clock()
    assert stored(house, tool).checked_at == confirmed_at
    await recheck(house, DAY_S - 1.0)
    assert reasons(house, sign_in, tool) == ["over its limits", ""]
    assert house.access_changes == 0
    await recheck(house, 1.0)
    assert reasons(house, tool) == ["unconfirmed"]
    assert house.access_changes == 1
    assert house.entries("admin.sign-in.ended")[-1]["why"] == "unconfirmed"
    assert not house.has_token(house.user(), "cursor")


async def test_while_the_access_token_is_good_somebody_can_be_asked(house: SignInRoom, provider: OidcProvider) -> None:
    limits = SignInLimits(idle_s=7200.0, unchecked_s=300.0)
    house.configuration = replace(house.configuration, sign_in_limits=limits)
    provider.token_answer["refresh_token"] = None
    provider.token_ttl_s = 3600.0
    browser, sign_in = await signed_in(house, provider)
    provider.faults["userinfo"] = Reply(503)
    await recheck(house, 3599.0)
    assert await house.visitor(browser.cookie) is not None
    (own,) = await house.sessions.own(house.user())
    assert own.ends_at == NOW + 3900.0
    await recheck(house, 1.0)
    assert reasons(house, sign_in) == ["unconfirmed"]


@pytest.mark.parametrize("holder", ["itself", "a browser", "a browser of another session", "nobody"])
async def test_a_refresh_token_of_the_session_keeps_all_of_it(
    house: SignInRoom, provider: OidcProvider, holder: str
) -> None:
    """Even where the provider does not answer for longer."""
    user = house.add_user("ana", issuer="company", subject="u-1")
    tool = house.tool(user, "cursor", idp_session="one", ends_at=NOW + 30 * DAY_S)
    other = house.tool(user, "codex", idp_session="two" if "another" in holder else "one", ends_at=NOW + 30 * DAY_S)
    tokens = {"itself": tool, "a browser": other, "a browser of another session": other}
    if holder in tokens:
        kept = house.held.sealed(tokens[holder].id, ProviderTokens(refresh_token="r"))
        house.sign_ins.checked(tokens[holder].id, NOW, kept)
    provider.faults["token"] = Reply(503)
    await recheck(house, 2 * DAY_S)
    assert house.is_live(tool) == (holder in ("itself", "a browser"))
    assert house.is_live(other) == (holder != "nobody")


async def test_the_local_owner_is_confirmed_by_nobody(house: SignInRoom, provider: OidcProvider) -> None:
    user = house.add_user("root", origin=Origin.LOCAL)
    tool = house.tool(user, "cursor", ends_at=NOW + 30 * DAY_S)
    await recheck(house, 20 * DAY_S)
    assert house.is_live(tool)
    assert [each.ends_at for each in await house.sessions.own(user)] == [NOW + 30 * DAY_S]


async def test_where_scim_tells_who_leaves_nobody_need_be_asked(house: SignInRoom, provider: OidcProvider) -> None:
    user = house.add_user("ana", issuer="company", subject="u-1")
    tool = house.tool(user, "cursor", ends_at=NOW + 30 * DAY_S)
    scim, house.configuration = house.configuration, replace(house.configuration, scim=ScimSettings("company"))
    await recheck(house, 20 * DAY_S)
    assert house.is_live(tool)
    house.configuration = scim
    await recheck(house, 0.0)
    assert reasons(house, tool) == ["unconfirmed"]


async def test_the_limit_holds_for_saml_whatever_is_held_and_as_it_is_now(
    house: SignInRoom, provider: OidcProvider
) -> None:
    house.trust(SamlIssuer("company", metadata_file="/nowhere"), sign_in_limits=SignInLimits(unchecked_s=7200.0))
    user = house.add_user("ana", issuer="company", subject="u-1")
    tool = house.tool(user, "cursor", ends_at=NOW + 30 * DAY_S)
    held = house.held.sealed(tool.id, ProviderTokens(refresh_token="of when it was an OpenID provider"))
    house.sign_ins.checked(tool.id, NOW, held)
    assert [each.ends_at for each in await house.sessions.own(user)] == [NOW + 7200.0]
    await recheck(house, 6000.0)
    assert house.is_live(tool)
    house.trust(*house.configuration.issuers, sign_in_limits=SignInLimits(unchecked_s=3600.0))
    await recheck(house, 0.0)
    assert reasons(house, tool) == ["unconfirmed"]


async def test_ten_are_asked_at_a_time(house: SignInRoom, provider: OidcProvider) -> None:
    for _ in range(15):
        await signed_in(house, provider)
    running, most = 0, 0
    ask_provider = house.providers.token

    async def counted(*arguments: object) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        try:
            return await ask_provider(*arguments)  # type: ignore[arg-type]
        finally:
            running -= 1

    house.providers.token = counted  # type: ignore[method-assign, assignment]
    await recheck(house)
    assert most == 10
    assert provider.counts["token"] == 30


async def test_those_who_came_together_are_not_asked_together(house: SignInRoom, provider: OidcProvider) -> None:
    for _ in range(12):
        await signed_in(house, provider)
    counts = []
    for _ in range(20):
        house.clock.now += 810.0 if not counts else 10.0
        await house.recheck.once()
        counts.append(provider.counts["token"] - 12)
    assert counts[-1] == 12
    assert len(set(counts)) > 4


async def test_it_runs_on_after_a_failure(house: SignInRoom, provider: OidcProvider) -> None:
    browser, _ = await signed_in(house, provider)
    task = asyncio.create_task(house.recheck.run(0.01))
    provider.faults["token"] = Reply(503)
    house.clock.now += DUE_S
    await asyncio.sleep(0.1)
    del provider.faults["token"]
    provider.withdraw("u-1")
    house.clock.now += DUE_S
    for _ in range(200):
        await asyncio.sleep(0.01)
        if await house.visitor(browser.cookie) is None:
            break
    assert not task.done()
    task.cancel()
    assert await house.visitor(browser.cookie) is None


@pytest.mark.parametrize("failure", [StorageUnavailableError("The disk is full."), ValueError("a defect of ours")])
async def test_it_runs_on_after_a_round_that_broke_off(
    house: SignInRoom, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    failures, rounds, once = [failure], asyncio.Event(), house.recheck.once

    async def broken_off_once() -> None:
        if failures:
            raise failures.pop()
        await once()
        rounds.set()

    monkeypatch.setattr(house.recheck, "once", broken_off_once)
    task = asyncio.create_task(house.recheck.run(0.01))
    async with asyncio.timeout(30.0):
        await rounds.wait()
    task.cancel()


# -- the end of access


async def ask(house: SignInRoom, approval_id: str, actor: str, agent: str | None) -> Approval:
    kind = ActorKind.USER if agent is None else ActorKind.AGENT
    return await house.room.desk.ask(asked(approval_id, actor, actor_kind=kind, agent=agent, expires_at=NOW + 6000.0))


async def test_the_end_of_a_person_is_the_end_of_everything_of_theirs(
    house: SignInRoom, provider: OidcProvider
) -> None:
    browser, _ = await signed_in(house, provider)
    user, other = house.user(), house.add_user("ben")
    tool = house.tool(user, "cursor")
    by_hand = house.token(user), house.token(user, "codex")
    theirs = house.token(other)
    approvals = [
        await ask(house, "a1", user.name, None),
        await ask(house, "a2", user.name, "cursor"),
        await ask(house, "a3", user.name, "gone-long-ago"),
    ]
    granted = await ask(house, "a4", user.name, "granted")
    await house.room.desk.decide(granted.id, True, "ben")
    kept = await ask(house, "a5", "ben", "cursor")
    await house.end.of_user(user, "deactivated")
    assert await house.visitor(browser.cookie) is None
    assert not house.is_live(tool)
    assert not any(house.has_token(user, agent) for agent in (None, "cursor", "codex"))
    assert all(house.room.store.tokens.get(each).revoked_at is not None for each in by_hand)  # type: ignore[union-attr]
    states = {house.room.desk.get(each.id).state for each in (*approvals, granted)}
    assert states == {ApprovalState.WITHDRAWN}
    assert house.room.desk.get(kept.id).state is ApprovalState.WAITING
    assert house.room.store.tokens.get(theirs).revoked_at is None  # type: ignore[union-attr]
    assert house.access_changes > 0
    assert house.entries("admin.sign-in.ended") == [{"user": user.name, "why": "deactivated"}]
    await house.end.of_user(user, "deactivated")
    assert len(house.entries("admin.sign-in.ended")) == 1


async def test_the_end_of_a_tool_withdraws_what_it_asks_unless_its_agent_has_another(
    house: SignInRoom, provider: OidcProvider
) -> None:
    user = house.add_user("ana")
    one, two = house.tool(user, "cursor"), house.tool(user, "cursor")
    waiting = await ask(house, "a1", "ana", "cursor")
    own = await ask(house, "a2", "ana", None)
    await house.end.of_sign_in(one, "signed out")
    assert house.room.desk.get(waiting.id).state is ApprovalState.WAITING
    assert house.has_token(user, "cursor")
    await house.end.of_sign_in(two, "signed out")
    assert house.room.desk.get(waiting.id).state is ApprovalState.WITHDRAWN
    assert house.room.desk.get(own.id).state is ApprovalState.WAITING
    assert not house.has_token(user, "cursor")


async def test_streams_are_looked_at_even_when_the_token_they_began_with_is_over(
    house: SignInRoom, provider: OidcProvider
) -> None:
    tool = house.tool(house.add_user("ana"), "cursor")
    house.clock.now += 8000.0
    await house.end.of_sign_in(tool, "signed out")
    assert house.access_changes == 1


async def test_the_end_goes_through_when_whoever_asked_for_it_goes_away(
    house: SignInRoom, provider: OidcProvider
) -> None:
    user = house.add_user("ana")
    tool = house.tool(user, "cursor")
    waiting = await ask(house, "a1", "ana", "cursor")
    asking = asyncio.create_task(house.end.of_user(user, "deactivated"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    for _ in range(100):
        await asyncio.sleep(0.01)
        if house.room.desk.get(waiting.id).state is ApprovalState.WITHDRAWN:
            break
    assert house.room.desk.get(waiting.id).state is ApprovalState.WITHDRAWN
    assert not house.is_live(tool)


async def test_the_end_of_a_service_account(house: SignInRoom) -> None:
    waiting = await house.room.desk.ask(asked("a1", "ci", actor_kind=ActorKind.SERVICE))
    await house.end.of_service("ci")
    assert house.room.desk.get(waiting.id).state is ApprovalState.WITHDRAWN
    assert house.access_changes == 1
    await house.end.reconsider()
    assert house.access_changes == 2
