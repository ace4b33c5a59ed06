"""`ostiary doctor idp`: what is wrong with an issuer is said with what to do, before anybody signs in with it."""

import asyncio
import datetime
import re
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from ostiary.control.declarative import issuers
from ostiary.control.services import provider_checks
from ostiary.control.services.provider_checks.origins import origin_findings
from ostiary.control.services.provider_doctor import Finding, Level, examine
from ostiary.identity.presets import PRESETS, WORKLOAD_PRESETS
from ostiary.identity.saml.instants import format_instant
from ostiary.model.issuer import (
    ClaimCondition,
    GroupsFrom,
    Issuer,
    OidcIssuer,
    SamlIssuer,
    WorkloadIssuer,
    WorkloadRule,
)
from support.http_server import Reply
from support.oidc_provider import OidcProvider
from support.providers import Turned, a_book, a_saml_issuer, a_workload_issuer, an_issuer
from support.saml_idp import metadata_xml, pair

CONSOLE = "https://ostiary.test"


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    running = OidcProvider(algorithm="ES256")
    yield running
    running.close()


def ask(issuer: Issuer, secret: str = "the-client-secret", now: float | None = None, **how: Any) -> list[Finding]:
    clock = Turned(time.time() if now is None else now)
    return asyncio.run(examine(issuer, a_book(clock, secret=secret), how.pop("console_url", CONSOLE), clock.now, **how))


def worst(found: list[Finding]) -> Level:
    levels = [each.level for each in found]
    return next(level for level in (Level.FAIL, Level.WARN, Level.OK) if level in levels)


def the_one(found: list[Finding], words: str) -> Finding:
    matching = [each for each in found if words in each.sentence]
    assert len(matching) == 1, [each.sentence for each in found]
    return matching[0]


def test_a_provider_without_fault(provider: OidcProvider) -> None:
    issuer = an_issuer(provider, scopes=("openid", "email", "groups", "offline_access"))
    found = ask(issuer)
    assert worst(found) is Level.OK, [each for each in found if each.level is not Level.OK]
    assert "Register" in the_one(found, f"{CONSOLE}/sign-in/company/callback").next_step
    assert "Register" in the_one(found, f"{CONSOLE}/sign-in/company/back-channel-logout").next_step
    assert the_one(found, "It knows the client")
    assert provider.counts == {"discovery": 1, "keys": 1, "token": 1}


@pytest.mark.parametrize(
    ("discovery", "words", "level"),
    [
        ({"id_token_signing_alg_values_supported": ["HS256", "RS256"]}, "signs ID tokens with none", Level.FAIL),
        ({"code_challenge_methods_supported": ["plain"]}, "not with S256", Level.FAIL),
        ({"code_challenge_methods_supported": None}, "does not say whether it knows PKCE", Level.WARN),
        ({"response_types_supported": ["id_token"]}, "authorization code flow", Level.FAIL),
        ({"authorization_response_iss_parameter_supported": None}, "does not name itself", Level.OK),
        ({"scopes_supported": ["openid", "offline_access"]}, "does not list the scopes profile, email", Level.WARN),
        ({}, "refresh tokens for the scope `offline_access`", Level.WARN),
        ({"claims_supported": ["sub", "email", "email_verified"]}, "does not list the claim `groups`", Level.WARN),
        ({"claims_supported": ["sub", "email", "groups"]}, "does not list `email_verified`", Level.WARN),
        ({"claims_supported": ["sub", "groups"]}, "does not list the claim `email`", Level.WARN),
        ({"claims_supported": ["sub", "groups"]}, "without it they are called company:SUBJECT", Level.WARN),
        ({"backchannel_logout_supported": None}, "asked every 900 seconds", Level.OK),
        ({"end_session_endpoint": None}, "has no address for signing out", Level.OK),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "prove themselves by a secret.", Level.FAIL),
        ({"issuer": "https://another.test"}, "of another issuer", Level.FAIL),
        ({"jwks_uri": "http://10.0.0.1/"}, "jwks_uri cannot be used", Level.FAIL),
    ],
)
def test_what_the_discovery_document_gives_away(
    provider: OidcProvider, discovery: dict[str, Any], words: str, level: Level
) -> None:
    provider.discovery.update(discovery)
    finding = the_one(ask(an_issuer(provider), with_secret=False), words)
    assert finding.level is level
    assert finding.next_step or level is Level.OK or "PKCE" in words


