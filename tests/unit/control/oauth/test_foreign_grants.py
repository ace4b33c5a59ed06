"""Tokens of trusted issuers, given for short ones of ours."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ostiary.control.services.ended_sessions import EndedSessions
from ostiary.model.actor import ActorKind
from ostiary.model.issuer import (
    ClaimCondition,
    Group,
    GroupSource,
    OidcIssuer,
    SamlIssuer,
    ScimSettings,
    WorkloadIssuer,
    WorkloadRule,
)
from ostiary.model.person import Origin, ServiceAccount, User
from support import jwts, saml_idp
from support.oauth_room import CONSOLE, GATEWAY, OAuthRoom, proof, refused
from support.oidc_provider import OidcProvider, oidc_provider

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SAML = "urn:ietf:params:oauth:grant-type:saml2-bearer"
WORKLOAD = "urn:ietf:params:oauth:grant-type:jwt-bearer"
KINDS = "urn:ietf:params:oauth:token-type:"
GROUPS = (
    Group("engineering", (GroupSource("company", "groups", "builders"), GroupSource("company", "groups", "eng"))),
)


@pytest.fixture
def workloads(house: OAuthRoom, tmp_path: Path) -> OAuthRoom:
    """CI jobs of acme are the service account `ci`."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [jwts.jwk("one"), jwts.jwk("two", "P-256")]}))
    rule = WorkloadRule("ci", (ClaimCondition("repository", ("acme/*",)),), ("builders",), ("cursor",))
    issuer = WorkloadIssuer("jobs", "https://jobs.example", CONSOLE, (rule,), keys_file=str(keys))
    house.configuration = replace(house.configuration, issuers=(issuer,))
    return house


def job(**changes: Any) -> str:
    claims = {
        "iss": "https://jobs.example", "aud": CONSOLE, "sub": "repo:acme/app:ref:main", "repository": "acme/app",
        "iat": jwts.NOW - 5, "exp": jwts.NOW + 300, **changes,
    }  # fmt: skip
    return jwts.sign({name: value for name, value in claims.items() if value is not None})


async def test_a_job_gets_a_token_of_the_service_that_its_rule_names(workloads: OAuthRoom) -> None:
    for fields in (
        {"grant_type": WORKLOAD, "assertion": job()},
        {"grant_type": EXCHANGE, "subject_token": job(), "subject_token_type": KINDS + "jwt"},
        {"grant_type": EXCHANGE, "subject_token": job(), "subject_token_type": KINDS + "id_token", "client_id": ""},
    ):
        answer = await workloads.token(**fields)
        assert "refresh_token" not in answer
        assert (answer["expires_in"], answer["user"]) == (300, "ci")
        actor = workloads.actor(answer)
        assert actor is not None
        assert (actor.kind, actor.name, actor.groups, actor.connections) == (
            ActorKind.SERVICE, "ci", frozenset({"builders"}), frozenset({"cursor"}),
        )  # fmt: skip
    made = workloads.entries("admin.token.create")[-1]
    assert made["detail"]["subject"] == "repo:acme/app:ref:main"
    assert (made["by"], made["detail"]["issuer"], made["detail"]["grant"]) == ("ci", "jobs", "token-exchange")


async def test_a_token_of_ours_never_outlives_theirs_or_the_setting(workloads: OAuthRoom) -> None:
    long = await workloads.token(grant_type=WORKLOAD, assertion=job(exp=jwts.NOW + 3000))
    assert long["expires_in"] == 900
    with refused("invalid_grant"):
        await workloads.token(grant_type=WORKLOAD, assertion=job(exp=jwts.NOW - 5))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"repository": "evil/app"}, "no_workload_rule"),
        ({"repository": "acme/app/evil"}, "no_workload_rule"),
        ({"aud": "https://other.example"}, "aud_wrong"),
        ({"iss": "https://other.example"}, "unknown_issuer"),
        ({"exp": jwts.NOW - 600, "iat": jwts.NOW - 900}, "expired"),
        ({"exp": jwts.NOW + 90_000_000}, "life_too_long"),
        ({"exp": None}, "exp_missing"),
    ],
)
async def test_a_job_that_proves_nothing_gets_nothing(
    workloads: OAuthRoom, changes: dict[str, Any], reason: str
) -> None:
    with refused("invalid_grant"):
        await workloads.token(grant_type=WORKLOAD, assertion=job(**changes))
    assert workloads.tokens.newest() == []
    assert workloads.reasons() == [reason]


