"""People and groups as SCIM resources. `base` is the address that SCIM is served at."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ostiary.model.person import ScimGroup, User

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


def version_of(resource: User | ScimGroup) -> str:
    """The entity tag."""
    return f'W/"{resource.version}"'


def user_location(base: str, user_id: str) -> str:
    return f"{base}/Users/{user_id}"


def group_location(base: str, group_id: str) -> str:
    return f"{base}/Groups/{group_id}"


def user_view(user: User, document: Mapping[str, Any], groups: Sequence[tuple[str, str]], base: str) -> dict[str, Any]:
    """`document` is what SCIM said of them; somebody it has not said anything of is shown as they signed in."""
    known: dict[str, Any] = {name: value for name, value in document.items() if name != "active"}
    if not document:
        if user.display_name:
            known["displayName"] = user.display_name
        if user.email:
            known["emails"] = [{"value": user.email, "primary": True}]
    extensions = [name for name in known if name.startswith("urn:")]
    view = {
        "schemas": [USER_SCHEMA, *extensions],
        "id": user.id,
        **({"externalId": user.external_id} if user.external_id else {}),
        "userName": user.name,
        **known,
        "active": user.active,
        "meta": _meta("User", user, user_location(base, user.id)),
    }
    if groups:
        view["groups"] = [
            {"value": group_id, "$ref": group_location(base, group_id), "display": name, "type": "direct"}
            for group_id, name in groups
        ]
    return view


def group_view(group: ScimGroup, base: str, *, with_members: bool) -> dict[str, Any]:
    view: dict[str, Any] = {
        "schemas": [GROUP_SCHEMA],
        "id": group.id,
        **({"externalId": group.external_id} if group.external_id else {}),
        "displayName": group.display_name,
        "meta": _meta("Group", group, group_location(base, group.id)),
    }
    if with_members and group.members:
        view["members"] = [
            {"value": user_id, "$ref": user_location(base, user_id), "type": "User"}
            for user_id in sorted(group.members)
        ]
    return view


def list_view(resources: Sequence[Mapping[str, Any]], total: int, start_index: int) -> dict[str, Any]:
    return {
        "schemas": [LIST_SCHEMA],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
    }


def _meta(kind: str, resource: User | ScimGroup, location: str) -> dict[str, Any]:
    return {
        "resourceType": kind,
        "created": _moment(resource.created_at),
        "lastModified": _moment(resource.changed_at),
        "location": location,
        "version": version_of(resource),
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
