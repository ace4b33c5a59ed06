"""Filters on documents."""

from typing import Any

import pytest

from ostiary.control.scim.errors import ScimError
from ostiary.control.scim.filters import compiled
from ostiary.control.scim.schema import Person
from support.scim_house import ENTERPRISE

ADA: dict[str, Any] = {
    "id": "a1",
    "userName": "Ada@example.com",
    "externalId": "Ext",
    "active": True,
    "name": {"familyName": "Lovelace"},
    "emails": [{"value": "ada@example.com", "type": "work"}, {"value": "h@home.example", "type": "home"}],
    ENTERPRISE: {"department": "Engines"},
    "meta": {"lastModified": "2026-05-01T00:00:00Z"},
    "groups": [{"value": "g1"}],
}


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "ada@EXAMPLE.com"',
        'USERNAME EQ "ada@example.com"',
        'userName ne "ben"',
        'externalId eq "Ext"',
        'emails[type eq "work"].value eq "ADA@example.com"',
        'emails[type eq "work" and value co "example"]',
        'emails.value ew "home.example"',
        'emails eq "h@home.example"',
        'name.familyName sw "love"',
        "not (title pr)",
        "title eq null",
        "active eq true",
        'active eq "True"',
        f'{ENTERPRISE}:department eq "engines"',
        'meta.lastModified gt "2026-01-01T00:00:00Z"',
        'meta.lastModified le "2026-05-01T02:00:00+02:00"',
        'groups.value eq "g1"',
        'userName sw "ada" and (title pr or externalId pr)',
        'userName eq "x" or userName eq "y" or id eq "a1"',
        'title ne "Dr"',
    ],
)
def test_matches(text: str) -> None:
    assert compiled(text, Person).matches(ADA)


@pytest.mark.parametrize(
    "text",
    [
        'userName eq "ben"',
        'externalId eq "ext"',
        'id eq "A1"',
        'emails[type eq "home" and value eq "ada@example.com"]',
        'emails[type eq "home"].value eq "ada@example.com"',
        'emails.value ne "ada@example.com"',
        "title pr",
        "not (userName pr)",
        'title eq "Dr"',
        "active eq false",
        'meta.lastModified lt "2026-01-01T00:00:00Z"',
        f"{ENTERPRISE}:division pr",
        'userName eq "ben" and id eq "a1"',
    ],
)
def test_does_not_match(text: str) -> None:
    assert not compiled(text, Person).matches(ADA)


@pytest.mark.parametrize(
    "text",
    [
        "", "userName", "userName eq", "userName eq ben", 'userName like "x"', 'nosuch eq "x"', 'userName eq 5',
        "active gt true", 'userName[value eq "x"]', 'emails[nosuch eq "x"]', 'password eq "x"', "password pr",
        'not (password sw "a")', '(userName pr', 'userName pr)', 'userName eq "x" and', 'emails[type eq "a"',
        "(" * 40 + "userName pr" + ")" * 40, "not (" * 17 + "userName pr" + ")" * 17,
        " or ".join(['userName eq "a"'] * 101), f'userName eq "{"a" * 4096}"', 'urn:x:y:userName eq "a"',
    ],
)  # fmt: skip
def test_is_refused(text: str) -> None:
    with pytest.raises(ScimError) as refused:
        compiled(text, Person)
    assert (refused.value.status, refused.value.kind) == (400, "invalidFilter")


def test_what_must_equal_is_known_before_looking() -> None:
    assert compiled('userName eq "a" and title pr', Person).demands == {"username": "a"}
    assert compiled('userName eq "a" or title pr', Person).demands == {}
    assert compiled('emails[type eq "work"].value eq "A@b"', Person).demands == {
        "emails.type": "work", "emails.value": "A@b",
    }  # fmt: skip
    assert compiled('emails.value eq "a"', Person).demands == {"emails.value": "a"}
    assert compiled('not (userName eq "a")', Person).demands == {}
