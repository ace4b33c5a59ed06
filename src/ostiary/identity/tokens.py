"""Gateway tokens: how they are written, recognised and stored.

`ost_` + kind letter + 43 base62 digits (32 random bytes) + 6 base62 digits (CRC-32 of all before them).
The checksum lets a scanner or the gateway tell a token from a look-alike without asking a store; it proves
nothing else.
"""

import hashlib
import re
import zlib

PREFIX = "ost_"
KIND_LETTERS = {"u": "user", "s": "service", "a": "agent"}
RANDOM_BYTES = 32

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_DIGITS = 43
_CHECKSUM_DIGITS = 6
_SHAPE = re.compile(rb"ost_[usa][0-9A-Za-z]{49}")


def mint_token(kind_letter: str, randomness: bytes) -> str:
    """A token's text, 54 characters. Shown once and never stored; `token_hash` is.

    Raises `ValueError` for an unknown kind letter or anything but 32 bytes of randomness.
    """
    if kind_letter not in KIND_LETTERS:
        raise ValueError(f"token kind must be one of {', '.join(KIND_LETTERS)}")
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"a token needs {RANDOM_BYTES} random bytes")
    head = PREFIX + kind_letter + _base62(int.from_bytes(randomness, "big"), _BODY_DIGITS)
    return head + _checksum(head.encode())


def looks_like_token(text: bytes) -> bool:
    """Whether prefix, length, alphabet and checksum are right; not whether it was ever issued."""
    if _SHAPE.fullmatch(text) is None:
        return False
    head = text[:-_CHECKSUM_DIGITS]
    return text[-_CHECKSUM_DIGITS:] == _checksum(head).encode()


def token_hash(text: bytes) -> bytes:
    """SHA-256, the only form a token is stored in. No salt: 256 random bits leave nothing to guess."""
    return hashlib.sha256(text).digest()


def _checksum(head: bytes) -> str:
    return _base62(zlib.crc32(head), _CHECKSUM_DIGITS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
