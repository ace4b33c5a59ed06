"""Presets: every one is usable as it stands, and knows its issuers."""

import pytest

from ostiary.identity.presets import PRESETS, WORKLOAD_PRESETS
from ostiary.model.issuer import OidcIssuer

ISSUERS = {
    "okta": ("https://acme.okta.com", "https://acme.okta.com/oauth2/default", "https://login.acme.example"),
    "entra": ("https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",),
    "google": ("https://accounts.google.com",),
    "auth0": ("https://acme.eu.auth0.com/", "https://login.acme.example/"),
    "keycloak": ("https://kc.example/realms/acme", "http://localhost:8080/auth/realms/a-b"),
    "jumpcloud": ("https://oauth.id.jumpcloud.com/", "https://oauth.id.eu.jumpcloud.com/"),
    "onelogin": ("https://acme.onelogin.com/oidc/2",),
    "cognito": ("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab12Cd34E",),
}
DOUBTS = {
    "okta": ("https://acme.okta.com/", "https://acme-admin.okta.com/oauth2/default/"),
    "entra": (
        "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/organizations/v2.0",
        "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
        "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0/",
    ),
    "google": ("https://accounts.google.com/", "accounts.google.com"),
    "auth0": ("https://acme.eu.auth0.com",),
    "keycloak": ("https://kc.example/realms/acme/", "https://kc.example"),
    "jumpcloud": ("https://oauth.id.jumpcloud.com",),
    "onelogin": ("https://acme.onelogin.com/oidc",),
    "cognito": ("https://acme.auth.eu-central-1.amazoncognito.com",),
}


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_knows_its_issuers(name: str) -> None:
    preset = PRESETS[name]
    assert [preset.doubt(issuer) for issuer in ISSUERS[name]] == [""] * len(ISSUERS[name])
    assert all(preset.title in preset.doubt(issuer) for issuer in DOUBTS[name])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_leaves_what_is_not_its_own(name: str) -> None:
    plain = OidcIssuer("corp", "https://idp.example", "client", client_secret="secret", recheck_s=60)
    made = PRESETS[name].defaults(plain)
    assert (made.name, made.issuer, made.client_id, made.client_secret, made.recheck_s) == (
        "corp", "https://idp.example", "client", "secret", 60
    )  # fmt: skip
    assert made.preset == name
    assert "openid" in made.scopes
    assert all(algorithm.startswith(("RS", "ES")) for algorithm in made.algorithms)


def test_every_note_is_a_sentence() -> None:
    for preset in (*PRESETS.values(), *WORKLOAD_PRESETS.values()):
        assert all(note.endswith(".") and note[0].isupper() for note in preset.notes), preset.name


def test_workload_platforms_everybody_shares_have_their_issuer() -> None:
    assert WORKLOAD_PRESETS["github"].issuer == "https://token.actions.githubusercontent.com"
    assert WORKLOAD_PRESETS["gitlab"].issuer == "https://gitlab.com"
    assert WORKLOAD_PRESETS["kubernetes"].issuer == WORKLOAD_PRESETS["spiffe"].issuer == ""
