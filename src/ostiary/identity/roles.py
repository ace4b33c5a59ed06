"""What somebody may do, by their roles."""

from collections.abc import Sequence

from ostiary.model.permission import BUILT_IN_ROLES, OWN, Assignment, Permission, Role
from ostiary.model.person import Origin, User, name_key

OWNER = "owner"


def permissions_of(
    user: User, groups: frozenset[str], roles: Sequence[Role], assignments: Sequence[Assignment]
) -> frozenset[Permission]:
    """`groups` are the installation's groups they are in. Everybody who is active is a member; others may do nothing.

    An assignment of a role that there is not gives nothing.
    """
    if not user.active:
        return frozenset()
    known = {role.name: role.permissions for role in roles} | BUILT_IN_ROLES  # a built-in role is what it is
    return OWN.union(*(known.get(name, OWN) for name in roles_of(user, groups, assignments)))


def roles_of(user: User, groups: frozenset[str], assignments: Sequence[Assignment]) -> frozenset[str]:
    """Names of roles, without `member`, which everybody has. The local owner is an owner whatever is assigned."""
    key = name_key(user.name)
    names = {
        assignment.role
        for assignment in assignments
        if not groups.isdisjoint(assignment.groups) or any(name_key(name) == key for name in assignment.users)
    }
    return frozenset(names | {OWNER}) if user.origin is Origin.LOCAL else frozenset(names)
