"""/Users of SCIM."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from ostiary.control.identity_ports import People, ScimGroups
from ostiary.control.scim.bodies import Query
from ostiary.control.scim.errors import ScimError
from ostiary.control.scim.filters import Filter, compiled
from ostiary.control.scim.projection import is_wanted, projected
from ostiary.control.scim.provisioning import Provisioning
from ostiary.control.scim.schema import Person, operations_of, patched_person, person_of
from ostiary.control.scim.views import list_view, user_view, version_of
from ostiary.control.scim.wanted import wanted_user
from ostiary.model.person import User

BATCH = 500
PATCH_MAX = 200
"""Operations on one person; each may cost a millisecond."""


class Users:
    """Each method returns the resource and its entity tag, and raises `ScimError`."""

    def __init__(self, people: People, groups: ScimGroups, provisioning: Provisioning, base: str) -> None:
        self._people = people
        self._groups = groups
        self._provisioning = provisioning
        self._base = base

    async def find(self, query: Query) -> dict[str, Any]:
        first = query.start_index - 1
        if query.filter is None:
            total, page = await asyncio.to_thread(self._provisioning.page, first, query.count)
        else:
            wanted = await asyncio.to_thread(compiled, query.filter, Person)
            total, page = await self._matching(wanted, first, first + query.count)
        views = await asyncio.to_thread(
            lambda: [projected(self._view(user, query), query.attributes, query.excluded) for user in page]
        )
        return list_view(views, total, query.start_index)

    async def _matching(self, wanted: Filter, first: int, beyond: int) -> tuple[int, list[User]]:
        page: list[User] = []
        total = 0
        after: str | None = ""
        while after is not None:
            found, after = await asyncio.to_thread(self._batch, wanted, after)
            page += found[max(0, first - total) : max(0, beyond - total)]
            total += len(found)
        return total, page

    async def show(self, user_id: str, query: Query) -> tuple[dict[str, Any], str]:
        user = await asyncio.to_thread(self._get, user_id)
        return await self._answer(user, query)

    async def create(self, body: Mapping[str, Any], query: Query) -> tuple[dict[str, Any], str]:
        wanted = wanted_user(await asyncio.to_thread(person_of, body, is_new=True))
        async with self._provisioning.writing:
            user = await self._provisioning.add_user(wanted)
        return await self._answer(user, query)

    async def replace(
        self, user_id: str, body: Mapping[str, Any], query: Query, if_match: str | None
    ) -> tuple[dict[str, Any], str]:
        wanted = wanted_user(await asyncio.to_thread(person_of, body, is_new=False))
        async with self._provisioning.writing:
            user = await asyncio.to_thread(self._writable, user_id, if_match)
            user = await self._provisioning.change_user(user, wanted)
        return await self._answer(user, query)

    async def patch(
        self, user_id: str, body: Mapping[str, Any], query: Query, if_match: str | None
    ) -> tuple[dict[str, Any], str]:
        operations = operations_of(body)
        if len(operations) > PATCH_MAX:
            raise ScimError(413, f"At most {PATCH_MAX} operations change one user.")
        if any(_takes_active_away(operation) for operation in operations):
            raise ScimError(400, "'active' is true or false; it cannot be removed.", "mutability")
        async with self._provisioning.writing:
            user = await asyncio.to_thread(self._writable, user_id, if_match)

            def patched() -> dict[str, Any]:
                return patched_person(self._view(user, None), body)

            wanted = wanted_user(await asyncio.to_thread(patched), is_active_said=_says_active(operations))
            user = await self._provisioning.change_user(user, wanted)
        return await self._answer(user, query)

    async def remove(self, user_id: str, if_match: str | None) -> None:
        async with self._provisioning.writing:
            await self._provisioning.remove_user(await asyncio.to_thread(self._writable, user_id, if_match))

    async def _answer(self, user: User, query: Query) -> tuple[dict[str, Any], str]:
        view = await asyncio.to_thread(self._view, user, query)
        return projected(view, query.attributes, query.excluded), version_of(user)

    def _view(self, user: User, query: Query | None) -> dict[str, Any]:
        with_groups = query is None or is_wanted("groups", query.attributes, query.excluded)
        groups = self._groups.of_user(user.id) if with_groups else []
        return user_view(user, self._people.scim_document(user.id), groups, self._base)

    def _get(self, user_id: str) -> User:
        user = self._people.get(user_id)
        if user is None or not self._provisioning.reaches(user):
            raise _no_such_user()
        return user

    def _writable(self, user_id: str, if_match: str | None) -> User:
        """Those out of reach too: that they are is said in a sentence by whoever changes them."""
        user = self._people.get(user_id)
        if user is None:
            raise _no_such_user()
        check_version(version_of(user), if_match)
        return user

    def _batch(self, wanted: Filter, after: str) -> tuple[list[User], str | None]:
        """Those of some users that match, and where to go on."""
        looked_up = self._looked_up(wanted)
        if looked_up is not None:
            found = [user for user in looked_up if self._provisioning.reaches(user)]
            return [user for user in found if wanted.matches(self._view(user, None))], None
        documents = self._people.documents(after, BATCH)
        matching = [user for user, document in documents if self._matches(wanted, user, document)]
        return matching, documents[-1][0].name if len(documents) == BATCH else None

    def _matches(self, wanted: Filter, user: User, document: Mapping[str, Any]) -> bool:
        if not self._provisioning.reaches(user):
            return False
        groups = self._groups.of_user(user.id) if "groups" in wanted.names else []
        return wanted.matches(user_view(user, document, groups, self._base))

    def _looked_up(self, wanted: Filter) -> list[User] | None:
        """All that may match, found by what the filter demands; None when everybody must be looked at."""
        demands = wanted.demands
        if "id" in demands:
            return _present(self._people.get(demands["id"]))
        if "username" in demands:
            return _present(self._people.named(demands["username"]))
        if "externalid" in demands:
            return self._people.of_external_id(demands["externalid"])
        address = demands.get("emails.value") or demands.get("emails")
        if address is not None and _stands_as_it_is(address):
            return self._people.mentioning(address)
        return None


def _stands_as_it_is(text: str) -> bool:
    """In a stored document."""
    return text.isascii() and text.isprintable() and not any(character in text for character in '"\\')


def check_version(version: str, if_match: str | None) -> None:
    """Raises `ScimError` when `if_match` names other versions. Weak and strong tags are not told apart."""
    if if_match is None or if_match.strip() == "*":
        return
    if version.removeprefix("W/") not in {tag.strip().removeprefix("W/") for tag in if_match.split(",")}:
        raise ScimError(412, "It was changed meanwhile. Read it again, then repeat the request.")


def _present(user: User | None) -> list[User]:
    return [] if user is None else [user]


def _no_such_user() -> ScimError:
    return ScimError(404, "There is no such user.")


def _takes_active_away(operation: Mapping[str, Any]) -> bool:
    path = str(operation.get("path") or "").rpartition(":")[2].lower()
    return path == "active" and str(operation.get("op")).lower() == "remove"


def _says_active(operations: list[dict[str, Any]]) -> bool:
    return any(name.rpartition(":")[2].lower() == "active" for name in _written(operations))


def _written(operations: list[dict[str, Any]]) -> Iterator[str]:
    """The attributes that operations name, in their path or as names of their value."""
    for operation in operations:
        path, value = operation.get("path"), operation.get("value")
        if isinstance(path, str) and path:
            yield path
        if isinstance(value, Mapping):
            yield from (name for name in value if isinstance(name, str))
