"""Proof Key for Code Exchange (RFC 7636), S256 only."""

import hashlib
import hmac
import re

from ostiary.identity.encoding import base64url

RANDOM_BYTES = 32

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


def new_verifier(randomness: bytes) -> str:
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"a verifier needs {RANDOM_BYTES} random bytes")
    return base64url(randomness)


def challenge_of(verifier: str) -> str:
    """The S256 challenge."""
    return base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def is_verifier(text: str) -> bool:
    return _VERIFIER.fullmatch(text) is not None


def is_challenge(text: str) -> bool:
    """Whether it can be an S256 challenge: 32 bytes in base64url."""
    return _CHALLENGE.fullmatch(text) is not None


def fits(verifier: str, challenge: str) -> bool:
    """Whether `verifier` is what `challenge` was made from. False for what cannot be a verifier."""
    return is_verifier(verifier) and hmac.compare_digest(challenge_of(verifier), challenge)
