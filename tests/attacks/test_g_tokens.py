"""G03 to G06 and G08 to G11, the part that tokens play: one case per way to be wrong, and the honest one beside it."""

import base64
import json
from collections.abc import Callable

import pytest
from joserfc.jwk import OctKey

from ostiary.identity.access_token import user_of
from ostiary.identity.encoding import base64url
from ostiary.identity.jwt import TOKEN_MAX, JwtError, UnknownKeyError, unverified_issuer, verify
from ostiary.identity.keys import KeyBook
from ostiary.identity.oidc import (
    LOGOUT_EVENT,
    Attempt,
    callback_code,
    check_id_token,
    check_logout_token,
    check_refreshed_id_token,
    profile_of,
)
from ostiary.model.errors import SignInRefusedError
from ostiary.model.issuer import OidcIssuer
from support.jwts import CLIENT_ID, CORP, ISSUER, NONCE, NOW, book, jwk, key, sign, sign_symmetric, usual_book
from support.jwts import usual_claims as claims

ATTEMPT = Attempt("corp", "state-1", NONCE, "v" * 43, "https://us.example/cb", "/", NOW - 20)
ALLOWED = ("RS256", "ES256")
METADATA = {"issuer": ISSUER}


def id_token_reason(token: str, keys: KeyBook | None = None, access_token: str | None = None) -> str:
    with pytest.raises(JwtError) as refusal:
        check_id_token(token, keys or usual_book(), CORP, NOW, ATTEMPT, access_token)
    return refusal.value.reason


def access_reason(token: str, issuer: OidcIssuer) -> str:
    with pytest.raises(JwtError) as refusal:
        user_of(token, usual_book(), issuer, NOW)
    return refusal.value.reason


def logout_reason(token: str) -> str:
    with pytest.raises(JwtError) as refusal:
        check_logout_token(token, usual_book(), CORP, NOW)
    return refusal.value.reason


def test_an_honest_token_is_believed() -> None:
    assert check_id_token(sign(claims()), usual_book(), CORP, NOW, ATTEMPT, None)["sub"] == "subject-1"
    token = sign(claims(), name="two", kind="P-256", alg="ES256")
    assert check_id_token(token, usual_book(), CORP, NOW, ATTEMPT, None)["sub"] == "subject-1"


# G01: the answer of the browser's way


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"code": "c"}, "state_missing"),
        ({"code": "c", "state": ""}, "state_wrong"),
        ({"code": "c", "state": "state-2"}, "state_wrong"),
        ({"code": "c", "state": "state-1\u0430"}, "state_wrong"),
        ({"state": "state-1"}, "code_missing"),
        ({"state": "state-1", "code": ""}, "code_malformed"),
        ({"state": "state-1", "code": "a b"}, "code_malformed"),
        ({"state": "state-1", "code": "c" * 4097}, "code_malformed"),
        ({"state": "state-1", "code": "c", "iss": "https://evil.example"}, "answer_of_other_issuer"),
        ({"state": "state-1", "code": "c", "iss": ISSUER + "/"}, "answer_of_other_issuer"),
        ({"state": "state-1", "error": "access_denied", "iss": "https://evil.example"}, "answer_of_other_issuer"),
        ({"state": "state-1", "error": "access_denied"}, "provider_said_access_denied"),
        ({"state": "state-1", "error": "access_denied", "code": "c"}, "provider_said_access_denied"),
        ({"state": "state-1", "error": "<b>\r\nforged: line"}, "provider_said_something_else"),
        ({"error": "access_denied"}, "state_missing"),
    ],
)
def test_G01_an_answer_that_is_not_to_this_attempt_is_refused(parameters: dict[str, str], reason: str) -> None:
    with pytest.raises(SignInRefusedError) as refusal:
        callback_code(parameters, ATTEMPT, METADATA)
    assert refusal.value.reason == reason


def test_G01_a_provider_that_names_itself_always_has_to() -> None:
    metadata = {**METADATA, "authorization_response_iss_parameter_supported": True}
    with pytest.raises(SignInRefusedError) as refusal:
        callback_code({"state": "state-1", "code": "c"}, ATTEMPT, metadata)
    assert refusal.value.reason == "answer_without_issuer"
    assert callback_code({"state": "state-1", "code": "c", "iss": ISSUER}, ATTEMPT, metadata) == "c"


