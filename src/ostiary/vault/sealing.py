"""Envelope encryption of what must not lie in the open.

Every item has a data key of its own, wrapped by the root key; both layers are AES-256-GCM. The associated
data of both is the context (installation, kind, id, version), each part preceded by its length, so that
a row opens only in the place it was written for: it cannot be swapped with another or replaced by an older
version of itself.

A sealed item is: format (1 byte, 1) · nonce (12) · wrapped data key (48) · nonce (12) · ciphertext and tag.
"""

import hmac
from dataclasses import dataclass
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ostiary.model.errors import IntegrityError, OperatorError

KEY_BYTES = 32
NONCE_BYTES = 12
WRAPPED_KEY_BYTES = NONCE_BYTES + KEY_BYTES + 16
"""Nonce, data key and tag: what `wrap_key` returns."""

_FORMAT = b"\x01"
_PURPOSE_KEY = b"ostiary data key"
_PURPOSE_ITEM = b"ostiary item"
_TAG_BYTES = 16


class RootKey:
    """The 32 bytes that wrap every data key. It has no text, copy or serial form."""

    __slots__ = ("_check_value", "_cipher", "_masking_key")

    def __init__(self, value: bytes) -> None:
        if len(value) != KEY_BYTES:
            raise OperatorError(
                f"The root key must be {KEY_BYTES} bytes.",
                "Restore it from your backup, or name the right file.",
            )
        self._cipher = AESGCM(value)
        self._check_value = hmac.digest(value, b"ostiary root key check value, version 1", "sha256")[:16]
        self._masking_key = hmac.digest(value, b"ostiary masking marks, version 1", "sha256")

    @classmethod
    def from_hex(cls, text: str) -> "RootKey":
        """Raises `OperatorError` unless `text` is 64 hex digits (space around them is ignored)."""
        try:
            return cls(bytes.fromhex(text.strip()))
        except ValueError:
            raise OperatorError(
                "The root key is not written as 64 hex digits.",
                "Restore it from your backup; `openssl rand -hex 32` makes one for a new installation.",
            ) from None

    @property
    def check_value(self) -> bytes:
        """16 bytes that tell this key from another and give nothing of it away."""
        return self._check_value

    @property
    def masking_key(self) -> bytes:
        """32 bytes under which masked values are hashed: the same value has the same mark in this installation only."""
        return self._masking_key

    def __repr__(self) -> str:
        return "<RootKey>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a RootKey has no serial form")

    def __copy__(self) -> NoReturn:
        raise TypeError("a RootKey is not copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError("a RootKey is not copied")

    def _wrap(self, data_key: bytes, nonce: bytes, associated: bytes) -> bytes:
        return self._cipher.encrypt(nonce, data_key, associated)

    def _unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], associated)


@dataclass(frozen=True, slots=True)
class SealContext:
    """Where an item belongs. `kind` is such a word as `secret` or `recording`, `version` starts at 1."""

    installation: str
    kind: str
    id: str
    version: int

    def associated_data(self, purpose: bytes) -> bytes:
        """All parts, each preceded by its length in four bytes, so that no two contexts read the same."""
        words = (self.installation, self.kind, self.id, str(self.version))
        parts = (purpose, *(word.encode() for word in words))
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def wrap_key(root: RootKey, data_key: bytes, context: SealContext, nonce: bytes) -> bytes:
    """The data key under the root key, 60 bytes. For whoever seals many pieces under one data key."""
    _require(data_key, KEY_BYTES, "data key")
    _require(nonce, NONCE_BYTES, "nonce")
    return nonce + root._wrap(data_key, nonce, context.associated_data(_PURPOSE_KEY))


def unwrap_key(root: RootKey, wrapped: bytes, context: SealContext) -> bytes:
    """Raises `IntegrityError` for a wrong root key, a wrong context or altered bytes, which look the same."""
    if len(wrapped) != WRAPPED_KEY_BYTES:
        raise _unopened(context)
    try:
        return root._unwrap(wrapped, context.associated_data(_PURPOSE_KEY))
    except InvalidTag:
        raise _unopened(context) from None


def seal(root: RootKey, *, plaintext: bytes, context: SealContext, data_key: bytes, nonces: bytes) -> bytes:
    """`plaintext` sealed for `context`, plus 89 bytes. `data_key` (32 bytes) and `nonces` (24) are fresh."""
    _require(nonces, 2 * NONCE_BYTES, "pair of nonces")
    wrapped = wrap_key(root, data_key, context, nonces[:NONCE_BYTES])
    nonce = nonces[NONCE_BYTES:]
    ciphertext = AESGCM(data_key).encrypt(nonce, plaintext, context.associated_data(_PURPOSE_ITEM))
    return b"".join((_FORMAT, wrapped, nonce, ciphertext))


def open_sealed(root: RootKey, sealed: bytes, context: SealContext) -> bytes:
    """What was sealed for exactly this context.

    Raises `IntegrityError` for a wrong root key, another context or altered bytes; they cannot be told apart.
    """
    body = 1 + WRAPPED_KEY_BYTES
    if len(sealed) < body + NONCE_BYTES + _TAG_BYTES or sealed[:1] != _FORMAT:
        raise _unopened(context)
    cipher = AESGCM(unwrap_key(root, sealed[1:body], context))
    nonce, ciphertext = sealed[body : body + NONCE_BYTES], sealed[body + NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, ciphertext, context.associated_data(_PURPOSE_ITEM))
    except InvalidTag:
        raise _unopened(context) from None


def _unopened(context: SealContext) -> IntegrityError:
    return IntegrityError(
        f"The sealed {context.kind} {context.id!r} (version {context.version}) does not open.",
        "The root key is another one or the stored data was changed; restore both from the same backup.",
    )


def _require(value: bytes, length: int, noun: str) -> None:
    if len(value) != length:
        raise ValueError(f"a {noun} is {length} bytes")
