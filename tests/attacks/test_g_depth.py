"""G03 and G14 beside: what is nested a thousand times where tokens, proofs and passkeys are read, by senders without
any. Each is refused as a wrong one is, never an error of ours."""

import base64
import json
from collections.abc import Iterator

import pytest

from ostiary.control.services.owner_passkeys import Passkeys
from ostiary.model.errors import SignInRefusedError
from support.access_house import AccessHouse, access_house
from support.web_room import Browser, Page

DEEP = b"[" * 1010 + b"]" * 1010
EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
}
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CONSOLE = "https://ostiary.example"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessHouse]:
    with access_house(tmp_path_factory.mktemp("house")) as running:
        yield running


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def tokens(issuer: str) -> dict[str, str]:
    plain_header, plain_payload = encoded(b'{"alg":"RS256"}'), encoded(json.dumps({"iss": issuer}).encode())
    in_header = encoded(b'{"alg":"RS256","x":' + DEEP + b"}")
    in_payload = encoded(b'{"iss":"' + issuer.encode() + b'","x":' + DEEP + b"}")
    hidden = encoded(b'{"x":' + DEEP + b',"x":1,"iss":"' + issuer.encode() + b'"}')
    return {
        "header": f"{in_header}.{plain_payload}.AAAA",
        "payload": f"{plain_header}.{in_payload}.AAAA",
        "first of two": f"{plain_header}.{hidden}.AAAA",
    }


def by_program(house: AccessHouse, path: str, fields: dict[str, str], **headers: str) -> Page:
    return Browser(house.console).post(path, fields, origin=None, sec_fetch_site=None, **headers)


@pytest.mark.parametrize("where", ["header", "payload", "first of two"])
def test_G03_deep_json_in_a_token_is_a_wrong_token(house: AccessHouse, where: str) -> None:
    token = tokens(house.provider.issuer)[where]
    assert house.ask(token).status == 401
    exchange = by_program(house, "/oauth/token", {**EXCHANGE, "subject_token": token})
    assert (exchange.status, json.loads(exchange.body)["error"]) == (400, "invalid_grant")
    bearer = by_program(house, "/oauth/token", {"grant_type": JWT_BEARER, "assertion": token})
    assert (bearer.status, json.loads(bearer.body)["error"]) == (400, "invalid_grant")
    refresh = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "ostiary-cli"}
    proof = by_program(house, "/oauth/token", refresh, dpop=token[:4000])
    assert (proof.status, json.loads(proof.body)["error"]) == (400, "invalid_dpop_proof")
    logout = by_program(house, "/sign-in/corp/back-channel-logout", {"logout_token": token})
    assert (logout.status, json.loads(logout.body)["error"]) == (400, "invalid_request")
    assert b"failed" not in house.server.output


def test_G_deep_cbor_in_a_new_passkey() -> None:
    passkeys = Passkeys(CONSOLE)
    options, state = passkeys.creation("u", "ana", b"x" * 32)
    said = {"type": "webauthn.create", "challenge": options["publicKey"]["challenge"], "origin": CONSOLE}
    for nested in (b"\x81" * 20_000 + b"\x00", b"\xa1\x00" * 10_000 + b"\x00", b"\x9b" + b"\xff" * 8):
        for client in (json.dumps(said).encode(), b'{"type":' + DEEP + b"}"):
            answer = answer_with({"clientDataJSON": encoded(client), "attestationObject": encoded(nested)})
            with pytest.raises(SignInRefusedError) as refused:
                passkeys.created(state, answer)
            assert refused.value.reason == "passkey_wrong"


def test_G_deep_cbor_in_a_passkeys_answer() -> None:
    passkeys = Passkeys(CONSOLE)
    _, state = passkeys.request(b"x" * 32)
    head = b"\0" * 32 + bytes([0x01 | 0x80]) + b"\0\0\0\1"
    client = encoded(b'{"type":"webauthn.get","challenge":"AA","origin":"x"}')
    for nested in (b"\x81" * 20_000 + b"\x00", b"\xa1\x00" * 10_000 + b"\x00"):
        response = {"clientDataJSON": client, "authenticatorData": encoded(head + nested), "signature": encoded(b"x")}
        with pytest.raises(SignInRefusedError):
            passkeys.named_in(answer_with(response))
        with pytest.raises(SignInRefusedError):
            passkeys.counter_of(state, b"\0" * 18, answer_with(response))


def answer_with(response: dict[str, str]) -> dict[str, object]:
    return {
        "id": encoded(b"a" * 16),
        "rawId": encoded(b"a" * 16),
        "type": "public-key",
        "clientExtensionResults": {},
        "response": response,
    }