@pytest.mark.parametrize(
    ("changes", "words", "level"),
    [
        ({"scopes": ("email",)}, "scope `openid` is not asked for", Level.FAIL),
        ({"trust_email": True}, "`trust_email` takes e-mail addresses as verified", Level.WARN),
        ({"client_secret": None}, "a public one", Level.OK),
        ({"algorithms": ("PS512",)}, "no key for PS512", Level.FAIL),
    ],
)
def test_what_the_configuration_gives_away(
    provider: OidcProvider, changes: dict[str, Any], words: str, level: Level
) -> None:
    assert the_one(ask(replace(an_issuer(provider), **changes), with_secret=False), words).level is level


def test_groups_from_userinfo_take_a_userinfo_endpoint(provider: OidcProvider) -> None:
    provider.discovery["userinfo_endpoint"] = None
    issuer = an_issuer(provider, groups_from=GroupsFrom.USERINFO)
    assert the_one(ask(issuer), "Groups are to come from userinfo").level is Level.FAIL


def test_a_public_client_that_the_provider_does_not_list(provider: OidcProvider) -> None:
    provider.discovery["token_endpoint_auth_methods_supported"] = ["client_secret_basic"]
    issuer = an_issuer(provider, client_secret=None)
    assert the_one(ask(issuer), "does not list public clients").level is Level.WARN
    assert the_one(ask(issuer), "or it wants a secret").level is Level.FAIL


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_is_examined_and_says_what_cannot_be_seen(provider: OidcProvider, preset: str) -> None:
    found = ask(PRESETS[preset].defaults(an_issuer(provider)), with_secret=False)
    assert the_one(found, f"{PRESETS[preset].title} issuers look like").level is Level.WARN
    hints = [each for each in found if each.sentence.startswith("Not to be seen from here: ")]
    assert len(hints) == len(PRESETS[preset].notes)


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("entra", "more than 200 groups"),
        ("okta", "100 groups or more"),
        ("google", "Google does not say which groups"),
    ],
)
def test_groups_that_are_not_told_whole(provider: OidcProvider, preset: str, words: str) -> None:
    found = ask(PRESETS[preset].defaults(an_issuer(provider)), with_secret=False)
    assert the_one(found, words).level is Level.WARN


def test_a_tenant_that_is_every_tenant(provider: OidcProvider) -> None:
    provider.discovery["issuer"] = "https://login.microsoftonline.com/{tenantid}/v2.0"
    assert "tenant's issuer" in the_one(ask(an_issuer(provider)), "every tenant").next_step


# -- the client


@pytest.mark.parametrize(
    ("reply", "words", "level"),
    [
        (Reply(401, b'{"error": "invalid_client"}'), "the secret `idp` is wrong", Level.FAIL),
        (Reply(400, b'{"error": "unauthorized_client"}'), "does not allow it the authorization code flow", Level.FAIL),
        (Reply(400, b'{"error": "redirect_uri_mismatch"}'), "not its redirect URI", Level.FAIL),
        (Reply(400, b'{"error": "invalid_request"}'), "neither yes nor no", Level.WARN),
        (Reply(503), "token endpoint of the identity provider `company` cannot be had", Level.FAIL),
        (Reply(200, b'{"access_token": "x"}'), "gives tokens for a code that nobody was given", Level.FAIL),
    ],
)
def test_a_trial_of_the_client(provider: OidcProvider, reply: Reply, words: str, level: Level) -> None:
    provider.faults["token"] = reply
    assert the_one(ask(an_issuer(provider)), words).level is level


def test_a_wrong_secret_and_none_at_all(provider: OidcProvider) -> None:
    assert the_one(ask(an_issuer(provider), secret="another"), "is wrong").level is Level.FAIL
    missing = the_one(ask(an_issuer(provider, client_secret="none-such")), "has no value yet")
    assert (missing.level, missing.next_step) == (Level.FAIL, "Run `ostiary secret set none-such`.")