async def test_a_disabled_service_account_gets_no_token_by_its_platform_either(workloads: OAuthRoom) -> None:
    workloads.accounts.add(ServiceAccount("ci", 1.0, "me", disabled_at=2.0))
    with refused("invalid_grant"):
        await workloads.token(grant_type=WORKLOAD, assertion=job())
    assert workloads.reasons() == ["service_disabled"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"scope": "api"}, "invalid_scope"),
        ({"scope": "scim"}, "invalid_scope"),
        ({"scope": "gateway api"}, "invalid_scope"),
        ({"audience": "https://other.example"}, "invalid_target"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"requested_token_type": KINDS + "refresh_token"}, "invalid_request"),
        ({"subject_token_type": KINDS + "saml2"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
        ({"client_id": "other"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"agent": "tool"}, "invalid_request"),
    ],
)
async def test_what_an_exchange_may_not_ask(workloads: OAuthRoom, fields: dict[str, str], error: str) -> None:
    usual = {"grant_type": EXCHANGE, "subject_token": job(), "subject_token_type": KINDS + "jwt"}
    with refused(error):
        await workloads.token(**{**usual, **fields})
    for audience in (GATEWAY, GATEWAY + "/", CONSOLE):
        assert await workloads.token(**usual, audience=audience)


async def test_a_job_that_holds_a_key_has_a_token_bound_to_it(workloads: OAuthRoom) -> None:
    answer = await workloads.token(grant_type=WORKLOAD, assertion=job(), proof=proof(workloads.clock))
    actor = workloads.actor(answer)
    assert actor is not None
    assert actor.bound_to is not None
    bound = job(cnf={"jkt": actor.bound_to.removeprefix("jkt:")})
    assert await workloads.token(grant_type=WORKLOAD, assertion=bound, proof=proof(workloads.clock))
    for other in (None, proof(workloads.clock, "another")):
        with refused("invalid_grant"):
            await workloads.token(grant_type=WORKLOAD, assertion=bound, proof=other)


@pytest.fixture
def provider(house: OAuthRoom) -> Iterator[OidcProvider]:
    with oidc_provider(clock=house.clock, access_token_audience="https://gateway.example") as provider:
        issuer = OidcIssuer(
            "company", provider.issuer, provider.client_id, "idp", allow_private=True, token_audience=GATEWAY
        )
        house.configuration = replace(house.configuration, issuers=(issuer,), groups=GROUPS)
        yield provider


def id_token(provider: OidcProvider, header: dict[str, Any] | None = None, **changes: Any) -> str:
    now = int(provider.clock())
    claims = {
        "iss": provider.issuer, "aud": provider.client_id, "sub": "s1", "iat": now, "exp": now + 300,
        "email": "ada@example.com", "email_verified": True, "groups": ["eng"], **changes,
    }  # fmt: skip
    return provider.sign({name: value for name, value in claims.items() if value is not None}, header)


def access_token(provider: OidcProvider, **changes: Any) -> str:
    usual = {"aud": GATEWAY, "client_id": "some-tool", "jti": "1"}
    return id_token(provider, {"typ": "at+jwt"}, **{**usual, **changes})


async def swap(house: OAuthRoom, token: str, kind: str = "id_token", **fields: str) -> Any:
    return await house.token(grant_type=EXCHANGE, subject_token=token, subject_token_type=KINDS + kind, **fields)


async def test_a_person_is_known_by_an_id_token_and_appears_with_their_first_one(
    house: OAuthRoom, provider: OidcProvider
) -> None:
    answer = await swap(house, id_token(provider), agent="codex@ci")
    actor = house.actor(answer)
    assert actor is not None
    assert (actor.kind, actor.name, actor.agent, actor.groups) == (
        ActorKind.AGENT, "ada@example.com", "codex@ci", frozenset(),
    )  # fmt: skip
    user = house.people.of_subject("company", "s1")
    assert user is not None
    assert actor.user_id == user.id
    assert house.callers.groups(user) == {"engineering"}


