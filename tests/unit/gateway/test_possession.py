"""Tokens bound to a key (RFC 9449) or a client certificate (RFC 8705), where the gateway takes them."""

import base64
import hashlib
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from ostiary.gateway.possession import Possession
from ostiary.identity.used_proofs import LIFE_S
from ostiary.model.errors import GatewayRefusal
from ostiary.protocols.heads import RequestHead, parse_request_head, request_line_cache

KEY = ECKey.generate_key("P-256", auto_kid=True)
OTHER = ECKey.generate_key("P-256", auto_kid=True)
TOKEN = b"ost_u" + b"x" * 49
NOW = 1_800_000_000.0
BOUND = f"jkt:{KEY.thumbprint()}"


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def proof(key: ECKey = KEY, **changes: Any) -> str:
    claims = {
        "jti": "one",
        "htm": "GET",
        "htu": "http://gate.example:8420/openai/v1/models",
        "iat": int(NOW),
        "ath": digest(TOKEN),
        **changes,
    }
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, {name: value for name, value in claims.items() if value is not None}, key)


def head(*proofs: str, target: str = "/openai/v1/models?limit=3", method: str = "GET") -> RequestHead:
    lines = [f"{method} {target} HTTP/1.1", "Host: gate.example:8420", *(f"DPoP: {text}" for text in proofs)]
    return parse_request_head("\r\n".join(lines).encode(), request_line_cache(), 128, 16384)


def check(possession: Possession, request: RequestHead, now: float = NOW, bound_to: str = BOUND) -> None:
    possession.check(bound_to, request, TOKEN, now, None)


@pytest.fixture
def possession() -> Possession:
    return Possession(tls=False, behind_proxy=False)


def test_the_holder_of_the_key_passes(possession: Possession) -> None:
    check(possession, head(proof()))
    check(possession, head(proof(jti="two")))


WRONG: dict[str, dict[str, Any]] = {
    "another key": {"key": OTHER},
    "another method": {"htm": "POST"},
    "another path": {"htu": "http://gate.example:8420/openai/v1/other"},
    "another host": {"htu": "http://other.example:8420/openai/v1/models"},
    "another scheme": {"htu": "https://gate.example:8420/openai/v1/models"},
    "another token": {"ath": digest(b"another token")},
    "no token": {"ath": None},
    "old": {"iat": int(NOW) - 3600},
    "of tomorrow": {"iat": int(NOW) + 3600},
    "no id": {"jti": None},
}


@pytest.mark.parametrize("how", WRONG)
def test_a_proof_wrong_in_one_way_is_none(possession: Possession, how: str) -> None:
    with pytest.raises(GatewayRefusal, match="proof"):
        check(possession, head(proof(**WRONG[how])))


def test_a_proof_works_once(possession: Possession) -> None:
    request = head(proof())
    check(possession, request)
    with pytest.raises(GatewayRefusal, match="used before"):
        check(possession, request)


def test_a_proof_that_was_refused_is_not_used_up(possession: Possession) -> None:
    with pytest.raises(GatewayRefusal):
        check(possession, head(proof()), bound_to=f"jkt:{OTHER.thumbprint()}")
    check(possession, head(proof()))


@pytest.mark.parametrize("proofs", [(), ("a", "b"), ("",)], ids=str)
def test_there_is_exactly_one_proof(possession: Possession, proofs: tuple[str, ...]) -> None:
    with pytest.raises(GatewayRefusal, match="proof"):
        check(possession, head(*proofs))


def test_behind_a_proxy_that_ends_tls_the_proof_speaks_of_https() -> None:
    behind = Possession(tls=False, behind_proxy=True)
    check(behind, head(proof(htu="https://gate.example:8420/openai/v1/models")))


@pytest.mark.parametrize("public", ["https://gate.example.com", "https://gate.example.com/tools/"])
def test_a_proof_may_speak_of_the_public_address_whatever_host_the_proxy_names(public: str) -> None:
    behind = Possession(tls=False, behind_proxy=False, public_url=public)
    check(behind, head(proof(htu=f"{public.rstrip('/')}/openai/v1/models")))
    check(behind, head(proof(jti="two")))
    for other in ("https://gate.example.com/openai/v1/other", "https://other.example/openai/v1/models"):
        with pytest.raises(GatewayRefusal, match="proof"):
            check(behind, head(proof(htu=other, jti="three")))


def test_the_proof_never_goes_upstream() -> None:
    assert b"DPoP" not in b"".join(head(proof()).lines)


@pytest.mark.parametrize("bound_to", ["x5t:abc", "something:else", ""])
def test_without_the_certificate_nothing_passes(possession: Possession, bound_to: str) -> None:
    with pytest.raises(GatewayRefusal, match="certificate"):
        check(possession, head(), bound_to=bound_to)


def test_what_is_remembered_of_proofs_is_forgotten_with_real_time_only() -> None:
    steady = [5.0]
    possession = Possession(tls=False, behind_proxy=False, steady=lambda: steady[0])
    once = head(proof(jti="once"))
    check(possession, once)
    later = NOW + 1000
    check(possession, head(proof(jti="later", iat=int(later))), now=later)
    with pytest.raises(GatewayRefusal):
        check(possession, once)
    steady[0] += LIFE_S
    check(possession, once)


