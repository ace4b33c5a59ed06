"""The key that our requests are signed with, and its certificate, for identity providers to know it by."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

RSA_BITS = 3072
_LIFE = timedelta(days=20 * 365)
"""Providers know the key by its certificate, which is nothing but its envelope: no authority vouches for it, and a new
one would have to be taken to every provider."""
_BEFORE = timedelta(days=1)
"""Clocks differ."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`certificate` is DER, signed with the key itself."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: bytes = field(repr=False)


def certified(key: rsa.RSAPrivateKey, name: str, serial_number: int, now: float) -> SigningKey:
    """`key` with a certificate in the name of `name`."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begins = datetime.fromtimestamp(int(now), UTC) - _BEFORE
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial_number)
        .not_valid_before(begins)
        .not_valid_after(begins + _LIFE)
        .sign(key, hashes.SHA256())
    )
    return SigningKey(key, certificate.public_bytes(serialization.Encoding.DER))


def to_bytes(signing: SigningKey) -> bytes:
    """PKCS #12 without a password: what keeps it seals it."""
    certificate = x509.load_der_x509_certificate(signing.certificate)
    return pkcs12.serialize_key_and_certificates(None, signing.key, certificate, None, serialization.NoEncryption())


def from_bytes(data: bytes) -> SigningKey:
    """Raises `ValueError` for anything that `to_bytes` did not make."""
    key, certificate, _ = pkcs12.load_key_and_certificates(data, None)
    if not isinstance(key, rsa.RSAPrivateKey) or certificate is None:
        raise ValueError("there is no RSA key with a certificate")
    return SigningKey(key, certificate.public_bytes(serialization.Encoding.DER))
