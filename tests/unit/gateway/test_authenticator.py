"""Unknown tokens are counted by the network they come from; known ones are nobody's to stop."""

import ast
import contextlib
import gc
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

import ostiary
from ostiary.gateway.authenticator import Authenticator
from ostiary.gateway.possession import Possession
from ostiary.identity.limits import NetworkLimiter
from ostiary.identity.tokens import mint_token
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.errors import GatewayRefusal
from ostiary.protocols.heads import RequestHead, parse_request_head, request_line_cache

NOW = 1_800_000_000.0
KNOWN = mint_token("u", b"\x01" * 32)
PER_MINUTE = 6


class Book:
    """Knows one token."""

    def __init__(self) -> None:
        self.actor = Actor(ActorKind.USER, "ana", frozenset(), "tok_1", NOW + 600)

    def find(self, token_hash: bytes) -> Actor | None:
        return self.actor if token_hash == sha256(KNOWN.encode()).digest() else None

    def again(self, actor: Actor) -> Actor | None:
        return actor

    def used(self, token_id: str, at: float, network: str) -> None: ...


class Strangers:
    def find(self, token: bytes, now: float) -> Actor | None:
        return None


class Room:
    def __init__(self) -> None:
        self.now = NOW
        self.authenticator = Authenticator(
            Book(),
            cast(Any, Strangers()),
            Possession(tls=False, behind_proxy=False),
            NetworkLimiter(PER_MINUTE / 60, PER_MINUTE, lambda: self.now),
        )

    def refused(self, token: str, network: str = "192.0.2.1") -> GatewayRefusal:
        with pytest.raises(GatewayRefusal) as caught:
            self.authenticator.identify(head(token), self.now, network)
        return caught.value

    def flood(self, network: str = "192.0.2.1") -> None:
        for number in range(PER_MINUTE):
            assert self.refused(guess(number), network).status == 401


@pytest.fixture
def room() -> Room:
    return Room()


def head(token: str) -> RequestHead:
    raw = f"GET /x/y HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}"
    return parse_request_head(raw.encode(), request_line_cache(), 128, 16384)


def guess(number: int) -> str:
    return mint_token("u", number.to_bytes(32, "big"))


def test_after_too_many_unknown_tokens_the_next_is_told_to_wait(room: Room) -> None:
    room.flood()
    refusal = room.refused(guess(99))
    assert (refusal.status, refusal.code, refusal.retry_after_s, refusal.close) == (429, "limit_exceeded", 10, True)
    room.now += 10
    assert room.refused(guess(100)).status == 401
    assert room.refused(guess(101)).status == 429
    assert room.refused("nothing like a token").status == 429
    assert room.refused("eyJhbGciOiJub25lIn0.e30.").status == 429


def test_a_known_token_behind_the_same_address_comes_in(room: Room) -> None:
    room.flood()
    assert room.refused(guess(99)).status == 429
    for _ in range(3):
        assert room.authenticator.identify(head(KNOWN), room.now, "192.0.2.1").name == "ana"
        room.authenticator.forget()
    assert room.refused(guess(99)).status == 429, "a known one does not make room for guesses"


def test_other_addresses_are_not_touched_but_one_ipv6_subscriber_is_one(room: Room) -> None:
    room.flood()
    assert room.refused(guess(99), "192.0.2.2").status == 401
    room.flood("2001:db8::1")
    assert room.refused(guess(99), "2001:db8::ffff:2").status == 429
    assert room.refused(guess(99), "2001:db8:0:1::1").status == 401


def test_an_expired_token_is_known_and_says_so(room: Room) -> None:
    room.flood()
    room.now += 0.001
    late = NOW + 3600
    with pytest.raises(GatewayRefusal) as caught:
        room.authenticator.identify(head(KNOWN), late, "192.0.2.1")
    assert caught.value.code == "token_expired"


def test_no_exception_that_all_share_is_ever_raised() -> None:
    """It would keep every frame it went through, and with them every request that was refused."""
    found = [
        f"{path.name}:{node.lineno}"
        for path in Path(ostiary.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id.isupper()
    ]
    assert not found


def test_refusals_leave_nothing_behind(room: Room) -> None:
    heads = [head(guess(number)) for number in range(50)]

    def flood() -> None:
        for each in heads:
            with contextlib.suppress(GatewayRefusal):
                room.authenticator.identify(each, room.now, "192.0.2.1")

    flood()
    gc.collect()
    gc.disable()
    try:
        flood()
        assert gc.collect() < len(heads) // 10, "the frames of a refused request wait for the garbage collector"
    finally:
        gc.enable()
