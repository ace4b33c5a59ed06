"""What somebody who is signed in may do, from the configuration in force and who they are now."""

from collections.abc import Callable
from typing import TypeGuard

from ostiary.control.caller import Caller
from ostiary.control.identity_ports import People
from ostiary.identity.groups import groups_of
from ostiary.identity.roles import permissions_of
from ostiary.identity.standing import is_somebody
from ostiary.model.configuration import Configuration
from ostiary.model.person import SignIn, User


class Callers:
    def __init__(self, people: People, configuration: Callable[[], Configuration], clock: Callable[[], float]) -> None:
        self._people = people
        self._configuration = configuration
        self._clock = clock

    def of(self, user: User, sign_in: SignIn | None) -> Caller:
        """The caller that this person is. Who is nobody may do nothing; without a sign-in nobody is fresh.

        A local owner has every permission: the way back in depends on no configuration.
        """
        configuration = self._configuration()
        groups = self.groups(user)
        return Caller(
            label=user.name,
            permissions=permissions_of(user, groups, configuration.roles, configuration.assignments)
            if self.is_somebody(user)
            else frozenset(),
            names=frozenset({user.name}),
            aliases=frozenset({user.name, user.email or user.name}),
            known_since=user.created_at,
            is_fresh=sign_in is not None and self._is_fresh(sign_in, configuration.sign_in.step_up_s),
            user_id=user.id,
            sign_in=None if sign_in is None else sign_in.id,
            groups=groups,
        )

    def groups(self, user: User) -> frozenset[str]:
        """The groups of the installation they are in now."""
        if not self.is_somebody(user):
            return frozenset()
        return groups_of(user, self._people.scim_groups_of(user.id), self._configuration().groups)

    def is_somebody(self, user: User | None) -> TypeGuard[User]:
        """Whether they are active, and their identity provider is configured and the one they came from."""
        return is_somebody(user, self._configuration().issuers)

    def _is_fresh(self, sign_in: SignIn, step_up_s: float) -> bool:
        # Not in the future either: a clock that jumped back makes nobody fresh for longer.
        return 0 <= self._clock() - sign_in.authenticated_at < step_up_s
