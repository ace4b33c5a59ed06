"""Codes of an authenticator app (TOTP, RFC 6238): six digits, half a minute each."""

import base64
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

KEY_BYTES = 20
"""What RFC 4226 recommends for SHA-1, the one hash that every app knows."""

STEP_S = 30
DIGITS = 6

_STEPS_OFF = 1
"""Clocks differ: the step before and the one after count too."""


@dataclass(frozen=True, slots=True, repr=False)
class TotpEnrolment:
    """For an authenticator app: `url` is `otpauth://…`, `secret` the same by hand (base32)."""

    url: str
    secret: str


def enrolment(key: bytes, name: str, host: str) -> TotpEnrolment:
    url = _totp(key).get_provisioning_uri(name, f"Ostiary {host}")
    return TotpEnrolment(url, base64.b32encode(key).decode().rstrip("="))


def matching_step(key: bytes, code: str, now: float) -> int | None:
    """The step whose code this is, now or a step away; None for a wrong one. Takes as long whichever it is."""
    digits = "".join(code.split())
    given = digits.encode() if len(digits) == DIGITS and digits.isascii() and digits.isdigit() else b"-" * DIGITS
    totp, current, found = _totp(key), int(now // STEP_S), None
    for step in range(max(0, current - _STEPS_OFF), current + _STEPS_OFF + 1):
        if hmac.compare_digest(totp.generate(step * STEP_S), given):
            found = step
    return found


def _totp(key: bytes) -> TOTP:
    return TOTP(key, DIGITS, SHA1(), STEP_S)  # noqa: S303 - HMAC-SHA-1, as authenticator apps have it
