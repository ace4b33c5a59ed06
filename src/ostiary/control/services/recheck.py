"""Whether those who are signed in still have access: asked of their identity provider, again and again.

Asked is whoever holds provider tokens: a browser, or a tool that was left them. With a refresh token the provider is
asked for new tokens; with an access token alone, for userinfo while that token is good. Three answers are told apart:

- **yes**: the sign-in, and the tools that came from the same session at the provider, are confirmed; groups are
updated.
- **no** (`invalid_grant`, or a good access token refused): that sign-in ends, and so do the tools that came
from the same session, unless another browser of that session is still confirmed. Other sessions of the person are asked
themselves.
- **anything else**, no answer included: nothing changes. Access ends with the limits of the sign-in at the
latest.

Where a provider gives no refresh token (many give one for the scope `offline_access` only), and for SAML, nobody can be
asked: then back-channel logout, SCIM, the console and the limits end access, and among these is one of its own: whoever
was not confirmed for so long has to sign in again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence

from ostiary.control.identity_ports import IdentityProviders, OneTime, People, SignIns
from ostiary.control.services.arrivals import Arrivals
from ostiary.control.services.confirmation import Confirmation
from ostiary.control.services.console_sessions import ConsoleSessions
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.oidc_answers import OidcAnswers
from ostiary.control.services.provider_tokens import HeldTokens, ProviderTokens
from ostiary.control.services.whole import whole
from ostiary.identity.standing import is_familiar, is_vouched_for
from ostiary.model.configuration import Configuration
from ostiary.model.errors import OstiaryError, ProviderRefusedError, SignInRefusedError
from ostiary.model.issuer import GroupsFrom, Issuer, OidcIssuer
from ostiary.model.person import SignIn, User

_log = logging.getLogger("ostiary.control")

INTERVAL_S = 15.0
AT_A_TIME = 10
REST_S = 60.0
"""A provider that does not answer is left alone for so long."""

KEPT_S = 90 * 86_400.0
"""How long ended sign-ins are listed."""

LIVE_MAX = 1_000_000

_SPREAD = 0.1
"""Everybody has an interval of their own, that much shorter or longer: those who came together are not asked
together."""


class Recheck:
    def __init__(
        self,
        *,
        providers: IdentityProviders,
        people: People,
        arrivals: Arrivals,
        sign_ins: SignIns,
        one_time: OneTime,
        sessions: ConsoleSessions,
        held: HeldTokens,
        end: EndOfAccess,
        configuration: Callable[[], Configuration],
        clock: Callable[[], float],
    ) -> None:
        self._people = people
        self._arrivals = arrivals
        self._sign_ins = sign_ins
        self._one_time = one_time
        self._sessions = sessions
        self._held = held
        self._end = end
        self._configuration = configuration
        self._clock = clock
        self._answers = OidcAnswers(providers, configuration)
        self._confirmation = Confirmation(sign_ins, held, configuration)
        self._resting: dict[str, float] = {}
        self._asking = asyncio.Semaphore(AT_A_TIME)

    async def run(self, interval_s: float = INTERVAL_S) -> None:
        """For ever; cancel it to stop."""
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.once()
            except OstiaryError as failure:
                _log.warning("recheck_failed code=%s", failure.code)
            except Exception as failure:  # noqa: BLE001 - the outermost loop: nobody would start it again
                _log.error("recheck_failed kind=%s", type(failure).__name__)

    async def once(self) -> None:
        """Ask for everybody who is due, ten at a time, end sign-ins that are over their limits, that nobody confirms
        any more, or whose identity provider is gone from the configuration, and forget what is long over."""
        now = self._clock()
        issuers = {issuer.name: issuer for issuer in self._configuration().issuers}
        live = await asyncio.to_thread(lambda: self._sign_ins.live(limit=LIVE_MAX))
        strangers = await asyncio.to_thread(self._strangers, tuple(issuers.values()))
        due: list[tuple[SignIn, OidcIssuer]] = []
        for sign_in in live:
            issuer = None if sign_in.issuer is None else issuers.get(sign_in.issuer)
            if not sign_in.is_live(now):
                await self._sessions.close(sign_in, "over its limits")
            elif sign_in.issuer is not None and issuer is None:
                await self._end.of_sign_in(sign_in, "its identity provider was removed")
            elif sign_in.user_id in strangers:
                await self._end.of_sign_in(sign_in, "its issuer is another identity provider now")
            elif await self._is_over(sign_in, now):
                await self._sessions.close(sign_in, "unconfirmed")
            elif isinstance(issuer, OidcIssuer) and _is_due(sign_in, issuer, now):
                due.append((sign_in, issuer))
        await asyncio.to_thread(self._one_time.drop_expired, now)
        await asyncio.to_thread(self._sign_ins.drop_old, now - KEPT_S)
        await asyncio.gather(*(self._ask(sign_in, issuer) for sign_in, issuer in due))

    def _strangers(self, issuers: Sequence[Issuer]) -> frozenset[str]:
        """Who came from a provider that had an issuer's name before."""
        return frozenset[str]().union(
            *(
                self._people.of_origin(issuer.name, identifier)
                for issuer in issuers
                for identifier in self._people.origins(issuer.name)
                if not is_familiar(issuer, identifier)
            )
        )

    async def _is_over(self, sign_in: SignIn, now: float) -> bool:
        if sign_in.issuer is None or self._confirmation.is_recent(sign_in, now):
            return False
        return now >= await asyncio.to_thread(self._confirmation.ends_at, sign_in, now)

    async def _ask(self, sign_in: SignIn, issuer: OidcIssuer) -> None:
        async with self._asking:
            if self._clock() < max(self._resting.get(issuer.name, 0.0), self._resting.get(sign_in.id, 0.0)):
                return
            try:
                await whole(self._check(sign_in, issuer))
            except SignInRefusedError as refused:
                _log.warning("recheck_unclear issuer=%s reason=%s", issuer.name, refused.reason)
                self._rest(sign_in.id)  # what is odd about one answer says nothing of the others
            except OstiaryError as failure:
                _log.warning("recheck_unanswered issuer=%s code=%s", issuer.name, failure.code)
                self._rest(issuer.name)

    def _rest(self, who: str) -> None:
        now = self._clock()
        self._resting = {name: until for name, until in self._resting.items() if until > now}
        self._resting[who] = now + REST_S

    async def _check(self, sign_in: SignIn, issuer: OidcIssuer) -> None:
        tokens = await asyncio.to_thread(self._held.of, sign_in.id)
        user = self._people.get(sign_in.user_id)
        if tokens is None or user is None or user.subject is None:
            return
        if not is_vouched_for(user, (issuer,)):
            return  # what one provider gave is shown to no other
        try:
            if tokens.refresh_token is not None:
                await self._refresh(sign_in, issuer, user, tokens)
            elif tokens.access_token is not None and self._clock() < (tokens.expires_at or 0.0):
                await self._ask_userinfo(sign_in, issuer, user, tokens.access_token)
        except ProviderRefusedError as refused:
            if refused.error not in ("invalid_grant", "invalid_token"):
                raise  # our client is what is refused, not the person
            # Somebody may have stepped up while the provider was asked, and have newer tokens.
            if await asyncio.to_thread(self._held.of, sign_in.id) == tokens:
                await self._lost(sign_in)

    async def _refresh(self, sign_in: SignIn, issuer: OidcIssuer, user: User, tokens: ProviderTokens) -> None:
        claims, newer = await self._answers.of_refresh(issuer, user.subject or "", tokens, self._clock)
        # The old refresh token may be spent: nothing comes before keeping the new one.
        await asyncio.to_thread(self._confirm, sign_in, tokens, newer)
        if claims is not None:
            await self._arrivals.seen_again(user, await self._answers.profile(issuer, claims, newer.access_token))
        elif issuer.groups_from is GroupsFrom.USERINFO and newer.access_token is not None:
            await self._ask_userinfo(sign_in, issuer, user, newer.access_token)

    async def _ask_userinfo(self, sign_in: SignIn, issuer: OidcIssuer, user: User, access_token: str) -> None:
        userinfo = await self._answers.userinfo(issuer, access_token)
        await asyncio.to_thread(self._confirm, sign_in, None, None)
        if issuer.groups_from is GroupsFrom.USERINFO:
            claims = {"sub": user.subject}
            await self._arrivals.seen_again(user, self._answers.profile_with(issuer, claims, userinfo))

    def _confirm(self, sign_in: SignIn, old: ProviderTokens | None, newer: ProviderTokens | None) -> None:
        now = self._clock()
        if newer is not None and self._held.of(sign_in.id) != old:
            newer = None  # stepped up meanwhile
        self._sign_ins.checked(sign_in.id, now, self._held.sealed(sign_in.id, newer))
        for tool in self._held.shared_by(sign_in, now):
            self._sign_ins.checked(tool.id, now, None)

    async def _lost(self, sign_in: SignIn) -> None:
        now = self._clock()
        is_alone = not await asyncio.to_thread(self._is_held_elsewhere, sign_in, now)
        sharing = await asyncio.to_thread(self._held.shared_by, sign_in, now) if is_alone else []
        for each in (sign_in, *sharing):
            await self._end.of_sign_in(each, "the identity provider no longer confirms it")

    def _is_held_elsewhere(self, sign_in: SignIn, now: float) -> bool:
        others: Iterable[SignIn] = self._sign_ins.live(user_id=sign_in.user_id, issuer=sign_in.issuer)
        return any(
            other.id != sign_in.id
            and other.idp_session == sign_in.idp_session
            and other.is_live(now)
            and self._held.of(other.id) is not None
            for other in others
        )


def _is_due(sign_in: SignIn, issuer: OidcIssuer, now: float) -> bool:
    fraction = hashlib.sha256(sign_in.id.encode()).digest()[0] / 255
    every_s = issuer.recheck_s * (1 - _SPREAD + 2 * _SPREAD * fraction)
    return now >= (sign_in.checked_at or sign_in.created_at) + every_s
