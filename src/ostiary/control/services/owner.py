"""The local owner: comes in by a one-time link, stays by a code or a passkey. No identity provider is needed for it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from ostiary.control.caller import Caller, Permission
from ostiary.control.identity_ports import OneTime, OpenTokens, OwnerCredentials, People, SealTokens
from ostiary.control.services.console_sessions import ConsoleSessions, Proof, Visit
from ostiary.control.services.handles import Randomness, handle_hash
from ostiary.control.services.outstanding import Outstanding
from ostiary.control.services.owner_codes import KEY_BYTES, TotpEnrolment, enrolment, matching_step
from ostiary.control.services.owner_links import OwnerLink, OwnerLinks, link_refused
from ostiary.control.services.owner_passkeys import Passkeys, what_passkeys_need
from ostiary.control.services.sign_in import Opened, relative_path
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.control.services.whole import whole
from ostiary.identity.limits import NetworkLimiter
from ostiary.model.errors import CallerError, IntegrityError, RefusedError, SignInRefusedError
from ostiary.model.person import Origin, OwnerCredential, User

__all__ = ["OwnerLink", "OwnerService", "TotpEnrolment"]

FAILURES_MAX = 10
"""Wrong codes in a row. Beyond, no code counts until a new link is used."""

TRIES_A_MINUTE = 10
"""Codes, passkeys and links of one network that are tried."""

ASKED_A_MINUTE = 60
"""What one network may ask for beside: pages with a passkey's challenge, and the steps before a credential is tried."""

ANSWER_S = 0.25
"""A refused try is answered after this, whatever was wrong with it."""

CHALLENGE_S = 300.0

