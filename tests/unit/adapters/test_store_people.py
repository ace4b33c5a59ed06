"""People and the groups that SCIM provisions, in the embedded store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.adapters.stores.database import Database
from ostiary.adapters.stores.people import People
from ostiary.adapters.stores.scim_groups import ScimGroups
from ostiary.model.person import Origin, ScimGroup, User

ADA = User("1" * 32, "Ada", Origin.SIGN_IN, 1.0, 1.0, issuer="idp", subject="s-1", claims={"groups": ("eng", "ops")})
BEN = User("2" * 32, "ben@example.com", Origin.SCIM, 1.0, 1.0, email="ben@example.com", external_id="00u1")
TEAM = ScimGroup("a" * 32, "Team", 1.0, 1.0, members=frozenset({ADA.id, BEN.id}))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "ostiary.db")
    yield database
    database.close()


@pytest.fixture
def people(database: Database) -> People:
    people = People(database)
    assert people.add(ADA)
    assert people.add(BEN)
    return people


@pytest.fixture
def groups(database: Database, people: People) -> ScimGroups:
    groups = ScimGroups(database)
    assert groups.add(TEAM)
    return groups


def test_what_was_added_is_found_by_everything_that_names_it(people: People) -> None:
    assert people.get(ADA.id) == ADA
    assert people.of_subject("idp", "s-1") == ADA
    assert people.of_external_id("00u1") == [BEN]
    assert people.named("ADA") == people.named("ada") == people.named("Ａda") == ADA
    assert people.get("0") is people.named("nobody") is people.of_subject("idp", "s-2") is None


@pytest.mark.parametrize("name", ["ada", "ADA", "ＡＤＡ", "Ada"])
def test_nobody_gets_a_name_that_reads_as_somebodys(people: People, name: str) -> None:
    assert not people.add(replace(BEN, id="3" * 32, name=name))
    assert not people.change(replace(BEN, name=name))
    assert people.get(BEN.id) == BEN


def test_names_written_in_two_ways_of_unicode_are_one(people: People) -> None:
    assert people.add(replace(BEN, id="3" * 32, name="josé"))
    assert not people.add(replace(BEN, id="4" * 32, name="JOSÉ"))


def test_a_subject_is_one_persons_and_missing_ones_do_not_collide(people: People) -> None:
    assert not people.add(replace(ADA, id="3" * 32, name="eve"))
    assert people.add(replace(ADA, id="3" * 32, name="eve", issuer="other"))
    assert people.add(replace(BEN, id="4" * 32, name="carl"))


def test_a_change_counts_and_an_older_one_is_refused(people: People) -> None:
    assert people.change(replace(ADA, active=False, seen_at=9.0))
    assert people.get(ADA.id) == replace(ADA, active=False, seen_at=9.0, version=2)
    assert not people.change(replace(ADA, active=True))
    assert people.change(replace(ADA, name="ADA", version=2))


def test_people_come_by_name_a_page_at_a_time(people: People) -> None:
    assert people.list("", 1) == [ADA]
    assert people.list("Ada", 10) == [BEN]
    assert people.list("BEN@example.com", 10) == []


def test_documents_are_kept_beside_the_person_and_survive_changes(people: People) -> None:
    assert people.scim_document(ADA.id) == {}
    people.keep_scim_document(ADA.id, {"title": "Countess"})
    assert people.change(replace(ADA, active=False))
    assert people.scim_document(ADA.id) == {"title": "Countess"}
    assert [(user.id, document) for user, document in people.documents("", 10)] == [
        (ADA.id, {"title": "Countess"}),
        (BEN.id, {}),
    ]


def test_who_is_provisioned_is_counted_and_paged(people: People) -> None:
    assert people.add(replace(ADA, id="3" * 32, name="olga", origin=Origin.LOCAL, issuer=None, subject=None))
    assert people.provisioned("idp", 0, 10) == (2, [ADA, BEN])
    assert people.provisioned("idp", 1, 10) == (2, [BEN])
    assert people.provisioned("other", 0, 10) == people.provisioned(None, 0, 10) == (1, [BEN])
    assert people.change(replace(BEN, issuer="idp", subject="ben"))
    assert people.provisioned("idp", 0, 10)[0] == 2
    assert people.provisioned("other", 0, 10) == people.provisioned(None, 0, 10) == (0, [])


def test_who_is_mentioned_is_found_whatever_the_case(people: People) -> None:
    people.keep_scim_document(ADA.id, {"emails": [{"value": "Ada@Corp.example"}]})
    assert people.mentioning("ADA@corp.example") == [ADA]
    assert people.mentioning("Ben@example.com") == [BEN]
    assert people.mentioning("%") == people.mentioning("nobody") == []


def test_groups_have_members_that_exist(people: People, groups: ScimGroups) -> None:
    assert groups.get(TEAM.id) == groups.named("TEAM") == TEAM
    assert people.scim_groups_of(ADA.id) == frozenset({"Team"})
    assert groups.of_user(ADA.id) == [(TEAM.id, "Team")]
    assert groups.change(replace(TEAM, members=frozenset({BEN.id, "f" * 32}), external_id="g"))
    assert groups.get(TEAM.id) == replace(TEAM, members=frozenset({BEN.id}), external_id="g", version=2)
    assert not groups.change(TEAM)
    assert groups.of_external_id("g") == groups.list("", 5)
    assert groups.list("team", 5) == []


def test_a_groups_name_is_its_own(groups: ScimGroups) -> None:
    other = ScimGroup("b" * 32, "Other", 1.0, 1.0)
    assert not groups.add(replace(other, display_name="TEAM"))
    assert groups.add(other)
    assert not groups.change(replace(other, display_name="team"))


def test_who_is_removed_is_in_no_group_and_groups_go_without_their_people(people: People, groups: ScimGroups) -> None:
    assert people.remove(ADA.id)
    assert not people.remove(ADA.id)
    found = groups.get(TEAM.id)
    assert found is not None
    assert found.members == frozenset({BEN.id})
    assert groups.remove(TEAM.id)
    assert not groups.remove(TEAM.id)
    assert people.scim_groups_of(BEN.id) == frozenset()
    assert people.get(BEN.id) == BEN
