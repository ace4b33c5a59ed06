"""How refresh tokens are written: `ostr_` and 64 bytes, of which the first half stays the same in every turn.

Whoever presents the right first half with a second one that is spent held a token of that sign-in once. So the use of
any spent one is noticed (RFC 9700 section 4.14), not only of the last.
"""

import hashlib
from dataclasses import dataclass

from ostiary.identity.encoding import base64url, from_base64url

PREFIX = "ostr_"
HALF_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class RefreshToken:
    family: bytes
    turn: bytes

    @property
    def text(self) -> str:
        return PREFIX + base64url(self.family + self.turn)

    @property
    def handle(self) -> bytes:
        """What is stored of the token itself."""
        return hashlib.sha256(self.text.encode("ascii")).digest()

    @property
    def family_hash(self) -> bytes:
        return hashlib.sha256(self.family).digest()

    def next(self, salt: bytes) -> "RefreshToken":
        """The token after this one. Who has not both this one and the salt cannot tell what it is."""
        return RefreshToken(self.family, hashlib.sha256(self.turn + salt).digest())


def read_refresh_token(text: str) -> RefreshToken | None:
    if not text.startswith(PREFIX):
        return None
    try:
        both = from_base64url(text.removeprefix(PREFIX))
    except ValueError:
        return None
    return RefreshToken(both[:HALF_BYTES], both[HALF_BYTES:]) if len(both) == 2 * HALF_BYTES else None
