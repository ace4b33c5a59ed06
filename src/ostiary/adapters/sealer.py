"""Small values at rest, each sealed for the one row it belongs to."""

import os

from ostiary.vault.sealing import KEY_BYTES, NONCE_BYTES, RootKey, SealContext, open_sealed, seal


class Sealer:
    """What is sealed for one `kind` and id opens for no other."""

    def __init__(self, root_key: RootKey, installation: str, kind: str) -> None:
        self._root_key = root_key
        self._installation = installation
        self._kind = kind

    def seal(self, identity: str, value: bytes) -> bytes:
        return seal(
            self._root_key,
            plaintext=value,
            context=self._context(identity),
            data_key=os.urandom(KEY_BYTES),
            nonces=os.urandom(2 * NONCE_BYTES),
        )

    def open(self, identity: str, sealed: bytes) -> bytes:
        """Raises `IntegrityError`."""
        return open_sealed(self._root_key, sealed, self._context(identity))

    def _context(self, identity: str) -> SealContext:
        return SealContext(self._installation, self._kind, identity, 1)
