"""Proofs of possession: for this request, this token and now."""

import hashlib
import hmac
import json

import pytest

from ostiary.identity.dpop import ALGORITHMS, Proof, check_proof
from ostiary.identity.encoding import base64url
from ostiary.identity.jwt import JwtError
from support.jwts import NOW, jwk, key, sign

URL = "https://gateway.example/openai/v1/models"
TOKEN = "ost_access"
ATH = base64url(hashlib.sha256(TOKEN.encode()).digest())


def proof(
    *, kind: str = "P-256", alg: str = "ES256", header: dict[str, object] | None = None, **changes: object
) -> str:
    claims = {"jti": "j-1", "htm": "POST", "htu": URL, "iat": NOW, "ath": ATH, **changes}
    head = {"typ": "dpop+jwt", "kid": None, "jwk": jwk("d", kind, kid=None), **(header or {})}
    return sign(
        {name: value for name, value in claims.items() if value is not None}, name="d", kind=kind, alg=alg, header=head
    )


def checked(text: str, *, method: str = "POST", url: str = URL, access_token: str | None = TOKEN) -> Proof:
    return check_proof(text, method=method, url=url, now=NOW, access_token=access_token)


def reason(text: str) -> str:
    with pytest.raises(JwtError) as refusal:
        checked(text)
    return refusal.value.reason


@pytest.mark.parametrize(
    ("alg", "kind"), [("ES256", "P-256"), ("ES384", "P-384"), ("RS256", "RSA"), ("EdDSA", "Ed25519")]
)
def test_a_proof_names_its_key(alg: str, kind: str) -> None:
    assert alg in ALGORITHMS
    found = checked(proof(alg=alg, kind=kind))
    assert found.thumbprint == key("d", kind).thumbprint()
    assert (found.jti, found.issued_at, found.bound_to) == ("j-1", NOW, f"jkt:{found.thumbprint}")


def test_the_example_of_the_rfc() -> None:
    text = (
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoR"
        "jQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqd"
        "GkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTY"
        "yMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
    )
    url = "https://server.example.com/token"
    found = check_proof(text, method="POST", url=url, now=1_562_262_616, access_token=None)
    assert found.thumbprint == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


@pytest.mark.parametrize(
    "said",
    [URL, URL + "?a=b", URL + "#f", "HTTPS://Gateway.Example:443/openai/v1/models", "https://gateway.example/openai/v1/%6dodels"],
)  # fmt: skip
def test_one_place_has_many_spellings(said: str) -> None:
    assert checked(proof(htu=said), url=URL + "?c=d")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"htu": None}, "proof_of_other_url"),
        ({"htu": 7}, "proof_of_other_url"),
        ({"htu": "/openai/v1/models"}, "proof_of_other_url"),
        ({"htu": URL + "/"}, "proof_of_other_url"),
        ({"htu": URL.replace("https", "http")}, "proof_of_other_url"),
        ({"htu": URL.replace("example", "example:8443")}, "proof_of_other_url"),
        ({"htu": URL.replace("models", "Models")}, "proof_of_other_url"),
        ({"htu": URL.replace("/v1", "%2Fv1")}, "proof_of_other_url"),
        ({"htu": "https://evil.example/openai/v1/models"}, "proof_of_other_url"),
        ({"htu": "https://user@gateway.example/openai/v1/models"}, "proof_of_other_url"),
        ({"htm": "GET"}, "proof_of_other_method"),
        ({"htm": "post"}, "proof_of_other_method"),
        ({"htm": None}, "proof_of_other_method"),
        ({"iat": None}, "proof_not_fresh"),
        ({"iat": NOW - 61}, "proof_not_fresh"),
        ({"iat": NOW + 61}, "proof_not_fresh"),
        ({"iat": str(NOW)}, "iat_malformed"),
        ({"iat": True}, "iat_malformed"),
        ({"ath": None}, "proof_of_other_token"),
        ({"ath": 7}, "proof_of_other_token"),
        ({"ath": ATH + "="}, "proof_of_other_token"),
        ({"ath": "é"}, "proof_of_other_token"),
        ({"jti": None}, "jti_missing"),
        ({"jti": ""}, "jti_malformed"),
        ({"jti": "j" * 257}, "jti_malformed"),
        ({"header": {"typ": "JWT"}}, "type_wrong"),
        ({"header": {"typ": None}}, "type_wrong"),
        ({"header": {"typ": "at+jwt"}}, "type_wrong"),
        ({"header": {"alg": "none"}}, "algorithm_not_allowed"),
        ({"header": {"alg": "HS256"}}, "algorithm_not_allowed"),
        ({"header": {"alg": "RS256"}}, "signature_wrong"),
        ({"header": {"crit": ["jwk"]}}, "header_critical"),
        ({"header": {"jwk": None}}, "proof_key_wrong"),
        ({"header": {"jwk": "key"}}, "proof_key_wrong"),
        ({"header": {"jwk": {}}}, "proof_key_wrong"),
        ({"header": {"jwk": {"kty": "oct", "k": "AAAA"}}}, "proof_key_wrong"),
        ({"header": {"jwk": {"kty": "oct"}}}, "proof_key_wrong"),
        ({"header": {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}}, "proof_key_wrong"),
        pytest.param({"header": {"jwk": jwk("d", "P-256", d="AAAA")}}, "proof_key_wrong", id="a key with its secret"),
        pytest.param({"header": {"jwk": jwk("evil", "P-256")}}, "signature_wrong", id="another key"),
        ({"padding": "x" * 5000}, "token_too_long"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_proof_of_anything_else_is_refused(changes: dict[str, object], why: str) -> None:
    assert reason(proof(**changes)) == why  # type: ignore[arg-type]


def test_a_proof_signed_with_its_own_public_key_as_a_secret_is_refused() -> None:
    signed = proof(header={"alg": "HS256"}).rpartition(".")[0]
    secret = key("d", "P-256").as_pem(private=False)
    assert reason(f"{signed}.{base64url(hmac.digest(secret, signed.encode(), 'sha256'))}") == "algorithm_not_allowed"


def test_without_a_token_none_is_asked_for() -> None:
    assert checked(proof(ath=None), access_token=None).jti == "j-1"