def test_a_plan_is_examined_without_its_secret(provider: OidcProvider) -> None:
    found = ask(an_issuer(provider, client_secret="none-such"), with_secret=False)
    assert worst(found) is not Level.FAIL
    assert provider.counts["token"] == 0


# -- around


@pytest.mark.parametrize(("skew_s", "level"), [(0, Level.OK), (-61, Level.WARN), (90, Level.WARN), (400, Level.FAIL)])
def test_clocks_that_differ(provider: OidcProvider, skew_s: float, level: Level) -> None:
    provider.date_skew_s = skew_s + (1 if skew_s > 0 else -1 if skew_s else 0)
    finding = the_one(ask(an_issuer(provider)), "clock")
    assert finding.level is level
    assert ("behind" in finding.sentence) is (skew_s < 0)


def test_a_provider_that_is_away_is_one_finding(provider: OidcProvider) -> None:
    provider.close()
    (found,) = ask(an_issuer(provider))
    assert found.level is Level.FAIL
    assert found.next_step


def test_keys_that_are_none(provider: OidcProvider) -> None:
    provider.faults["keys"] = Reply(body=b'{"keys": [{"kty": "oct", "k": "AAAA"}]}')
    assert "symmetric" in the_one(ask(an_issuer(provider)), "no key for ES256").sentence
    provider.faults["keys"] = Reply(404)
    assert the_one(ask(an_issuer(provider)), "key set of the identity provider").level is Level.FAIL


def test_what_is_cached_does_not_count(provider: OidcProvider) -> None:
    clock = Turned(time.time())
    book, issuer = a_book(clock), an_issuer(provider)

    async def twice() -> list[Finding]:
        await book.keys(issuer, None)
        provider.faults["discovery"] = Reply(500)
        return await examine(issuer, book, CONSOLE, clock.now)

    assert the_one(asyncio.run(twice()), "HTTP 500").level is Level.FAIL


def test_a_console_without_https(provider: OidcProvider) -> None:
    found = ask(an_issuer(provider), console_url="http://ostiary.test:8421/")
    assert the_one(found, "which is not https").level is Level.FAIL
    assert the_one(found, "http://ostiary.test:8421/sign-in/company/callback")
    assert "not https" not in str(ask(an_issuer(provider), console_url="http://127.0.0.1:8421"))


# -- SAML


def publish(provider: OidcProvider, xml: str) -> Issuer:
    provider.documents["/idp.xml"] = Reply(body=xml.encode(), content_type="application/samlmetadata+xml")
    return a_saml_issuer(metadata_url=f"{provider.url}/idp.xml")


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [(40, Level.OK, "is valid until"), (20, Level.WARN, "expires on"), (-1, Level.FAIL, "expired on")],
)
def test_a_saml_certificate(provider: OidcProvider, days: int, level: Level, words: str) -> None:
    end = pair().certificate.not_valid_after_utc - datetime.timedelta(days=days)
    found = ask(publish(provider, metadata_xml()), now=end.timestamp())
    assert the_one(found, words).level is level
    assert the_one(found, "https://idp.example/sso")
    assert the_one(found, f"{CONSOLE}/saml/saml/acs")
    assert the_one(found, f"{CONSOLE}/saml/saml/metadata")


def test_saml_metadata_that_is_none(provider: OidcProvider) -> None:
    assert the_one(ask(publish(provider, "<html/>")), "EntityDescriptor").level is Level.FAIL


def test_saml_metadata_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "idp.xml"
    now = time.time()
    path.write_text(
        metadata_xml(root=f' validUntil="{format_instant(now + 86_400)}"', role=' WantAuthnRequestsSigned="1"')
    )
    found = ask(a_saml_issuer(metadata_file=str(path)), now=now)
    assert the_one(found, "is a file").level is Level.WARN
    assert the_one(found, "Its metadata is over on").level is Level.WARN
    assert the_one(found, "wants signed requests").level is Level.OK
    assert "certificate" in the_one(found, "wants signed requests").next_step


# -- workloads


def rule(*conditions: ClaimCondition) -> WorkloadRule:
    return WorkloadRule("builds", conditions)


