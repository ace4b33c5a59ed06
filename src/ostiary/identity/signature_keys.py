"""Public keys and signatures, by joserfc. Imported when the first key set is read, not before."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ostiary.identity.encoding import from_base64url

RSA_BITS = (2048, 8192)
_EXPONENT = (65_537, 2**32)

_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVE_ALGORITHMS = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
}
_CHECKS = {
    name: JWSRegistry.algorithms[name]
    for names in (_RSA_ALGORITHMS, *_CURVE_ALGORITHMS.values())
    for name in names
}  # fmt: skip


class UnusableKeyError(Exception):
    """`str()` says why in a few words, without a value of the key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`algorithms` are those its type and size can be used with; `thumbprint` is that of RFC 7638."""

    algorithms: frozenset[str]
    thumbprint: str
    _key: RSAKey | ECKey | OKPKey

    def verifies(self, algorithm: str, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's of `data`; False for an algorithm that is none of its own."""
        if algorithm not in self.algorithms:
            return False
        try:
            return _CHECKS[algorithm].verify(data, signature, self._key)
        except (JoseError, ValueError, OverflowError):
            return False


@lru_cache(maxsize=256)
def key_of_proof(members: tuple[tuple[str, object], ...]) -> PublicKey:
    """`read_public_key` for keys that come again and again, and from anybody."""
    return read_public_key(dict(members))


def read_public_key(members: Mapping[str, object]) -> PublicKey:
    """The key of a JWK. Only the members that make up a public key are looked at. Raises `UnusableKeyError`."""
    match members.get("kty"):
        case "RSA":
            return _rsa(members)
        case "EC":
            return _curve(members, "EC", ("crv", "x", "y"))
        case "OKP":
            return _curve(members, "OKP", ("crv", "x"))
        case "oct":
            raise UnusableKeyError("a symmetric key")
        case _:
            raise UnusableKeyError("a key type that is not known")


def _rsa(members: Mapping[str, object]) -> PublicKey:
    public = _texts(members, ("n", "e"))
    modulus, exponent = (int.from_bytes(_bytes(public[name]), "big") for name in ("n", "e"))
    if not RSA_BITS[0] <= modulus.bit_length() <= RSA_BITS[1]:
        raise UnusableKeyError(f"an RSA key of {modulus.bit_length()} bits")
    if not _EXPONENT[0] <= exponent < _EXPONENT[1]:
        raise UnusableKeyError("an RSA key with an unusual exponent")
    try:
        key = RSAKey.import_key({"kty": "RSA", **public})
    except (JoseError, ValueError) as failure:
        raise UnusableKeyError("no RSA key") from failure
    return PublicKey(_RSA_ALGORITHMS, key.thumbprint(), key)


def _curve(members: Mapping[str, object], key_type: str, names: tuple[str, ...]) -> PublicKey:
    public = _texts(members, names)
    algorithms = _CURVE_ALGORITHMS.get((key_type, public["crv"]))
    if algorithms is None:
        raise UnusableKeyError("a curve that is not used")
    for name in names[1:]:
        _bytes(public[name])
    kind = ECKey if key_type == "EC" else OKPKey
    try:
        key = kind.import_key({"kty": key_type, **public})  # checks that the point is on the curve
    except (JoseError, ValueError) as failure:
        raise UnusableKeyError("no point of its curve") from failure
    return PublicKey(algorithms, key.thumbprint(), key)


def _texts(members: Mapping[str, object], names: tuple[str, ...]) -> dict[str, str]:
    texts = {name: value for name in names if isinstance(value := members.get(name), str) and 0 < len(value) <= 2048}
    if len(texts) != len(names):
        raise UnusableKeyError("a key without all its parts")
    return texts


def _bytes(text: str) -> bytes:
    try:
        return from_base64url(text)
    except ValueError:
        raise UnusableKeyError("a key that is not base64url") from None
