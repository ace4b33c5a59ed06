"""G03 when the clock is set back: what expired and what was used up stays so, and nobody is locked out by a clock that
was wrong for a while."""

from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

from ostiary.control.services.oauth import OAuthError
from ostiary.gateway.authenticator import Authenticator
from ostiary.gateway.possession import Possession
from ostiary.identity.limits import NetworkLimiter
from ostiary.identity.tokens import mint_token
from ostiary.identity.used_proofs import LIFE_S, UsedProofs
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.errors import GatewayRefusal
from ostiary.protocols.heads import parse_request_head, request_line_cache
from support.oauth_room import oauth_room, proof
from support.sign_in_room import coroutine

NOW = 1_800_000_000.0
DAY_S = 86_400.0
SHORT = mint_token("u", b"\x01" * 32)
LONG = mint_token("s", b"\x02" * 32)


class Book:
    """A token of 15 minutes, and a key of a month."""

    def __init__(self) -> None:
        self._actors = {
            sha256(SHORT.encode()).digest(): Actor(ActorKind.USER, "ana", frozenset(), "tok_1", NOW + 900),
            sha256(LONG.encode()).digest(): Actor(ActorKind.SERVICE, "deploy", frozenset(), "tok_2", NOW + 30 * DAY_S),
        }

    def find(self, token_hash: bytes) -> Actor | None:
        return self._actors.get(token_hash)

    def again(self, actor: Actor) -> Actor | None:
        return actor

    def used(self, token_id: str, at: float, network: str) -> None: ...


@pytest.fixture
def gate() -> Authenticator:
    possession = Possession(tls=False, behind_proxy=False)
    return Authenticator(Book(), cast(Any, None), possession, NetworkLimiter(1.0, 10, lambda: NOW))


def comes_in(gate: Authenticator, token: str, now: float) -> bool:
    raw = f"GET /x/y HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}"
    try:
        gate.identify(parse_request_head(raw.encode(), request_line_cache(), 128, 16384), now, "192.0.2.1")
    except GatewayRefusal as refusal:
        return refusal.code != "token_expired"
    return True


@pytest.mark.parametrize("late_s", [0.0, 3600.0, DAY_S])
def test_G03_an_expired_token_stays_expired_when_the_clock_goes_back(gate: Authenticator, late_s: float) -> None:
    assert comes_in(gate, SHORT, NOW)
    assert not comes_in(gate, SHORT, NOW + 900 + late_s)
    gate.forget()
    assert not comes_in(gate, SHORT, NOW + 60)
    assert comes_in(gate, LONG, NOW + 60)


def test_G03_a_clock_that_was_years_ahead_for_a_moment_locks_nobody_out(gate: Authenticator) -> None:
    assert comes_in(gate, LONG, NOW)
    assert not comes_in(gate, LONG, NOW + 10 * 365 * DAY_S)
    assert comes_in(gate, LONG, NOW + 1)
    assert comes_in(gate, SHORT, NOW + 1)


@coroutine
async def test_G03_a_proof_counts_once_whatever_the_clock_does(tmp_path: Path) -> None:
    with oauth_room(tmp_path) as room:
        ana = room.visitor(room.user("ana", "owner"))
        used = proof(room.clock)
        first = await room.login(ana, proof=used)
        room.clock.now += DAY_S
        room.one_time.drop_expired(room.clock())
        room.clock.now -= DAY_S
        with pytest.raises(OAuthError) as refused:
            await room.refresh(first["refresh_token"], proof=used)
        assert refused.value.error == "invalid_dpop_proof"
        assert await room.refresh(first["refresh_token"], proof=proof(room.clock))


def test_proofs_are_forgotten_in_time_and_never_for_want_of_room() -> None:
    used = UsedProofs(most=3)
    tries = [used.is_first("key", each, 10.0) for each in (b"1", b"1", b"2", b"3", b"4")]
    assert tries == [True, False, True, True, False]
    assert not used.is_first("key", b"1", 10.0 + LIFE_S - 1)
    assert used.is_first("key", b"4", 10.0 + LIFE_S)


def test_a_flood_by_who_holds_one_key_refuses_nobody_elses_proofs() -> None:
    used = UsedProofs(most=1000, most_of_one_key=10)
    flood = [used.is_first("eve", b"eve %d" % number, 10.0) for number in range(2000)]
    assert sum(flood) == 10
    assert used.is_first("ana", b"ana 1", 10.0)
    assert not used.is_first("eve", b"eve 11", 10.0 + LIFE_S - 1)
    assert not used.is_first("eve", b"eve 0", 10.0 + LIFE_S - 1)
    assert sum(used.is_first("eve", b"later %d" % number, 10.0 + LIFE_S) for number in range(20)) == 10
