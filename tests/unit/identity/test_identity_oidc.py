"""The way out, the attempt, and step-ups; what must not be believed is in the attack suite."""

import json
import urllib.parse
from dataclasses import replace

import pytest

from ostiary.identity.jwt import JwtError
from ostiary.identity.oidc import (
    Attempt,
    authorization_url,
    callback_code,
    check_id_token,
    code_form,
    end_session_url,
)
from ostiary.identity.presets import PRESETS
from ostiary.model.errors import OperatorError
from support.jwts import CLIENT_ID, CORP, ISSUER, NONCE, NOW, sign, usual_book, usual_claims

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
ATTEMPT = Attempt("corp", "s&t", NONCE, VERIFIER, "https://us.example/cb?x=1", "/a?b=c", NOW - 5)
METADATA = {"issuer": ISSUER, "authorization_endpoint": "https://idp.example/authorize?tenant=1"}


def query(
    attempt: Attempt = ATTEMPT, *, prompt_login: bool = False, preset: str = "", offline: bool = False
) -> dict[str, str]:
    issuer = PRESETS[preset].defaults(CORP) if preset else CORP
    if offline:
        issuer = replace(issuer, scopes=(*issuer.scopes, "offline_access"))
    url = urllib.parse.urlsplit(authorization_url(METADATA, issuer, attempt, prompt_login=prompt_login))
    assert (url.scheme, url.netloc, url.path) == ("https", "idp.example", "/authorize")
    pairs = urllib.parse.parse_qsl(url.query, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_the_way_out_has_everything_and_pkce() -> None:
    assert query() == {
        "tenant": "1",
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": ATTEMPT.redirect_uri,
        "scope": "openid profile email",
        "state": "s&t",
        "nonce": NONCE,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }


def step_up() -> Attempt:
    return Attempt.from_json({**ATTEMPT.to_json(), "max_age_s": 0})


def test_a_step_up_asks_for_a_new_proof() -> None:
    sent = query(step_up(), prompt_login=True)
    assert (sent["prompt"], sent["max_age"]) == ("login", "0")
    google = query(step_up(), prompt_login=True, preset="google")
    assert google["prompt"] == "select_account consent"
    assert "max_age" not in google


def test_google_gives_a_refresh_token_every_time_for_parameters_of_its_own() -> None:
    sent = query(preset="google")
    assert (sent["access_type"], sent["prompt"]) == ("offline", "consent")
    for preset in PRESETS.keys() - {"google"}:
        assert query(preset=preset).keys().isdisjoint({"access_type", "prompt"})


def test_without_a_preset_offline_access_asks_for_consent_as_the_standard_wants() -> None:
    assert query(offline=True)["prompt"] == "consent"
    assert query(step_up(), prompt_login=True, offline=True)["prompt"] == "login consent"
    for preset in PRESETS.keys() - {"google"}:
        assert "prompt" not in query(preset=preset, offline=True)


def signed_out(preset: str = "", endpoint: object = "https://idp.example/logout?tenant=1") -> dict[str, str] | None:
    issuer = PRESETS[preset].defaults(CORP) if preset else CORP
    url = end_session_url({"end_session_endpoint": endpoint}, issuer, "the.id.token", "https://us.example/sign-in")
    return None if url is None else dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, strict_parsing=True))


def test_the_way_to_the_providers_sign_out_page() -> None:
    usual = {
        "tenant": "1",
        "id_token_hint": "the.id.token",
        "client_id": CLIENT_ID,
        "post_logout_redirect_uri": "https://us.example/sign-in",
    }
    assert all(signed_out(preset) == usual for preset in ("", *PRESETS.keys() - {"cognito"}))
    assert signed_out("cognito") == {
        "tenant": "1",
        "client_id": CLIENT_ID,
        "logout_uri": "https://us.example/sign-in",
    }
    assert end_session_url({}, CORP, None, "https://us.example/sign-in") is None
    for endpoint in ("http://idp.example/logout", "javascript:alert(1)", 7, None):
        assert signed_out(endpoint=endpoint) is None


def test_a_provider_that_does_not_say_when_has_to_answer_freshly() -> None:
    google = PRESETS["google"].defaults(CORP)
    assert check_id_token(sign(usual_claims()), usual_book(), google, NOW, step_up(), None)
    with pytest.raises(JwtError) as refusal:
        check_id_token(sign(usual_claims(iat=NOW - 100)), usual_book(), google, NOW, step_up(), None)
    assert refusal.value.reason == "auth_time_too_old"


@pytest.mark.parametrize("methods", [["S256"], ["plain", "S256"], None])
def test_a_provider_may_know_more_or_say_nothing_of_pkce(methods: list[str] | None) -> None:
    metadata = METADATA if methods is None else {**METADATA, "code_challenge_methods_supported": methods}
    assert "code_challenge_method=S256" in authorization_url(metadata, CORP, ATTEMPT, prompt_login=False)


@pytest.mark.parametrize("methods", [["plain"], [], "S256", {"S256": 1}])
def test_a_provider_without_s256_is_refused(methods: object) -> None:
    metadata = {**METADATA, "code_challenge_methods_supported": methods}
    with pytest.raises(OperatorError, match="S256"):
        authorization_url(metadata, CORP, ATTEMPT, prompt_login=False)


@pytest.mark.parametrize(
    "endpoint", [None, "", 7, "http://idp.example/a", "/authorize", "javascript:alert(1)", "https://a/#b"]
)
def test_an_endpoint_that_is_no_https_url_is_refused(endpoint: object) -> None:
    with pytest.raises(OperatorError, match="authorization_endpoint"):
        authorization_url({**METADATA, "authorization_endpoint": endpoint}, CORP, ATTEMPT, prompt_login=False)


def test_an_attempt_survives_being_stored() -> None:
    for attempt in (ATTEMPT, step_up()):
        assert Attempt.from_json(json.loads(json.dumps(attempt.to_json()))) == attempt


@pytest.mark.parametrize(
    "change", [{"state": 7}, {"nonce": ""}, {"started_at": "x"}, {"max_age_s": "x"}, {"verifier": None}]
)
def test_what_was_not_stored_is_no_attempt(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="attempt"):
        Attempt.from_json({**ATTEMPT.to_json(), **change})


def test_a_code_is_exchanged_with_its_verifier() -> None:
    code = callback_code({"state": "s&t", "code": "c-1", "session_state": "x"}, ATTEMPT, METADATA)
    assert code_form(ATTEMPT, code) == {
        "grant_type": "authorization_code",
        "code": "c-1",
        "redirect_uri": ATTEMPT.redirect_uri,
        "code_verifier": VERIFIER,
    }
