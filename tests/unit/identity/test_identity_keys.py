"""Key sets: what is taken of them, and what is left out and why."""

import pytest
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from ostiary.identity.keys import ENTRIES_MAX, KeyBook
from ostiary.identity.signature_keys import read_public_key
from ostiary.model.errors import OperatorError
from support.jwts import book, jwk, key


@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("RSA", {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        ("P-256", {"ES256"}),
        ("P-384", {"ES384"}),
        ("P-521", {"ES512"}),
        ("Ed25519", {"EdDSA", "Ed25519"}),
    ],
)
def test_a_key_is_for_the_algorithms_of_its_type(kind: str, algorithms: set[str]) -> None:
    keys = book(jwk("k", kind))
    assert keys.keys[0].algorithms == algorithms
    assert all(keys.find("k", algorithm) for algorithm in algorithms)
    assert not keys.find("k", "HS256") and not keys.find("k", "none")


@pytest.mark.parametrize(("alg", "found"), [("RS256", {"RS256"}), ("EdDSA", None), ("HS256", None), (7, None)])
def test_an_algorithm_in_the_set_narrows(alg: object, found: set[str] | None) -> None:
    keys = book(jwk("k", alg=alg))
    assert ({*keys.keys[0].algorithms} if keys.keys else None) == found


def test_both_names_of_ed25519_are_one() -> None:
    for alg in ("EdDSA", "Ed25519"):
        assert book(jwk("k", "Ed25519", alg=alg)).keys[0].algorithms == {"EdDSA", "Ed25519"}


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"use": "enc"}, "other than signatures"),
        ({"use": 7}, "other than signatures"),
        ({"use": ["sig"]}, "other than signatures"),
        ({"use": "x509-svid"}, "other than signatures"),
        ({"key_ops": ["encrypt"]}, "other than verifying"),
        ({"key_ops": "verify"}, "other than verifying"),
        ({"kid": 7}, "kid"),
        ({"kid": ""}, "kid"),
        ({"kid": "k" * 257}, "kid"),
        ({"kty": "DSA"}, "type"),
        ({"kty": None}, "type"),
        ({"kty": ["RSA"]}, "type"),
        ({"n": None}, "parts"),
        ({"e": 65537}, "parts"),
        ({"e": "AQ"}, "exponent"),
        ({"e": "AAAA"}, "exponent"),
        ({"n": "AQAB"}, "bits"),
        ({"n": "A" * 2048}, "bits"),
        ({"n": "x" * 3000}, "parts"),
        ({"n": "====", "e": "AQAB"}, "base64url"),
        ({"d": "AQAB"}, "private"),
    ],
)
def test_an_unusable_key_is_left_out_and_says_why(members: dict[str, object], why: str) -> None:
    keys = book(jwk("k", **members), jwk("good"))
    assert [key.kid for key in keys.keys] == ["good"]
    assert len(keys.ignored) == 1 and "key 1" in keys.ignored[0] and why in keys.ignored[0]


def test_a_spiffe_bundle_is_taken_as_it_comes() -> None:
    """SPIFFE Trust Domain and Bundle, section 4: members of its own, and keys that sign certificates, too."""
    authority = jwk("", "P-256", kid=None, use="x509-svid", x5c=["MIIB"])
    bundle = {
        "spiffe_sequence": 12, "spiffe_refresh_hint": 300,
        "keys": [authority, jwk("of-jwts", "P-256", use="jwt-svid"), jwk("before", use="jwt-svid")],
    }  # fmt: skip
    keys = KeyBook.parse(bundle)
    assert [key.kid for key in keys.keys] == ["of-jwts", "before"]
    assert keys.find("of-jwts", "ES256") and keys.find("before", "RS256") and len(keys.ignored) == 1


@pytest.mark.parametrize(
    "members", [{"x": "AAAA"}, {"y": "AAAA"}, {"crv": "secp256k1"}, {"crv": "P-384"}, {"crv": None}, {"x": "A" * 43}]
)
def test_a_point_that_is_not_on_its_curve_is_left_out(members: dict[str, object]) -> None:
    assert len(book(jwk("k", "P-256", **members))) == 0


def test_weak_and_symmetric_keys_are_left_out() -> None:
    with pytest.warns(Warning, match="2048"):
        weak = RSAKey.generate_key(1024).as_dict(private=False)
    oct_key = OctKey.generate_key(256).as_dict(private=True)
    keys = book(weak, oct_key, {"kty": "OKP", "crv": "X25519", "x": "A" * 43}, {}, {"kty": "oct"})
    assert len(keys) == 0
    assert len(keys.ignored) == 5


@pytest.mark.parametrize("entry", [None, 7, "key", [], [{}]])
def test_an_entry_that_is_no_object_is_left_out(entry: object) -> None:
    assert len(KeyBook.parse({"keys": [entry, jwk("k")]})) == 1


@pytest.mark.parametrize("jwks", [{}, {"keys": None}, {"keys": {}}, {"keys": "k"}, {"keys": [{}] * (ENTRIES_MAX + 1)}])
def test_what_is_no_key_set_is_refused(jwks: dict[str, object]) -> None:
    with pytest.raises(OperatorError, match="key set"):
        KeyBook.parse(jwks)


def test_no_more_than_a_handful_of_keys_has_one_kid() -> None:
    entry = jwk("k")
    keys = book(*[entry] * 50)
    assert len(keys.find("k", "RS256")) == 4
    assert len(keys.ignored) == 46


def test_without_a_kid_the_only_key_is_found() -> None:
    keys = book(jwk("a"), jwk("b", "P-256"), jwk("c", "P-256"))
    assert [key.kid for key in keys.find(None, "RS256")] == ["a"]
    assert keys.find(None, "ES256") == ()
    assert keys.find("c", "ES256")[0].kid == "c"
    assert keys.knows("a") and not keys.knows("d")


def test_a_key_without_a_kid_is_found_without_one_only() -> None:
    keys = book(jwk("a", kid=None))
    assert len(keys.find(None, "RS256")) == 1
    assert keys.find("a", "RS256") == ()


def test_thumbprints_are_those_of_rfc_7638() -> None:
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn"
        "jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6q"
        "MQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awap"
        "JzKnqDKgw"
    )
    public = read_public_key({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    assert public.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_set_made_by_others_is_read() -> None:
    made = KeySet([key("x"), ECKey.generate_key("P-256")]).as_dict(private=False)
    assert len(KeyBook.parse(made)) == 2


def test_an_algorithm_that_is_not_the_keys_own_never_verifies() -> None:
    public = book(jwk("k")).keys[0]
    assert not public.verifies("ES256", b"", b"")
    assert not public.verifies("none", b"", b"")
    assert not public.verifies("RS256", b"data", b"")
