"""TLS to upstreams: the system's roots or the connection's own file, and nothing from our environment."""

import ssl
from pathlib import Path

from ostiary.model.errors import OperatorError

_SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
)


def system_roots() -> str:
    """The operating system's PEM bundle. SSL_CERT_FILE and SSL_CERT_DIR are ignored on purpose (D10)."""
    for path in _SYSTEM_ROOTS:
        if Path(path).is_file():
            return path
    raise OperatorError(
        "This machine has no bundle of trusted certificates.",
        "Install the package `ca-certificates`, or name a `ca_file` on the connection.",
    )


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """Verifies the name and the chain; TLS 1.2 or newer. No key log, whatever SSLKEYLOGFILE says.

    Raises `OperatorError` when the file is missing or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    path = ca_file or system_roots()
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError):
        raise OperatorError(f"The CA file {path} cannot be read as PEM certificates.", "Mend `ca_file`.") from None
    return context


def server_context(certificate: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """For our own listeners. With `client_ca` (PEM) a client may show a certificate, one that it vouches for.
    Raises `OperatorError` when a file does not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        raise OperatorError(
            f"The TLS certificate {certificate} and key {key} cannot be used.",
            "Give a PEM chain with --tls-cert and its private key with --tls-key.",
        ) from None
    if client_ca:
        try:
            context.load_verify_locations(cafile=client_ca)
        except (OSError, ssl.SSLError):
            raise OperatorError(
                f"The file {client_ca} cannot be read as PEM certificates.", "Mend OSTIARY_TLS_CLIENT_CA."
            ) from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
