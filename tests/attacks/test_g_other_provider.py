"""Family G: an issuer's name is half of what a person is. It stays bound to the provider that it stood for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.adapters.actors import Actors, KnownGroups
from ostiary.identity.standing import is_somebody, saml_identifier
from ostiary.model.errors import SignInRefusedError
from ostiary.model.issuer import OidcIssuer, SamlIssuer, WorkloadIssuer
from ostiary.model.person import Profile
from support.oidc_provider import OidcProvider, Person, oidc_provider
from support.providers import an_issuer
from support.sign_in_room import SignInRoom, coroutine, sign_in_room

RECHECK_S = 900.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SignInRoom]:
    with sign_in_room(tmp_path) as made:
        yield made


@pytest.fixture
def provider(house: SignInRoom) -> Iterator[OidcProvider]:
    with oidc_provider(clock=house.clock) as running:
        yield running


@pytest.fixture
def another(house: SignInRoom) -> Iterator[OidcProvider]:
    with oidc_provider(clock=house.clock) as running:
        yield running


def actors(house: SignInRoom) -> Actors:
    groups = KnownGroups(house.room.store.people)
    groups.put_in_force(house.configuration)
    return Actors(house.room.store.tokens, house.room.store.people, groups)


def has_access(house: SignInRoom, token_id: str) -> bool:
    record = house.room.store.tokens.get(token_id)
    assert record is not None
    return actors(house).again(record.actor) is not None


@coroutine
async def test_the_same_subject_at_another_provider_is_not_the_same_person(
    house: SignInRoom, provider: OidcProvider, another: OidcProvider
) -> None:
    house.trust(an_issuer(provider))
    provider.person = another.person = Person("1001", email="ana@example.com")
    await house.browser().sign_in(provider)
    ana = house.user()
    assert ana.issuer_identifier == provider.issuer
    house.trust(an_issuer(another))
    another.person = Person("1001", email="mallory@evil.example")
    with pytest.raises(SignInRefusedError):
        await house.browser().sign_in(another)
    another.person = Person("2002", email="ana@example.com")  # nor by the name
    with pytest.raises(SignInRefusedError):
        await house.browser().sign_in(another)
    assert house.reasons() == ["issuer_changed", "name_taken"]
    assert house.user() == ana


@coroutine
async def test_people_of_the_provider_before_are_nobody_at_once(
    house: SignInRoom, provider: OidcProvider, another: OidcProvider
) -> None:
    house.trust(an_issuer(provider))
    browser = house.browser()
    await browser.sign_in(provider)
    ana = house.user()
    sign_in = (await browser.visitor()).sign_in
    tokens = [house.token(ana), house.token(ana, "cursor@laptop", house.tool(ana, "cursor@laptop").id)]
    assert all(has_access(house, token) for token in tokens)
    for issuers in ((an_issuer(another),), (), (SamlIssuer("company", metadata_file="x"),)):
        house.trust(*issuers)
        assert not any(has_access(house, token) for token in tokens)
        assert await house.visitor(browser.cookie) is None
        assert house.callers.of(ana, sign_in).permissions == frozenset()
        assert house.callers.groups(ana) == frozenset()
    house.trust(an_issuer(provider))
    assert all(has_access(house, token) for token in tokens)


@coroutine
async def test_what_one_provider_gave_is_shown_to_no_other(
    house: SignInRoom, provider: OidcProvider, another: OidcProvider
) -> None:
    house.trust(an_issuer(provider, recheck_s=RECHECK_S))
    browser, leaving = house.browser(), house.browser()
    await browser.sign_in(provider)
    await leaving.sign_in(provider)
    tool = house.tool(house.user(), checked_at=house.clock())
    sign_in = (await browser.visitor()).sign_in
    attempt = house.browser()
    parameters = await attempt.answer(provider)  # on the way back
    house.trust(an_issuer(another, recheck_s=RECHECK_S))
    with pytest.raises(SignInRefusedError):
        await attempt.finish(parameters)
    assert house.reasons() == ["answer_of_other_issuer"]
    # No page of the other's, and no ID token in its address.
    assert await house.service.sign_out(leaving.cookie) is None
    house.clock.now += 2 * RECHECK_S
    await house.recheck.once()
    assert not another.of_name("token")
    assert not house.is_live(sign_in)
    assert not house.is_live(tool)
    assert {str(ended["why"]) for ended in house.entries("admin.sign-in.ended")} == {
        "signed out", "its issuer is another identity provider now",
    }  # fmt: skip


@coroutine
async def test_people_of_earlier_versions_are_bound_at_their_next_sign_in(
    house: SignInRoom, provider: OidcProvider, another: OidcProvider
) -> None:
    house.trust(an_issuer(provider))
    ana = house.add_user("ana@example.com", issuer="company", subject="u-1")
    assert has_access(house, house.token(ana))
    await house.browser().sign_in(provider)
    assert house.user().issuer_identifier == provider.issuer
    house.trust(an_issuer(another))
    with pytest.raises(SignInRefusedError):
        await house.browser().sign_in(another)


@coroutine
async def test_a_recheck_binds_them_too_and_speaks_of_nobody_else(house: SignInRoom, provider: OidcProvider) -> None:
    house.trust(an_issuer(provider))
    ana = house.add_user("ana@example.com", issuer="company", subject="u-1")
    profile = Profile("company", "u-1", ana.name, email=ana.email, issuer_identifier=provider.issuer)
    assert (await house.arrivals.seen_again(ana, profile)).issuer_identifier == provider.issuer
    with pytest.raises(SignInRefusedError) as refusal:
        await house.arrivals.seen_again(house.user(), replace(profile, issuer_identifier="https://other.example"))
    assert refusal.value.reason == "issuer_changed"


@coroutine
async def test_a_saml_provider_is_its_entity_id(house: SignInRoom) -> None:
    profile = Profile("corp", "email ana@example.com", "ana", issuer_identifier=saml_identifier("https://a.example"))
    ana = await house.arrivals.user_of(profile)
    for identifier in (saml_identifier("https://b.example"), "https://a.example", None):
        with pytest.raises(SignInRefusedError) as refusal:
            await house.arrivals.user_of(replace(profile, issuer_identifier=identifier))
        assert refusal.value.reason == "issuer_changed"
    saml, oidc = SamlIssuer("corp", metadata_file="x"), OidcIssuer("corp", "https://a.example", "ostiary")
    machines = WorkloadIssuer("corp", "https://a.example", "ostiary", ())
    assert [is_somebody(ana, (issuer,)) for issuer in (saml, oidc, machines)] == [True, False, False]
    assert not is_somebody(replace(ana, active=False), (saml,))
    assert not is_somebody(None, (saml,))


@coroutine
async def test_the_local_owner_depends_on_no_provider(house: SignInRoom) -> None:
    root = house.add_user("root")
    token = house.token(root)
    house.trust()
    assert has_access(house, token)
