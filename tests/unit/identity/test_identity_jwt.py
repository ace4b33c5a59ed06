"""Signed tokens of every algorithm, and access tokens; what must not be believed is in the attack suite."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.identity.access_token import user_of
from ostiary.identity.claims import bound_to, check_times
from ostiary.identity.jwt import JwtError, verify
from ostiary.identity.presets import PRESETS
from support.jwts import CLIENT_ID, CORP, NOW, book, jwk, sign, usual_book, usual_claims

TOKEN = sign(usual_claims(), name="two", kind="P-256", alg="ES256")


@pytest.mark.parametrize(
    ("alg", "kind"),
    [("RS256", "RSA"), ("RS384", "RSA"), ("RS512", "RSA"), ("PS256", "RSA"), ("PS384", "RSA"), ("PS512", "RSA"),
     ("ES256", "P-256"), ("ES384", "P-384"), ("ES512", "P-521"), ("EdDSA", "Ed25519"), ("Ed25519", "Ed25519")],
)  # fmt: skip
def test_every_algorithm_verifies_its_own_signature_only(alg: str, kind: str) -> None:
    keys = book(jwk("k", kind))
    token = sign(usual_claims(), name="k", kind=kind, alg=alg)
    assert verify(token, keys, (alg,), None) == usual_claims()
    with pytest.raises(JwtError):
        verify(token, book({**jwk("other", kind), "kid": "k"}), (alg,), None)


def test_both_names_of_ed25519_are_allowed_together() -> None:
    keys = book(jwk("k", "Ed25519"))
    assert verify(sign({}, name="k", kind="Ed25519", alg="Ed25519"), keys, ("EdDSA",), None) == {}
    assert verify(sign({}, name="k", kind="Ed25519", alg="EdDSA"), keys, ("Ed25519",), None) == {}


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("AZaz09-_.=+ é\x00"))
def test_no_changed_character_is_believed(at: int, other: str) -> None:
    changed = TOKEN[:at] + other + TOKEN[at + 1 :]
    if changed != TOKEN:
        with pytest.raises(JwtError):
            verify(changed, usual_book(), ("ES256", "RS256"), None)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{0,20}(\.[A-Za-z0-9_-]{0,20}){0,5}", fullmatch=True))
def test_anything_else_is_refused_and_nothing_breaks(text: str) -> None:
    with pytest.raises(JwtError):
        verify(text, usual_book(), ("ES256", "RS256"), None)


@pytest.mark.parametrize(
    ("typ", "types", "is_taken"),
    [("JWT", ("jwt",), True), ("application/jwt", ("jwt",), True), (None, ("", "jwt"), True), (None, ("jwt",), False),
     ("", ("",), True), ("at+jwt", None, True), ("At+Jwt", ("at+jwt",), True), ("at+jwt", (), False)],
)  # fmt: skip
def test_types(typ: str | None, types: tuple[str, ...] | None, is_taken: bool) -> None:
    token = sign(usual_claims(), header={"typ": typ})
    if is_taken:
        assert verify(token, usual_book(), ("RS256",), types)
    else:
        with pytest.raises(JwtError):
            verify(token, usual_book(), ("RS256",), types)


def test_a_refusal_says_nothing_of_the_token() -> None:
    with pytest.raises(JwtError) as refusal:
        verify(sign(usual_claims(), header={"kid": "kid-of-the-token"}), usual_book(), ("RS256",), None)
    assert "kid-of-the-token" not in f"{refusal.value!s}{refusal.value.args}"


def test_a_second_key_with_the_same_kid_is_tried() -> None:
    keys = book({**jwk("old"), "kid": "one"}, jwk("one"))
    assert verify(sign(usual_claims()), keys, ("RS256",), None)


def test_times_of_a_life() -> None:
    assert check_times({"exp": NOW + 1}, NOW).issued_at is None
    assert check_times({"exp": NOW + 100, "iat": NOW}, NOW, lifetime_max_s=100).expires_at == NOW + 100
    with pytest.raises(JwtError):
        check_times({"exp": NOW + 101, "iat": NOW}, NOW, lifetime_max_s=100)


def test_what_a_token_is_bound_to() -> None:
    assert bound_to({}) is None
    assert bound_to({"cnf": {"jkt": "a" * 43}}) == "jkt:" + "a" * 43
    assert bound_to({"cnf": {"x5t#S256": "a" * 43}}) == "x5t:" + "a" * 43
    for confirmation in (None, [], {}, {"jwk": {}}, {"jkt": 7}, {"jkt": "a" * 43, "x5t#S256": "a" * 43}):
        with pytest.raises(JwtError):
            bound_to({"cnf": confirmation})


def test_access_tokens_of_entra_are_for_the_client_itself() -> None:
    entra = replace(PRESETS["entra"].defaults(CORP), token_audience=CLIENT_ID)
    token = sign(usual_claims(nonce=None, scp="gateway", azp="editor"))
    assert user_of(token, usual_book(), entra, NOW).client == "editor"
    for claims in (usual_claims(nonce=None), usual_claims(scp="gateway"), usual_claims()):
        with pytest.raises(JwtError) as refusal:
            user_of(sign(claims), usual_book(), entra, NOW)
        assert refusal.value.reason == "id_token_as_access_token"
    with pytest.raises(JwtError):
        user_of(token, usual_book(), replace(CORP, token_audience=CLIENT_ID), NOW)


def test_an_access_token_says_what_it_is_bound_to() -> None:
    issuer = replace(CORP, token_audience="https://gateway.example")
    claims = usual_claims(aud=["https://gateway.example", "other"], nonce=None, cnf={"jkt": "a" * 43})
    user = user_of(sign(claims, header={"typ": "at+jwt"}), usual_book(), issuer, NOW)
    assert (user.bound_to, user.client, user.jti, user.expires_at) == ("jkt:" + "a" * 43, None, None, NOW + 300)
