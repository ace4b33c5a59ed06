"""Whether those who are signed in still have access: asked of their identity provider, again and again."""

from collections.abc import Callable

from ostiary.control.identity_ports import IdentityProviders, People, SignIns
from ostiary.control.services.arrivals import Arrivals
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.provider_tokens import HeldTokens
from ostiary.model.configuration import Configuration


class Recheck:
    def __init__(
        self,
        *,
        providers: IdentityProviders,
        people: People,
        arrivals: Arrivals,
        sign_ins: SignIns,
        held: HeldTokens,
        end: EndOfAccess,
        configuration: Callable[[], Configuration],
        clock: Callable[[], float],
    ) -> None:
        self._providers = providers

    async def run(self, interval_s: float = 15.0) -> None:
        """For ever; cancel it to stop."""
        raise NotImplementedError

    async def once(self) -> None:
        """Ask for everybody who is due, ten at a time, and end sign-ins that are over their limits."""
        raise NotImplementedError
