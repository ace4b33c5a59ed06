"""An issuer of tokens in one file: honest ones, and every other kind."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import cache

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ostiary.identity.encoding import base64url
from ostiary.identity.keys import KeyBook
from ostiary.model.issuer import OidcIssuer

NOW = 1_800_000_000.0
ISSUER = "https://idp.example"
CLIENT_ID = "ostiary-client"
NONCE = "nonce-of-the-attempt"

CORP = OidcIssuer("corp", ISSUER, CLIENT_ID, algorithms=("RS256", "ES256"))


@cache
def key(name: str, kind: str = "RSA") -> RSAKey | ECKey | OKPKey:
    """One key per name and kind: RSA, a bit length, or a curve's name."""
    if kind.startswith("P-"):
        return ECKey.generate_key(kind, {"kid": name})
    if kind == "Ed25519":
        return OKPKey.generate_key(kind, {"kid": name})
    return RSAKey.generate_key(2048 if kind == "RSA" else int(kind), {"kid": name})


def jwk(name: str, kind: str = "RSA", **members: object) -> dict[str, object]:
    """The public one. A member that is None is left out."""
    document = {**key(name, kind).as_dict(private=False), "kid": name, **members}
    return {member: value for member, value in document.items() if value is not None}


def book(*entries: Mapping[str, object]) -> KeyBook:
    return KeyBook.parse({"keys": list(entries)})


@cache
def usual_book() -> KeyBook:
    """An RSA key `one` and an EC key `two`."""
    return book(jwk("one"), jwk("two", "P-256"))


def usual_claims(**changes: object) -> dict[str, object]:
    """Those of a good ID token. A change to None leaves the claim out."""
    claims = {
        "iss": ISSUER, "aud": CLIENT_ID, "sub": "subject-1", "iat": NOW - 5, "exp": NOW + 300, "nonce": NONCE,
        "email": "ada@example.com", "email_verified": True, "groups": ["eng"], **changes,
    }  # fmt: skip
    return {name: value for name, value in claims.items() if value is not None}


def sign(
    claims: Mapping[str, object] | bytes,
    *,
    name: str = "one",
    kind: str = "RSA",
    alg: str = "RS256",
    header: Mapping[str, object] | bytes | None = None,
) -> str:
    """`header` adds to the usual one (None leaves a member out), or is all of it as bytes."""
    if isinstance(header, bytes):
        head = header
    else:
        members = {"alg": alg, "kid": name, "typ": "JWT", **(header or {})}
        head = written({member: value for member, value in members.items() if value is not None})
    payload = claims if isinstance(claims, bytes) else written(claims)
    signed = f"{base64url(head)}.{base64url(payload)}"
    signature = JWSRegistry.algorithms[alg].sign(signed.encode(), key(name, kind))
    return f"{signed}.{base64url(signature)}"


def sign_symmetric(claims: Mapping[str, object], secret: bytes, header: Mapping[str, object]) -> str:
    """HS256, whatever the header says."""
    signed = f"{base64url(written(header))}.{base64url(written(claims))}"
    return f"{signed}.{base64url(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def written(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