@pytest.mark.parametrize(
    ("nonce", "reason"),
    [
        (None, "nonce_missing"),
        ("", "nonce_wrong"),
        ("nonce-of-another", "nonce_wrong"),
        ([NONCE], "nonce_missing"),
        (NONCE.upper(), "nonce_wrong"),
    ],
)
def test_G01_a_nonce_of_another_attempt_is_refused(nonce: object, reason: str) -> None:
    assert id_token_reason(sign(claims(nonce=nonce))) == reason


def test_G01_a_step_up_needs_a_recent_proof() -> None:
    step_up = Attempt("corp", "s", NONCE, "v" * 43, "https://us.example/cb", "/", NOW - 20, max_age_s=0)

    def reason(auth_time: object) -> str:
        with pytest.raises(JwtError) as refusal:
            check_id_token(sign(claims(auth_time=auth_time)), usual_book(), CORP, NOW, step_up, None)
        return refusal.value.reason

    assert reason(None) == "auth_time_missing"
    assert reason(NOW - 81) == "auth_time_too_old"
    assert reason(str(NOW)) == "auth_time_malformed"
    assert check_id_token(sign(claims(auth_time=NOW - 5)), usual_book(), CORP, NOW, step_up, None)


# G03: claims


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"iss": None}, "iss_missing"),
        ({"iss": "https://evil.example"}, "iss_wrong"),
        ({"iss": ISSUER + "/"}, "iss_wrong"),
        ({"iss": ISSUER.upper()}, "iss_wrong"),
        ({"iss": [ISSUER]}, "iss_wrong"),
        ({"iss": {"$ne": ""}}, "iss_wrong"),
        ({"aud": None}, "aud_missing"),
        ({"aud": "another-client"}, "aud_wrong"),
        ({"aud": ["another-client"]}, "aud_wrong"),
        ({"aud": CLIENT_ID + " another"}, "aud_wrong"),
        ({"aud": []}, "aud_malformed"),
        ({"aud": [CLIENT_ID, 7]}, "aud_malformed"),
        ({"aud": [[CLIENT_ID]]}, "aud_malformed"),
        ({"aud": {CLIENT_ID: True}}, "aud_malformed"),
        ({"aud": True}, "aud_malformed"),
        ({"aud": [CLIENT_ID, "another"]}, "azp_missing"),
        ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "azp_wrong"),
        ({"azp": "another"}, "azp_wrong"),
        ({"azp": [CLIENT_ID]}, "azp_malformed"),
        ({"sub": None}, "sub_missing"),
        ({"sub": ""}, "sub_malformed"),
        ({"sub": 7}, "sub_malformed"),
        ({"sub": "a\nb"}, "sub_malformed"),
        ({"sub": "s" * 256}, "sub_malformed"),
        ({"exp": None}, "exp_missing"),
        ({"exp": NOW - 61}, "expired"),
        ({"exp": NOW - 86_400, "iat": NOW - 90_000}, "expired"),
        ({"exp": str(NOW + 300)}, "exp_malformed"),
        ({"exp": True}, "exp_malformed"),
        ({"exp": -1}, "exp_malformed"),
        ({"exp": [NOW + 300]}, "exp_malformed"),
        ({"exp": 10**300}, "exp_malformed"),
        ({"exp": (NOW + 300) * 1000}, "exp_malformed"),
        ({"exp": NOW - 6, "iat": NOW - 5}, "exp_malformed"),
        ({"nbf": NOW + 61}, "not_yet_valid"),
        ({"nbf": "now"}, "nbf_malformed"),
        ({"nbf": False}, "nbf_malformed"),
        ({"iat": None}, "iat_missing"),
        ({"iat": NOW + 61}, "issued_in_future"),
        ({"iat": "yesterday"}, "iat_malformed"),
        ({"iat": -5}, "iat_malformed"),
        ({"iat": True}, "iat_malformed"),
        ({"iat": 2**60}, "iat_malformed"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_G03_a_wrong_claim_is_refused(change: dict[str, object], reason: str) -> None:
    assert id_token_reason(sign(claims(**change))) == reason


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_G03_a_number_that_is_none_is_refused(name: str, number: str) -> None:
    payload = json.dumps(claims(**{name: 12345})).replace("12345", number, 1).encode()
    assert id_token_reason(sign(payload)) in ("claims_malformed", f"{name}_malformed")


@pytest.mark.parametrize(
    "change",
    [
        {"exp": NOW - 59, "iat": NOW - 600},
        {"nbf": NOW + 59},
        {"iat": NOW + 59},
        {"exp": NOW + 300.5},
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"azp": CLIENT_ID},
    ],
)
def test_G03_what_is_allowed_is_taken(change: dict[str, object]) -> None:
    assert check_id_token(sign(claims(**change)), usual_book(), CORP, NOW, ATTEMPT, None)


