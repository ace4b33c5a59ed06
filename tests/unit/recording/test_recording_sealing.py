import hashlib

import pytest
import zstandard
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ostiary.model.errors import IntegrityError, NotFoundError
from ostiary.recording.sealing import (
    CHAIN_START,
    COMMITMENT_BYTES,
    HEADER,
    RAW,
    ZSTD,
    SegmentKey,
    chain_next,
    erased_part,
    open_part,
    read_part_header,
    root_of_parts,
    seal_part,
)

KEY, SALT = SegmentKey(bytes(range(32))), bytes(range(32, 64))
COMPRESSOR = zstandard.ZstdCompressor(level=1)
LONG = b"data: {}\n\n" * 1000


def seal(plaintext: bytes, number: int = 0, exchange: str = "ex_1") -> bytes:
    return seal_part(KEY.cipher(SALT), SALT, "home", exchange, number, plaintext, COMPRESSOR)


def opened(part: bytes, installation: str = "home", key: SegmentKey = KEY) -> bytes:
    header = read_part_header(part)
    assert header is not None
    assert header.size == len(part)
    return open_part(key, installation, header, part[header.header_bytes :])


@pytest.mark.parametrize(
    ("plaintext", "coding"),
    [(b"", RAW), (b"short", RAW), (LONG, ZSTD), (hashlib.shake_256(b"").digest(4096), RAW)],
)
def test_a_part_opens_and_is_compressed_only_when_smaller(plaintext: bytes, coding: int) -> None:
    part = seal(plaintext)
    assert opened(part) == plaintext
    assert part[4] == coding
    assert len(part) <= HEADER.size + 4 + len(plaintext) + 16


def test_the_key_is_hkdf_expand_of_the_data_key_and_the_salt() -> None:
    derived = HKDFExpand(hashes.SHA256(), 32, b"ostiary recording key 1" + SALT).derive(bytes(range(32)))
    assert AESGCM(derived).decrypt(bytes(12), KEY.cipher(SALT).encrypt(bytes(12), b"x", b""), b"") == b"x"


@pytest.mark.parametrize("at", range(4, HEADER.size + 4 + 5 + 16))
def test_no_byte_of_a_part_can_be_changed(at: int) -> None:
    part = bytearray(seal(b"short"))
    part[at] ^= 1
    header = read_part_header(bytes(part))
    if header is None or header.size != len(part):
        return  # the lengths no longer fit: the reader takes it for a torn end
    with pytest.raises((IntegrityError, NotFoundError)):
        open_part(KEY, "home", header, bytes(part[header.header_bytes :]))


def test_a_part_opens_only_where_it_belongs() -> None:
    with pytest.raises(IntegrityError):
        opened(seal(b"x"), installation="another")
    with pytest.raises(IntegrityError):
        opened(seal(b"x"), key=SegmentKey(bytes(32)))


def test_erasing_leaves_nothing_to_open_or_to_guess_with() -> None:
    part = seal(bytes(COMMITMENT_BYTES) + LONG)
    header = read_part_header(part)
    assert header is not None
    erased = erased_part(header)
    assert len(erased) == len(part)
    assert not any(erased[HEADER.size - 32 : HEADER.size])
    assert not any(erased[HEADER.size + 4 :])
    again = read_part_header(erased)
    assert again is not None
    assert (again.exchange, again.size) == ("ex_1", len(part))
    with pytest.raises(NotFoundError):
        open_part(KEY, "home", again, erased[again.header_bytes :])


@pytest.mark.parametrize("length", range(HEADER.size + 4))
def test_a_torn_header_is_no_header(length: int) -> None:
    assert read_part_header(seal(b"x")[:length]) is None


def test_the_root_depends_on_every_part_and_on_the_commitment() -> None:
    parts = [bytes(COMMITMENT_BYTES) + b"a", b"b"]
    root = chain_next(chain_next(CHAIN_START, parts[0]), parts[1])
    assert root_of_parts(parts) == root
    assert root_of_parts([b"\x01" * COMMITMENT_BYTES + b"a", b"b"]) != root
    assert root_of_parts([parts[0] + b"b"]) != root
    assert root_of_parts([parts[0], b"c"]) != root


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError):
        seal(b"", exchange="x" * 256)
    with pytest.raises(ValueError):
        SegmentKey(b"short")
