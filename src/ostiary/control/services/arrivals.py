"""From what an identity provider says of somebody to the user they are."""

from collections.abc import Callable

from ostiary.control.identity_ports import AccessChanged, People
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.handles import Randomness
from ostiary.model.configuration import Configuration
from ostiary.model.person import Profile, User


class Arrivals:
    def __init__(
        self,
        people: People,
        configuration: Callable[[], Configuration],
        access_changed: AccessChanged,
        log: AdminLog,
        randomness: Randomness,
    ) -> None:
        self._people = people
        self._configuration = configuration
        self._access_changed = access_changed
        self._log = log
        self._randomness = randomness

    async def user_of(self, profile: Profile) -> User:
        """The user whom this issuer calls by this subject, with what it says of them now. At the first time they are the
        one that SCIM provisioned for this issuer under that name, or a new one; never one of another issuer, and never
        one found by an e-mail address (G10). A known user keeps their name, whatever the provider calls them now: rules,
        approvals and the audit log know them by it.

        Raises `SignInRefusedError`: `inactive`, or `name_taken` by somebody else.
        """
        raise NotImplementedError

    async def seen_again(self, user: User, profile: Profile) -> User:
        """What the issuer says now of a user who is signed in; groups that changed take effect at once."""
        raise NotImplementedError
