"""When somebody may no more: everything they hold ends, and what of theirs is running ends with it."""

from ostiary.control.identity_ports import AccessChanged, People, SignIns, TokensOfActors
from ostiary.control.ports import DecisionDesk
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.model.person import SignIn, User


class EndOfAccess:
    """Every method leaves nothing half done when its caller is cancelled, and may be called twice."""

    def __init__(
        self,
        *,
        people: People,
        sign_ins: SignIns,
        tokens: TokensOfActors,
        desk: DecisionDesk,
        access_changed: AccessChanged,
        log: SignInLog,
    ) -> None:
        self._people = people
        self._sign_ins = sign_ins
        self._tokens = tokens
        self._desk = desk
        self._access_changed = access_changed
        self._log = log

    async def of_user(self, user: User, why: str) -> None:
        """End every sign-in and token of the person and their agents, withdraw what they wait for, and have their running
        streams looked at. Whether they may come back is `User.active`, the caller's to have changed first."""
        raise NotImplementedError

    async def of_sign_in(self, sign_in: SignIn, why: str) -> None:
        """End one sign-in with its tokens, and withdraw what its agent waits for unless that agent has another one."""
        raise NotImplementedError

    async def of_service(self, name: str, why: str) -> None:
        """End every key of a service account, and withdraw what it waits for."""
        raise NotImplementedError

    async def reconsider(self) -> None:
        """Groups or roles changed: tokens and running streams are judged again, now."""
        raise NotImplementedError
