"""When somebody may no more: everything they hold ends, and what of theirs is running ends with it."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from ostiary.control.identity_ports import AccessChanged, People, SignIns, TokensOfActors
from ostiary.control.ports import DecisionDesk
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.control.services.whole import whole
from ostiary.model.actor import ActorKind
from ostiary.model.approval import ApprovalState
from ostiary.model.person import SignIn, SignInKind, User, name_key
from ostiary.model.token import TokenRecord

OPEN_APPROVALS_MAX = 10_000


class ActorTokens(TokensOfActors, Protocol):
    def live_of(self, kind: ActorKind, name: str, agent: str | None, now: float) -> bool: ...


class EndOfAccess:
    """Every method leaves nothing half done when its caller is cancelled, and may be called twice."""

    def __init__(
        self,
        *,
        people: People,
        sign_ins: SignIns,
        tokens: ActorTokens,
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
        """End every sign-in and token of the person and their agents, withdraw what they wait for, and have their
        running streams looked at. Tokens that their issuer made until now open nothing any more. Whether they may come
        back is `User.active`, the caller's to have changed first."""
        await whole(self._of_user(user, why))

    async def of_identity(self, user: User, why: str, until: float) -> None:
        """End every sign-in of the person, what they made or got within these, and what their issuer's own tokens open
        that it made up to `until` or now: all that they have by their issuer. Tokens that others made for their name
        stay."""
        await whole(self._of_identity(user, why, until))

    async def of_sign_in(self, sign_in: SignIn, why: str) -> None:
        """End one sign-in with its tokens, and withdraw what these wait for unless their holder has other ones."""
        await whole(self._of_sign_in(sign_in, why))

    async def of_service(self, name: str) -> None:
        """End every key of a service account, and withdraw what it waits for. The caller writes the entry."""
        await whole(self._of_service(name))

    async def reconsider(self) -> None:
        """Groups or roles changed: tokens and running streams are judged again, now."""
        self._access_changed()

    async def _of_identity(self, user: User, why: str, until: float) -> None:
        now = self._log.now()
        await asyncio.to_thread(self._people.refuse_until, user.id, max(now, until))
        for sign_in in await asyncio.to_thread(lambda: self._sign_ins.live(user_id=user.id)):
            await self._of_sign_in(sign_in, why)
        revoked = await asyncio.to_thread(lambda: self._tokens.revoke_all(now, user_id=user.id))
        self._access_changed()
        await self._withdraw(user, {(record.actor.kind, record.actor.agent) for record in revoked}, now)

    async def _of_user(self, user: User, why: str) -> None:
        now = self._log.now()
        # First: with one of these nobody comes in between.
        await asyncio.to_thread(self._people.refuse_until, user.id, now)
        ended, revoked = await asyncio.to_thread(self._end_all, user, why, now)
        self._access_changed()
        agents = {record.actor.agent for record in revoked if record.actor.agent is not None}
        agents |= await asyncio.to_thread(self._asking_agents, user.name)
        await self._desk.withdraw(ActorKind.USER, user.name, None)
        for agent in sorted(agents):
            await self._desk.withdraw(ActorKind.AGENT, user.name, agent)
        if ended or revoked:
            self._log.ended(user.name, why)

    def _end_all(self, user: User, why: str, now: float) -> tuple[int, list[TokenRecord]]:
        ended, revoked = 0, list[TokenRecord]()
        for sign_in in self._sign_ins.live(user_id=user.id):
            ended += self._sign_ins.end(sign_in.id, now, why)  # first: what has ended makes no more tokens
            # The person may have had another name when these tokens were made.
            revoked += self._tokens.revoke_all(now, sign_in=sign_in.id)
        return ended, revoked + self._tokens.revoke_all(now, actor=user.name, user_id=user.id)

    def _asking_agents(self, name: str) -> set[str]:
        """Of approvals that outlived their agent's token."""
        key = name_key(name)
        approvals = [
            approval
            for state in (ApprovalState.WAITING, ApprovalState.GRANTED)
            for approval in self._desk.newest(state, OPEN_APPROVALS_MAX)
        ]
        return {each.agent for each in approvals if each.agent is not None and name_key(each.actor) == key}

    async def _of_sign_in(self, sign_in: SignIn, why: str) -> None:
        now = self._log.now()
        ended = await asyncio.to_thread(self._sign_ins.end, sign_in.id, now, why)
        revoked = await asyncio.to_thread(self._tokens.revoke_all, now, sign_in=sign_in.id)
        if revoked or sign_in.kind is SignInKind.TOOL:
            # A stream may have outlived the token it began with.
            self._access_changed()
        user = self._people.get(sign_in.user_id)
        if user is None:
            return
        holders = {(record.actor.kind, record.actor.agent) for record in revoked}
        if sign_in.kind is SignInKind.TOOL:
            holders.add((_kind_of(sign_in), sign_in.agent))
        await self._withdraw(user, holders, now)
        if ended:
            self._log.ended(user.name, why)

    async def _withdraw(self, user: User, holders: Iterable[tuple[ActorKind, str | None]], now: float) -> None:
        """What these (the person, or an agent of theirs) wait for, unless they have another token or sign-in."""
        for kind, agent in sorted(holders, key=lambda holder: holder[1] or ""):
            if not await asyncio.to_thread(self._has_another, user, kind, agent, now):
                await self._desk.withdraw(kind, user.name, agent)

    def _has_another(self, user: User, kind: ActorKind, agent: str | None, now: float) -> bool:
        if self._tokens.live_of(kind, user.name, agent, now):
            return True
        return any(
            other.kind is SignInKind.TOOL and other.agent == agent and other.is_live(now)
            for other in self._sign_ins.live(user_id=user.id)
        )

    async def _of_service(self, name: str) -> None:
        await asyncio.to_thread(self._tokens.revoke_all, self._log.now(), service=name)
        self._access_changed()
        await self._desk.withdraw(ActorKind.SERVICE, name, None)


def _kind_of(sign_in: SignIn) -> ActorKind:
    return ActorKind.USER if sign_in.agent is None else ActorKind.AGENT
