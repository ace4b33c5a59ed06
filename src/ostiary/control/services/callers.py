"""What somebody who is signed in may do, from the configuration in force and who they are now."""

from collections.abc import Callable

from ostiary.control.caller import Caller
from ostiary.control.identity_ports import People
from ostiary.model.configuration import Configuration
from ostiary.model.person import SignIn, User


class Callers:
    def __init__(self, people: People, configuration: Callable[[], Configuration], clock: Callable[[], float]) -> None:
        self._people = people
        self._configuration = configuration
        self._clock = clock

    def of(self, user: User, sign_in: SignIn | None) -> Caller:
        """The caller that this person is. Who is not active may do nothing; without a sign-in nobody is fresh.

        A local owner has every permission: the way back in depends on no configuration.
        """
        raise NotImplementedError

    def groups(self, user: User) -> frozenset[str]:
        """The groups of the installation they are in now."""
        raise NotImplementedError
