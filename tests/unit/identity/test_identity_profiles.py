"""What is made of a provider's claims: a name, an address, groups."""

from dataclasses import replace

import pytest

from ostiary.identity.presets import PRESETS
from ostiary.identity.profiles import profile_of
from ostiary.model.issuer import GroupsFrom, OidcIssuer
from support.jwts import CORP
from support.jwts import usual_claims as said

WANTED = frozenset({"groups"})


def by(claim: str) -> OidcIssuer:
    return replace(CORP, user_claim=claim)


def test_what_a_usual_provider_says() -> None:
    profile = profile_of(CORP, said(name="Ada Lovelace", department="it", age=36), None, WANTED | {"department"})
    assert (profile.issuer, profile.subject, profile.name) == ("corp", "subject-1", "ada@example.com")
    assert (profile.display_name, profile.email) == ("Ada Lovelace", "ada@example.com")
    assert profile.claims == {"groups": ("eng",), "department": ("it",)}


def test_nothing_is_kept_that_is_not_wanted() -> None:
    profile = profile_of(CORP, said(), None, frozenset())
    assert profile.claims == {}
    assert profile.groups_missing == ""


def test_userinfo_adds_and_does_not_replace() -> None:
    userinfo = {"sub": "subject-1", "email": "other@example.com", "email_verified": True, "name": "Ada", "team": "a"}
    profile = profile_of(CORP, said(), userinfo, frozenset({"team"}))
    assert (profile.email, profile.display_name, profile.claims) == ("ada@example.com", "Ada", {"team": ("a",)})
    assert profile_of(CORP, said(email=None), userinfo, WANTED).name == "other@example.com"


@pytest.mark.parametrize(
    "name",
    ["", " ada", "ada ", "a\nda", "ada\u202e", "a\u200bda", "a" * 201, "corp:subject-2", "other:subject-2",
     "e\u0301va", 7,
     None, ["ada"], "ada\x00", "\ufeffada"],
)  # fmt: skip
def test_a_name_that_is_not_one_visible_line_is_made_instead(name: object) -> None:
    assert profile_of(by("preferred_username"), said(preferred_username=name), None, WANTED).name == "corp:subject-1"


@pytest.mark.parametrize("names", [(), ("*@example.com",), ("bob", "ADA@Example.com"), ("a*@*.com",), ("*",)])
def test_a_name_that_fits_what_the_issuer_may_give_is_taken(names: tuple[str, ...]) -> None:
    assert profile_of(replace(CORP, names=names), said(), None, WANTED).name == "ada@example.com"


@pytest.mark.parametrize(
    "names", [("*@example.org",), ("ada",), ("da@example.com",), ("*@example.co",), ("ada?*",), (".*",)]
)
def test_a_name_that_the_issuer_may_not_give_is_made_instead(names: tuple[str, ...]) -> None:
    assert profile_of(replace(CORP, names=names), said(), None, WANTED).name == "corp:subject-1"


def test_other_claims_can_name_people() -> None:
    assert profile_of(by("preferred_username"), said(preferred_username="ada"), None, WANTED).name == "ada"
    assert profile_of(by("person.login"), said(person={"login": "ada"}), None, WANTED).name == "ada"
    assert profile_of(by("sub"), said(), None, WANTED).name == "corp:subject-1"


@pytest.mark.parametrize(
    "email", ["", "ada", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a:b@c", "a@b\n", 7, ["a@b"], None]
)
def test_what_is_no_address_names_nobody(email: object) -> None:
    for issuer in (CORP, replace(CORP, trust_email=True)):
        profile = profile_of(issuer, said(email=email), None, WANTED)
        assert (profile.name, profile.email) == ("corp:subject-1", None)


def test_a_trusted_address_need_not_be_verified() -> None:
    assert (
        profile_of(replace(CORP, trust_email=True), said(email_verified=None), None, WANTED).name == "ada@example.com"
    )


def test_google_vouches_for_its_own_domains_only() -> None:
    google = PRESETS["google"].defaults(CORP)
    assert profile_of(google, said(), None, WANTED).name == "corp:subject-1"
    assert profile_of(google, said(hd="example.com"), None, WANTED).name == "ada@example.com"
    assert profile_of(google, said(email="ada@gmail.com"), None, WANTED).name == "ada@gmail.com"
    assert "does not say groups" in profile_of(google, said(groups=None), None, WANTED).groups_missing


def test_groups_come_from_where_they_are_said() -> None:
    issuer = replace(CORP, groups_from=GroupsFrom.USERINFO)
    userinfo = {"sub": "subject-1", "groups": ["ops"]}
    assert profile_of(issuer, said(), userinfo, WANTED).claims == {"groups": ("ops",)}
    assert profile_of(CORP, said(), userinfo, WANTED).claims == {"groups": ("eng",)}
    missing = profile_of(issuer, said(), None, WANTED)
    assert (missing.claims, bool(missing.groups_missing)) == ({}, True)
    assert profile_of(issuer, said(), {"sub": "subject-1"}, WANTED).claims == {}


def test_a_list_that_okta_may_have_cut_is_none() -> None:
    okta = replace(PRESETS["okta"].defaults(CORP), groups_from=GroupsFrom.ID_TOKEN)
    groups = [f"g{number}" for number in range(100)]
    assert profile_of(okta, said(groups=groups), None, WANTED).claims == {}
    assert "100" in profile_of(okta, said(groups=groups), None, WANTED).groups_missing
    assert len(profile_of(okta, said(groups=groups[:99]), None, WANTED).claims["groups"]) == 99


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["a", "b"]}}),
        ("https://ostiary/groups", {"https://ostiary/groups": ["a", "b"]}),
        ("cognito:groups", {"cognito:groups": ["a", "b"]}),
    ],
)
def test_groups_by_other_names(claim: str, claims: dict[str, object]) -> None:
    issuer = replace(CORP, groups_claim=claim)
    assert profile_of(issuer, said(**claims), None, frozenset({claim})).claims == {claim: ("a", "b")}


def test_a_single_group_may_be_a_text() -> None:
    assert profile_of(CORP, said(groups="eng"), None, WANTED).claims == {"groups": ("eng",)}


def test_missing_groups_leave_other_claims() -> None:
    profile = profile_of(CORP, said(groups=None, team=["a"]), None, WANTED | {"team"})
    assert profile.claims == {"team": ("a",)}
    assert "groups" in profile.groups_missing
