"""What a token may be bound to, as `Actor.bound_to` writes it: whose key or certificate its sender must show."""

import hashlib

from ostiary.identity.encoding import base64url

KEY = "jkt:"
"""Before the thumbprint of a DPoP key (RFC 9449, RFC 7638)."""

CERTIFICATE = "x5t:"
"""Before the thumbprint of a client certificate (RFC 8705)."""


def of_certificate(der: bytes) -> str:
    """The binding to this certificate, by its SHA-256."""
    return CERTIFICATE + base64url(hashlib.sha256(der).digest())
