"""Signing in to the console through the company's identity providers, and out again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ostiary.control.identity_ports import IdentityProviders, OneTime, SignIns
from ostiary.control.services.arrivals import Arrivals
from ostiary.control.services.console_sessions import ConsoleSessions, Visit
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.handles import Randomness
from ostiary.control.services.provider_tokens import HeldTokens
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.model.configuration import Configuration
from ostiary.model.person import User

__all__ = ["Choice", "Opened", "SignInService", "Visit"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to sign in. `kind` is `oidc`, `saml` or `local`; the last one's name is empty."""

    name: str
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class Opened:
    """Signed in: the console cookie to set, and the relative path to go on to."""

    cookie: str
    next_path: str
    user: User

    def __repr__(self) -> str:
        return f"Opened({self.user.id!r})"


class SignInService:
    """Everything that is wrong with a proof raises `SignInRefusedError` with the same public sentence, and is an audit
    entry that says which. `UnreachableError` when the provider does not answer."""

    def __init__(
        self,
        *,
        providers: IdentityProviders,
        arrivals: Arrivals,
        sign_ins: SignIns,
        one_time: OneTime,
        sessions: ConsoleSessions,
        held: HeldTokens,
        end: EndOfAccess,
        configuration: Callable[[], Configuration],
        console_url: Callable[[], str],
        log: SignInLog,
        randomness: Randomness,
    ) -> None:
        """`console_url` is the console's address as browsers see it, without a slash at its end."""

    def choices(self) -> tuple[Choice, ...]:
        """The local owner's comes last."""
        raise NotImplementedError

    async def begin(
        self, issuer: str, browser: str, next_path: str, step_up: bool = False, *, network: str = ""
    ) -> str:
        """The identity provider's URL to send the browser to. `browser` is the value of its attempt cookie; the answer
        is taken from that browser only, once, within ten minutes. A `next_path` that is not relative becomes `/` (G12).

        Raises `NotFoundError` for no such issuer, `SignInRefusedError` for too many attempts of a network.
        """
        raise NotImplementedError

    async def finish_oidc(self, issuer: str, browser: str, parameters: Mapping[str, str], visit: Visit) -> Opened:
        """`parameters` are the callback's query."""
        raise NotImplementedError

    async def finish_saml(
        self, issuer: str, browser: str, saml_response: str, relay_state: str, visit: Visit
    ) -> Opened:
        raise NotImplementedError

    async def sign_out(self, cookie: str | None) -> str | None:
        """End the browser's sign-in here; the URL that ends it at the provider too, where it has one."""
        raise NotImplementedError

    async def back_channel(self, issuer: str, logout_token: str) -> None:
        """End what an OpenID provider says has ended (Back-Channel Logout 1.0)."""
        raise NotImplementedError
