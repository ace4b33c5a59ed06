"""What opens something for whoever holds it: 32 random bytes as text, of which only the SHA-256 is stored."""

import hashlib
from collections.abc import Callable

from ostiary.identity.encoding import base64url

RANDOM_BYTES = 32

Randomness = Callable[[int], bytes]
"""That many random bytes."""


def new_handle(randomness: Randomness) -> str:
    """43 characters that fit into cookies, queries and paths."""
    return base64url(randomness(RANDOM_BYTES))


def handle_hash(text: str) -> bytes:
    """SHA-256. No salt: 256 random bits leave nothing to guess."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