def test_G03_an_access_token_that_the_id_token_does_not_name_is_refused() -> None:
    # The example of OpenID Connect Core, appendix A.3.
    token = sign(claims(at_hash="77QmUPtjPfzWtF2AnpK9RQ"))
    access_token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    assert check_id_token(token, usual_book(), CORP, NOW, ATTEMPT, access_token)
    assert id_token_reason(token, access_token="another") == "at_hash_wrong"
    assert id_token_reason(sign(claims(at_hash=7)), access_token=access_token) == "at_hash_wrong"


def test_G03_a_refreshed_token_of_somebody_else_is_refused() -> None:
    token = sign(claims(nonce=None))
    assert check_refreshed_id_token(token, usual_book(), CORP, NOW, "subject-1")
    with pytest.raises(JwtError) as refusal:
        check_refreshed_id_token(token, usual_book(), CORP, NOW, "subject-2")
    assert refusal.value.reason == "sub_wrong"


# G04: algorithms


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_G04_none_is_refused(name: str, signature: str) -> None:
    unsigned = ".".join(sign(claims(), header={"alg": name}).split(".")[:2])
    assert id_token_reason(f"{unsigned}.{signature}") == "algorithm_not_allowed"


def test_G04_none_is_refused_even_where_somebody_allowed_it() -> None:
    unsigned = ".".join(sign(claims(), header={"alg": "none"}).split(".")[:2])
    with pytest.raises(JwtError) as refusal:
        verify(f"{unsigned}.", usual_book(), ("none", "RS256"), None)
    assert refusal.value.reason == "algorithm_not_allowed"


@pytest.mark.parametrize("allowed", [ALLOWED, (*ALLOWED, "HS256")])
@pytest.mark.parametrize("form", ["pem", "der", "n"])
def test_G04_the_public_key_is_no_shared_secret(form: str, allowed: tuple[str, ...]) -> None:
    public = key("one")
    secret = {
        "pem": public.as_pem(private=False),
        "der": public.as_der(private=False),
        "n": base64.urlsafe_b64decode(str(jwk("one")["n"]) + "=="),
    }[form]
    token = sign_symmetric(claims(), secret, {"alg": "HS256", "kid": "one"})
    with pytest.raises(JwtError) as refusal:
        verify(token, usual_book(), allowed, None)
    assert refusal.value.reason == "algorithm_not_allowed"


def test_G04_a_shared_secret_in_the_key_set_is_no_key() -> None:
    secret = OctKey.import_key("0123456789abcdef0123456789abcdef", {"kid": "shared"})
    keys = book(jwk("one"), {**secret.as_dict(private=True), "alg": "HS256"})
    assert len(keys) == 1
    token = sign_symmetric(claims(), b"0123456789abcdef0123456789abcdef", {"alg": "HS256", "kid": "shared"})
    assert id_token_reason(token, keys) == "algorithm_not_allowed"


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256"])
def test_G04_an_algorithm_that_is_not_listed_is_refused(alg: str) -> None:
    assert id_token_reason(sign(claims(), alg=alg)) == "algorithm_not_allowed"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "ES256"}, "key_of_other_algorithm"),
        ({"alg": "ES256", "kid": "two"}, "signature_wrong"),
        ({"alg": "rs256"}, "algorithm_not_allowed"),
        ({"alg": "RS256 "}, "algorithm_not_allowed"),
        ({"alg": "RS1"}, "algorithm_not_allowed"),
        ({"alg": "ES256K"}, "algorithm_not_allowed"),
        ({"alg": ""}, "algorithm_not_allowed"),
        ({"alg": None}, "header_malformed"),
        ({"alg": ["RS256"]}, "header_malformed"),
        ({"alg": 256}, "header_malformed"),
        ({"alg": {"RS256": 1}}, "header_malformed"),
    ],
    ids=json.dumps,
)
def test_G04_an_algorithm_that_does_not_fit_the_key_is_refused(header: dict[str, object], reason: str) -> None:
    assert id_token_reason(sign(claims(), header=header)) == reason


