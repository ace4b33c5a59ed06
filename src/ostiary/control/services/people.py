"""People: who they are, what groups and roles they have, and the end of their access."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ostiary.control.caller import Caller, Permission
from ostiary.control.identity_ports import People, ScimGroups, SignIns
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.whole import whole
from ostiary.identity.groups import groups_of
from ostiary.identity.roles import OWNER, roles_of
from ostiary.identity.standing import is_somebody
from ostiary.model.configuration import Configuration
from ostiary.model.errors import CallerError, NotFoundError, RefusedError
from ostiary.model.issuer import Group
from ostiary.model.permission import BUILT_IN_ROLES
from ostiary.model.person import SignIn, User

SIGN_INS_MAX = 200
GROUP_MEMBERS_MAX = 1000
"""Members that the overview names of each group; the rest is counted."""

BATCH = 500

_EVERYBODY = "member"


class Ending(Protocol):
    """The end of access; `EndOfAccess` does it."""

    async def of_user(self, user: User, why: str) -> None: ...

    async def of_sign_in(self, sign_in: SignIn, why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with what they have by the configuration in force; who is not active, or whose identity provider is gone
    or another one now, has nothing."""

    user: User
    groups: frozenset[str]
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Oneself:
    """Whoever asks. `person` is None for the local owner on the admin socket."""

    label: str
    permissions: frozenset[Permission]
    is_fresh: bool
    person: Person | None


@dataclass(frozen=True, slots=True)
class GroupOverview:
    """A group of the installation and the names of its active members, of which `members` holds the first ones."""

    group: Group
    members: tuple[str, ...]
    member_count: int


@dataclass(frozen=True, slots=True)
class Groups:
    """The installation's groups, and those that SCIM provisions with how many people are in them."""

    groups: tuple[GroupOverview, ...]
    provisioned: Mapping[str, int]


