"""The keys an issuer signs with, as its JWK Set (RFC 7517) tells them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ostiary.model.errors import OperatorError

if TYPE_CHECKING:
    from ostiary.identity.signature_keys import PublicKey

ENTRIES_MAX = 200
"""Entries of a key set; more is no key set."""

KID_MAX = 256
"""Characters."""

_SAME_KID_MAX = 4

SIGNATURE_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""All that is ever verified, whatever an issuer is allowed: asymmetric, and nothing with SHA-1."""

_USES = frozenset({"sig", "jwt-svid"})
"""Keys of a SPIFFE bundle say what documents they sign; its `x509-svid` ones sign certificates."""

_ED25519_NAMES = frozenset({"EdDSA", "Ed25519"})
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def algorithm_names(algorithm: str) -> frozenset[str]:
    """All names of this algorithm: Ed25519 has an older one (RFC 9864)."""
    return _ED25519_NAMES if algorithm in _ED25519_NAMES else frozenset({algorithm})


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """`algorithms` are those of its type, or the one its JWK names."""

    kid: str | None
    algorithms: frozenset[str]
    public: "PublicKey"

    def verifies(self, algorithm: str, data: bytes, signature: bytes) -> bool:
        return algorithm in self.algorithms and self.public.verifies(algorithm, data, signature)


@dataclass(frozen=True, slots=True)
class KeyBook:
    """Keys ready to verify with. `ignored` says, for `doctor`, why entries of the set are not among them."""

    keys: tuple[VerifyingKey, ...] = ()
    ignored: tuple[str, ...] = ()

    @classmethod
    def parse(cls, jwks: Mapping[str, object]) -> Self:
        """Entries that cannot verify a signature, or should not, are left out; what is left may be nothing.

        Raises `OperatorError` for what is no JWK Set.
        """
        # 4 MB of memory that an installation without issuers does not pay for.
        from ostiary.identity.signature_keys import UnusableKeyError

        entries = jwks.get("keys")
        if not isinstance(entries, list) or len(entries) > ENTRIES_MAX:
            raise OperatorError("The issuer's key set is no JWK Set.", "Check where its `jwks_uri` leads.")
        keys: list[VerifyingKey] = []
        ignored: list[str] = []
        for number, entry in enumerate(entries, 1):
            try:
                key = _read_key(entry)
                if sum(other.kid == key.kid for other in keys if key.kid is not None) >= _SAME_KID_MAX:
                    raise UnusableKeyError("one of too many with the same kid")
            except UnusableKeyError as failure:
                ignored.append(f"key {number}: {failure}")
            else:
                keys.append(key)
        return cls(tuple(keys), tuple(ignored))

    def find(self, kid: str | None, algorithm: str) -> tuple[VerifyingKey, ...]:
        """The keys that a token of `algorithm` may be signed with, a handful at most.

        Without a kid that is the only key there is for the algorithm; among several nobody guesses (OpenID Connect Core
        section 10.1).
        """
        fitting = tuple(
            key for key in self.keys if algorithm in key.algorithms and (kid is None or key.kid == kid)
        )  # fmt: skip
        return fitting if kid is not None or len(fitting) == 1 else ()

    def knows(self, kid: str) -> bool:
        return any(key.kid == kid for key in self.keys)

    def is_like(self, other: "KeyBook") -> bool:
        """Whether both verify the same, in whatever order they were told."""
        return {_likeness(key) for key in self.keys} == {_likeness(key) for key in other.keys}

    def __len__(self) -> int:
        return len(self.keys)


def _likeness(key: VerifyingKey) -> tuple[str | None, frozenset[str], str]:
    return key.kid, key.algorithms, key.public.thumbprint


def _read_key(entry: object) -> VerifyingKey:
    from ostiary.identity.signature_keys import UnusableKeyError, read_public_key

    if not isinstance(entry, dict):
        raise UnusableKeyError("no object")
    use = entry.get("use", "sig")
    if not isinstance(use, str) or use not in _USES:
        raise UnusableKeyError("a key for something other than signatures of tokens")
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKeyError("a key for something other than verifying")
    kid = entry.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= KID_MAX):
        raise UnusableKeyError("a kid that is no short text")
    if not PRIVATE_MEMBERS.isdisjoint(entry):
        raise UnusableKeyError("a symmetric key" if entry.get("kty") == "oct" else "a private key that is public")
    public = read_public_key(entry)
    algorithms = public.algorithms
    if (named := entry.get("alg")) is not None:
        algorithms = algorithms & algorithm_names(named) if isinstance(named, str) else frozenset()
        if not algorithms:
            raise UnusableKeyError("a key for an algorithm that is not its own")
    return VerifyingKey(kid, algorithms, public)
