"""/Groups of SCIM."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scim2_models import Group, Path
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from ostiary.control.identity_ports import ScimGroups
from ostiary.control.scim.bodies import Query, check_filter_size, require_schema
from ostiary.control.scim.errors import ScimError, invalid
from ostiary.control.scim.filters import Filter, compiled
from ostiary.control.scim.names import checked_group_name
from ostiary.control.scim.projection import is_wanted, projected
from ostiary.control.scim.provisioning import Provisioning, WantedGroup
from ostiary.control.scim.schema import operations_of, refusing
from ostiary.control.scim.users import check_version
from ostiary.control.scim.views import GROUP_SCHEMA, group_view, list_view, version_of
from ostiary.control.scim.wanted import checked_external_id
from ostiary.model.person import ScimGroup

BATCH = 100
PATCH_MAX = 1000
MEMBERS_MAX = 50_000

_SERVERS_OWN = frozenset({"id", "meta", "schemas"})


@dataclass(slots=True)
class _Draft:
    """A group while operations are applied to it."""

    id: str
    display_name: Any
    external_id: Any
    members: set[str]


class Groups:
    """Each method returns the resource and its entity tag, and raises `ScimError`."""

    def __init__(self, groups: ScimGroups, provisioning: Provisioning, base: str) -> None:
        self._groups = groups
        self._provisioning = provisioning
        self._base = base

    async def find(self, query: Query) -> dict[str, Any]:
        wanted = None if query.filter is None else await asyncio.to_thread(compiled, query.filter, Group)
        first, beyond = query.start_index - 1, query.start_index - 1 + query.count
        page: list[ScimGroup] = []
        total = 0
        after: str | None = ""
        while after is not None:
            found, after = await asyncio.to_thread(self._batch, wanted, after)
            page += found[max(0, first - total) : max(0, beyond - total)]
            total += len(found)
        views = await asyncio.to_thread(
            lambda: [projected(self._view(group, query), query.attributes, query.excluded) for group in page]
        )
        return list_view(views, total, query.start_index)

    async def show(self, group_id: str, query: Query) -> tuple[dict[str, Any], str]:
        return await self._answer(await asyncio.to_thread(self._get, group_id, None), query)

    async def create(self, body: Mapping[str, Any], query: Query) -> tuple[dict[str, Any], str]:
        wanted = _wanted(_draft_of(body, ""))
        async with self._provisioning.writing:
            group = await self._provisioning.add_group(wanted)
        return await self._answer(group, query)

    async def replace(
        self, group_id: str, body: Mapping[str, Any], query: Query, if_match: str | None
    ) -> tuple[dict[str, Any], str]:
        wanted = _wanted(_draft_of(body, group_id))
        async with self._provisioning.writing:
            group = await asyncio.to_thread(self._get, group_id, if_match)
            group = await self._provisioning.change_group(group, wanted)
        return await self._answer(group, query)

    async def patch(
        self, group_id: str, body: Mapping[str, Any], query: Query, if_match: str | None
    ) -> tuple[dict[str, Any], str]:
        operations = operations_of(body)
        if len(operations) > PATCH_MAX:
            raise ScimError(413, f"At most {PATCH_MAX} operations change one group.")
        async with self._provisioning.writing:
            group = await asyncio.to_thread(self._get, group_id, if_match)
            draft = _Draft(group.id, group.display_name, group.external_id, set(group.members))

            def patch() -> None:
                for operation in operations:
                    _apply(draft, operation)

            await asyncio.to_thread(patch)
            group = await self._provisioning.change_group(group, _wanted(draft))
        return await self._answer(group, query)

    async def remove(self, group_id: str, if_match: str | None) -> None:
        async with self._provisioning.writing:
            await self._provisioning.remove_group(await asyncio.to_thread(self._get, group_id, if_match))

    async def _answer(self, group: ScimGroup, query: Query) -> tuple[dict[str, Any], str]:
        view = await asyncio.to_thread(self._view, group, query)
        return projected(view, query.attributes, query.excluded), version_of(group)

    def _view(self, group: ScimGroup, query: Query) -> dict[str, Any]:
        with_members = is_wanted("members", query.attributes, query.excluded)
        return group_view(group, self._base, with_members=with_members)

    def _get(self, group_id: str, if_match: str | None) -> ScimGroup:
        group = self._groups.get(group_id)
        if group is None:
            raise ScimError(404, "There is no such group.")
        check_version(version_of(group), if_match)
        return group

    def _batch(self, wanted: Filter | None, after: str) -> tuple[list[ScimGroup], str | None]:
        if wanted is None:
            groups = self._groups.list(after, BATCH)
            return groups, groups[-1].display_name if len(groups) == BATCH else None
        looked_up = self._looked_up(wanted)
        groups = self._groups.list(after, BATCH) if looked_up is None else looked_up
        with_members = "members" in wanted.names
        found = [group for group in groups if wanted.matches(group_view(group, self._base, with_members=with_members))]
        return found, groups[-1].display_name if looked_up is None and len(groups) == BATCH else None

    def _looked_up(self, wanted: Filter) -> list[ScimGroup] | None:
        demands = wanted.demands
        if "id" in demands:
            return _present(self._groups.get(demands["id"]))
        if "displayname" in demands:
            return _present(self._groups.named(demands["displayname"]))
        if "externalid" in demands:
            return self._groups.of_external_id(demands["externalid"])
        if "members" in demands:
            ids = [group_id for group_id, _ in self._groups.of_user(demands["members"])]
            return [group for group_id in ids if (group := self._groups.get(group_id)) is not None]
        return None


def _present(group: ScimGroup | None) -> list[ScimGroup]:
    return [] if group is None else [group]


def _draft_of(body: Mapping[str, Any], group_id: str) -> _Draft:
    """A whole group from the body of a POST or PUT."""
    require_schema(body, GROUP_SCHEMA)
    given = {name.lower(): value for name, value in body.items()}
    members = set(_member_ids(given.get("members") or []))
    return _Draft(group_id, given.get("displayname"), given.get("externalid"), members)


def _wanted(draft: _Draft) -> WantedGroup:
    if not isinstance(draft.display_name, str) or not draft.display_name:
        raise invalid("'displayName' must be a text; every group has one.")
    if len(draft.members) > MEMBERS_MAX:
        raise ScimError(400, f"A group has at most {MEMBERS_MAX:,} members.", "tooMany")
    return WantedGroup(
        checked_group_name(draft.display_name), checked_external_id(draft.external_id), frozenset(draft.members)
    )


def _member_ids(value: Any) -> Iterator[str]:
    """The ids in what a client sends as members: a list, or one of them, of objects with a `value`."""
    for member in value if isinstance(value, list) else [value]:
        given = {name.lower(): held for name, held in member.items()} if isinstance(member, Mapping) else {}
        user_id, kind = given.get("value"), given.get("type")
        if not isinstance(user_id, str) or not user_id or len(user_id) > 200:
            raise invalid("A member is an object with the id of a user as its 'value'.")
        if kind is not None and str(kind).lower() not in {"user", "direct"}:
            raise invalid("Groups have users as their members, not groups.")
        yield user_id


def _apply(draft: _Draft, operation: Mapping[str, Any]) -> None:
    kind = str(operation.get("op", "")).lower()
    if kind not in {"add", "replace", "remove"}:
        raise ScimError(400, "An operation is add, remove or replace.", "invalidSyntax")
    path, value = operation.get("path"), operation.get("value")
    if path is None or path == "":
        if kind == "remove":
            raise ScimError(400, "What is to be removed must be named by a path.", "noTarget")
        if not isinstance(value, Mapping):
            raise invalid("Without a path the value is an object.")
        for name, held in value.items():
            _write(draft, kind, name, held)
        return
    if not isinstance(path, str):
        raise ScimError(400, "A path is a text.", "invalidPath")
    _write(draft, kind, path, value)


def _write(draft: _Draft, kind: str, text: str, value: Any) -> None:
    name, chosen = _target(text)
    if name in _SERVERS_OWN:
        if name == "id" and (kind == "remove" or value != draft.id):
            raise ScimError(400, "'id' is read-only.", "mutability")
        return
    match name:
        case "members":
            _write_members(draft, kind, chosen, value)
        case "displayname":
            draft.display_name = None if kind == "remove" else value
        case "externalid":
            draft.external_id = None if kind == "remove" else value


def _write_members(draft: _Draft, kind: str, chosen: frozenset[str] | None, value: Any) -> None:
    if chosen is not None:
        if kind == "remove":
            draft.members -= chosen
        elif not chosen <= draft.members:
            raise ScimError(400, "No member matches the path.", "noTarget")
        # What remains to be written of a member is its display name, which is the user's.
        return
    ids = set(_member_ids(value if value is not None else []))
    if kind == "remove":
        draft.members -= ids if value is not None else draft.members
    elif kind == "add":
        draft.members |= ids
    else:
        draft.members = ids


def _target(text: str) -> tuple[str, frozenset[str] | None]:
    """The attribute's lower-case name, and the ids its filter picks. An attribute that groups do not have is empty."""
    lower = text.lower()
    if lower in {"displayname", "members", "externalid", *_SERVERS_OWN}:
        return lower, None
    check_filter_size(text)
    with refusing():
        path = Path[Group](text)
        bound = path.resolve()
        if bound is None:
            return "", None
        name = bound.model._scim_name(bound.field_name).lower()
        chosen = None if path.value_filter is None else frozenset(_chosen(path.value_filter))
    if chosen is None and bound.sub_field_name is not None and name == "members":
        raise ScimError(400, 'Which member is meant must be said: members[value eq "..."].', "invalidPath")
    return name, chosen


def _chosen(node: FilterNode) -> Iterator[str]:
    match node:
        case Comparison(path, CompareOperator.eq, str() as user_id) if path.attr.lower() == "value":
            yield user_id
        case LogicalExpr(LogicalOperator.or_, terms):
            for term in terms:
                yield from _chosen(term)
        case _:
            raise ScimError(400, 'Members are chosen by their value: members[value eq "..."].', "invalidFilter")