def test_G04_a_key_is_used_for_the_algorithm_its_set_names_only() -> None:
    keys = book(jwk("one", alg="RS512"))
    assert id_token_reason(sign(claims()), keys) == "key_of_other_algorithm"


@pytest.mark.parametrize("curve", ["P-384", "P-521"])
def test_G04_a_curve_belongs_to_one_algorithm(curve: str) -> None:
    token = sign(claims(), name="odd", kind="P-256", alg="ES256")
    assert id_token_reason(token, book(jwk("odd", curve))) == "key_of_other_algorithm"


def test_G04_a_signature_in_der_of_zeros_or_cut_off_is_refused() -> None:
    signed, _, signature = sign(claims(), name="two", kind="P-256", alg="ES256").rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    for forged in (bytes(64), raw[:63], raw + b"\0", b"\x30\x44" + raw, raw[32:] + raw[:32], b"\0"):
        assert id_token_reason(f"{signed}.{base64url(forged)}") == "signature_wrong"
    assert id_token_reason(f"{signed}.") == "signature_wrong"


def test_G04_a_changed_payload_or_header_is_refused() -> None:
    head, _, signature = sign(claims()).split(".")
    other = sign(claims(sub="somebody else")).split(".")[1]
    assert id_token_reason(f"{head}.{other}.{signature}") == "signature_wrong"
    changed = base64url(json.dumps({"alg": "RS256", "kid": "one"}).encode())
    assert id_token_reason(f"{changed}.{other}.{signature}") == "signature_wrong"


# G05: headers


def forged(**header: object) -> str:
    """Signed by a key that the issuer never had."""
    return sign(claims(), name="evil", header={"kid": "one", **header})


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"jwk": lambda: jwk("evil")}, "header_key"),
        ({"jku": lambda: "https://evil.example/jwks"}, "signature_wrong"),
        ({"x5u": lambda: "https://evil.example/chain"}, "signature_wrong"),
        ({"x5c": lambda: ["MIIB"]}, "signature_wrong"),
        ({"x5t": lambda: "AAAA"}, "signature_wrong"),
        ({"crit": lambda: ["exp"]}, "header_critical"),
        ({"crit": list}, "header_critical"),
        ({"b64": lambda: False, "crit": lambda: ["b64"]}, "header_critical"),
        ({"b64": lambda: True}, "header_critical"),
    ],
)
def test_G05_a_key_that_the_token_brings_is_none(header: dict[str, Callable[[], object]], reason: str) -> None:
    assert id_token_reason(forged(**{name: make() for name, make in header.items()})) == reason


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"], "exp": 1}, {"b64": True}, {"jwk": {"kty": "RSA"}}, {"zip": "DEF"}]
)
def test_G05_some_headers_no_honest_token_has(header: dict[str, object]) -> None:
    assert id_token_reason(sign(claims(), header=header)) in ("header_critical", "header_key", "token_encrypted")


def test_G05_places_of_keys_are_not_looked_at() -> None:
    header = {"jku": "https://idp.example/jwks", "x5u": "https://idp.example/x", "x5t": "AAAA", "x5c": ["MIIB"]}
    assert check_id_token(sign(claims(), header=header), usual_book(), CORP, NOW, ATTEMPT, None)


@pytest.mark.parametrize("kid", ["", "k" * 257, "k" * 10_240, 1, 0, True, False, None, ["one"], {"one": 1}, 1.5])
def test_G05_a_kid_that_is_no_short_text_is_refused(kid: object) -> None:
    head = json.dumps({"alg": "RS256", "typ": "JWT", "kid": kid}).encode()
    assert id_token_reason(sign(claims(), header=head)) in ("header_malformed", "token_too_long")


