"""Which actor holds a token. Verified tokens are cached by their hash and dropped at once on revocation; those of other
issuers are looked at again after `FOREIGN_SURE_S`, since nobody tells when a key of theirs is withdrawn."""

import base64
import binascii
import math
from asyncio import BaseTransport
from collections import OrderedDict
from dataclasses import replace
from hashlib import sha256

from ostiary.gateway.possession import Possession
from ostiary.identity.limits import NetworkLimiter
from ostiary.identity.tokens import looks_like_token
from ostiary.model.actor import Actor
from ostiary.model.errors import GatewayRefusal, NobodyYetError
from ostiary.ports import ForeignTokens, TokenBook
from ostiary.protocols.header_rules import RequestField
from ostiary.protocols.heads import RequestHead

FOREIGN_SURE_S = 300.0

_CACHED_TOKENS = 65_536
_OVER_SEEN_S = 86_400.0
"""A token is kept as expired when it is seen so within this time. A clock that leaps years ahead for a moment must not
end every token that is used just then."""
_FOREIGN_START = b"eyJ"
"""How a JSON object begins in base64: every JWT does."""
_FOREIGN_MAX_BYTES = 16 * 1024
_CREDENTIAL = int(RequestField.CREDENTIAL)
_NEXT = "Get a fresh one with `ostiary token` (or `ostiary login`), and put it where the API key goes."


def presented_token(head: RequestHead) -> bytes:
    """The one token in the request, from any place the contract allows. Raises `GatewayRefusal`."""
    found: bytes | None = None
    for name, value, fate in head.special:
        if fate != _CREDENTIAL:
            continue
        token = _from_authorization(value) if name == b"authorization" else value
        if token is None:
            continue
        if found is not None and found != token:
            raise GatewayRefusal(
                400, "ambiguous_request", "The request carries two different tokens.", "Send one of them."
            )
        found = token
    if not found:
        raise GatewayRefusal(401, "token_missing", "The request carries no Ostiary token.", _NEXT)
    return found


def _from_authorization(value: bytes) -> bytes | None:
    scheme, _, rest = value.partition(b" ")
    rest = rest.strip(b" \t")
    match scheme.lower():
        case b"bearer" | b"dpop":
            return rest
        case b"basic":
            try:
                user, _, password = base64.b64decode(rest, validate=True).partition(b":")
            except binascii.Error:
                raise GatewayRefusal(400, "bad_request", "The Basic credentials are not valid base64.") from None
            return user or password
        case _:
            raise GatewayRefusal(401, "token_unknown", "The Authorization scheme is neither Bearer nor Basic.", _NEXT)


def _not_known() -> GatewayRefusal:
    """Made anew each time, and never in a variable of the frame that raises it: the frame, its request with it, would
    wait for the garbage collector."""
    return GatewayRefusal(401, "token_unknown", "This token is not known here.", _NEXT)


def _not_here_yet(nobody: NobodyYetError) -> GatewayRefusal:
    return GatewayRefusal(401, nobody.code, nobody.sentence, nobody.next_step)


class Authenticator:
    """`unknown_tokens` says how many of them one network may send; a token that is known is never limited, whoever else
    sends what from the same address."""

    def __init__(
        self, book: TokenBook, foreign: ForeignTokens, possession: Possession, unknown_tokens: NetworkLimiter
    ) -> None:
        self._book = book
        self._foreign = foreign
        self._possession = possession
        self._unknown_tokens = unknown_tokens
        self._cache: dict[bytes, Actor] = {}
        self._over: OrderedDict[bytes, None] = OrderedDict()

    def identify(self, head: RequestHead, now: float, network: str, transport: BaseTransport | None = None) -> Actor:
        """The actor of the request's token. `now` is seconds since the epoch, `transport` the connection it came on.
        Raises `GatewayRefusal` (400, 401, 429), and `KeysWantedError`: then `learn` and ask again."""
        token = presented_token(head)
        digest = sha256(token).digest()
        actor = self._cache.get(digest)
        if actor is None or actor.sure_until <= now:
            self._cache.pop(digest, None)
            try:
                actor = self._found(token, digest, now)
            except NobodyYetError as nobody:
                raise self.unknown(_not_here_yet(nobody), network) from None
            if actor is None:
                raise self.unknown(_not_known(), network)
            if len(self._cache) >= _CACHED_TOKENS:
                self._cache.clear()
            self._cache[digest] = actor
            self._book.used(actor.token_id, now, network)
        if actor.expires_at <= now or digest in self._over:
            self._keep_over(digest, now - actor.expires_at)
            raise GatewayRefusal(401, "token_expired", "This token has expired.", _NEXT)
        if actor.bound_to is not None:
            self._possession.check(actor.bound_to, head, token, now, transport)
        return actor

    def unknown(self, refusal: GatewayRefusal, network: str) -> GatewayRefusal:
        """What to answer to one more unknown token from there: `refusal`, or that they were too many.

        The limit is looked at after the token, never before: what is right comes in, and what is wrong costs the
        sender a connection each. 401 would be the truth still, but tools repeat a 401 at once and without a word; 429
        with Retry-After makes them wait, and when they come back one of them is told 401 again and gets a fresh token.
        """
        if self._unknown_tokens.take(network):
            return refusal
        return GatewayRefusal(
            429,
            "limit_exceeded",
            "This token is not known here, and too many such tokens came from your network address.",
            _NEXT,
            close=True,
            retry_after_s=math.ceil(self._unknown_tokens.wait_s(network)),
        )

    async def learn(self, head: RequestHead) -> None:
        """Fetch the keys that the request's token wants."""
        await self._foreign.learn(presented_token(head))

    def again(self, actor: Actor) -> Actor | None:
        """The actor as they are now, or None when they may no longer come in."""
        return self._foreign.again(actor) if actor.is_foreign else self._book.again(actor)

    def forget(self) -> None:
        """Drop every cached token; the next use of each asks the book again."""
        self._cache.clear()

    def _keep_over(self, digest: bytes, since_s: float) -> None:
        """What was seen expired stays so when the clock goes back. Each token for itself: a time that never goes back
        would, once a clock that ran ahead is set right, take every new token for an old one."""
        if since_s > _OVER_SEEN_S:
            return
        self._over[digest] = None
        self._over.move_to_end(digest)
        if len(self._over) > _CACHED_TOKENS:
            self._over.popitem(last=False)

    def _found(self, token: bytes, digest: bytes, now: float) -> Actor | None:
        if looks_like_token(token):
            return self._book.find(digest)
        if token.startswith(_FOREIGN_START) and len(token) <= _FOREIGN_MAX_BYTES:
            found = self._foreign.find(token, now)
            return None if found is None else replace(found, sure_until=now + FOREIGN_SURE_S)
        return None