async def test_an_access_token_for_our_audience_is_taken_as_one(house: OAuthRoom, provider: OidcProvider) -> None:
    assert await swap(house, access_token(provider), "access_token")
    assert await swap(house, access_token(provider), "jwt")
    with refused("invalid_grant"):
        await swap(house, access_token(provider), "id_token")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("id_token", {"aud": "another-client"}),
        ("id_token", {"aud": ["another-client", "ostiary"], "azp": "another-client"}),
        ("id_token", {"iss": "https://other.example"}),
        ("id_token", {"exp": 1}),
        ("id_token", {"iat": jwts.NOW + 600, "nbf": jwts.NOW + 600}),
        ("id_token", {"sub": None}),
        ("id_token", {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        ("access_token", {}),
        ("jwt", {}),
        ("access_token", {"aud": "https://another-api.example"}),
    ],
)
async def test_a_token_that_was_not_made_for_this_is_not_taken(
    house: OAuthRoom, provider: OidcProvider, kind: str, changes: dict[str, Any]
) -> None:
    with refused("invalid_grant"):
        await swap(house, id_token(provider, **changes), kind)
    assert house.tokens.newest() == []
    assert house.people.of_subject("company", "s1") is None


async def test_a_person_who_was_deactivated_gets_nothing_for_any_token(
    house: OAuthRoom, provider: OidcProvider
) -> None:
    await swap(house, id_token(provider))
    user = house.people.of_subject("company", "s1")
    assert user is not None
    house.deactivate(user)
    for kind, token in (("id_token", id_token(provider)), ("access_token", access_token(provider))):
        with refused("invalid_grant"):
            await swap(house, token, kind)
    assert set(house.reasons()) == {"inactive"}


async def test_nobody_whom_the_directory_removed_comes_back_by_a_token(
    house: OAuthRoom, provider: OidcProvider
) -> None:
    await swap(house, id_token(provider))
    house.configuration = replace(house.configuration, scim=ScimSettings("company"))
    user = house.people.of_subject("company", "s1")
    assert user is not None
    await swap(house, id_token(provider))  # who is known still comes
    house.people.remove(user.id)
    for kind, token in (("id_token", id_token(provider)), ("access_token", access_token(provider))):
        with refused("invalid_grant"):
            await swap(house, token, kind)
    assert set(house.reasons()) == {"not_provisioned"}
    assert house.people.named("ada@example.com") is None
    now = house.clock()
    house.people.add(User("p1", "ada@example.com", Origin.SCIM, now, now))
    assert (await swap(house, id_token(provider)))["user"] == "ada@example.com"
    house.people.remove("p1")
    house.configuration = replace(house.configuration, scim=ScimSettings("another"))
    await swap(house, id_token(provider))


async def test_a_token_of_before_everything_ended_gets_nothing(house: OAuthRoom, provider: OidcProvider) -> None:
    """The provider logged them out of everything, or they were deactivated and came back."""
    before = id_token(provider), access_token(provider)
    answer = await swap(house, before[0])
    user = house.people.of_subject("company", "s1")
    assert user is not None
    house.clock.now += 5
    await house.end.of_identity(user, "ended by the identity provider", 0.0)
    assert house.actor(answer) is None
    for kind, token in (("id_token", before[0]), ("access_token", before[1])):
        with refused("invalid_grant"):
            await swap(house, token, kind)
    assert house.reasons() == ["ended_since"] * 2
    house.clock.now += 5
    assert house.actor(await swap(house, id_token(provider))) is not None


async def test_a_token_of_a_session_that_is_over_gets_nothing(house: OAuthRoom, provider: OidcProvider) -> None:
    before, other = id_token(provider, sid="one"), id_token(provider, sid="two")
    ended = EndedSessions(house.one_time)
    for _ in range(2):
        house.clock.now += 5
        ended.end("company", "one", house.clock(), house.clock())
    with refused("invalid_grant"):
        await swap(house, before)
    assert house.reasons() == ["ended_since"]
    assert await swap(house, other)
    house.clock.now += 5
    assert await swap(house, id_token(provider, sid="one"))  # the provider did let them in again
    house.clock.now += 2 * 86_400
    ended.end("company", "one", house.clock(), house.clock())
    assert ended.is_over("company", "one", house.clock(), house.clock())


async def test_a_subject_of_another_provider_is_not_the_same_person(house: OAuthRoom, provider: OidcProvider) -> None:
    await swap(house, id_token(provider))
    with oidc_provider(clock=house.clock) as another:
        (issuer,) = house.configuration.issuers
        assert isinstance(issuer, OidcIssuer)
        house.configuration = replace(house.configuration, issuers=(replace(issuer, issuer=another.issuer),))
        with refused("invalid_grant"):
            await swap(house, id_token(another))
    assert house.reasons() == ["issuer_changed"]