@pytest.mark.parametrize(
    "kid",
    ["../../../../dev/null", "/dev/null", "one' OR '1'='1", "one\u0000", "One", " one", "one ", "оne", "file:///etc/passwd",
     "https://evil.example/k", "$(id)"],
)  # fmt: skip
def test_G05_a_kid_is_compared_and_nothing_else(kid: str) -> None:
    with pytest.raises(UnknownKeyError) as refusal:
        check_id_token(sign(claims(), header={"kid": kid}), usual_book(), CORP, NOW, ATTEMPT, None)
    assert refusal.value.kid == kid


def test_G05_without_a_kid_only_the_one_key_there_is_counts() -> None:
    token = sign(claims(), header={"kid": None})
    assert check_id_token(token, usual_book(), CORP, NOW, ATTEMPT, None)  # one RSA key, one EC key
    with pytest.raises(UnknownKeyError) as refusal:
        check_id_token(token, book(jwk("one"), jwk("other")), CORP, NOW, ATTEMPT, None)
    assert refusal.value.kid is None


# G06: the pure part; who fetches keys again is told which is unknown


@pytest.mark.parametrize("kid", ["random-1", "random-2"])
def test_G06_an_unknown_key_says_so(kid: str) -> None:
    with pytest.raises(UnknownKeyError) as refusal:
        verify(sign(claims(), header={"kid": kid}), usual_book(), ALLOWED, None)
    assert refusal.value.kid == kid
    assert refusal.value.reason == "key_unknown"
    assert kid not in str(refusal.value)


def test_G06_what_is_wrong_before_its_key_matters_is_no_unknown_key() -> None:
    for header in ({"alg": "HS256"}, {"crit": ["a"]}, {"typ": "logout+jwt"}, {"jwk": {}}):
        with pytest.raises(JwtError) as refusal:
            verify(sign(claims(), header={"kid": "random", **header}), usual_book(), ALLOWED, ("jwt",))
        assert not isinstance(refusal.value, UnknownKeyError)


def test_G06_no_keys_at_all_is_an_unknown_key() -> None:
    with pytest.raises(UnknownKeyError):
        verify(sign(claims()), KeyBook(), ALLOWED, None)


# G08: other forms


