"""Tokens made, seen and revoked by hand: one's own, or everybody's; service accounts and their keys."""

import asyncio
import datetime
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ostiary.control.caller import Caller, StepUpRequiredError
from ostiary.control.services.token_mint import bound_to_certificate
from ostiary.identity.tokens import token_hash
from ostiary.model.actor import ActorKind
from ostiary.model.errors import CallerError, NotFoundError, RefusedError
from ostiary.model.permission import Permission
from ostiary.model.token import TokenRecord, TokenScope
from support.oauth_room import NETWORK, OAuthRoom

DAY = 86_400.0


@pytest.fixture
def anna(house: OAuthRoom) -> Caller:
    return house.visitor(house.user("anna", email="anna@example.com")).caller


@pytest.fixture
def bob(house: OAuthRoom) -> Caller:
    return house.visitor(house.user("bob")).caller


@pytest.fixture
def admin(house: OAuthRoom) -> Caller:
    return house.visitor(house.user("ada", "admin")).caller


async def test_people_make_tokens_for_themselves_and_their_agents(house: OAuthRoom, anna: Caller) -> None:
    made = await house.token_service.create(anna)
    agents = await house.token_service.create(anna, actor="anna", agent="cursor@laptop", ttl_s=60)
    for new, kind, agent in ((made, ActorKind.USER, None), (agents, ActorKind.AGENT, "cursor@laptop")):
        actor = house.tokens.find(token_hash(new.text.encode()))
        assert actor is not None
        assert (actor.kind, actor.name, actor.agent, actor.user_id, actor.groups) == (
            kind, "anna", agent, anna.user_id, frozenset(),
        )  # fmt: skip


