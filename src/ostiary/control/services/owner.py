"""The local owner: comes in by a one-time link, stays by a code or a passkey. No identity provider is needed for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.control.caller import Caller
from ostiary.control.identity_ports import OneTime, OpenTokens, OwnerCredentials, People, SealTokens
from ostiary.control.services.console_sessions import ConsoleSessions, Visit
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.handles import Randomness
from ostiary.control.services.sign_in import Opened
from ostiary.control.services.sign_in_log import SignInLog

LINK_S = 86_400.0


@dataclass(frozen=True, slots=True)
class OwnerLink:
    """A valid link. `name` is the owner it lets in again, None for the first one, who chooses a name."""

    name: str | None


@dataclass(frozen=True, slots=True, repr=False)
class TotpEnrolment:
    """For an authenticator app: `url` is `otpauth://…`, `secret` the same by hand (base32)."""

    url: str
    secret: str


class OwnerService:
    """Whatever is wrong with a name, a code or a passkey raises `SignInRefusedError` with the same sentence after the
    same time (G21)."""

    def __init__(
        self,
        *,
        people: People,
        credentials: OwnerCredentials,
        one_time: OneTime,
        sessions: ConsoleSessions,
        end: EndOfAccess,
        seal: SealTokens,
        unseal: OpenTokens,
        console_url: Callable[[], str],
        log: SignInLog,
        randomness: Randomness,
    ) -> None:
        """`console_url` as browsers see it; its host is the passkeys' relying party."""

    async def has_owner(self) -> bool:
        raise NotImplementedError

    async def first_start_link(self) -> str | None:
        """The URL that makes whoever opens it first the owner, once, within 24 hours. None when there is an owner. A
        link made before works no more."""
        raise NotImplementedError

    async def new_link(self, caller: Caller) -> str:
        """A link over the admin socket, at any time: for the first owner, or for the owner who lost code or passkey.
        Using it replaces all their credentials and ends their sign-ins. Raises `RefusedError` for anybody but the local
        owner."""
        raise NotImplementedError

    async def link(self, code: str, network: str) -> OwnerLink:
        """Whether the link is good; nothing is used up. Raises `SignInRefusedError`."""
        raise NotImplementedError

    async def enrol_totp(self, code: str, name: str, network: str) -> TotpEnrolment:
        """Begin with an authenticator app; nothing counts before `confirm_totp`. `name` is the new owner's (ignored for
        one who comes back). Raises `CallerError` for a name that no owner can have."""
        raise NotImplementedError

    async def confirm_totp(self, code: str, totp_code: str, visit: Visit) -> Opened:
        """The first code of the app: the owner is made, the link is used up, and this browser is signed in."""
        raise NotImplementedError

    async def enrol_passkey(self, code: str, name: str, network: str) -> Mapping[str, Any]:
        """Options for `navigator.credentials.create` as JSON."""
        raise NotImplementedError

    async def confirm_passkey(self, code: str, answer: Mapping[str, Any], visit: Visit) -> Opened:
        """`answer` is the new credential's `toJSON()`."""
        raise NotImplementedError

    async def sign_in_totp(self, name: str, totp_code: str, visit: Visit, next_path: str) -> Opened:
        raise NotImplementedError

    async def passkey_options(self, browser: str, network: str) -> Mapping[str, Any]:
        """Options for `navigator.credentials.get` as JSON; they name nobody. `browser` is the attempt cookie's
        value."""
        raise NotImplementedError

    async def sign_in_passkey(self, browser: str, answer: Mapping[str, Any], visit: Visit, next_path: str) -> Opened:
        """`answer` is the credential's `toJSON()`."""
        raise NotImplementedError
