"""What tokens say, read strictly: a claim of another type than it should be is no claim but a refusal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ostiary.identity import binding
from ostiary.identity.jwt import JwtError

Claims = Mapping[str, object]

SKEW_S = 60.0
"""How far clocks may be apart, and no further."""

_LATEST = 2.0**40
"""Seconds since the epoch; beyond it somebody counted in milliseconds."""

VALUES_MAX = 1000
VALUE_MAX = 512
"""Values of one claim that are looked at, and characters of each."""


@dataclass(frozen=True, slots=True)
class Times:
    expires_at: float
    issued_at: float | None


def date_of(claims: Claims, name: str) -> float | None:
    """Seconds since the epoch (NumericDate of RFC 7519), None where the claim is absent."""
    if name not in claims:
        return None
    value = claims[name]
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LATEST:
        raise JwtError(f"{name}_malformed")  # NaN is in no range
    return float(value)


def check_times(claims: Claims, now: float, *, lifetime_max_s: float = math.inf, skew_s: float = SKEW_S) -> Times:
    """`exp` is a must; `nbf` and `iat` count where they are. Raises `JwtError` outside of the token's life, and for a
    life longer than `lifetime_max_s`."""
    expires_at, not_before, issued_at = date_of(claims, "exp"), date_of(claims, "nbf"), date_of(claims, "iat")
    if expires_at is None:
        raise JwtError("exp_missing")
    if expires_at <= now - skew_s:
        raise JwtError("expired")
    if not_before is not None and not_before > now + skew_s:
        raise JwtError("not_yet_valid")
    if issued_at is not None and issued_at > now + skew_s:
        raise JwtError("issued_in_future")
    begin = now if issued_at is None else min(issued_at, now)
    if expires_at - begin > lifetime_max_s:
        raise JwtError("life_too_long")
    if issued_at is not None and expires_at <= issued_at:
        raise JwtError("exp_malformed")
    return Times(expires_at, issued_at)


def check_issuer(claims: Claims, issuer: str) -> None:
    """Letter by letter."""
    if claims.get("iss") != issuer:
        raise JwtError("iss_missing" if "iss" not in claims else "iss_wrong")


def check_audience(claims: Claims, audience: str) -> tuple[str, ...]:
    """All audiences, `audience` among them."""
    value = claims.get("aud")
    audiences = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not audiences:
        raise JwtError("aud_missing" if "aud" not in claims else "aud_malformed")
    if not all(isinstance(item, str) for item in audiences):
        raise JwtError("aud_malformed")
    if audience not in audiences:
        raise JwtError("aud_wrong")
    return audiences


def text_of(claims: Claims, name: str, length_max: int = 255) -> str | None:
    """A visible text, None where the claim is absent."""
    if name not in claims:
        return None
    value = claims[name]
    if not isinstance(value, str) or not 0 < len(value) <= length_max or not value.isprintable():
        raise JwtError(f"{name}_malformed")
    return value


def must_text(claims: Claims, name: str, length_max: int = 255) -> str:
    value = text_of(claims, name, length_max)
    if value is None:
        raise JwtError(f"{name}_missing")
    return value


def bound_to(claims: Claims) -> str | None:
    """What the sender must prove to hold, as `Actor.bound_to`. Raises `JwtError` for a confirmation (RFC 7800) of
    another kind: a token that is bound to something must not pass as one that is not."""
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    if isinstance(confirmation, dict) and len(confirmation) == 1:
        for method, prefix in (("jkt", binding.KEY), ("x5t#S256", binding.CERTIFICATE)):
            thumbprint = confirmation.get(method)
            if isinstance(thumbprint, str) and len(thumbprint) == 43:  # SHA-256
                return prefix + thumbprint
    raise JwtError("cnf_unknown")


def lookup(claims: Claims, path: str) -> object:
    """The claim of this name; else, where the name has dots, the member of an object: `a.b.c` is `c` in `a.b`, or in
    `a`'s `b`, the longest name first. None where there is none."""
    if path in claims:
        return claims[path]
    cut = len(path)
    while (cut := path.rfind(".", 0, cut)) > 0:
        inner = claims.get(path[:cut])
        if isinstance(inner, dict):
            found = lookup(inner, path[cut + 1 :])
            if found is not None:
                return found
    return None


def texts_of(value: object) -> tuple[str, ...]:
    """A claim's values as text: numbers as JSON writes them, true and false; of a list each. Objects, null and lists in
    lists have none."""
    if isinstance(value, list):
        return tuple(text for item in value if not isinstance(item, list) for text in texts_of(item))
    match value:
        case bool():
            return ("true" if value else "false",)
        case str():
            return (value,)
        case int() | float():
            return (repr(value),)
        case _:
            return ()