def part(document: object) -> str:
    return base64url(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (f"{part({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.AAAA.AAAA.AAAA.AAAA", "token_encrypted"),
        (f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..AAAA.AAAA.AAAA", "token_encrypted"),
        (f"{part({'alg': 'RS256', 'enc': 'A256GCM'})}.AAAA.AAAA", "token_encrypted"),
        ("", "token_malformed"),
        (".", "token_malformed"),
        ("..", "token_malformed"),
        ("a.b", "token_malformed"),
        ("a.b.c.d", "token_malformed"),
        ("a" * (TOKEN_MAX + 1), "token_too_long"),
        ("a." * 500_000, "token_too_long"),
        (f"{'A' * 4100}.AAAA.AAAA", "token_too_long"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_G08_other_shapes_are_refused(token: str, reason: str) -> None:
    assert id_token_reason(token) == reason


def test_G08_json_serialisation_is_refused() -> None:
    head, payload, signature = sign(claims()).split(".")
    flat = {"protected": head, "payload": payload, "signature": signature}
    assert id_token_reason(json.dumps(flat)) == "token_malformed"
    general = {"payload": payload, "signatures": [{"protected": head, "signature": signature}]}
    assert id_token_reason(json.dumps(general)) == "token_malformed"


def test_G08_a_token_of_a_megabyte_is_refused_unread() -> None:
    assert id_token_reason(sign(claims(padding="x" * 1_000_000))) == "token_too_long"


def test_G08_a_nested_token_is_refused() -> None:
    inner = sign(claims())
    assert id_token_reason(sign(inner.encode(), header={"cty": "JWT"})) == "token_nested"
    assert id_token_reason(sign(claims(), header={"cty": "application/jwt"})) == "token_nested"
    assert id_token_reason(sign(inner.encode())) == "claims_malformed"


@pytest.mark.parametrize("change", [" {}", "{} ", "\n{}", "{}\n", "{}=", "Bearer {}", "{}\u00e9", "\ufeff{}"])
def test_G08_a_token_has_one_spelling(change: str) -> None:
    assert id_token_reason(change.format(sign(claims()))) == "token_malformed"


def test_G08_base64url_that_is_not_canonical_is_refused() -> None:
    head, payload, signature = sign(claims()).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 2048 bits leave four bits over in the last character: sixteen spellings of one signature.
    twin = alphabet[alphabet.index(signature[-1]) ^ 1]
    assert base64.urlsafe_b64decode(signature[:-1] + twin + "==") == base64.urlsafe_b64decode(signature + "==")
    assert id_token_reason(f"{head}.{payload}.{signature[:-1]}{twin}") == "token_malformed"
    for broken in (
        f"{head}==.{payload}.{signature}",
        f"{head}.{payload}.{signature}==",
        f"{head}.{payload}A.{signature}",
        f"{head}.{payload}.{signature.replace('-', '+').replace('_', '/')}+",
    ):
        assert id_token_reason(broken) in ("token_malformed", "signature_wrong")


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","alg":"RS256","kid":"one"}',
        b'{"alg":"RS256","kid":"two","kid":"one"}',
        b'{"alg":"RS256","kid":"one","a":{"b":1,"b":1}}',
        b'{"alg":"RS256","kid":"one","\\u0061lg":"RS256"}',
        b'["RS256"]',
        b'"RS256"',
        b"null",
        b"",
        b'{"alg":"RS256","kid":"one"',
        b'{"alg":"RS256","kid":"one"}{}',
        b'\xef\xbb\xbf{"alg":"RS256","kid":"one"}',
        b'{"alg":"RS256","kid":"one","a":"\xff"}',
        b'{"alg":"RS256","kid":"one","a":NaN}',
        b'{"alg":"RS256","kid":"\\ud800"}',
        b'{"alg":"RS256","kid":"one","a":' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
    ids=lambda value: repr(value)[:50],
)
def test_G08_a_header_that_reads_two_ways_is_refused(header: bytes) -> None:
    assert id_token_reason(sign(claims(), header=header)) in ("token_malformed", "token_too_long")


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(claims()).encode()[:-1] + b',"sub":"somebody else"}',
        json.dumps(claims()).encode()[:-1] + b',"\\u0073ub":"somebody else"}',
        json.dumps(claims()).encode()[:-1] + b',"cnf":{"jkt":"a","jkt":"b"}}',
        json.dumps(claims()).encode()[:-1] + b',"a":"\\udfff"}',
        json.dumps(claims()).encode()[:-1] + b',"a":"\xc3\x28"}',
        json.dumps(claims()).encode()[:-1] + b',"a":NaN}',
        json.dumps(claims()).encode()[:-1] + b',"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"[]",
        b"{}garbage",
        b"\x00",
        "{}".encode("utf-16"),
    ],
    ids=lambda value: repr(value)[-50:],
)
def test_G08_a_payload_that_reads_two_ways_is_refused(payload: bytes) -> None:
    assert id_token_reason(sign(payload)) == "claims_malformed"


def test_G08_what_chooses_an_issuer_survives_everything() -> None:
    assert unverified_issuer(sign(claims())) == ISSUER
    for token in ("", "a.b.c", "x" * 100_000, sign(b"[]"), sign(claims(iss=7)), sign(claims(iss=None))):
        assert unverified_issuer(token) is None


# G09: one token for another


@pytest.mark.parametrize(
    ("typ", "reason"),
    [
        ("at+jwt", "type_wrong"),
        ("application/at+jwt", "type_wrong"),
        ("AT+JWT", "type_wrong"),
        ("logout+jwt", "type_wrong"),
        ("dpop+jwt", "type_wrong"),
        ("secevent+jwt", "type_wrong"),
        ("jwt ", "type_wrong"),
        (7, "header_malformed"),
        (["JWT"], "header_malformed"),
    ],
)
def test_G09_a_token_of_another_type_is_no_id_token(typ: object, reason: str) -> None:
    assert id_token_reason(sign(claims(), header={"typ": typ})) == reason


