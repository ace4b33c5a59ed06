"""G21: whoever has many networks may use up their own share of everything that is begun without a token, and nobody
else's."""

import secrets
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.one_time import OneTime
from ostiary.control.services.oauth import OAuthError
from ostiary.control.services.outstanding import OUTSTANDING_MAX, Outstanding
from ostiary.identity.limits import NetworkLimiter
from ostiary.model.errors import SignInRefusedError
from support.examples import examples
from support.oauth_room import oauth_room
from support.oidc_provider import oidc_provider
from support.providers import an_issuer
from support.sign_in_room import coroutine, sign_in_room

NETWORKS = examples(30, 170)
"""At full size more than 10,000 attempts; that what was begun longest ago gives way has a test of its own."""
EACH = 60


def addresses() -> Iterator[str]:
    return (f"2001:db8:{number:x}::1" for number in count())


@coroutine
async def test_G21_many_networks_do_not_close_the_door_to_providers(tmp_path: Path) -> None:
    with oidc_provider() as provider, sign_in_room(tmp_path) as room:
        room.trust(an_issuer(provider))
        for _, address in zip(range(NETWORKS), addresses(), strict=False):
            for _ in range(EACH):
                await room.browser(address).begin()
        await room.browser("198.51.100.7").begin()
        with pytest.raises(SignInRefusedError) as refused:
            await room.browser("2001:db8:0::1").begin()
        assert refused.value.reason == "too_many_tries"


@coroutine
async def test_G21_many_networks_do_not_keep_the_owner_out(tmp_path: Path) -> None:
    with sign_in_room(tmp_path) as room:
        room.console_url = "https://ostiary.example"
        for _, address in zip(range(examples(6, 20)), addresses(), strict=False):
            for _ in range(EACH):
                await room.owner.passkey_options(secrets.token_hex(8), address)
        assert await room.owner.passkey_options("honest", "198.51.100.7")


@coroutine
async def test_G21_device_codes_are_limited_by_network_only(tmp_path: Path) -> None:
    with oauth_room(tmp_path) as room:
        form = [("client_id", "ostiary-cli"), ("device", "build box")]
        for _, address in zip(range(examples(30, 100)), addresses(), strict=False):
            for _ in range(20):
                await room.oauth.device_begin(form, address)
            with pytest.raises(OAuthError):
                await room.oauth.device_begin(form, address)
        assert await room.oauth.device_begin(form, "198.51.100.7")


def test_G21_what_was_begun_longest_ago_gives_way(tmp_path: Path) -> None:
    one_time = OneTime(Database(tmp_path / "ostiary.db"))
    outstanding = Outstanding(one_time, most=50, look_each=10)
    hashes = [number.to_bytes(32, "big") for number in range(100)]
    for number, each in enumerate(hashes):
        assert outstanding.put("attempt", each, {}, 1000.0 + number)
        assert outstanding.put("other", each, {}, 1.0) is (number < 1000)
    kept = [one_time.peek("attempt", each, 0.0) is not None for each in hashes]
    assert kept == [False] * (100 - sum(kept)) + [True] * sum(kept)
    assert 50 <= sum(kept) <= 60
    assert OUTSTANDING_MAX >= 100_000


def test_G21_neighbours_in_ipv6_share_wider_buckets() -> None:
    limiter = NetworkLimiter(0.001, 10, lambda: 5.0)
    in_one_64 = sum(limiter.take(f"2001:db8:1::{number:x}") for number in range(100))
    in_one_56 = in_one_64 + sum(limiter.take(f"2001:db8:1:{number:x}::1") for number in range(1, 256))
    in_one_48 = in_one_56 + sum(limiter.take(f"2001:db8:1:{number:x}::1") for number in range(256, 10_000))
    assert (in_one_64, in_one_56, in_one_48) == (10, 40, 160)
    assert not limiter.take("2001:db8:1:ffff::1")
    assert limiter.wait_s("2001:db8:1:ffff::1") > 0
    assert limiter.take("2001:db8:2::1")
    limiter.give_back("2001:db8:1:ffff::1")
    assert limiter.take("2001:db8:1:ffff::1")
    assert sum(limiter.take("192.0.2.7") for _ in range(20)) == sum(limiter.take("192.0.2.8") for _ in range(20)) == 10
