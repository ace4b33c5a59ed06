"""Groups and roles: who is in what, and what that lets them do."""

import pytest

from ostiary.identity.groups import groups_of, wanted_claims
from ostiary.identity.roles import permissions_of, roles_of
from ostiary.model.issuer import Group, GroupSource, OidcIssuer, SamlIssuer, WorkloadIssuer
from ostiary.model.permission import BUILT_IN_ROLES, OWN, Assignment, Permission, Role
from ostiary.model.person import Origin, User

ADA = User("u1", "Ada@Example.com", Origin.SIGN_IN, 0, 0, issuer="corp", subject="s", claims={"groups": ("eng", "all")})
OWNER = User("u0", "root", Origin.LOCAL, 0, 0)
GROUPS = (
    Group("engineering", sources=(GroupSource("corp", "groups", "eng"),)),
    Group("everybody", sources=(GroupSource("other", "groups", "all"), GroupSource("corp", "groups", "ALL"))),
    Group("provisioned", scim=("Platform Team",)),
    Group("named", members=("ada@example.com", "bob")),
    Group("empty"),
)


def changed(user: User, **changes: object) -> User:
    return User(**{**{name: getattr(user, name) for name in User.__slots__}, **changes})  # type: ignore[arg-type]


def test_groups_come_from_claims_names_and_provisioning() -> None:
    assert groups_of(ADA, ["platform team"], GROUPS) == {"engineering", "named", "provisioned"}
    assert groups_of(ADA, [], GROUPS) == {"engineering", "named"}


@pytest.mark.parametrize(
    ("changes", "groups"),
    [
        ({"issuer": "other"}, {"everybody", "named"}),
        ({"issuer": None}, {"named"}),
        ({"claims": {}}, {"named"}),
        ({"claims": {"Groups": ("eng",)}}, {"named"}),
        ({"name": "ada"}, {"engineering"}),
        ({"active": False}, set()),
    ],
)
def test_what_an_issuer_says_counts_for_its_own_people(changes: dict[str, object], groups: set[str]) -> None:
    assert groups_of(changed(ADA, **changes), [], GROUPS) == groups


def test_only_claims_that_groups_are_made_from_are_wanted() -> None:
    groups = (*GROUPS, Group("x", sources=(GroupSource("corp", "department", "it"), GroupSource("other", "y", "z"))))
    assert wanted_claims(OidcIssuer("corp", "https://i", "c"), groups) == {"groups", "department"}
    assert wanted_claims(SamlIssuer("other", groups_attribute="memberOf"), groups) == {"groups", "y", "memberOf"}
    assert wanted_claims(WorkloadIssuer("ci", "https://i", "a", ()), groups) == frozenset()


def test_everybody_active_is_a_member() -> None:
    assert permissions_of(ADA, frozenset(), (), ()) == OWN
    assert (
        permissions_of(changed(ADA, active=False), frozenset({"g"}), (), (Assignment("owner", groups={"g"}),)) == set()
    )


def test_the_local_owner_may_do_everything() -> None:
    assert permissions_of(OWNER, frozenset(), (), ()) == frozenset(Permission)
    assert permissions_of(changed(OWNER, active=False), frozenset(), (), ()) == frozenset()


def test_roles_add_up() -> None:
    assignments = (
        Assignment("approver", users=frozenset({"ADA@example.com"})),
        Assignment("keys", groups=frozenset({"engineering"})),
        Assignment("admin", groups=frozenset({"others"})),
        Assignment("gone", users=frozenset({"ada@example.com"})),
    )
    roles = (Role("keys", frozenset({Permission.SECRETS_SET})),)
    permissions = permissions_of(ADA, frozenset({"engineering"}), roles, assignments)
    assert permissions == BUILT_IN_ROLES["approver"] | {Permission.SECRETS_SET} | OWN
    assert roles_of(ADA, frozenset({"engineering"}), assignments) == {"approver", "keys", "gone"}


def test_a_role_of_ones_own_does_not_replace_a_built_in_one() -> None:
    roles = (Role("member", frozenset(Permission)),)
    assert permissions_of(ADA, frozenset(), roles, (Assignment("member", users=frozenset({ADA.name})),)) == OWN
