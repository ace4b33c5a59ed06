"""What SCIM does to people and groups: stored, put on record, and followed by the end of the access it takes away."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from ostiary.control.caller import Caller
from ostiary.control.identity_ports import People, ScimGroups
from ostiary.control.scim.errors import ScimError, invalid
from ostiary.control.scim.wanted import WantedUser
from ostiary.control.services.admin_log import AdminLog
from ostiary.model.person import Origin, ScimGroup, User

BY = Caller("scim", frozenset())

NAMED_MAX = 50
"""Members that one audit entry names; the rest is counted."""


class Ending(Protocol):
    """The end of access; `control.services.end_of_access` does it."""

    async def of_user(self, user: User, why: str) -> None: ...

    async def reconsider(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WantedGroup:
    display_name: str
    external_id: str | None
    members: frozenset[str]


class Provisioning:
    """Every method raises `ScimError`. What ends access is done even where nothing changed, so that a request which
    failed half way is made good by repeating it."""

    def __init__(
        self,
        people: People,
        groups: ScimGroups,
        ending: Ending,
        log: AdminLog,
        *,
        issuer: Callable[[], str | None],
        new_id: Callable[[], str],
    ) -> None:
        """`issuer` names the identity provider whose people SCIM provisions, None while it is switched off."""
        self._people = people
        self._groups = groups
        self._ending = ending
        self._log = log
        self._issuer = issuer
        self._new_id = new_id
        self.writing = asyncio.Lock()
        """Held from reading what a change is based on to storing it."""

    def is_on(self) -> bool:
        return self._issuer() is not None

    def page(self, offset: int, limit: int) -> tuple[int, list[User]]:
        """How many people are SCIM's, and some of them."""
        return self._people.provisioned(self._issuer(), offset, limit)

    def reaches(self, user: User) -> bool:
        """Whether they are SCIM's: signed in at its provider, or provisioned and not signed in anywhere yet. Neither a
        local owner ever is, nor anybody of a provider that was SCIM's once."""
        if user.origin is Origin.SCIM and user.issuer is None:
            return True
        return user.origin is not Origin.LOCAL and user.issuer is not None and user.issuer == self._issuer()

    async def add_user(self, wanted: WantedUser) -> User:
        """A new person, or somebody of the same name who signed in before they were provisioned."""
        known = await asyncio.to_thread(self._people.named, wanted.name)
        if known is not None and known.origin is Origin.SIGN_IN and self.reaches(known):
            # A first word that leaves something out takes nothing away that their sign-in told.
            told = replace(
                wanted, display_name=wanted.display_name or known.display_name, email=wanted.email or known.email
            )
            return await self.change_user(known, told)
        now = self._log.now()
        user = User(
            id=self._new_id(),
            name=wanted.name,
            origin=Origin.SCIM,
            created_at=now,
            changed_at=now,
            display_name=wanted.display_name,
            email=wanted.email,
            external_id=wanted.external_id,
            active=wanted.active is not False,
        )
        if not await asyncio.to_thread(self._people.add, user):
            raise _name_taken()
        self._log.write("admin.user.add", BY, {"user": user.id, "name": user.name, "active": user.active})
        await self._keep_document(user, wanted)
        return user

    async def change_user(self, user: User, wanted: WantedUser) -> User:
        """The user as stored. Somebody who was deactivated here stays so until the provider takes their access away and
        gives it back: that they are active is told with every other change, and says nothing new."""
        self._check_reach(user)
        document = await asyncio.to_thread(self._people.scim_document, user.id)
        was_active = bool(document.get("active", True))
        changed = replace(
            user,
            name=wanted.name,
            origin=Origin.SCIM,
            display_name=wanted.display_name,
            email=wanted.email,
            external_id=wanted.external_id,
            active=_active(user, wanted, was_active),
        )
        if changed == user and _kept(wanted, was_active) == document:
            if not user.active:
                await self._ending.of_user(user, "deactivated")
            return user
        if changed.name != user.name:
            # Tokens speak of the name they were made for: they must not outlive it.
            await self._ending.of_user(user, "renamed")
        changed = replace(changed, changed_at=self._log.now())
        if not await asyncio.to_thread(self._people.change, changed):
            raise await self._why_not_stored(user, changed)
        stored = replace(changed, version=user.version + 1)
        self._record_change(user, stored)
        await self._keep_document(stored, wanted, was_active)
        if changed.name != user.name:
            await self._ending.of_user(user, "renamed")
        if not stored.active:
            await self._ending.of_user(stored, "deactivated")
        return stored

    async def remove_user(self, user: User) -> None:
        self._check_reach(user)
        inactive = replace(user, active=False, changed_at=self._log.now())
        if not await asyncio.to_thread(self._people.change, inactive):
            raise _changed_meanwhile()
        await self._ending.of_user(inactive, "removed")
        await asyncio.to_thread(self._people.remove, user.id)
        self._log.write("admin.user.remove", BY, {"user": user.id, "name": user.name})

    async def add_group(self, wanted: WantedGroup) -> ScimGroup:
        await self._check_members(wanted.members)
        now = self._log.now()
        group = ScimGroup(self._new_id(), wanted.display_name, now, now, wanted.external_id, wanted.members)
        if not await asyncio.to_thread(self._groups.add, group):
            raise _group_taken()
        self._log.write("admin.group.add", BY, await self._group_detail(group, group.members, frozenset()))
        await self._ending.reconsider()
        return group

    async def change_group(self, group: ScimGroup, wanted: WantedGroup) -> ScimGroup:
        changed = replace(
            group, display_name=wanted.display_name, external_id=wanted.external_id, members=wanted.members
        )
        if changed == group:
            await self._ending.reconsider()
            return group
        await self._check_members(wanted.members - group.members)
        changed = replace(changed, changed_at=self._log.now())
        if not await asyncio.to_thread(self._groups.change, changed):
            present = await asyncio.to_thread(self._groups.named, wanted.display_name)
            raise _group_taken() if present is not None and present.id != group.id else _changed_meanwhile()
        stored = replace(changed, version=group.version + 1)
        detail = await self._group_detail(stored, stored.members - group.members, group.members - stored.members)
        if stored.display_name != group.display_name:
            detail["was"] = group.display_name
        self._log.write("admin.group.change", BY, detail)
        await self._ending.reconsider()
        return stored

    async def remove_group(self, group: ScimGroup) -> None:
        await asyncio.to_thread(self._groups.remove, group.id)
        self._log.write("admin.group.remove", BY, {"group": group.id, "name": group.display_name})
        await self._ending.reconsider()

    def _check_reach(self, user: User) -> None:
        if user.origin is Origin.LOCAL:
            raise ScimError(403, "This is a local owner; no identity provider provisions them.")
        if not self.reaches(user):
            raise ScimError(403, "This person signs in at another identity provider than the one that SCIM provisions.")

    async def _check_members(self, ids: Iterable[str]) -> None:
        def missing() -> bool:
            return any((user := self._people.get(user_id)) is None or not self.reaches(user) for user_id in ids)

        if await asyncio.to_thread(missing):
            raise invalid("Members are users that SCIM provisions, by their 'id'; one of these is none.")

    async def _why_not_stored(self, user: User, changed: User) -> ScimError:
        present = await asyncio.to_thread(self._people.named, changed.name)
        return _name_taken() if present is not None and present.id != user.id else _changed_meanwhile()

    async def _keep_document(self, user: User, wanted: WantedUser, was_active: bool = True) -> None:
        await asyncio.to_thread(self._people.keep_scim_document, user.id, _kept(wanted, was_active))

    def _record_change(self, before: User, after: User) -> None:
        named = {"user": after.id, "name": after.name}
        fields = ("name", "display_name", "email", "external_id", "origin")
        changes = [field for field in fields if getattr(before, field) != getattr(after, field)]
        if changes or before.active == after.active:
            was = {"was": before.name} if before.name != after.name else {}
            self._log.write("admin.user.change", BY, {**named, "changes": changes or ["attributes"], **was})
        if before.active != after.active:
            self._log.write(f"admin.user.{'activate' if after.active else 'deactivate'}", BY, named)

    async def _group_detail(
        self, group: ScimGroup, added: frozenset[str], removed: frozenset[str]
    ) -> dict[str, object]:
        def names(ids: frozenset[str]) -> list[str]:
            some = sorted(ids)[:NAMED_MAX]
            return [user.name if (user := self._people.get(user_id)) else user_id for user_id in some]

        return {
            "group": group.id,
            "name": group.display_name,
            "members": len(group.members),
            "added": await asyncio.to_thread(names, added),
            "added_count": len(added),
            "removed": await asyncio.to_thread(names, removed),
            "removed_count": len(removed),
        }


def _active(user: User, wanted: WantedUser, was_active: bool) -> bool:
    if wanted.active is None:
        return user.active
    if wanted.active and was_active:
        return user.active
    return wanted.active


def _kept(wanted: WantedUser, was_active: bool) -> dict[str, object]:
    """The document with what the provider last said of access."""
    return {**wanted.document, "active": was_active if wanted.active is None else wanted.active}


def _name_taken() -> ScimError:
    return ScimError(409, "Somebody here has this 'userName', or one that reads the same.", "uniqueness")


def _group_taken() -> ScimError:
    return ScimError(409, "There is a group of this 'displayName', or one that reads the same.", "uniqueness")


def _changed_meanwhile() -> ScimError:
    return ScimError(412, "It was changed meanwhile. Read it again, then repeat the request.")