@pytest.mark.parametrize(
    "asked",
    [
        {"actor": "bob"},
        {"actor": "ANNA"},
        {"groups": ["owners"]},
        {"kind": "service"},
        {"actor": "anna", "kind": "service"},
        {"scope": "scim"},
    ],
)
async def test_what_a_token_of_ones_own_cannot_have(house: OAuthRoom, anna: Caller, asked: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        await house.token_service.create(anna, **asked)
    assert house.tokens.newest() == []


async def test_a_token_of_ones_own_is_bounded_and_takes_a_recent_sign_in(house: OAuthRoom, anna: Caller) -> None:
    with pytest.raises(CallerError, match="lives from"):
        await house.token_service.create(anna, ttl_s=DAY)
    stale = house.visitor(house.user("carl"), ago_s=400).caller
    with pytest.raises(StepUpRequiredError):
        await house.token_service.create(stale)
    with pytest.raises(CallerError, match="`ostiary login`"):
        await house.token_service.create(anna, scope="api")


async def test_people_have_a_hundred_valid_tokens_of_their_own_at_most(
    house: OAuthRoom, anna: Caller, bob: Caller, admin: Caller
) -> None:
    tries = [house.token_service.create(anna, agent=f"a{number}", ttl_s=600) for number in range(120)]
    made = await asyncio.gather(*tries, return_exceptions=True)
    refused = [each for each in made if isinstance(each, BaseException)]
    assert len(refused) == 20
    assert all(isinstance(each, RefusedError) and "100 valid tokens" in str(each) for each in refused)
    await house.token_service.create(bob)
    for _ in range(3):
        await house.token_service.create(admin, actor="anna")
    one = next(each for each in made if not isinstance(each, BaseException))
    await house.token_service.revoke(anna, one.record.id)
    await house.token_service.create(anna, ttl_s=600)
    with pytest.raises(RefusedError):
        await house.token_service.create(anna)
    house.clock.now += 299  # still a recent sign-in
    with pytest.raises(RefusedError):
        await house.token_service.create(anna)
    anna = replace(anna, is_fresh=True)
    house.clock.now += 301
    await house.token_service.create(anna)


async def test_people_see_and_revoke_their_own_alone(
    house: OAuthRoom, anna: Caller, bob: Caller, admin: Caller
) -> None:
    own = await house.token_service.create(anna)
    by_hand = await house.token_service.create(admin, actor="Anna", groups=["x"])
    agents = await house.token_service.create(admin, actor="anna", agent="tool")
    await house.token_service.create(admin, actor="anna@example.com")  # an address is nobody's name (G10)
    bobs = await house.token_service.create(bob)
    service = await house.token_service.create(admin, actor="anna", kind="service")
    assert {record.id for record in await house.token_service.list(anna)} == {
        own.record.id, by_hand.record.id, agents.record.id,
    }  # fmt: skip
    assert len(await house.token_service.list(admin)) == 6
    sentences = set()
    for other in (bobs.record.id, service.record.id, "tok_unknown"):
        with pytest.raises(NotFoundError) as refusal:
            await house.token_service.revoke(anna, other)
        sentences.add(str(refusal.value))
    assert len(sentences) == 1
    await house.token_service.revoke(anna, by_hand.record.id)
    assert house.revoked == [by_hand.record.id]
    await house.token_service.revoke(admin, bobs.record.id)


async def test_who_is_nobody_sees_makes_and_revokes_nothing(house: OAuthRoom, nobody: Caller, anna: Caller) -> None:
    made = await house.token_service.create(anna)
    for call in (
        house.token_service.list(nobody),
        house.token_service.create(nobody),
        house.token_service.revoke(nobody, made.record.id),
    ):
        with pytest.raises(RefusedError):
            await call


async def test_a_token_for_scim_opens_scim_alone(house: OAuthRoom, admin: Caller) -> None:
    with pytest.raises(RefusedError, match=r"identity\.apply"):
        await house.token_service.create(admin, scope="scim")
    made = await house.token_service.create(house.visitor(house.user("olga", "owner")).caller, scope="scim")
    assert made.record.actor.expires_at == house.clock() + 366 * DAY
    assert await house.oauth.is_scim(made.text, NETWORK)
    assert house.tokens.find(token_hash(made.text.encode())) is None
    assert await house.oauth.caller_of(made.text, NETWORK) is None
    assert house.tokens.find(token_hash(made.text.encode()), TokenScope.API) is None
    house.clock.now += 366 * DAY
    assert not await house.oauth.is_scim(made.text, NETWORK)
    with pytest.raises(CallerError, match="SCIM"):
        await house.token_service.create(house.visitor(house.user("eve", "owner")).caller, scope="scim", groups=["a"])


def certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(start).not_valid_after(start + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM).decode()


async def test_a_certificate_binds_a_token_to_who_shows_it(house: OAuthRoom, admin: Caller) -> None:
    pem = certificate()
    made = await house.token_service.create(admin, actor="anna", certificate=pem)
    assert made.record.actor.bound_to == bound_to_certificate(pem)
    assert len(str(made.record.actor.bound_to)) == len("x5t:") + 43
    assert bound_to_certificate(pem + certificate()) == bound_to_certificate(pem)
    empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    for wrong in ("", "no certificate", "\udcff", pem[:200], empty):
        with pytest.raises(CallerError, match="PEM"):
            await house.token_service.create(admin, actor="anna", certificate=wrong)


async def test_a_service_accounts_keys_carry_its_groups_and_expire(house: OAuthRoom, admin: Caller) -> None:
    await house.service_accounts.create(admin, name="nightly", groups=["ci"], connections=["cursor"])
    made = await house.service_accounts.make_key(admin, "Nightly")
    actor = house.tokens.find(token_hash(made.text.encode()))
    assert actor is not None
    assert (actor.kind, actor.name, actor.groups, actor.connections) == (
        ActorKind.SERVICE, "nightly", {"ci"}, {"cursor"},
    )  # fmt: skip
    assert actor.expires_at == house.clock() + 90 * DAY
    for wrong in (0.5, 367 * DAY, float("nan"), float("inf")):
        with pytest.raises(CallerError, match="A key lives"):
            await house.service_accounts.make_key(admin, "nightly", ttl_s=wrong)
    assert [key.id for key in await house.service_accounts.keys(admin, "nightly")] == [made.record.id]
    assert [account.name for account in await house.service_accounts.list(admin)] == ["nightly"]
    with pytest.raises(CallerError, match="of this name"):
        await house.service_accounts.create(admin, name="NIGHTLY")


async def test_disabling_a_service_account_ends_its_keys_at_once_and_for_good(house: OAuthRoom, admin: Caller) -> None:
    await house.service_accounts.create(admin, name="nightly")
    made = await house.service_accounts.make_key(admin, "nightly")
    by_hand = await house.token_service.create(admin, actor="nightly", kind="service")
    await house.service_accounts.disable(admin, "nightly")
    await house.service_accounts.disable(admin, "nightly")
    assert house.tokens.find(token_hash(made.text.encode())) is None
    assert house.tokens.find(token_hash(by_hand.text.encode())) is None
    with pytest.raises(CallerError, match="disabled"):
        await house.service_accounts.make_key(admin, "nightly")
    with pytest.raises(CallerError, match="disabled"):
        await house.token_service.create(admin, actor="Nightly", kind="service")
    await house.service_accounts.enable(admin, "nightly")
    assert house.tokens.find(token_hash(made.text.encode())) is None
    await house.service_accounts.make_key(admin, "nightly")
    kinds = [str(entry["type"]) for entry in house.log.rows if "service-account" in str(entry["type"])]
    assert [kind.rpartition(".")[2] for kind in kinds] == ["create", "disable", "enable"]


async def test_disabling_goes_on_and_stands_on_record_when_whoever_asked_goes_away(
    house: OAuthRoom, admin: Caller
) -> None:
    await house.service_accounts.create(admin, name="nightly")
    made = await house.service_accounts.make_key(admin, "nightly")
    asked = asyncio.create_task(house.service_accounts.disable(admin, "nightly"))
    await asyncio.sleep(0)
    asked.cancel()
    for _ in range(500):
        if house.tokens.find(token_hash(made.text.encode())) is None:
            break
        await asyncio.sleep(0.01)
    assert house.tokens.find(token_hash(made.text.encode())) is None
    assert "admin.service-account.disable" in [entry["type"] for entry in house.log.rows]


async def test_no_key_is_left_of_keys_made_while_an_account_is_disabled(house: OAuthRoom, admin: Caller) -> None:
    await house.service_accounts.create(admin, name="nightly")
    tries: list[Any] = [house.service_accounts.make_key(admin, "nightly") for _ in range(10)]
    tries.insert(5, house.service_accounts.disable(admin, "nightly"))
    await asyncio.gather(*tries, return_exceptions=True)
    assert all(key.revoked_at is not None for key in house.tokens.of_service("nightly"))


async def test_a_token_by_hand_does_not_outlive_a_disabling_that_came_while_it_was_made(
    house: OAuthRoom, admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await house.service_accounts.create(admin, name="nightly")
    add = house.tokens.add

    def late(token_hash: bytes, record: TokenRecord) -> None:
        house.accounts.change(replace(account, disabled_at=house.clock()))
        add(token_hash, record)

    monkeypatch.setattr(house.tokens, "add", late)
    with pytest.raises(CallerError, match="disabled"):
        await house.token_service.create(admin, actor="nightly", kind="service")
    assert [key.revoked_at is not None for key in house.tokens.of_service("nightly")] == [True]


async def test_a_key_is_revoked_by_its_own_account_only(house: OAuthRoom, admin: Caller) -> None:
    for name in ("nightly", "weekly"):
        await house.service_accounts.create(admin, name=name)
    made = await house.service_accounts.make_key(admin, "nightly")
    persons = await house.token_service.create(admin, actor="weekly")
    for name, key in (("weekly", made.record.id), ("weekly", persons.record.id), ("weekly", "tok_x")):
        with pytest.raises(NotFoundError):
            await house.service_accounts.revoke_key(admin, name, key)
    with pytest.raises(NotFoundError):
        await house.service_accounts.revoke_key(admin, "daily", made.record.id)
    await house.service_accounts.revoke_key(admin, "nightly", made.record.id)
    assert house.revoked == [made.record.id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": " a"}, {"name": "a\nb"}, {"name": "a/b"}, {"name": "a" * 201}, {"groups": [""]},
        {"groups": ["g"] * 201}, {"connections": ["c\u202e"]}, {"description": "a\nb"}, {"description": "a" * 501},
    ],
)  # fmt: skip
async def test_what_a_service_account_cannot_be(house: OAuthRoom, admin: Caller, wrong: dict[str, Any]) -> None:
    with pytest.raises(CallerError):
        await house.service_accounts.create(admin, **{"name": "nightly", **wrong})


async def test_only_who_manages_people_manages_service_accounts(house: OAuthRoom, admin: Caller, bob: Caller) -> None:
    await house.service_accounts.create(admin, name="nightly")
    auditor = house.visitor(house.user("olga", "auditor")).caller
    assert await house.service_accounts.list(auditor)
    for caller in (bob, auditor, Caller("x", frozenset(Permission) - {Permission.PEOPLE_MANAGE})):
        for call in (
            house.service_accounts.create(caller, name="x"),
            house.service_accounts.disable(caller, "nightly"),
            house.service_accounts.enable(caller, "nightly"),
            house.service_accounts.make_key(caller, "nightly"),
            house.service_accounts.revoke_key(caller, "nightly", "tok_x"),
        ):
            with pytest.raises(RefusedError):
                await call
    with pytest.raises(StepUpRequiredError):
        await house.service_accounts.make_key(Caller("x", frozenset(Permission), is_fresh=False), "nightly")
