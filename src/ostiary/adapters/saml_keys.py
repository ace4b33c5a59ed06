"""The installation's key for signed SAML requests: made when one is first needed, sealed in the store."""

import asyncio
import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ostiary.adapters.sealer import Sealer
from ostiary.model.errors import IntegrityError

if TYPE_CHECKING:
    from ostiary.identity.saml.signing import SigningKey

_META = "saml-signing-key"


class MetaRows(Protocol):
    def meta(self, key: str) -> str | None: ...

    def first_meta(self, key: str, value: str) -> str: ...


class StoredSamlKeys:
    """Implements `control.identity_ports.SamlKeys`."""

    def __init__(self, rows: MetaRows, sealer: Sealer, name: str, clock: Callable[[], float]) -> None:
        """`name` is the common name in the certificate."""
        self._rows = rows
        self._sealer = sealer
        self._name = name
        self._clock = clock
        self._known: SigningKey | None = None
        self._one_at_a_time = asyncio.Lock()

    async def signing(self) -> "SigningKey":
        if self._known is None:
            async with self._one_at_a_time:
                if self._known is None:
                    self._known = await asyncio.to_thread(self._kept_or_made)
        return self._known

    def _kept_or_made(self) -> "SigningKey":
        stored = self._rows.meta(_META)
        if stored is None:
            # Whoever comes second takes what the first one kept.
            stored = self._rows.first_meta(_META, self._made())
        return self._opened(stored)

    def _made(self) -> str:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import rsa

        from ostiary.identity.saml import signing

        key = rsa.generate_private_key(public_exponent=65537, key_size=signing.RSA_BITS)
        made = signing.certified(key, self._name, x509.random_serial_number(), self._clock())
        return b64encode(self._sealer.seal(_META, signing.to_bytes(made))).decode()

    def _opened(self, stored: str) -> "SigningKey":
        from ostiary.identity.saml import signing

        try:
            return signing.from_bytes(self._sealer.open(_META, b64decode(stored, validate=True)))
        except (binascii.Error, ValueError):
            raise IntegrityError("The key for signed SAML requests is damaged.") from None
