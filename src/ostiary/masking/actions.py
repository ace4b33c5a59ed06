"""What stands in the place of something found."""

import hmac
from hashlib import sha256

SHOWN_CHARACTERS = 4
"""So many of a value's last characters `partial` shows, and only of one three times as long."""


def mark(label: str) -> bytes:
    return b"[masked:%b]" % label.encode()


def partial_mark(label: str, value: bytes) -> bytes:
    """The mark with the value's last four characters."""
    text = value.decode("utf-8", "replace")
    if len(text) < 3 * SHOWN_CHARACTERS:
        return mark(label)
    return b"[masked:%b:...%b]" % (label.encode(), text[-SHOWN_CHARACTERS:].encode("utf-8", "replace"))


def hash_mark(label: str, value: bytes, key: bytes) -> bytes:
    """The mark with 8 hex digits of HMAC-SHA256 under the installation's masking key: equal values look equal."""
    digest = hmac.new(key, value, sha256).hexdigest()
    return b"[masked:%b:%b]" % (label.encode(), digest[:8].encode())
