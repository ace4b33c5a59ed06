"""Browsers that are signed in. A cookie is 32 random bytes; its SHA-256 is all that is stored."""

from collections.abc import Callable
from dataclasses import dataclass

from ostiary.control.caller import Caller
from ostiary.control.identity_ports import People, SignIns
from ostiary.control.services.callers import Callers
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.handles import Randomness
from ostiary.control.services.provider_tokens import HeldTokens, ProviderTokens
from ostiary.model.configuration import Configuration
from ostiary.model.person import SignIn, User


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser at the door: its network address, its own name for itself, and the console cookie it came with."""

    network: str
    device: str
    cookie: str | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in. `csrf` must come back with everything that changes something."""

    user: User
    sign_in: SignIn
    caller: Caller
    csrf: str


@dataclass(frozen=True, slots=True)
class Proof:
    """How somebody just proved who they are. `issuer` None is the local owner. `authenticated_at` None: the provider does
    not say when, so it counts as long ago."""

    authenticated_at: float | None
    issuer: str | None = None
    idp_session: str | None = None
    tokens: ProviderTokens | None = None


class ConsoleSessions:
    def __init__(
        self,
        *,
        sign_ins: SignIns,
        people: People,
        callers: Callers,
        end: EndOfAccess,
        held: HeldTokens,
        configuration: Callable[[], Configuration],
        clock: Callable[[], float],
        randomness: Randomness,
    ) -> None:
        self._sign_ins = sign_ins
        self._people = people
        self._callers = callers
        self._end = end
        self._held = held
        self._configuration = configuration
        self._clock = clock
        self._randomness = randomness

    async def visitor(self, cookie: str | None, network: str) -> Visitor | None:
        """Whose console cookie this is; None when it is nobody's, ended, over its limits, or its person inactive."""
        raise NotImplementedError

    async def open(self, user: User, proof: Proof, visit: Visit, *, is_step_up: bool = False) -> str:
        """The new cookie. It is never the one the browser came with, which works no more (G13): its sign-in goes on under
        the new cookie when this was a step-up of the same person, and ends otherwise."""
        raise NotImplementedError

    async def own(self, user: User) -> list[SignIn]:
        """Their sign-ins that live now, browsers and tools, the newest first."""
        raise NotImplementedError

    async def end_own(self, user: User, sign_in_id: str) -> None:
        """Raises `NotFoundError`, also for somebody else's."""
        raise NotImplementedError