@pytest.mark.parametrize(
    ("rules", "words", "level"),
    [
        ((), "No rule says whose tokens", Level.FAIL),
        ((rule(),), "its rule has no condition", Level.FAIL),
        ((rule(ClaimCondition("sub", ("*",))),), "met by any value", Level.WARN),
        ((rule(ClaimCondition("runner", ("x",))),), "no condition on what tells GitHub Actions", Level.WARN),
        ((rule(ClaimCondition("repository", ("a/b",))),), "with the right repository", Level.OK),
    ],
)
def test_workload_rules(provider: OidcProvider, rules: tuple[WorkloadRule, ...], words: str, level: Level) -> None:
    found = ask(a_workload_issuer(provider, accepts=rules, preset="github"))
    assert the_one(found, words).level is level
    assert the_one(found, "https://ostiary.test`")
    assert the_one(found, "key set has a key").level is Level.OK
    assert the_one(found, "usually come from").level is Level.WARN
    assert sum(each.sentence.startswith("Keep in mind") for each in found) == len(WORKLOAD_PRESETS["github"].notes)


def test_workload_keys_that_cannot_be_had(provider: OidcProvider, tmp_path: Path) -> None:
    issuer = a_workload_issuer(provider, keys_file=str(tmp_path / "none.json"))
    assert the_one(ask(issuer), "cannot be read").level is Level.FAIL


def test_no_finding_holds_what_the_provider_wrote(provider: OidcProvider) -> None:
    provider.discovery.update(
        {name: ["Zq7"] for name in ("scopes_supported", "claims_supported", "code_challenge_methods_supported")}
    )
    provider.faults["token"] = Reply(400, b'{"error": "zq7 <b>", "error_description": "Zq7"}')
    assert "zq7" not in str(ask(an_issuer(provider))).lower()


def test_it_reads_an_issuer_without_lists() -> None:
    """A document may leave out whatever is optional, or hold other than lists."""
    provider = OidcProvider(algorithm="ES256")
    try:
        provider.discovery.update(dict.fromkeys(provider_lists()) | {"code_challenge_methods_supported": "S256"})
        assert worst(ask(an_issuer(provider))) is Level.WARN
    finally:
        provider.close()


def provider_lists() -> list[str]:
    return [
        "scopes_supported",
        "response_types_supported",
        "id_token_signing_alg_values_supported",
        "token_endpoint_auth_methods_supported",
        "claims_supported",
        "backchannel_logout_supported",
    ]


def test_advice_names_keys_of_the_declarative_file() -> None:
    """Never those of our own model, which people cannot write."""
    written = {*issuers._OIDC_KEYS, *issuers._SAML_KEYS, *issuers._WORKLOAD_KEYS}
    own = {field.name for kind in (OidcIssuer, SamlIssuer, WorkloadIssuer) for field in fields(kind)} - written
    texts = [path.read_text() for path in Path(provider_checks.__file__).parent.glob("*.py")]
    assert len(texts) > 3
    assert not {name for text in texts for name in re.findall(r"`([a-z_]+)`", text)} & own


def test_people_named_by_their_subject(provider: OidcProvider) -> None:
    provider.discovery["claims_supported"] = ["email", "groups"]
    found = str(ask(an_issuer(provider, user_claim="sub")))
    assert "named by their subject" in found and "does not list the claim `sub`" not in found
    provider.discovery["claims_supported"] = ["sub", "groups", "realm_access"]
    assert "It lists the claim `realm_access.name`" in str(ask(an_issuer(provider, user_claim="realm_access.name")))


def test_people_who_came_from_another_provider_are_counted() -> None:
    assert not list(origin_findings("corp", "https://new", {None: 3, "https://new": 4}))
    (found,) = origin_findings("corp", "https://new", {None: 3, "https://new": 4, "https://old": 1})
    assert found.level is Level.WARN
    assert found.sentence.startswith("1 person came to 'corp' from another provider (https://old)")
    (found,) = origin_findings("corp", "saml new", {"saml old": 1200, "https://old": 1})
    assert "1,201 people" in found.sentence and "user forget" in found.next_step
