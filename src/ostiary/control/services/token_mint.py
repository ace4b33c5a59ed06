"""Where every token is made: its text exists only in the answer, its hash in the store, its making in the audit log."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.control.caller import Caller
from ostiary.control.ports import TokenStore
from ostiary.control.services.admin_log import AdminLog
from ostiary.identity import binding
from ostiary.identity.tokens import RANDOM_BYTES, mint_token, token_hash
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.errors import CallerError
from ostiary.model.token import TokenRecord, TokenScope

CERTIFICATE_MAX = 32 * 1024

_LETTERS = {ActorKind.USER: "u", ActorKind.SERVICE: "s", ActorKind.AGENT: "a"}


@dataclass(frozen=True, slots=True)
class NewToken:
    """`unknown_connections` are named by the token and do not exist (yet)."""

    text: str
    record: TokenRecord
    unknown_connections: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"NewToken({self.record.id!r})"


class TokenMint:
    def __init__(self, store: TokenStore, randomness: Callable[[int], bytes], log: AdminLog) -> None:
        self._store = store
        self._randomness = randomness
        self._log = log

    def now(self) -> float:
        return self._log.now()

    def new_id(self) -> str:
        return "tok_" + self._randomness(8).hex()

    async def make(
        self,
        by: Caller,
        actor: Actor,
        *,
        scope: TokenScope = TokenScope.GATEWAY,
        sign_in: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> NewToken:
        """A token for `actor`, whose id is a `new_id`. `detail` is what the entry says beside the token itself."""
        now = self._log.now()
        record = TokenRecord(actor, created_at=now, created_by=by.label, scope=scope, sign_in=sign_in)
        text = mint_token(_LETTERS[actor.kind], self._randomness(RANDOM_BYTES))
        await asyncio.to_thread(self._store.add, token_hash(text.encode()), record)
        self._log.write(
            "admin.token.create",
            by,
            {
                "token": record.id,
                "actor": {"kind": actor.kind.value, "name": actor.name, "agent": actor.agent},
                "scope": scope.value,
                "groups": sorted(actor.groups),
                "connections": sorted(actor.connections) if actor.connections is not None else None,
                "ttl_s": round(actor.expires_at - now, 3),
                "bound": None if actor.bound_to is None else actor.bound_to.partition(":")[0],
                **(detail or {}),
            },
        )
        return NewToken(text, record)


def bound_to_certificate(pem: str) -> str:
    """What binds a token to the client certificate in `pem` (RFC 8705 section 3.1). Raises `CallerError`."""
    try:
        if len(pem) > CERTIFICATE_MAX:
            raise ValueError
        certificates = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except ValueError:
        raise CallerError(
            "The certificate is not one in PEM.", "Give the client's certificate, without its key."
        ) from None
    # Of a chain, the client's own comes first.
    return binding.of_certificate(certificates[0].public_bytes(Encoding.DER))
