"""Demonstrated possession of a key (DPoP, RFC 9449): each proof counts once."""

import asyncio
import hashlib
import time
from collections.abc import Callable

from ostiary.control.identity_ports import OneTime
from ostiary.control.services.oauth.errors import OAuthError
from ostiary.identity.dpop import check_proof
from ostiary.identity.used_proofs import UsedProofs
from ostiary.model.errors import SignInRefusedError

PURPOSE = "dpop"
REMEMBERED_S = 600.0
"""Longer than any proof is accepted, both ways of a wrong clock counted."""


class Proofs:
    """Used ones are remembered twice: in the store, where a restart leaves them, and here by a clock that nobody
    sets."""

    def __init__(self, one_time: OneTime, steady: Callable[[], float] = time.monotonic) -> None:
        self._one_time = one_time
        self._steady = steady
        self._used = UsedProofs()

    async def key_of(
        self, proof: str | None, *, method: str, url: str, now: float, access_token: str | None = None
    ) -> str | None:
        """`jkt:` and the thumbprint of the proof's key, None without a proof. Raises `OAuthError`."""
        if proof is None:
            return None
        try:
            # Not on the loop: the first proof brings a library with it.
            checked = await asyncio.to_thread(
                check_proof, proof, method=method, url=url, now=now, access_token=access_token
            )
        except SignInRefusedError:
            raise _refusal() from None
        used = hashlib.sha256(f"{checked.thumbprint} {checked.jti}".encode()).digest()
        if not self._used.is_first(checked.thumbprint, used, self._steady()):
            raise _refusal()
        if not await asyncio.to_thread(self._one_time.put, PURPOSE, used, {}, now + REMEMBERED_S):
            raise _refusal()
        return checked.bound_to


def _refusal() -> OAuthError:
    return OAuthError("invalid_dpop_proof", "The DPoP proof is not one for this request, or was used before.")
