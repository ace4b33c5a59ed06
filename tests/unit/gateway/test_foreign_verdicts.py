"""How long the gateway remembers what it found out about tokens of other issuers."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ostiary.gateway.authenticator import Authenticator
from ostiary.gateway.judged import Verdicts
from ostiary.gateway.route import Snapshot
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.errors import GatewayRefusal
from ostiary.policy.evaluation import Policy
from ostiary.protocols.heads import RequestHead, parse_request_head, request_line_cache

NOW = 1_800_000_000.0
TOKEN = "eyJhbGciOiJFUzI1NiJ9.e30.x"


class Issuer:
    """Its one token is good as long as a test says so."""

    def __init__(self) -> None:
        self.is_good = True
        self.asked = 0

    def find(self, token: bytes, now: float) -> Actor | None:
        self.asked += 1
        if not self.is_good or token != TOKEN.encode():
            return None
        return Actor(ActorKind.SERVICE, "deploy", frozenset(), "jwt_1", NOW + 3600, issuer="forge")


def head() -> RequestHead:
    raw = f"GET /x/y HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}"
    return parse_request_head(raw.encode(), request_line_cache(), 128, 16384)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def authenticator(issuer: Issuer) -> Authenticator:
    book = SimpleNamespace(used=lambda *_: None)
    allowing = SimpleNamespace(take=lambda _: True)
    return Authenticator(cast(Any, book), cast(Any, issuer), cast(Any, None), cast(Any, allowing))


def test_it_is_looked_at_again_after_five_minutes(authenticator: Authenticator, issuer: Issuer) -> None:
    assert authenticator.identify(head(), NOW, "192.0.2.1").name == "deploy"
    issuer.is_good = False
    assert authenticator.identify(head(), NOW + 299, "192.0.2.1").sure_until == NOW + 300
    assert issuer.asked == 1
    for late in (300, 301):
        with pytest.raises(GatewayRefusal) as caught:
            authenticator.identify(head(), NOW + late, "192.0.2.1")
        assert caught.value.code == "token_unknown"


def test_it_is_looked_at_again_at_once_when_all_is_forgotten(authenticator: Authenticator, issuer: Issuer) -> None:
    authenticator.identify(head(), NOW, "192.0.2.1")
    issuer.is_good = False
    authenticator.forget()
    with pytest.raises(GatewayRefusal):
        authenticator.identify(head(), NOW + 1, "192.0.2.1")


def test_a_verdict_on_it_lasts_no_longer(authenticator: Authenticator) -> None:
    actor = authenticator.identify(head(), NOW, "192.0.2.1")
    verdicts, snapshot = Verdicts(), Snapshot(0, {}, Policy(()))
    verdicts.remember(b"key", cast(Any, SimpleNamespace(snapshot=snapshot, actor=actor)))
    assert verdicts.recall(b"key", snapshot, NOW + 299) is not None
    assert verdicts.recall(b"key", snapshot, NOW + 300) is None
