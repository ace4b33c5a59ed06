"""Which actor holds a token. Verified tokens are cached by their hash and dropped at once on revocation."""

import base64
import binascii
from hashlib import sha256

from ostiary.identity.tokens import looks_like_token
from ostiary.model.actor import Actor
from ostiary.model.errors import GatewayRefusal
from ostiary.ports import TokenBook
from ostiary.protocols.header_rules import RequestField
from ostiary.protocols.heads import RequestHead

_CACHED_TOKENS = 65_536
_CREDENTIAL = int(RequestField.CREDENTIAL)
_NEXT = "Get a fresh token with `ostiary token create` and put it where the API key goes."


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
        case b"bearer":
            return rest
        case b"basic":
            try:
                user, _, password = base64.b64decode(rest, validate=True).partition(b":")
            except binascii.Error:
                raise GatewayRefusal(400, "bad_request", "The Basic credentials are not valid base64.") from None
            return user or password
        case _:
            raise GatewayRefusal(401, "token_unknown", "The Authorization scheme is neither Bearer nor Basic.", _NEXT)


class Authenticator:
    def __init__(self, book: TokenBook) -> None:
        self._book = book
        self._cache: dict[bytes, Actor] = {}

    def identify(self, head: RequestHead, now: float, network: str) -> Actor:
        """The actor of the request's token. `now` is seconds since the epoch. Raises `GatewayRefusal` (400, 401)."""
        token = presented_token(head)
        digest = sha256(token).digest()
        actor = self._cache.get(digest)
        if actor is None:
            actor = self._book.find(digest) if looks_like_token(token) else None
            if actor is None:
                raise GatewayRefusal(401, "token_unknown", "This token is not known here.", _NEXT)
            if len(self._cache) >= _CACHED_TOKENS:
                self._cache.clear()
            self._cache[digest] = actor
            self._book.used(actor.token_id, now, network)
        if actor.expires_at <= now:
            raise GatewayRefusal(401, "token_expired", "This token has expired.", _NEXT)
        return actor

    def forget(self) -> None:
        """Drop every cached token; the next use of each asks the book again."""
        self._cache.clear()