async def test_an_older_token_does_not_bring_back_a_group(house: OAuthRoom, provider: OidcProvider) -> None:
    old = id_token(provider)
    house.clock.now += 60
    await swap(house, id_token(provider, groups=["other"]))
    user = house.people.of_subject("company", "s1")
    assert user is not None
    assert house.callers.groups(user) == frozenset()
    await swap(house, old)
    user = house.people.of_subject("company", "s1")
    assert user is not None
    assert house.callers.groups(user) == frozenset()


async def test_a_token_that_does_not_say_groups_takes_none_away(house: OAuthRoom, provider: OidcProvider) -> None:
    await swap(house, id_token(provider))
    house.clock.now += 60
    await swap(house, access_token(provider, groups=None, email=None), "access_token")
    user = house.people.of_subject("company", "s1")
    assert user is not None
    assert (house.callers.groups(user), user.email) == ({"engineering"}, "ada@example.com")


@pytest.fixture
def assertions(house: OAuthRoom, tmp_path: Path) -> OAuthRoom:
    metadata = tmp_path / "idp.xml"
    metadata.write_text(saml_idp.metadata_xml())
    issuer = SamlIssuer("company", metadata_file=str(metadata), grant=True)
    house.configuration = replace(house.configuration, issuers=(issuer,), groups=GROUPS)
    return house


def assertion(**changes: Any) -> str:
    said = saml_idp.assertion(saml_idp.grant_words(**changes))
    saml_idp.sign(said)
    return saml_idp.grant(said)


async def test_an_assertion_gives_a_token_of_its_person_once(assertions: OAuthRoom) -> None:
    encoded = assertion()
    answer = await assertions.token(grant_type=SAML, assertion=encoded)
    actor = assertions.actor(answer)
    assert actor is not None
    assert (actor.name, actor.kind) == ("ann@example.com", ActorKind.USER)
    user = assertions.people.get(str(actor.user_id))
    assert user is not None
    assert assertions.callers.groups(user) == {"engineering"}
    with refused("invalid_grant"):
        await assertions.token(grant_type=SAML, assertion=encoded)
    assert assertions.reasons() == ["used_before"]


async def test_an_assertion_makes_nobody_whom_the_directory_has_to_provision(assertions: OAuthRoom) -> None:
    assertions.configuration = replace(assertions.configuration, scim=ScimSettings("company"))
    with refused("invalid_grant"):
        await assertions.token(grant_type=SAML, assertion=assertion())
    assert assertions.reasons() == ["not_provisioned"]


async def test_an_assertion_of_before_everything_ended_gets_nothing(assertions: OAuthRoom) -> None:
    answer = await assertions.token(grant_type=SAML, assertion=assertion())
    user = assertions.people.named("ann@example.com")
    assert user is not None
    await assertions.end.of_user(user, "deactivated")
    assert assertions.actor(answer) is None
    with refused("invalid_grant"):
        await assertions.token(grant_type=SAML, assertion=assertion(assertion_id="_b"))
    assert assertions.reasons() == ["ended_since"]


async def test_an_assertion_shown_many_times_at_once_works_once(assertions: OAuthRoom) -> None:
    encoded = assertion()
    tries = [assertions.token(grant_type=SAML, assertion=encoded) for _ in range(10)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, dict) for result in results) == 1


async def test_assertions_of_a_provider_without_the_grant_are_not_taken(assertions: OAuthRoom) -> None:
    (issuer,) = assertions.configuration.issuers
    assert isinstance(issuer, SamlIssuer)
    assertions.configuration = replace(assertions.configuration, issuers=(replace(issuer, grant=False),))
    with refused("invalid_grant"):
        await assertions.token(grant_type=SAML, assertion=assertion())
    assert assertions.reasons() == ["no_saml_grant"]


async def test_an_assertion_for_the_browser_is_none_for_the_grant(assertions: OAuthRoom) -> None:
    words = saml_idp.Words()
    said = saml_idp.assertion(words)
    saml_idp.sign(said)
    with refused("invalid_grant"):
        await assertions.token(grant_type=SAML, assertion=saml_idp.grant(said))
    with refused("invalid_scope"):
        await assertions.token(grant_type=SAML, assertion=assertion(assertion_id="_b"), scope="api")
