"""The token that every form of ours carries.

For people who are signed in, `ConsoleSessions` derives it from their session. Before that it comes from the attempt
cookie: only a page of ours can have put the two together, because nobody else can read or set a `__Host-` cookie.
"""

import hashlib
import hmac

from ostiary.identity.encoding import base64url

FIELD = "csrf"
HEADER = "x-ostiary-csrf"

_CONTEXT = b"ostiary form before sign-in\0"


def token_of_attempt(cookie: str) -> str:
    return base64url(hashlib.sha256(_CONTEXT + cookie.encode()).digest())


def matches(given: str | None, expected: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