class PeopleService:
    """Everybody sees themselves and their own sign-ins. Others are not found without `people.read`."""

    def __init__(
        self,
        people: People,
        scim_groups: ScimGroups,
        sign_ins: SignIns,
        ending: Ending,
        configuration: Callable[[], Configuration],
        log: AdminLog,
    ) -> None:
        """`configuration` answers at once with the one in force."""
        self._people = people
        self._scim_groups = scim_groups
        self._sign_ins = sign_ins
        self._ending = ending
        self._configuration = configuration
        self._log = log
        self._managing = asyncio.Lock()
        """Two owners who deactivate each other at once are two in a row: the second one is refused."""

    async def me(self, caller: Caller) -> Oneself:
        user = None if caller.user_id is None else await asyncio.to_thread(self._people.get, caller.user_id)
        person = None if user is None else await asyncio.to_thread(self._person, user)
        return Oneself(caller.label, caller.permissions, caller.is_fresh, person)

    async def show(self, caller: Caller, user_id: str) -> Person:
        """Raises `NotFoundError`."""
        return await asyncio.to_thread(self._person, await self._visible(caller, user_id))

    async def deactivate(self, caller: Caller, user_id: str) -> Person:
        """Their sign-ins, tokens, waiting requests and running streams end. Twice is no error, and makes good what an
        earlier call did not get done. Raises `RefusedError` for the last owner."""
        return await whole(self._deactivate(caller, user_id))

    async def reactivate(self, caller: Caller, user_id: str) -> Person:
        """They may sign in again; nothing that ended comes back."""
        return await whole(self._reactivate(caller, user_id))

    async def forget(self, caller: Caller, user_id: str) -> None:
        """Remove them with all that is kept of them; what they did stays in the audit log under their name. If their
        provider still lets them in, their next sign-in makes them anew."""
        await whole(self._forget(caller, user_id))

    async def sign_ins(self, caller: Caller, user_id: str) -> list[SignIn]:
        """The newest first, ended ones too."""
        user = await self._visible(caller, user_id)
        return await asyncio.to_thread(self._sign_ins.of_user, user.id, SIGN_INS_MAX)

    async def end_sign_in(self, caller: Caller, sign_in_id: str) -> None:
        """End one's own, or with `people.manage` anybody's but an owner's. Raises `NotFoundError`."""
        sign_in = await asyncio.to_thread(self._sign_ins.get, sign_in_id)
        if sign_in is None or not (_is_own(caller, sign_in.user_id) or caller.may(Permission.PEOPLE_READ)):
            raise NotFoundError("There is no such sign-in.")
        if not _is_own(caller, sign_in.user_id):
            await self._manageable(caller, sign_in.user_id, takes_away=False)
        await self._ending.of_sign_in(sign_in, f"ended by {caller.label}")

    async def groups(self, caller: Caller) -> Groups:
        """Who is in which group now."""
        caller.require(Permission.PEOPLE_READ)
        return await asyncio.to_thread(self._groups_now)

    async def _deactivate(self, caller: Caller, user_id: str) -> Person:
        async with self._managing:
            user = await self._manageable(caller, user_id, takes_away=True)
            stored = await self._set_active(caller, user, False)
            await self._ending.of_user(stored, "deactivated")
        return await asyncio.to_thread(self._person, stored)

    async def _reactivate(self, caller: Caller, user_id: str) -> Person:
        async with self._managing:
            user = await self._manageable(caller, user_id, takes_away=False)
            stored = await self._set_active(caller, user, True)
        return await asyncio.to_thread(self._person, stored)

    async def _forget(self, caller: Caller, user_id: str) -> None:
        async with self._managing:
            user = await self._manageable(caller, user_id, takes_away=True)
            inactive = await self._set_active(caller, user, False)
            await self._ending.of_user(inactive, "removed")
            await asyncio.to_thread(self._people.remove, user.id)
            self._log.write("admin.user.remove", caller, {"user": user.id, "name": user.name})

    async def _visible(self, caller: Caller, user_id: str) -> User:
        seen = _is_own(caller, user_id) or caller.may(Permission.PEOPLE_READ)
        user = await asyncio.to_thread(self._people.get, user_id) if seen else None
        if user is None:
            raise NotFoundError("There is no such person.", "`ostiary user list` shows who there is.")
        return user

    async def _manageable(self, caller: Caller, user_id: str, *, takes_away: bool) -> User:
        """Raises `NotFoundError` and `RefusedError`."""
        user = await self._visible(caller, user_id)
        caller.require(Permission.PEOPLE_MANAGE)
        if not await asyncio.to_thread(self._is_owner, user):
            return user
        if not caller.permissions >= frozenset(Permission):
            raise RefusedError("Only an owner may do this to an owner.", "Ask an owner of this installation.")
        is_in = takes_away and is_somebody(user, self._configuration().issuers)
        if is_in and not await asyncio.to_thread(self._has_another_owner, user):
            raise RefusedError(
                "This is the last owner who is active.", "Give somebody else the role 'owner' first, and repeat it."
            )
        return user

    async def _set_active(self, caller: Caller, user: User, active: bool) -> User:
        if user.active == active:
            return user
        changed = replace(user, active=active, changed_at=self._log.now())
        if not await asyncio.to_thread(self._people.change, changed):
            raise CallerError("This person was changed meanwhile.", "Look at them again, and repeat it.")
        verb = "activate" if active else "deactivate"
        self._log.write(f"admin.user.{verb}", caller, {"user": user.id, "name": user.name})
        return replace(changed, version=user.version + 1)

    def _person(self, user: User) -> Person:
        configuration = self._configuration()
        groups = groups_of(user, self._people.scim_groups_of(user.id), configuration.groups)
        if not is_somebody(user, configuration.issuers):
            return Person(user, frozenset(), frozenset())
        return Person(user, groups, self._roles(user, groups) | {_EVERYBODY})

    def _roles(self, user: User, groups: frozenset[str]) -> frozenset[str]:
        configuration = self._configuration()
        names = BUILT_IN_ROLES.keys() | {role.name for role in configuration.roles}
        return roles_of(user, groups, configuration.assignments) & names

    def _is_owner(self, user: User) -> bool:
        """Or would be, if they were active and their provider still the one they came from."""
        groups = groups_of(
            replace(user, active=True), self._people.scim_groups_of(user.id), self._configuration().groups
        )
        return OWNER in self._roles(user, groups)

    def _has_another_owner(self, user: User) -> bool:
        return any(other.id != user.id and OWNER in self._person(other).roles for other in self._everybody())

    def _everybody(self) -> list[User]:
        users: list[User] = []
        after = ""
        while batch := self._people.list(after, BATCH):
            users += batch
            after = batch[-1].name
        return users

    def _groups_now(self) -> Groups:
        members: dict[str, list[str]] = {group.name: [] for group in self._configuration().groups}
        for user in self._everybody():
            for name in self._person(user).groups:
                members.setdefault(name, []).append(user.name)
        overviews = tuple(
            GroupOverview(group, tuple(members[group.name][:GROUP_MEMBERS_MAX]), len(members[group.name]))
            for group in self._configuration().groups
            if group.name in members
        )
        return Groups(overviews, dict(self._provisioned()))

    def _provisioned(self) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        after = ""
        while batch := self._scim_groups.list(after, BATCH):
            found += [(group.display_name, len(group.members)) for group in batch]
            after = batch[-1].display_name
        return found

    async def list(self, caller: Caller, after: str, limit: int) -> list[Person]:
        """By name, beyond the name `after`. Without `people.read` only the caller."""

        def page() -> list[Person]:
            return [self._person(user) for user in self._people.list(after, limit)]

        if caller.user_id is not None and not caller.may(Permission.PEOPLE_READ):
            own = await self.me(caller)
            return [own.person] if own.person is not None and not after else []
        caller.require(Permission.PEOPLE_READ)
        return await asyncio.to_thread(page)


def _is_own(caller: Caller, user_id: str) -> bool:
    return caller.user_id is not None and caller.user_id == user_id
