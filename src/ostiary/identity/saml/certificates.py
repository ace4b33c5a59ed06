"""Which certificates hold a key that signatures may be made with."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

RSA_BITS_MIN = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def usable_certificate(der: bytes) -> x509.Certificate | None:
    """The certificate, or None when it cannot be read or its key is neither RSA of 2048 bits or more nor on a NIST
    curve of 256 bits or more."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPublicKey):
        return certificate if key.key_size >= RSA_BITS_MIN else None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return certificate
    return None