_PASSKEY = "passkey"
_NAME_MAX_CHARACTERS = 200


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
        seal: SealTokens,
        unseal: OpenTokens,
        console_url: Callable[[], str],
        log: SignInLog,
        randomness: Randomness,
        answer_s: float = ANSWER_S,
    ) -> None:
        """`console_url` as browsers see it; its host is the passkeys' relying party."""
        self._people = people
        self._credentials = credentials
        self._one_time = one_time
        self._sessions = sessions
        self._seal = seal
        self._unseal = unseal
        self._console_url = console_url
        self._log = log
        self._randomness = randomness
        self._answer_s = answer_s
        self._links = OwnerLinks(people, credentials, one_time, randomness)
        self._challenges = Outstanding(one_time)
        self._tries = NetworkLimiter(TRIES_A_MINUTE / 60, TRIES_A_MINUTE, log.now)
        self._asked = NetworkLimiter(ASKED_A_MINUTE / 60, ASKED_A_MINUTE, log.now)
        self._one_code_at_a_time = asyncio.Lock()
        self._nobodys_key = randomness(KEY_BYTES)

    # -- links

    async def has_owner(self) -> bool:
        return bool(await asyncio.to_thread(self._credentials.owner_ids))

    async def first_start_link(self) -> str | None:
        """The URL that makes whoever opens it first the owner, once, within 24 hours. None when there is an owner. A
        link made before works no more."""
        if await self.has_owner():
            return None
        return self._url_of(await self._links.new("first", self._log.now()))

    async def new_link(self, caller: Caller) -> str:
        """A link over the admin socket, at any time: for the first owner, or for the owner who lost code or passkey.
        Using it replaces all their credentials and ends their sign-ins. Raises `RefusedError` for anybody but the local
        owner of the machine."""
        caller.require(Permission.PEOPLE_MANAGE)
        if caller.user_id is not None or caller.sign_in is not None:
            raise RefusedError(
                "An owner's link is made on the machine that Ostiary runs on.", "Use `ostiary` there, as its user."
            )
        code = await self._links.new("recovery", self._log.now())
        self._log.write("admin.owner.link", caller, {"for": "the owner" if await self.has_owner() else "a first owner"})
        return self._url_of(code)

    async def link(self, code: str, network: str) -> OwnerLink:
        """Whether the link is good; nothing is used up. Raises `SignInRefusedError`."""
        async with self._same_answer(network, self._asked):
            return self._links.read(code, self._log.now()).link

    # -- credentials

    def what_passkeys_need(self) -> str:
        """Empty where they work; else a sentence for whoever would like one."""
        return what_passkeys_need(self._console_url())

    async def enrol_totp(self, code: str, name: str, network: str) -> TotpEnrolment:
        """Begin with an authenticator app; nothing counts before `confirm_totp`. `name` is the new owner's (ignored for
        one who comes back). Raises `CallerError` for a name that no owner can have."""
        async with self._same_answer(network, self._asked):
            found = self._links.read(code, self._log.now())
        name = self._links.checked_name(found, name)
        key = self._randomness(KEY_BYTES)
        sealed = base64.b64encode(self._seal(found.id, key)).decode()
        await self._links.keep(found, {"kind": "totp", "name": name, "sealed": sealed}, self._log.now())
        return enrolment(key, name, self._console_url().partition("://")[2])

    async def confirm_totp(self, code: str, totp_code: str, visit: Visit) -> Opened:
        """The first code of the app: the owner is made, the link is used up, and this browser is signed in. Raises
        `CallerError` for a wrong code; after ten of them the link is used up too."""
        async with self._same_answer(visit.network, self._tries):
            now = self._log.now()
            found = self._links.read(code, now, "totp")
            key = self._unseal(found.id, base64.b64decode(found.pending["sealed"]))
            step = matching_step(key, totp_code, now)
        if step is None:
            await self._links.failed(found, FAILURES_MAX, now)
            raise CallerError(
                "This code does not fit.", "Type the one shown now; app and server must agree on the time."
            )
        credential_id = "oc_" + self._randomness(8).hex()
        return await whole(self._settle(found.code, "totp", credential_id, key, step, visit))

    async def enrol_passkey(self, code: str, name: str, network: str) -> Mapping[str, Any]:
        """Options for `navigator.credentials.create` as JSON. `name` as for `enrol_totp`. Raises `CallerError` also
        where the console's address is none that browsers make passkeys for."""
        async with self._same_answer(network, self._asked):
            found = self._links.read(code, self._log.now())
        name = self._links.checked_name(found, name)
        options, state = await asyncio.to_thread(
            Passkeys(self._console_url()).creation,
            found.user.id if found.user else found.id,
            name,
            self._randomness(32),
        )
        await self._links.keep(found, {"kind": _PASSKEY, "name": name, "state": state}, self._log.now())
        return options

    async def confirm_passkey(self, code: str, answer: Mapping[str, Any], visit: Visit) -> Opened:
        """`answer` is the new credential's `toJSON()`."""
        async with self._same_answer(visit.network, self._tries):
            found = self._links.read(code, self._log.now(), _PASSKEY)
            passkey = await asyncio.to_thread(Passkeys(self._console_url()).created, found.pending["state"], answer)
        return await whole(self._settle(found.code, _PASSKEY, passkey.id, passkey.data, passkey.counter, visit))

    # -- signing in

    async def sign_in_totp(self, name: str, totp_code: str, visit: Visit, next_path: str) -> Opened:
        async with self._same_answer(visit.network, self._tries):
            user = self._owner_named(name)
            known = [] if user is None else self._credentials.of_user(user.id)
            # One at a time, or many guesses at once would all be judged by the failures before them.
            async with self._one_code_at_a_time:
                credential = await self._check_code(
                    next((each for each in known if each.kind == "totp"), None), totp_code
                )
            if user is None or credential is None:
                raise SignInRefusedError("code_wrong")
        return await self._open(user, visit, next_path)

    async def passkey_options(self, browser: str, network: str) -> Mapping[str, Any]:
        """Options for `navigator.credentials.get` as JSON; they name nobody. `browser` is the attempt cookie's value.
        Raises `CallerError` as `enrol_passkey`."""
        async with self._same_answer(network, self._asked):
            # Not on the loop: the first passkey brings a library with it.
            options, state = await asyncio.to_thread(Passkeys(self._console_url()).request, self._randomness(32))
            now = self._log.now()
            if not browser:
                raise SignInRefusedError("browser_unknown")
            await asyncio.to_thread(self._replace, handle_hash(browser), {"state": state}, now)
        return options

    async def sign_in_passkey(self, browser: str, answer: Mapping[str, Any], visit: Visit, next_path: str) -> Opened:
        """`answer` is the credential's `toJSON()`."""
        async with self._same_answer(visit.network, self._tries):
            now = self._log.now()
            asked = await asyncio.to_thread(self._one_time.take, _PASSKEY, handle_hash(browser), now)
            if asked is None:
                raise SignInRefusedError("attempt_unknown")
            passkeys = Passkeys(self._console_url())
            named = await asyncio.to_thread(passkeys.named_in, answer)
            credential = self._credentials.get(named)
            user = None if credential is None else self._people.get(credential.user_id)
            if credential is None or credential.kind != _PASSKEY or user is None or not user.active:
                raise SignInRefusedError("passkey_unknown")
            data = self._opened(credential)
            counter = await asyncio.to_thread(passkeys.counter_of, asked["state"], data, answer)
            if not await asyncio.to_thread(self._credentials.used, credential.id, counter, now):
                raise SignInRefusedError("passkey_copied")
        return await self._open(user, visit, next_path)

    # -- within

    @asynccontextmanager
    async def _same_answer(self, network: str, limit: NetworkLimiter) -> AsyncIterator[None]:
        """What is refused within takes as long as anything else that is, and is an audit entry."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            if not limit.take(network):
                raise SignInRefusedError("too_many_tries")
            yield
        except SignInRefusedError as refused:
            self._log.refused(None, refused.reason, network)
            await asyncio.sleep(max(0.0, began + self._answer_s - loop.time()))
            raise

    async def _check_code(self, known: OwnerCredential | None, totp_code: str) -> OwnerCredential | None:
        """The credential that the code is right for. The same steps for nobody's as for a wrong one."""
        now = self._log.now()
        # Read again: only now is it certain that nobody else counts.
        credential = None if known is None else self._credentials.get(known.id)
        key = self._nobodys_key if credential is None else self._opened(credential)
        step = matching_step(key, totp_code, now)
        if credential is None:
            return None
        if credential.failures >= FAILURES_MAX:
            raise SignInRefusedError("locked")
        if step is None:
            await asyncio.to_thread(self._credentials.failed, credential.id)
            return None
        if not await asyncio.to_thread(self._credentials.used, credential.id, step, now):
            raise SignInRefusedError("code_used")
        return credential

    def _opened(self, credential: OwnerCredential) -> bytes:
        try:
            return self._unseal(credential.id, credential.sealed)
        except IntegrityError:
            raise SignInRefusedError("credential_unreadable") from None

    def _owner_named(self, name: str) -> User | None:
        user = self._people.named(name) if 0 < len(name) <= _NAME_MAX_CHARACTERS else None
        return user if user is not None and user.origin is Origin.LOCAL and user.active else None

    async def _settle(
        self, code: str, kind: str, credential_id: str, value: bytes, counter: int, visit: Visit
    ) -> Opened:
        """Use up the link, and give its owner this one credential."""
        now = self._log.now()
        found = await self._links.take(code, now, kind)
        if found is None:
            raise link_refused("link_used")
        user = await asyncio.to_thread(self._made, found.user, found.pending["name"], found.id)
        for sign_in in await self._sessions.own(user):
            await self._sessions.close(sign_in, "the owner came in by a new link")
        credential = OwnerCredential(
            credential_id, user.id, kind, self._seal(credential_id, value), counter, 0, created_at=now, used_at=now
        )
        await asyncio.to_thread(self._replace_credentials, credential)
        self._log.changed(
            "admin.user.add" if found.user is None else "admin.user.change",
            user,
            {"origin": Origin.LOCAL.value} if found.user is None else {"changed": ["credential"], "credential": kind},
        )
        return await self._open(user, visit, "/")

    def _made(self, known: User | None, name: str, new_id: str) -> User:
        """Access to the machine stands above whoever made the owner inactive."""
        now = self._log.now()
        if known is None:
            user = User(new_id, name, Origin.LOCAL, created_at=now, changed_at=now, seen_at=now)
            if self._people.add(user):
                return user
        elif known.active or self._people.change(replace(known, active=True, changed_at=now)):
            return known if known.active else replace(known, active=True, changed_at=now, version=known.version + 1)
        raise CallerError(
            "Somebody was given this name, or changed, in the meantime.", "Make a new link and start again."
        )

    def _replace_credentials(self, credential: OwnerCredential) -> None:
        old = self._credentials.of_user(credential.user_id)
        self._credentials.add(credential)
        for each in old:
            self._credentials.remove(each.id)

    def _replace(self, browser: bytes, document: Mapping[str, Any], now: float) -> None:
        self._one_time.take(_PASSKEY, browser, 0.0)  # an expired one too
        self._challenges.put(_PASSKEY, browser, document, now + CHALLENGE_S)

    async def _open(self, user: User, visit: Visit, next_path: str) -> Opened:
        cookie = await self._sessions.open(user, Proof(self._log.now()), visit)
        self._log.signed_in(user, None, "console", visit.network)
        return Opened(cookie, relative_path(next_path), user)

    def _url_of(self, code: str) -> str:
        return f"{self._console_url()}/first-start?code={code}"