@pytest.mark.parametrize(
    "change",
    [
        {"token_use": "access"},
        {"typ": "Bearer"},
        {"typ": "Refresh"},
        {"typ": "Offline"},
        {"events": {LOGOUT_EVENT: {}}},
    ],
)
def test_G09_a_token_that_says_what_else_it_is_is_no_id_token(change: dict[str, object]) -> None:
    assert id_token_reason(sign(claims(**change))) in ("access_token_as_id_token", "logout_token_as_id_token")


@pytest.mark.parametrize("change", [{"scp": "user.read"}, {"scope": "openid"}])
def test_G09_an_access_token_shown_as_an_id_token_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(JwtError) as refusal:
        check_id_token(sign(claims(**change)), usual_book(), CORP, NOW, None, None)
    assert refusal.value.reason == "access_token_as_id_token"


def test_G09_another_clients_id_token_is_refused() -> None:
    assert id_token_reason(sign(claims(aud="another-client", azp="another-client"))) == "aud_wrong"
    assert id_token_reason(sign(claims(aud=["another-client", CLIENT_ID], azp="another-client"))) == "azp_wrong"


def logout(**changes: object) -> dict[str, object]:
    return claims(
        **{"nonce": None, "jti": "j-1", "events": {LOGOUT_EVENT: {}}, "sid": "session-1", "email": None, **changes}
    )


def test_G09_a_logout_token_is_believed() -> None:
    for header in ({"typ": "logout+jwt"}, {"typ": None}):
        notice = check_logout_token(sign(logout(), header=header), usual_book(), CORP, NOW)
        assert (notice.subject, notice.session, notice.jti) == ("subject-1", "session-1", "j-1")
    assert check_logout_token(sign(logout(sub=None)), usual_book(), CORP, NOW).subject is None
    assert check_logout_token(sign(logout(exp=None)), usual_book(), CORP, NOW).iat == NOW - 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nonce": "n"}, "id_token_as_logout_token"),
        ({"events": None}, "no_logout_token"),
        ({"events": {}}, "no_logout_token"),
        ({"events": [LOGOUT_EVENT]}, "no_logout_token"),
        ({"events": {LOGOUT_EVENT: True}}, "no_logout_token"),
        ({"events": {"http://schemas.openid.net/event/other": {}}}, "no_logout_token"),
        ({"sub": None, "sid": None}, "logout_of_nobody"),
        ({"sub": 7}, "sub_malformed"),
        ({"jti": None}, "jti_missing"),
        ({"jti": ""}, "jti_malformed"),
        ({"jti": 7}, "jti_malformed"),
        ({"iat": None}, "iat_missing"),
        ({"iat": NOW + 61}, "issued_in_future"),
        ({"exp": NOW - 61}, "expired"),
        ({"exp": None, "iat": NOW - 700}, "expired"),
        ({"aud": "another"}, "aud_wrong"),
        ({"iss": "https://evil.example"}, "iss_wrong"),
    ],
    ids=json.dumps,
)
def test_G09_a_wrong_logout_token_is_refused(change: dict[str, object], reason: str) -> None:
    assert logout_reason(sign(logout(**change))) == reason


def test_G09_other_tokens_log_nobody_out() -> None:
    assert logout_reason(sign(claims())) == "no_logout_token"
    assert logout_reason(sign(logout(), header={"typ": "at+jwt"})) == "type_wrong"
    unsigned = ".".join(sign(logout(), header={"alg": "none"}).split(".")[:2])
    assert logout_reason(f"{unsigned}.") == "algorithm_not_allowed"
    assert logout_reason(sign(logout(), name="evil", header={"kid": "one"})) == "signature_wrong"


ACCEPTING = OidcIssuer("corp", ISSUER, CLIENT_ID, token_audience="https://gateway.example")


def access(**changes: object) -> dict[str, object]:
    return claims(**{"nonce": None, "aud": "https://gateway.example", "client_id": "editor", "jti": "t", **changes})


def test_G09_an_access_token_is_believed() -> None:
    for typ in ("at+jwt", "application/at+jwt", "JWT", None):
        user = user_of(sign(access(), header={"typ": typ}), usual_book(), ACCEPTING, NOW)
        assert (user.subject, user.client, user.bound_to) == ("subject-1", "editor", None)


