"""Tokens that only one sender may use: who holds the key says so with every request (DPoP, RFC 9449), or with the
connection (mutual TLS, RFC 8705)."""

import ssl
import time
from asyncio import BaseTransport
from collections.abc import Callable
from hashlib import sha256

from ostiary.identity import binding
from ostiary.identity.dpop import check_proof
from ostiary.identity.used_proofs import UsedProofs
from ostiary.model.errors import GatewayRefusal, SignInRefusedError
from ostiary.protocols.header_rules import RequestField
from ostiary.protocols.heads import RequestHead

_SCHEMES = ("http", "https")


class Possession:
    """`behind_proxy`: TLS ends before us, so a proof speaks of https where we see none. `public_url` is the gateway's
    address as senders see it, empty where that is the Host they name. `steady` is a clock that nobody sets."""

    def __init__(
        self, tls: bool, behind_proxy: bool, public_url: str = "", steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._public_url = public_url.rstrip("/")
        self._schemes = _SCHEMES if behind_proxy else _SCHEMES[tls : tls + 1]
        self._steady = steady
        self._used = UsedProofs()

    def check(
        self, bound_to: str, head: RequestHead, token: bytes, now: float, transport: BaseTransport | None
    ) -> None:
        """Returns when the sender holds what the token is bound to. Raises `GatewayRefusal`."""
        if bound_to.startswith(binding.KEY):
            self._check_proof(bound_to, head, token, now)
        elif _certificate(transport) != bound_to:
            raise _refusal("This token is bound to a client certificate, and the connection has not that one.")

    def _check_proof(self, bound_to: str, head: RequestHead, token: bytes, now: float) -> None:
        proofs = head.values(RequestField.PROOF)
        if len(proofs) != 1:
            raise _refusal("This token is bound to a key: the request needs one DPoP proof.")
        authority = (head.first(b"host") or b"").decode("latin-1")
        path = head.target.partition(b"?")[0].decode("latin-1")
        urls = [f"{scheme}://{authority}{path}" for scheme in self._schemes]
        if self._public_url and path.startswith("/"):
            urls.append(self._public_url + path)
        for url in urls:
            try:
                proof = check_proof(
                    proofs[0].decode("latin-1"),
                    method=head.method.decode("latin-1"),
                    url=url,
                    now=now,
                    access_token=token.decode("latin-1"),
                )
            except SignInRefusedError:
                continue
            used = sha256(f"{bound_to} {proof.jti}".encode()).digest()
            if proof.bound_to == bound_to and self._used.is_first(bound_to, used, self._steady()):
                return
            break
        raise _refusal("The DPoP proof is not one of this token's key for this request, or was used before.")


def _certificate(transport: BaseTransport | None) -> str | None:
    """The binding to the client's certificate, whose chain TLS has verified."""
    tls = None if transport is None else transport.get_extra_info("ssl_object")
    certificate = tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLObject) else None
    return binding.of_certificate(certificate) if certificate else None


def _refusal(sentence: str) -> GatewayRefusal:
    return GatewayRefusal(401, "token_unknown", sentence, "Use the client that got the token, or get another one.")
