"""Parts of recordings, sealed so that one recording can be erased for good and the audit log still verifies.

A recording is a list of parts, numbered from 0. Each part is compressed with zstd where that makes it
smaller and sealed with AES-256-GCM under a key of the recording's own: HKDF-Expand (RFC 5869; SHA-256)
of the segment's data key and 32 random bytes, the salt, which stand in the part's header. Whoever
overwrites salt and ciphertext has erased the recording, even for somebody who holds the data key and a
copy of everything else.

A part in the file: magic (4) · coding (1) · length of the exchange id (1) · part number (4) · length of
the ciphertext (4) · salt (32) · exchange id · ciphertext with tag. Numbers are big-endian. The
associated data names installation, exchange, part number and coding, so parts cannot be swapped or
moved. The nonce is the part number: a key never seals two parts of one number.

The root hash is a chain over the parts' plaintext: h(0) = SHA-256("ostiary recording 1"), h(n+1) =
SHA-256(h(n) + part n). Part 0 begins with the commitment, 32 random bytes inside what is sealed, so that
the root of an erased recording confirms no guess about what it held.
"""

import hashlib
import struct
from dataclasses import dataclass

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ostiary.model.errors import IntegrityError, NotFoundError

SALT_BYTES = 32
COMMITMENT_BYTES = 32
TAG_BYTES = 16
RAW, ZSTD, ERASED = 0, 1, 0xFF
COMPRESS_FROM_BYTES = 2048
"""Below this zstd costs more time than all the rest of sealing and saves less than a disk block."""
PART_MAX_BYTES = 256 * 1024 * 1024
MAGIC = b"OsP1"
HEADER = struct.Struct(">4sBBII32s")
_CONTEXT = struct.Struct(">BBI")

_INNER_PAD = int.from_bytes(b"\x36" * 64, "big")
_OUTER_PAD = int.from_bytes(b"\x5c" * 64, "big")
_INFO = b"ostiary recording key 1"
_sha256 = hashlib.sha256
CHAIN_START = _sha256(b"ostiary recording 1").digest()


class SegmentKey:
    """A segment's data key. It derives the keys of recordings and shows itself to nobody."""

    __slots__ = ("__inner", "__outer")

    def __init__(self, data_key: bytes) -> None:
        if len(data_key) != 32:
            raise ValueError("a data key is 32 bytes")
        # The two blocks of HMAC (RFC 2104), padded once: a third of what the library's costs per recording.
        block = int.from_bytes(data_key.ljust(64, b"\x00"), "big")
        self.__inner = (block ^ _INNER_PAD).to_bytes(64, "big") + _INFO
        self.__outer = (block ^ _OUTER_PAD).to_bytes(64, "big")

    def cipher(self, salt: bytes) -> AESGCM:
        """The cipher of the recording with this salt: one block of HKDF-Expand with the salt in its info."""
        return AESGCM(_sha256(self.__outer + _sha256(self.__inner + salt + b"\x01").digest()).digest())


@dataclass(frozen=True, slots=True)
class PartHeader:
    """What stands in the open before a part's ciphertext. `size` is the whole part's, header included."""

    coding: int
    number: int
    exchange: str
    salt: bytes
    header_bytes: int
    ciphertext_bytes: int

    @property
    def size(self) -> int:
        return self.header_bytes + self.ciphertext_bytes


def _associated_data(installation: str, name: bytes, number: int, coding: int) -> bytes:
    return _CONTEXT.pack(coding, len(name), number) + name + installation.encode()


def seal_part(
    cipher: AESGCM,
    salt: bytes,
    installation: str,
    exchange: str,
    number: int,
    plaintext: bytes,
    compressor: zstandard.ZstdCompressor,
) -> bytes:
    """The part as it stands in the file.

    Raises `ValueError` for an id over 255 bytes or a part over the limit.
    """
    coding = RAW
    if len(plaintext) >= COMPRESS_FROM_BYTES:
        compressed = compressor.compress(plaintext)
        if len(compressed) < len(plaintext):
            coding, plaintext = ZSTD, compressed
    name = exchange.encode()
    if len(name) > 255 or len(plaintext) > PART_MAX_BYTES:
        raise ValueError("the exchange id or the part is too long")
    context = _associated_data(installation, name, number, coding)
    sealed = cipher.encrypt(number.to_bytes(12, "big"), plaintext, context)
    return HEADER.pack(MAGIC, coding, len(name), number, len(sealed), salt) + name + sealed


def read_part_header(data: bytes) -> PartHeader | None:
    """The header at the beginning of `data`; None where no whole one begins (a torn end)."""
    if len(data) < HEADER.size:
        return None
    magic, coding, name_bytes, number, ciphertext_bytes, salt = HEADER.unpack_from(data)
    name = data[HEADER.size : HEADER.size + name_bytes]
    if magic != MAGIC or len(name) != name_bytes or ciphertext_bytes > PART_MAX_BYTES + TAG_BYTES:
        return None
    try:
        exchange = name.decode()
    except UnicodeDecodeError:
        return None
    return PartHeader(coding, number, exchange, salt, HEADER.size + name_bytes, ciphertext_bytes)


def open_part(key: SegmentKey, installation: str, header: PartHeader, ciphertext: bytes) -> bytes:
    """The part's plaintext.

    Raises `NotFoundError` for an erased part, `IntegrityError` for one that is not what was written.
    """
    if header.coding == ERASED:
        raise NotFoundError("This recording was erased.", "Its entries in the audit log remain.")
    context = _associated_data(installation, header.exchange.encode(), header.number, header.coding)
    try:
        plaintext = key.cipher(header.salt).decrypt(header.number.to_bytes(12, "big"), ciphertext, context)
        if header.coding == ZSTD:
            plaintext = zstandard.ZstdDecompressor().decompress(plaintext)
    except (InvalidTag, zstandard.ZstdError):
        raise IntegrityError(
            f"Part {header.number} of the recording of {header.exchange} was altered.",
            "Restore HOME/recordings from a backup.",
        ) from None
    return plaintext


def erased_part(header: PartHeader) -> bytes:
    """What overwrites the part: the same length, no salt, no ciphertext."""
    name = header.exchange.encode()
    packed = HEADER.pack(MAGIC, ERASED, len(name), header.number, header.ciphertext_bytes, bytes(SALT_BYTES))
    return packed + name + bytes(header.ciphertext_bytes)


def chain_next(chain: bytes, plaintext: bytes) -> bytes:
    """The root hash after one more part; after the last one it is the recording's."""
    return _sha256(chain + plaintext).digest()


def root_of_parts(parts: list[bytes]) -> bytes:
    """The root hash over all parts' plaintext, the commitment still at the beginning of the first."""
    chain = CHAIN_START
    for part in parts:
        chain = chain_next(chain, part)
    return chain
