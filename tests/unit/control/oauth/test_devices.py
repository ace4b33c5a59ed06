"""Signing in a machine without a browser."""

import asyncio
from typing import Any

import pytest

from ostiary.control.services.oauth import OAuthError
from ostiary.control.services.oauth.devices import ALPHABET, CODE_LETTERS, Pace
from ostiary.control.services.outstanding import OUTSTANDING_MAX
from ostiary.identity.limits import Limiter, network_keys
from support.oauth_room import CONSOLE, DEVICE_GRANT, NETWORK, OAuthRoom, proof, refused


async def test_a_code_typed_in_a_browser_signs_the_device_in(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    begun = await house.device(agent="codex@build")
    assert (begun["verification_uri"], begun["expires_in"], begun["interval"]) == (f"{CONSOLE}/device", 600, 5)
    assert "verification_uri_complete" not in begun, "a link that confirms could be sent to somebody"
    first, _, second = begun["user_code"].partition("-")
    assert len(first) == len(second) == 4
    assert set(first + second) <= set(ALPHABET)
    with refused("authorization_pending"):
        await house.poll(begun)
    for typed in (begun["user_code"], begun["user_code"].lower(), f" {first} {second} "):
        shown = await house.oauth.device_show(visitor, typed, NETWORK)
        assert (shown.user_code, shown.network, shown.asked.agent, shown.asked.device) == (
            begun["user_code"], NETWORK, "codex@build", "build box",
        )  # fmt: skip
    await house.oauth.device_decide(visitor, begun["user_code"], True, NETWORK)
    answer = await house.poll(begun)
    actor = house.actor(answer)
    assert actor is not None
    assert (actor.name, actor.agent) == ("anna", "codex@build")
    with refused("expired_token"):
        await house.poll(begun)


async def test_a_refused_device_gets_nothing_and_is_told_once(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    begun = await house.device()
    await house.oauth.device_decide(visitor, begun["user_code"], False, NETWORK)
    with refused("access_denied"):
        await house.poll(begun)
    with refused("expired_token"):
        await house.poll(begun)


async def test_a_code_is_decided_once_and_by_one(house: OAuthRoom) -> None:
    anna, bob = house.visitor(house.user("anna")), house.visitor(house.user("bob"))
    begun = await house.device()
    decisions = [house.oauth.device_decide(who, begun["user_code"], True, NETWORK) for who in (anna, bob)]
    results = await asyncio.gather(*decisions, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "OAuthError"]
    winner = "anna" if results[0] is None else "bob"
    assert (await house.poll(begun))["user"] == winner


async def test_codes_end_after_ten_minutes(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    begun = await house.device()
    house.clock.now += 600
    with refused("invalid_grant"):
        await house.oauth.device_show(visitor, begun["user_code"], NETWORK)
    with refused("expired_token"):
        await house.poll(begun)


async def test_a_device_that_asks_too_often_is_slowed_down(house: OAuthRoom) -> None:
    begun = await house.device()
    fields = {"grant_type": DEVICE_GRANT, "device_code": begun["device_code"]}
    pending, slower = "authorization_pending", "slow_down"
    for pause_s, error in ((0, pending), (1, slower), (5, slower), (15, pending), (15, pending)):
        house.clock.now += pause_s
        with refused(error):
            await house.token(**fields)


async def test_a_device_that_began_with_a_key_is_answered_with_that_key_only(house: OAuthRoom) -> None:
    visitor = house.visitor(house.user("anna"))
    shown = proof(house.clock, htu=f"{CONSOLE}/oauth/device-authorization")
    begun = await house.oauth.device_begin([("client_id", "ostiary-cli")], NETWORK, shown)
    await house.oauth.device_decide(visitor, begun["user_code"], True, NETWORK)
    for other in (None, "another"):
        with refused("invalid_grant"):
            await house.poll(begun, proof=None if other is None else proof_now(house, other))
    assert (await house.poll(begun, proof=proof_now(house, "holder")))["token_type"] == "DPoP"


def proof_now(house: OAuthRoom, name: str) -> str:
    """For the moment of the next poll."""
    house.clock.now += 5
    made = proof(house.clock, name)
    house.clock.now -= 5
    return made


async def test_a_device_of_somebody_who_has_left_meanwhile_is_not_signed_in(house: OAuthRoom) -> None:
    anna = house.user("anna")
    begun = await house.device()
    await house.oauth.device_decide(house.visitor(anna), begun["user_code"], True, NETWORK)
    house.deactivate(anna)
    with refused("invalid_grant"):
        await house.poll(begun)


@pytest.mark.parametrize(
    "fields",
    [{"client_id": "other"}, {"client_secret": "x"}, {"scope": "scim"}, {"agent": "a\nb"}, {"device": "d" * 101}],
)
async def test_what_a_device_may_not_ask(house: OAuthRoom, fields: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as caught:
        await house.device(**fields)
    assert caught.value.error.startswith("invalid_")


def test_pace_forgets_the_oldest() -> None:
    pace = Pace(most=2)
    for device in (b"1", b"2", b"3"):
        assert pace.is_due(device, 100.0)
    assert pace.is_due(b"1", 100.0)
    assert not pace.is_due(b"3", 100.0)
    assert len(ALPHABET) ** CODE_LETTERS > OUTSTANDING_MAX * 250_000


def test_a_limiter_permits_a_burst_and_then_its_rate() -> None:
    now = [100.0]
    limiter = Limiter(0.5, 3, lambda: now[0])
    assert [limiter.take("a") for _ in range(5)] == [True, True, True, False, False]
    assert limiter.wait_s("a") == 2.0
    assert limiter.take("b")
    now[0] += 2
    assert [limiter.take("a"), limiter.take("a")] == [True, False]
    now[0] -= 1000
    assert not limiter.take("a")
    now[0] += 2000
    assert limiter.wait_s("a") == 0
    assert [limiter.take("a") for _ in range(4)] == [True, True, True, False]


def test_a_try_that_was_good_is_given_back() -> None:
    limiter = Limiter(0.1, 1, lambda: 5.0)
    for _ in range(5):
        assert limiter.take("a")
        limiter.give_back("a")
    limiter.give_back("a")
    assert [limiter.take("a"), limiter.take("a")] == [True, False]


def test_a_limiter_keeps_a_bounded_number_of_keys() -> None:
    limiter = Limiter(0.001, 1, lambda: 5.0, keys_max=100)
    for number in range(10_000):
        limiter.take(str(number))
    assert len(limiter._buckets) == 100
    assert not limiter.take("9999")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_what_counts_as_one_place(address: str, place: str) -> None:
    assert network_keys(address)[0] == place
