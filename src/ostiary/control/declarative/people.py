"""`groups:` and, of `identity:`, all but the issuers: who is in what, and what that lets them do here."""

from collections.abc import Iterator

from ostiary.control.declarative.errors import nearest
from ostiary.control.declarative.nodes import Value
from ostiary.control.declarative.values import duration_s, duration_text, names, plain_text
from ostiary.model.issuer import Group, GroupSource, ScimSettings, SignInLimits
from ostiary.model.permission import BUILT_IN_ROLES, Assignment, Permission, Role

IDENTITY_KEYS = ("issuers", "roles", "assign", "sessions", "scim")
_GROUP_KEYS = ("name", "from", "members")
_SOURCE_KEYS = ("issuer", "claim", "value", "scim")
_SESSION_KEYS = {
    "idle": ("idle_s", 60, 30 * 86_400),
    "absolute": ("absolute_s", 300, 90 * 86_400),
    "tools": ("tool_absolute_s", 300, 366 * 86_400),
    "step_up": ("step_up_s", 60, 3600),
    "unchecked": ("unchecked_s", 300, 90 * 86_400),
}
"""Key → (field, least and most seconds)."""


def read_group(value: Value) -> Group:
    members = value.mapping("a group", _GROUP_KEYS, ("name",))
    if "from" not in members and "members" not in members:
        value.fail("The group has nobody.", "Say where it comes from (`from:`) or who is in it (`members:`).")
    sources: list[GroupSource] = []
    scim: list[str] = []
    if "from" in members:
        listed = members["from"].items("from") if members["from"].is_list else [members["from"]]
        for item in listed:
            source = _read_source(item)
            if isinstance(source, str):
                scim.append(source)
            else:
                sources.append(source)
    return Group(
        name=plain_text(members["name"], "the name of a group"),
        sources=tuple(sources),
        scim=tuple(scim),
        members=names(members["members"], "members") if "members" in members else (),
    )


def write_group(group: Group) -> Iterator[tuple[str, object]]:
    """What `read_group` reads back."""
    yield "name", group.name
    sources: list[dict[str, str]] = [
        {"issuer": source.issuer, "claim": source.claim, "value": source.value} for source in group.sources
    ]
    sources += [{"scim": name} for name in group.scim]
    if sources:
        yield "from", sources[0] if len(sources) == 1 else sources
    if group.members:
        yield "members", list(group.members)


def _read_source(value: Value) -> GroupSource | str:
    parts = value.mapping("from", _SOURCE_KEYS)
    if "scim" in parts:
        if len(parts) > 1:
            value.fail("'scim' stands alone: it is the display name of a provisioned group.")
        return plain_text(parts["scim"], "scim")
    for word in ("issuer", "claim", "value"):
        if word not in parts:
            value.fail(f"'{word}' is missing in from.", "Write {issuer: …, claim: groups, value: …} or {scim: …}.")
    return GroupSource(
        issuer=plain_text(parts["issuer"], "the issuer"),
        claim=plain_text(parts["claim"], "the claim", 300),
        value=plain_text(parts["value"], "the value", 300),
    )


def read_role(value: Value) -> Role:
    members = value.mapping("a role", ("name", "permissions"), ("name", "permissions"))
    name = plain_text(members["name"], "the name of a role", 100)
    if name in BUILT_IN_ROLES:
        members["name"].fail(f"The role '{name}' is built in.", "Choose another name.")
    valid = tuple(permission.value for permission in Permission)
    words = [item.word("a permission", valid) for item in members["permissions"].items("permissions")]
    if not words:
        members["permissions"].fail("'permissions' is an empty list.")
    return Role(name, frozenset(map(Permission, words)))


def write_role(role: Role) -> Iterator[tuple[str, object]]:
    yield "name", role.name
    yield "permissions", sorted(permission.value for permission in role.permissions)


def read_assignment(value: Value) -> Assignment:
    members = value.mapping("an entry of assign", ("role", "users", "groups"), ("role",))
    if len(members) == 1:
        value.fail("The role is given to nobody.", "Name `users:` or `groups:`.")
    return Assignment(
        role=plain_text(members["role"], "the role", 100),
        users=frozenset(names(members["users"], "users")) if "users" in members else frozenset(),
        groups=frozenset(names(members["groups"], "groups")) if "groups" in members else frozenset(),
    )


def write_assignment(assignment: Assignment) -> Iterator[tuple[str, object]]:
    yield "role", assignment.role
    for key in ("users", "groups"):
        if listed := getattr(assignment, key):
            yield key, sorted(listed)


def read_limits(value: Value) -> SignInLimits:
    members = value.mapping("sessions", tuple(_SESSION_KEYS))
    read = {field: duration_s(members[key], key, least, most) for key, (field, least, most) in _SESSION_KEYS.items()
            if key in members}  # fmt: skip
    limits = SignInLimits(**read)
    if limits.idle_s > limits.absolute_s:
        value.fail("'idle' must not be longer than 'absolute'.")
    return limits


def write_limits(limits: SignInLimits) -> dict[str, object]:
    return {key: duration_text(getattr(limits, field)) for key, (field, _, _) in _SESSION_KEYS.items()}


def read_scim(value: Value) -> ScimSettings:
    members = value.mapping("scim", ("issuer",), ("issuer",))
    return ScimSettings(plain_text(members["issuer"], "the issuer of scim"))


def role_names(roles: tuple[Role, ...]) -> tuple[str, ...]:
    return (*BUILT_IN_ROLES, *(role.name for role in roles))


def complaint_about_role(name: str, roles: tuple[Role, ...]) -> tuple[str, str] | None:
    if name in role_names(roles):
        return None
    return f"There is no role '{name}'.", nearest(name, role_names(roles))
