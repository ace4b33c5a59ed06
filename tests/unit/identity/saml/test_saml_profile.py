"""Who somebody is by an assertion."""

from dataclasses import replace
from typing import Any

import pytest

from ostiary.identity.saml.assertion import Assertion
from ostiary.identity.saml.profile import GROUPS_OVERAGE, profile_of
from ostiary.model.errors import SignInRefusedError
from ostiary.model.issuer import SamlIssuer
from ostiary.model.person import Profile
from support import saml_idp as idp

ISSUER = SamlIssuer(name="company", metadata_url="https://idp.example/metadata")
ANN = Assertion(
    id="_1",
    issuer=idp.ENTITY,
    name_id="ann@example.com",
    name_id_format=idp.EMAIL,
    attributes={
        "urn:oid:1": ("ann",),
        "groups": ("builders", "readers"),
        "urn:oid:2.16.840.1.113730.3.1.241": ("Ann Example",),
        "department": ("tools",),
        "mails": ("ann@work.example", "ann@home.example"),
        "empty": (),
    },
    session_index=None,
    session_ends_at=None,
    authenticated_at=0.0,
    expires_at=0.0,
    friendly_names={"uid": "urn:oid:1"},
)


def test_the_name_is_the_name_id_and_the_groups_are_claims() -> None:
    assert profile_of(ISSUER, ANN, frozenset({"department", "missing"})) == Profile(
        issuer="company",
        subject="email ann@example.com",
        name="ann@example.com",
        display_name="Ann Example",
        email="ann@example.com",
        claims={"groups": ("builders", "readers"), "department": ("tools",)},
        issuer_identifier="saml https://idp.example/metadata",
    )


def test_an_attribute_names_people_by_either_of_its_names() -> None:
    for attribute in ("uid", "urn:oid:1"):
        found = profile_of(replace(ISSUER, user_attribute=attribute, email_attribute="mails"), ANN, frozenset({"uid"}))
        assert (found.name, found.subject, found.email) == ("ann", "email ann@example.com", "ann@work.example")
        assert found.claims["uid"] == ("ann",)


def test_the_same_text_of_two_formats_is_two_people() -> None:
    formats = ["", idp.EMAIL, idp.PERSISTENT, "urn:other"]
    subjects = [profile_of(ISSUER, replace(ANN, name_id_format=form), frozenset()).subject for form in formats]
    assert subjects == [f"{form} ann@example.com" for form in ("unspecified", "email", "persistent", "urn:other")]


def test_a_name_that_changes_names_nobody() -> None:
    passing = replace(ANN, name_id="_random", name_id_format=idp.TRANSIENT)
    with pytest.raises(SignInRefusedError) as caught:
        profile_of(ISSUER, passing, frozenset())
    assert caught.value.reason == "transient_name"
    found = profile_of(replace(ISSUER, user_attribute="uid"), passing, frozenset())
    assert (found.subject, found.name, found.email) == ("attribute uid ann", "ann", None)


@pytest.mark.parametrize("attribute", ["missing", "empty", "mails"])
def test_no_guess_at_who_it_is(attribute: str) -> None:
    with pytest.raises(SignInRefusedError) as caught:
        profile_of(replace(ISSUER, user_attribute=attribute), ANN, frozenset())
    assert caught.value.reason == "user_attribute"


@pytest.mark.parametrize("value", ["", " ann", "ann\n", "a\0b", "x" * 1025])
def test_no_name_that_cannot_be_written_down(value: str) -> None:
    strange: dict[str, Any] = {"urn:oid:1": (value,)}
    with pytest.raises(SignInRefusedError):
        profile_of(replace(ISSUER, user_attribute="uid"), replace(ANN, attributes=strange), frozenset())


@pytest.mark.parametrize("value", ["company:email ben@example.com", ":", "x" * 201, "a\u0301"])
def test_a_name_that_is_made_or_unclear_is_not_taken_from_an_attribute(value: str) -> None:
    strange: dict[str, Any] = {"urn:oid:1": (value,)}
    found = profile_of(replace(ISSUER, user_attribute="uid"), replace(ANN, attributes=strange), frozenset())
    assert (found.name, found.subject) == ("company:email ann@example.com", "email ann@example.com")


@pytest.mark.parametrize("value", ["company:email ben@example.com", "corp:u-1", "urn:x:y"])
def test_nor_as_the_name_id_itself(value: str) -> None:
    found = profile_of(ISSUER, replace(ANN, name_id=value, name_id_format=idp.PERSISTENT), frozenset())
    assert (found.name, found.subject) == (f"company:persistent {value}", f"persistent {value}")
    passing = replace(ANN, name_id="_random", name_id_format=idp.TRANSIENT, attributes={"urn:oid:1": (value,)})
    found = profile_of(replace(ISSUER, user_attribute="uid"), passing, frozenset())
    assert (found.name, found.subject) == (f"company:attribute uid {value}", f"attribute uid {value}")


def test_a_name_that_the_issuer_may_not_give_is_made_instead() -> None:
    assert profile_of(replace(ISSUER, names=("*@example.com",)), ANN, frozenset()).name == "ann@example.com"
    found = profile_of(replace(ISSUER, names=("*@other.example", "bob")), ANN, frozenset())
    assert (found.name, found.subject) == ("company:email ann@example.com", "email ann@example.com")


def test_who_can_be_called_nothing_does_not_come_in() -> None:
    with pytest.raises(SignInRefusedError) as caught:
        profile_of(ISSUER, replace(ANN, name_id="x" * 201), frozenset())
    assert caught.value.reason == "name_unusable"


def test_too_many_groups_are_none() -> None:
    cut_off = replace(ANN, attributes={**ANN.attributes, GROUPS_OVERAGE: ("https://graph.example/groups",)})
    found = profile_of(ISSUER, cut_off, frozenset({"department", "groups"}))
    assert found.groups_missing
    assert found.claims == {"department": ("tools",)}
