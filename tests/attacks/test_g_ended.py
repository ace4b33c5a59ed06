"""Family G: what ended is over, whatever else somebody holds: a token they made for themselves, or one of their
provider's from before."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.adapters.actors import KnownGroups
from ostiary.adapters.foreign_tokens import ForeignTokens
from ostiary.control.caller import Caller
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.ended_sessions import EndedSessions
from ostiary.control.services.token_mint import TokenMint
from ostiary.model.actor import Actor, ActorKind
from support.oidc_provider import LOGOUT_EVENT, OidcProvider, oidc_provider
from support.providers import an_issuer
from support.sign_in_room import SignInRoom, coroutine, sign_in_room

GATEWAY = "https://gateway.example"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SignInRoom]:
    with sign_in_room(tmp_path) as made:
        yield made


@pytest.fixture
def provider(house: SignInRoom) -> Iterator[OidcProvider]:
    with oidc_provider(clock=house.clock) as running:
        house.trust(an_issuer(running, token_audience=GATEWAY))
        yield running


def logout_token(provider: OidcProvider, **changes: Any) -> str:
    now = int(provider.clock())
    claims = {
        "iss": provider.issuer, "aud": provider.client_id, "sub": "u-1", "iat": now, "exp": now + 120,
        "jti": f"logout-{now}", "events": {LOGOUT_EVENT: {}}, **changes,
    }  # fmt: skip
    return provider.sign(claims, {"typ": "logout+jwt"})


def access_token(provider: OidcProvider, **changes: Any) -> bytes:
    now = int(provider.clock())
    claims = {"iss": provider.issuer, "aud": GATEWAY, "sub": "u-1", "iat": now, "exp": now + 3600, **changes}
    said = {name: value for name, value in claims.items() if value is not None}
    return provider.sign({**said, "client_id": "some-tool", "jti": "1"}, {"typ": "at+jwt"}).encode()


def gateway(house: SignInRoom) -> ForeignTokens:
    """The part of the gateway that takes tokens of others."""
    store = house.room.store
    groups = KnownGroups(store.people)
    groups.put_in_force(house.configuration)
    house.providers.put_in_force(house.configuration.issuers)
    tokens = ForeignTokens(house.providers, store.people, store.service_accounts, groups)
    tokens.put_in_force(house.configuration)
    return tokens


def is_live(house: SignInRoom, token_id: str) -> bool:
    record = house.room.store.tokens.get(token_id)
    return record is not None and record.revoked_at is None


@coroutine
async def test_a_logout_of_everything_ends_what_somebody_made_for_themselves(
    house: SignInRoom, provider: OidcProvider
) -> None:
    await house.browser().sign_in(provider)
    ana = house.user()
    tool = house.tool(ana)
    own = house.token(ana, "batch@laptop", tool.id)  # `ostiary token create`
    exchanged = house.token(ana, "codex@ci")  # of no sign-in
    eve = house.add_user("eve@example.com", issuer="company", subject="u-2")
    others = house.token(eve)
    by_hand = Actor(ActorKind.USER, ana.name, frozenset(), "tok_by_hand", house.clock() + 7200)
    mint = TokenMint(house.room.store.tokens, lambda count: b"r" * count, AdminLog(house.room.log.append, house.clock))
    await mint.make(house.room.owner, by_hand)
    before = house.access_changes
    await house.service.back_channel("company", logout_token(provider))
    assert not any(is_live(house, token) for token in (own, exchanged))
    assert not house.is_live(tool)
    assert house.access_changes > before
    assert is_live(house, others)
    assert is_live(house, "tok_by_hand")  # it came from an owner here, and not with the provider's word


@coroutine
async def test_a_session_that_ended_here_or_at_the_provider_is_over_for_its_tokens_too(
    house: SignInRoom, provider: OidcProvider
) -> None:
    """The ID token stands in the address that signs out at the provider."""
    ended = EndedSessions(house.one_time)
    browser = house.browser()
    for sign_out in (True, False):
        provider.session = f"session-{sign_out}"
        await browser.sign_in(provider)
        issued_at = int(house.clock())
        assert not ended.is_over("company", provider.session, issued_at, house.clock())
        if sign_out:
            await house.service.sign_out(browser.cookie)
        else:
            await house.service.back_channel("company", logout_token(provider, sid=provider.session))
        assert ended.is_over("company", provider.session, issued_at, house.clock())
        assert not ended.is_over("company", "another", issued_at, house.clock())
        house.clock.now += 5


@coroutine
async def test_a_sign_in_takes_along_what_was_made_in_it(house: SignInRoom, provider: OidcProvider) -> None:
    await house.browser().sign_in(provider)
    ana = house.user()
    ended, stays = house.tool(ana), house.tool(ana)
    own, kept = house.token(ana, None, ended.id), house.token(ana, None, stays.id)
    await house.end.of_sign_in(ended, "the identity provider no longer confirms it")
    assert (is_live(house, own), is_live(house, kept)) == (False, True)


@coroutine
async def test_a_token_that_is_made_while_its_sign_in_ends_opens_nothing(
    house: SignInRoom, provider: OidcProvider
) -> None:
    await house.browser().sign_in(provider)
    ana = house.user()
    tool = house.tool(ana)
    await house.end.of_sign_in(tool, "signed out")
    mint = TokenMint(house.room.store.tokens, lambda count: b"r" * count, AdminLog(house.room.log.append, house.clock))
    actor = Actor(ActorKind.USER, ana.name, frozenset(), "tok_late", house.clock() + 7200, user_id=ana.id)
    await mint.make(Caller(ana.name, frozenset()), actor, sign_in=tool.id)
    assert not is_live(house, "tok_late")


@pytest.mark.parametrize("how", ["logout", "deactivated"])
def test_the_providers_own_tokens_of_before_open_nothing(house: SignInRoom, provider: OidcProvider, how: str) -> None:
    async def run() -> None:
        await house.browser().sign_in(provider)
        before, undated = access_token(provider), access_token(provider, iat=None)
        tokens = gateway(house)
        await tokens.learn(before)
        actor = tokens.find(before, house.clock())
        assert actor is not None
        assert tokens.find(undated, house.clock()) is not None
        assert tokens.again(actor) is not None
        house.clock.now += 5
        if how == "logout":
            await house.service.back_channel("company", logout_token(provider))
        else:
            await house.end.of_user(house.user(), "deactivated")
        assert tokens.again(actor) is None
        assert tokens.find(before, house.clock()) is None
        assert tokens.find(access_token(provider), house.clock()) is None  # made in the same second
        assert tokens.find(undated, house.clock()) is None
        house.clock.now += 5
        after = tokens.find(access_token(provider), house.clock())
        assert after is not None
        assert tokens.again(after) is not None

    asyncio.run(run())


@coroutine
async def test_the_providers_clock_counts_for_its_own_tokens(house: SignInRoom, provider: OidcProvider) -> None:
    """One that is ahead made the token before the logout, and after the moment that it was told here."""
    await house.browser().sign_in(provider)
    ahead = int(house.clock()) + 40
    token = access_token(provider, iat=ahead - 2)
    tokens = gateway(house)
    await tokens.learn(token)
    await house.service.back_channel("company", logout_token(provider, iat=ahead))
    assert tokens.find(token, house.clock()) is None


@coroutine
async def test_it_is_not_forgotten_by_who_changes_the_person_meanwhile(
    house: SignInRoom, provider: OidcProvider
) -> None:
    await house.browser().sign_in(provider)
    read_before = house.user()
    await house.end.of_user(read_before, "deactivated")
    assert house.people.change(read_before)
    assert house.user().not_before == house.clock()
    house.people.refuse_until(read_before.id, 1.0)
    assert house.user().not_before == house.clock()
