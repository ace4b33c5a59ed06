"""Signed JWTs in compact form (RFC 7515, RFC 7519), after the advice of RFC 8725.

Everything that decides is here: sizes, which header says what, which algorithm with which key. Keys come from the
issuer's key set only, never from the token; a payload is not looked at before its signature.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from ostiary.identity.encoding import from_base64url, read_hint, read_object
from ostiary.identity.keys import KID_MAX, SIGNATURE_ALGORITHMS, KeyBook, algorithm_names
from ostiary.model.errors import SignInRefusedError

TOKEN_MAX = 16 * 1024
"""Characters of a token."""

HEADER_MAX = 4096
"""Characters of its first part; some issuers put certificates there."""

_KEPT_MAX = 1024
"""Characters of a header that is kept, read. Anybody may send headers, so what they can take of memory is little."""

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
_REFUSED_PARAMETERS = {
    "crit": "header_critical",  # there is no extension that we know
    "b64": "header_critical",
    "enc": "token_encrypted",
    "zip": "token_encrypted",
    "jwk": "header_key",  # a proof of possession brings its key, a token never does
}
"""`jku`, `x5u`, `x5c` and their kind are ignored: some honest issuers set them, and nothing here follows them."""


class JwtError(SignInRefusedError):
    """A token that is not believed; `reason` is a word of this package."""


class UnknownKeyError(JwtError):
    """Signed with a key that is not in the key set. It may have been fetched before the key was made."""

    def __init__(self, kid: str | None) -> None:
        super().__init__("key_unknown")
        self.kid = kid


@dataclass(frozen=True, slots=True)
class Header:
    """`type` is in lower case and without "application/", empty when there is none (RFC 7515 section 4.1.9)."""

    algorithm: str
    type: str
    kid: str | None
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Parts:
    """A token taken apart, nothing of it believed."""

    header: Header
    payload: bytes
    signed: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    algorithm: str
    type: str
    claims: Mapping[str, object]


def verify(token: str, keys: KeyBook, algorithms: Sequence[str], types: Sequence[str] | None) -> Mapping[str, object]:
    """The claims, of which so far only the signature was checked. Raises `JwtError`, `UnknownKeyError` among them.

    `types` are the header types to take, in lower case; "" takes a token without one, None takes every token.
    """
    return verify_whole(token, keys, algorithms, types).claims


def verify_whole(token: str, keys: KeyBook, algorithms: Sequence[str], types: Sequence[str] | None) -> Verified:
    """As `verify`, with what the header said."""
    parts = _taken_apart(token)
    header = parts.header
    check_parameters(header, _REFUSED_PARAMETERS)
    check_type(header, types)
    check_algorithm(header, algorithms)
    found = keys.find(header.kid, header.algorithm)
    if not found:
        if header.kid is not None and keys.knows(header.kid):
            raise JwtError("key_of_other_algorithm")
        raise UnknownKeyError(header.kid)
    if not any(key.verifies(header.algorithm, parts.signed, parts.signature) for key in found):
        raise JwtError("signature_wrong")
    return Verified(header.algorithm, header.type, claims_of(parts))


def unverified_issuer(token: str) -> str | None:
    """What the token says its issuer is, to choose whose keys to ask; nothing may be believed because of it."""
    try:
        issuer = read_hint(_taken_apart(token).payload).get("iss")
    except (JwtError, ValueError):
        return None
    return issuer if isinstance(issuer, str) else None


def take_apart(token: str) -> Parts:
    """Raises `JwtError` for anything but header, payload and signature, each written in the one way there is."""
    if len(token) > TOKEN_MAX:
        raise JwtError("token_too_long")
    match = _COMPACT.fullmatch(token)
    if match is None:
        raise JwtError("token_encrypted" if token.count(".") == 4 else "token_malformed")
    first, second, third = match.groups()
    if len(first) > HEADER_MAX:
        raise JwtError("token_too_long")
    try:
        payload, signature = from_base64url(second), from_base64url(third)
    except ValueError:
        raise JwtError("token_malformed") from None
    header = _known_header(first) if len(first) <= _KEPT_MAX else _read_header(first)
    return Parts(header, payload, token[: match.end(2)].encode("ascii"), signature)


def claims_of(parts: Parts) -> dict[str, object]:
    try:
        return read_object(parts.payload)
    except ValueError:
        raise JwtError("claims_malformed") from None


def check_parameters(header: Header, refused: Mapping[str, str]) -> None:
    for name in header.parameters:
        if name in refused:
            raise JwtError(refused[name])
    content = header.parameters.get("cty")
    if content is not None and (not isinstance(content, str) or media_type(content) == "jwt"):
        raise JwtError("token_nested")


def check_type(header: Header, types: Sequence[str] | None) -> None:
    if types is not None and header.type not in types:
        raise JwtError("type_wrong")


def check_algorithm(header: Header, algorithms: Sequence[str]) -> None:
    if header.algorithm not in SIGNATURE_ALGORITHMS or algorithm_names(header.algorithm).isdisjoint(algorithms):
        raise JwtError("algorithm_not_allowed")


def media_type(text: str) -> str:
    return text.lower().removeprefix("application/")


def _read_header(text: str) -> Header:
    try:
        parameters = read_object(from_base64url(text))
    except ValueError:
        raise JwtError("token_malformed") from None
    algorithm, kind, kid = parameters.get("alg"), parameters.get("typ", ""), parameters.get("kid")
    if not isinstance(algorithm, str) or not isinstance(kind, str):
        raise JwtError("header_malformed")
    if "kid" in parameters and not (isinstance(kid, str) and 0 < len(kid) <= KID_MAX):
        raise JwtError("header_malformed")
    return Header(algorithm, media_type(kind), kid if isinstance(kid, str) else None, MappingProxyType(parameters))


_known_header = lru_cache(maxsize=64)(_read_header)
"""One key's tokens have one header, mostly. What is wrong with a header is not kept."""

_taken_apart = lru_cache(maxsize=4)(take_apart)
"""Whose keys to ask is looked up in a token just before it is verified."""
