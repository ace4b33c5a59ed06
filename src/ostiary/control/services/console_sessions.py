"""Browsers that are signed in. A cookie is 32 random bytes; its SHA-256 is all that is stored."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from ostiary.control.caller import Caller
from ostiary.control.identity_ports import People, SignIns
from ostiary.control.services.callers import Callers
from ostiary.control.services.confirmation import Confirmation
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.handles import Randomness, handle_hash, new_handle
from ostiary.control.services.provider_tokens import HeldTokens, ProviderTokens
from ostiary.control.services.whole import whole
from ostiary.identity.standing import is_somebody
from ostiary.model.configuration import Configuration
from ostiary.model.errors import NotFoundError
from ostiary.model.person import SignIn, SignInKind, User

SEEN_EVERY_S = 60.0
"""How exactly it is stored when somebody was last seen; more often where the idle limit is short."""

COOKIE_MAX_CHARACTERS = 100
DEVICE_MAX_CHARACTERS = 200
LISTED_MAX = 500


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser at the door: its network address, its own name for itself, and the console cookie it came with."""

    network: str
    device: str
    cookie: str | None = None

    def __repr__(self) -> str:
        return f"Visit({self.network!r})"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in. `csrf` must come back with everything that changes something."""

    user: User
    sign_in: SignIn
    caller: Caller
    csrf: str

    def __repr__(self) -> str:
        return f"Visitor({self.user.id!r}, {self.sign_in.id!r})"


@dataclass(frozen=True, slots=True)
class Proof:
    """How somebody just proved who they are. `issuer` None is the local owner. `authenticated_at` None: the provider
    does not say when, so it counts as long ago. `ends_at` is when the provider wants the session to be over at the
    latest."""

    authenticated_at: float | None
    issuer: str | None = None
    idp_session: str | None = None
    tokens: ProviderTokens | None = None
    ends_at: float | None = None


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
        self._confirmation = Confirmation(sign_ins, held, configuration)
        self._configuration = configuration
        self._clock = clock
        self._randomness = randomness

    async def visitor(self, cookie: str | None) -> Visitor | None:
        """Whose console cookie this is; None when it is nobody's, ended, over its limits, its person inactive, or their
        identity provider no longer configured or another one now. From where it comes is not asked: people move."""
        sign_in = self.of_cookie(cookie)
        if sign_in is None or cookie is None:
            return None
        user = self._people.get(sign_in.user_id)
        issuers = self._configuration().issuers
        if not is_somebody(user, issuers) or sign_in.issuer not in (None, *(issuer.name for issuer in issuers)):
            return None
        now = self._clock()
        every_s = SEEN_EVERY_S if sign_in.idle_s is None else min(SEEN_EVERY_S, sign_in.idle_s / 4)
        if now - sign_in.seen_at >= every_s:
            await asyncio.to_thread(self._sign_ins.seen, sign_in.id, now)
        return Visitor(user, sign_in, self._callers.of(user, sign_in), _csrf(cookie))

    def of_cookie(self, cookie: str | None) -> SignIn | None:
        """The live sign-in of a browser, whoever its person is now."""
        if not cookie or len(cookie) > COOKIE_MAX_CHARACTERS:
            return None
        sign_in = self._sign_ins.of_handle(handle_hash(cookie))
        return sign_in if sign_in is not None and self._is_open(sign_in) else None

    async def open(
        self, user: User, proof: Proof, visit: Visit, *, is_step_up: bool = False, began_as: str | None = None
    ) -> str:
        """The new cookie. It is never the one the browser came with, which works no more (G13): its sign-in goes on
        under the new cookie when this was a step-up of the same person in the same session at the provider; it ends
        otherwise, and its tools are left to be re-checked as before. `began_as` is the id of the browser's sign-in when
        it went to its provider: it comes back without a cookie from some."""
        return await whole(self._open(user, proof, visit, is_step_up, began_as))

    async def own(self, user: User) -> list[SignIn]:
        """Their sign-ins that live now, browsers and tools, the newest first. `ends_at` is when they end at the latest,
        their limits as well as what nobody confirms considered."""
        return await asyncio.to_thread(self._own, user, self._clock())

    async def end_own(self, user: User, sign_in_id: str) -> None:
        """Raises `NotFoundError`, also for somebody else's."""
        sign_in = self._sign_ins.get(sign_in_id)
        if sign_in is None or sign_in.user_id != user.id:
            raise NotFoundError("There is no such sign-in.", "Your account page lists yours.")
        await self.close(sign_in, "ended by its person")

    async def close(self, sign_in: SignIn, why: str) -> None:
        """End a sign-in whose person keeps their access."""
        if sign_in.kind is SignInKind.CONSOLE:
            await asyncio.to_thread(self._held.hand_over, sign_in, self._clock())
        await self._end.of_sign_in(sign_in, why)

    async def _open(self, user: User, proof: Proof, visit: Visit, is_step_up: bool, began_as: str | None) -> str:
        now = self._clock()
        cookie = new_handle(self._randomness)
        proved_at = 0.0 if proof.authenticated_at is None else min(proof.authenticated_at, now)
        old = self.of_cookie(visit.cookie) or self._begun(began_as)
        if is_step_up and old is not None and _is_same(old, user, proof):
            await asyncio.to_thread(self._step_up, old, proof, handle_hash(cookie), proved_at, now)
            return cookie
        limits = self._configuration().sign_in
        ends_at = now + limits.absolute_s
        sign_in = SignIn(
            id="si_" + self._randomness(8).hex(),
            kind=SignInKind.CONSOLE,
            user_id=user.id,
            created_at=now,
            authenticated_at=proved_at,
            seen_at=now,
            ends_at=ends_at if proof.ends_at is None else min(ends_at, proof.ends_at),
            idle_s=limits.idle_s,
            issuer=proof.issuer,
            idp_session=proof.idp_session,
            device="".join(each for each in visit.device if each.isprintable())[:DEVICE_MAX_CHARACTERS],
            network=visit.network,
        )
        sealed = self._held.sealed(sign_in.id, proof.tokens)
        await asyncio.to_thread(self._sign_ins.add, handle_hash(cookie), sign_in, sealed, None)
        if old is not None:
            await self.close(old, "signed in again")
        return cookie

    def _own(self, user: User, now: float) -> list[SignIn]:
        listed = [each for each in self._sign_ins.of_user(user.id, LISTED_MAX) if each.is_live(now)]
        return [replace(each, ends_at=min(each.ends_at, self._confirmation.ends_at(each, now))) for each in listed]

    def _begun(self, sign_in_id: str | None) -> SignIn | None:
        sign_in = None if sign_in_id is None else self._sign_ins.get(sign_in_id)
        return sign_in if sign_in is not None and self._is_open(sign_in) else None

    def _is_open(self, sign_in: SignIn) -> bool:
        """Within the limits it began with, and within those of now where they are shorter."""
        if sign_in.kind is not SignInKind.CONSOLE:
            return False
        limits = self._configuration().sign_in
        idle_s = limits.idle_s if sign_in.idle_s is None else min(sign_in.idle_s, limits.idle_s)
        ends_at = min(sign_in.ends_at, sign_in.created_at + limits.absolute_s)
        return replace(sign_in, idle_s=idle_s, ends_at=ends_at).is_live(self._clock())

    def _step_up(self, sign_in: SignIn, proof: Proof, handle: bytes, proved_at: float, now: float) -> None:
        self._sign_ins.authenticated(sign_in.id, handle, proved_at)
        self._sign_ins.seen(sign_in.id, now)
        self._sign_ins.checked(sign_in.id, now, self._held.sealed(sign_in.id, proof.tokens))


def _is_same(sign_in: SignIn, user: User, proof: Proof) -> bool:
    mine = (sign_in.user_id, sign_in.issuer, sign_in.idp_session)
    return mine == (user.id, proof.issuer, proof.idp_session)


def _csrf(cookie: str) -> str:
    """Made from the cookie, so that it need not be stored and cannot be told without it."""
    return hashlib.sha256(b"csrf" + cookie.encode()).hexdigest()
