"""Proofs that the sender of a token holds a key (DPoP, RFC 9449)."""

import hashlib
import hmac
import re
from dataclasses import dataclass

from ostiary.identity import binding
from ostiary.identity.claims import SKEW_S, date_of, must_text
from ostiary.identity.encoding import base64url
from ostiary.identity.jwt import (
    JwtError,
    check_algorithm,
    check_parameters,
    check_type,
    claims_of,
    take_apart,
)
from ostiary.identity.keys import PRIVATE_MEMBERS
from ostiary.identity.urls import read_url

PROOF_MAX = 4096
"""Characters."""

ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA", "Ed25519")
"""For `dpop_signing_alg_values_supported`."""

_TYPES = ("dpop+jwt",)
_KEY_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
_REFUSED_PARAMETERS = {
    "crit": "header_critical",
    "b64": "header_critical",
    "enc": "token_encrypted",
    "zip": "token_encrypted",
}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


@dataclass(frozen=True, slots=True)
class Proof:
    """`thumbprint` is the key's (RFC 7638). Whoever asked for the proof sees to it that `jti` is used once, for as long
    as `issued_at` is fresh."""

    thumbprint: str
    jti: str
    issued_at: float

    @property
    def bound_to(self) -> str:
        """As in `Actor`."""
        return binding.KEY + self.thumbprint


def check_proof(
    proof: str, *, method: str, url: str, now: float, access_token: str | None, skew: float = SKEW_S
) -> Proof:
    """The proof for this request; `url` is what the client called, its query does not count. With `access_token` the
    proof must be for it. Raises `JwtError`."""
    from ostiary.identity.signature_keys import UnusableKeyError, key_of_proof

    if len(proof) > PROOF_MAX:
        raise JwtError("token_too_long")
    parts = take_apart(proof)
    check_parameters(parts.header, _REFUSED_PARAMETERS)
    check_type(parts.header, _TYPES)
    check_algorithm(parts.header, ALGORITHMS)
    jwk = parts.header.parameters.get("jwk")
    if not isinstance(jwk, dict) or not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise JwtError("proof_key_wrong")
    try:
        key = key_of_proof(tuple((name, value) for name in _KEY_MEMBERS if isinstance(value := jwk.get(name), str)))
    except UnusableKeyError:
        raise JwtError("proof_key_wrong") from None
    if not key.verifies(parts.header.algorithm, parts.signed, parts.signature):
        raise JwtError("signature_wrong")
    claims = claims_of(parts)
    if claims.get("htm") != method:
        raise JwtError("proof_of_other_method")
    said = claims.get("htu")
    if not isinstance(said, str) or (place := _place(said)) is None or place != _place(url):
        raise JwtError("proof_of_other_url")
    issued_at = date_of(claims, "iat")
    if issued_at is None or abs(now - issued_at) > skew:
        raise JwtError("proof_not_fresh")
    if access_token is not None:
        digest = base64url(hashlib.sha256(access_token.encode("utf-8")).digest())
        ath = claims.get("ath")
        if not isinstance(ath, str) or not hmac.compare_digest(ath.encode("utf-8"), digest.encode("ascii")):
            raise JwtError("proof_of_other_token")
    return Proof(key.thumbprint, must_text(claims, "jti", 256), issued_at)


def _place(url: str) -> tuple[str, str, int, str] | None:
    """Without query and fragment, normalised as RFC 3986 sections 6.2.2 and 6.2.3 say."""
    parts = read_url(url)
    if parts is None:
        return None
    return parts.scheme, parts.host, parts.port, _ESCAPE.sub(_plain_escape, parts.path)


def _plain_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()