@pytest.mark.parametrize(
    ("change", "typ", "reason"),
    [
        ({"aud": CLIENT_ID}, "JWT", "aud_wrong"),
        ({"aud": ["https://gateway.example", CLIENT_ID]}, "JWT", "id_token_as_access_token"),
        ({"aud": ["https://gateway.example", CLIENT_ID]}, None, "id_token_as_access_token"),
        ({"at_hash": "x"}, "JWT", "id_token_as_access_token"),
        ({"at_hash": "x"}, "at+jwt", "id_token_as_access_token"),
        ({"token_use": "id"}, "JWT", "id_token_as_access_token"),
        ({"typ": "ID"}, "JWT", "id_token_as_access_token"),
        ({"typ": "Refresh"}, "JWT", "id_token_as_access_token"),
        ({"events": {}}, "JWT", "id_token_as_access_token"),
        ({"aud": None}, "at+jwt", "aud_missing"),
        ({"aud": "https://other.example"}, "at+jwt", "aud_wrong"),
        ({"exp": NOW - 61}, "at+jwt", "expired"),
        ({"iss": "https://evil.example"}, "at+jwt", "iss_wrong"),
        ({"client_id": "subject-1"}, "at+jwt", "machine_token"),
        ({"gty": "client-credentials"}, "at+jwt", "machine_token"),
        ({"idtyp": "app"}, "at+jwt", "machine_token"),
        ({"cnf": {}}, "at+jwt", "cnf_unknown"),
        ({"cnf": {"kid": "k"}}, "at+jwt", "cnf_unknown"),
        ({"cnf": {"jkt": "short"}}, "at+jwt", "cnf_unknown"),
        ({"cnf": None}, "logout+jwt", "type_wrong"),
        ({}, "dpop+jwt", "type_wrong"),
    ],
)
def test_G09_other_tokens_are_no_access_tokens(change: dict[str, object], typ: str | None, reason: str) -> None:
    assert access_reason(sign(access(**change), header={"typ": typ}), ACCEPTING) == reason


def test_G09_no_audience_accepts_no_token() -> None:
    assert access_reason(sign(access()), CORP) == "tokens_not_accepted"


# G10, G11: what is made of the claims


@pytest.mark.parametrize("verified", [None, False, "true", "True", 1, [True]])
def test_G10_an_unverified_email_names_nobody(verified: object) -> None:
    profile = profile_of(CORP, claims(email_verified=verified), None, frozenset())
    assert profile.name == "corp:subject-1"
    assert profile.email is None
    assert profile_of(CORP, claims(), None, frozenset()).name == "ada@example.com"


def test_G10_verified_in_one_document_is_not_verified_in_another() -> None:
    userinfo = {"sub": "subject-1", "email": "ceo@example.com"}
    profile = profile_of(CORP, claims(email=None), userinfo, frozenset())
    assert profile.name == "corp:subject-1"


def test_G10_userinfo_of_somebody_else_is_refused() -> None:
    for userinfo in ({"sub": "subject-2"}, {}, {"sub": None}):
        with pytest.raises(JwtError) as refusal:
            profile_of(CORP, claims(), userinfo, frozenset())
        assert refusal.value.reason == "userinfo_of_other_subject"


@pytest.mark.parametrize(
    "change",
    [
        {"groups": None},
        {"groups": ["eng", 7]},
        {"groups": {"eng": True}},
        {"groups": [["eng"]]},
        {"groups": ["eng", "x" * 513]},
        {"groups": [f"g{number}" for number in range(1001)]},
        {"groups": None, "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://g/"}}},
        {"_claim_names": {"groups": "src1"}},
        {"hasgroups": True},
        {"hasgroups": "true"},
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_G11_groups_that_are_not_known_whole_are_none(change: dict[str, object]) -> None:
    profile = profile_of(CORP, claims(**change), None, frozenset({"groups"}))
    assert profile.claims == {}
    assert profile.groups_missing


def test_G11_groups_that_are_known_are_taken() -> None:
    profile = profile_of(CORP, claims(), None, frozenset({"groups"}))
    assert profile.claims == {"groups": ("eng",)}
    assert profile.groups_missing == ""
    assert profile_of(CORP, claims(groups=[]), None, frozenset({"groups"})).groups_missing == ""
