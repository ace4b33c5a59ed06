"""Sign-ins of tools: a refresh token that is replaced with every use, and the short-lived tokens it gives."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.control.caller import Caller
from ostiary.control.identity_ports import OneTime, People, SignIns
from ostiary.control.ports import TokenStore
from ostiary.control.services.confirmation import Confirmation
from ostiary.control.services.end_of_access import EndOfAccess
from ostiary.control.services.handles import RANDOM_BYTES, Randomness
from ostiary.control.services.oauth.errors import OAuthError
from ostiary.control.services.oauth.refresh_token import RefreshToken, read_refresh_token
from ostiary.control.services.oauth.requests import Asked, needed, scope_of
from ostiary.control.services.provider_tokens import HeldTokens
from ostiary.control.services.sign_in_log import SignInLog
from ostiary.control.services.token_mint import TokenMint
from ostiary.identity.standing import is_somebody
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.configuration import Configuration
from ostiary.model.person import SignIn, SignInKind, User
from ostiary.model.token import TokenScope

FAMILIES = "refresh-family"
SUCCESSORS = "refresh-next"
LOST_ANSWER_S = 10.0
"""For so long the token before the present one gives the present one again, unless that was used."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Somebody agreed in their console session `sign_in` that a tool may have a sign-in of theirs."""

    user_id: str
    sign_in: str
    asked: Asked

    def document(self) -> dict[str, Any]:
        scopes = sorted(scope.value for scope in self.asked.scopes)
        return {
            "user": self.user_id,
            "sign_in": self.sign_in,
            "scopes": scopes,
            "agent": self.asked.agent,
            "device": self.asked.device,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Confirmed":
        scopes = frozenset(TokenScope(scope) for scope in document["scopes"])
        return cls(document["user"], document["sign_in"], Asked(scopes, document["agent"], document["device"]))


class ToolTokens:
    def __init__(
        self,
        *,
        people: People,
        sign_ins: SignIns,
        one_time: OneTime,
        tokens: TokenStore,
        mint: TokenMint,
        end: EndOfAccess,
        held: HeldTokens,
        configuration: Callable[[], Configuration],
        access_ttl_s: float,
        randomness: Randomness,
        log: SignInLog,
    ) -> None:
        self._people = people
        self._sign_ins = sign_ins
        self._one_time = one_time
        self._tokens = tokens
        self._mint = mint
        self._end = end
        self._confirmation = Confirmation(sign_ins, held, configuration)
        self._configuration = configuration
        self._access_ttl_s = access_ttl_s
        self._randomness = randomness
        self._log = log

    def life_s(self, console: SignIn) -> float:
        """How long a tool may stay signed in that somebody confirms in this console session, before its identity
        provider has to confirm them once more."""
        now = self._log.now()
        most_s = self._configuration().sign_in.tool_absolute_s
        return min(most_s, max(0.0, self._confirmation.ends_at(console, now) - now))

    def new_id(self) -> str:
        return "sn_" + self._randomness(12).hex()

    async def open(
        self, confirmed: Confirmed, sign_in_id: str, fields: Mapping[str, str], network: str, key: str | None
    ) -> dict[str, Any]:
        """A new sign-in with its first tokens, bound to `key` where there is one. Raises `OAuthError` when the console
        session that confirmed it is over."""
        scope = scope_of(fields, confirmed.asked.scopes)
        now = self._log.now()
        console = self._sign_ins.get(confirmed.sign_in)
        user = self._people.get(confirmed.user_id)
        if console is None or console.user_id != confirmed.user_id or not console.is_live(now):
            raise invalid_grant()
        if not is_somebody(user, self._configuration().issuers):
            raise invalid_grant()
        sign_in = SignIn(
            id=sign_in_id,
            kind=SignInKind.TOOL,
            user_id=user.id,
            created_at=now,
            authenticated_at=console.authenticated_at,
            seen_at=now,
            ends_at=now + self._configuration().sign_in.tool_absolute_s,
            issuer=console.issuer,
            idp_session=console.idp_session,
            checked_at=None if console.issuer is None else console.checked_at or console.created_at,
            agent=confirmed.asked.agent,
            device=confirmed.asked.device,
            network=network,
        )
        first = RefreshToken(self._randomness(RANDOM_BYTES), self._randomness(RANDOM_BYTES))
        await asyncio.to_thread(self._keep, sign_in, first, confirmed.asked.scopes, key)
        self._log.signed_in(user, sign_in.issuer, SignInKind.TOOL.value, network)
        return await self._answer(user, sign_in, scope, key, first)

    async def refresh(self, fields: Mapping[str, str], network: str, key: str | None) -> dict[str, Any]:
        """New tokens for a refresh token. One that was spent before ends the sign-in with all its tokens. Raises
        `OAuthError`."""
        presented = read_refresh_token(needed(fields, "refresh_token"))
        now = self._log.now()
        found = None if presented is None else self._family(presented, now)
        if presented is None or found is None:
            raise invalid_grant()
        sign_in, scopes = found
        user = self._people.get(sign_in.user_id)
        if not is_somebody(user, self._configuration().issuers) or not sign_in.is_live(now):
            raise invalid_grant()
        bound_to = self._sign_ins.bound_to(sign_in.id)
        if bound_to is not None and key != bound_to:
            # Whoever does not hold the key can neither use the token nor end the sign-in with it.
            raise invalid_grant()
        scope = scope_of(fields, scopes)
        following = await asyncio.to_thread(self._turn, sign_in, presented, now)
        if following is None:
            self._log.refused(sign_in.issuer, "refresh_token_reused", network)
            await self._end.of_sign_in(sign_in, "a spent refresh token was used again")
            raise invalid_grant()
        return await self._answer(user, sign_in, scope, key, following)

    async def end(self, text: str, why: str) -> bool:
        """End the sign-in of a refresh token, spent or not. False when it is none."""
        presented = read_refresh_token(text)
        found = None if presented is None else self._family(presented, self._log.now())
        if found is None:
            return False
        await self._end.of_sign_in(found[0], why)
        return True

    async def end_by_id(self, sign_in_id: str, why: str) -> None:
        sign_in = self._sign_ins.get(sign_in_id)
        if sign_in is not None:
            await self._end.of_sign_in(sign_in, why)

    def _keep(self, sign_in: SignIn, first: RefreshToken, scopes: frozenset[TokenScope], key: str | None) -> None:
        self._sign_ins.add(first.handle, sign_in, None, key)
        family = {"sign_in": sign_in.id, "scopes": sorted(scope.value for scope in scopes)}
        self._one_time.put(FAMILIES, first.family_hash, family, sign_in.ends_at)

    def _family(self, presented: RefreshToken, now: float) -> tuple[SignIn, frozenset[TokenScope]] | None:
        document = self._one_time.peek(FAMILIES, presented.family_hash, now)
        sign_in = None if document is None else self._sign_ins.get(document["sign_in"])
        if document is None or sign_in is None:
            return None
        return sign_in, frozenset(TokenScope(scope) for scope in document["scopes"])

    def _turn(self, sign_in: SignIn, presented: RefreshToken, now: float) -> RefreshToken | None:
        """The token that follows `presented`, None when that was spent before. Several who present the present one at
        the same time get the same next one."""
        current = self._sign_ins.of_handle(presented.handle)
        if current is not None and current.id == sign_in.id:
            salt = {"salt": self._randomness(RANDOM_BYTES).hex()}
            self._one_time.put(SUCCESSORS, presented.handle, salt, now + LOST_ANSWER_S)
            if self._one_time.peek(SUCCESSORS, presented.handle, now) is None:
                # Begun long ago, by a request that was broken off.
                self._one_time.drop_expired(now)
                self._one_time.put(SUCCESSORS, presented.handle, salt, now + LOST_ANSWER_S)
        begun = self._one_time.peek(SUCCESSORS, presented.handle, now)
        if begun is None:
            return None
        following = presented.next(bytes.fromhex(begun["salt"]))
        if self._sign_ins.rotate(sign_in.id, presented.handle, following.handle, now):
            return following
        holder = self._sign_ins.of_handle(following.handle)
        return following if holder is not None and holder.id == sign_in.id else None

    async def _answer(
        self, user: User, sign_in: SignIn, scope: TokenScope, key: str | None, refresh: RefreshToken
    ) -> dict[str, Any]:
        now = self._log.now()
        actor = Actor(
            kind=ActorKind.USER if sign_in.agent is None else ActorKind.AGENT,
            name=user.name,
            groups=frozenset(),
            token_id=self._mint.new_id(),
            expires_at=min(now + self._access_ttl_s, sign_in.ends_at),
            agent=sign_in.agent,
            user_id=user.id,
            bound_to=key,
        )
        made = await self._mint.make(
            Caller(user.name, frozenset()), actor, scope=scope, sign_in=sign_in.id, detail={"sign_in": sign_in.id}
        )
        if not await self._still(user.id, sign_in.id):
            # Access ended between the look at it and the token, which whoever ended it did not see.
            await asyncio.to_thread(self._tokens.revoke, made.record.id, now)
            raise invalid_grant()
        return {**access_answer(made.text, made.record.actor, scope, now), "refresh_token": refresh.text}

    async def _still(self, user_id: str, sign_in_id: str) -> bool:
        user, sign_in = self._people.get(user_id), self._sign_ins.get(sign_in_id)
        is_open = sign_in is not None and sign_in.ended_at is None
        return is_open and is_somebody(user, self._configuration().issuers)


def access_answer(text: str, actor: Actor, scope: TokenScope, now: float) -> dict[str, Any]:
    """What every grant answers (RFC 6749 section 5.1). `user` is whose name stands on record."""
    return {
        "access_token": text,
        "token_type": "Bearer" if actor.bound_to is None else "DPoP",
        "expires_in": max(1, int(actor.expires_at - now)),
        "scope": scope.value,
        "user": actor.name,
    }


def invalid_grant() -> OAuthError:
    """The same for everything that is wrong with what was presented (G21)."""
    return OAuthError("invalid_grant", "What was presented is not valid, no longer valid, or was used before.")
