"""A passkey in software: what a browser with an authenticator answers."""

import hashlib
import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class SoftPasskey:
    """`counter` None is one that does not count."""

    origin: str
    counter: int | None = 0
    flags: int = PRESENT | VERIFIED
    cross_origin: bool = False
    id: bytes = field(default_factory=lambda: os.urandom(16))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """`navigator.credentials.create(options)`, as JSON."""
        asked = options["publicKey"]
        client_data = self._client_data("webauthn.create", asked["challenge"])
        public = cbor.encode(ES256.from_cryptography_key(self.key.public_key()))
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._authenticator_data(asked["rp"]["id"], ATTESTED) + attested
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer({"clientDataJSON": _text(client_data), "attestationObject": _text(attestation)})

    def get(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """`navigator.credentials.get(options)`, as JSON."""
        asked = options["publicKey"]
        client_data = self._client_data("webauthn.get", asked["challenge"])
        if self.counter is not None:
            self.counter += 1
        data = self._authenticator_data(asked["rpId"], 0)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {"clientDataJSON": _text(client_data), "authenticatorData": _text(data), "signature": _text(signature)}
        )

    def _answer(self, response: dict[str, str]) -> dict[str, Any]:
        return {"id": _text(self.id), "rawId": _text(self.id), "type": "public-key", "response": response,
                "clientExtensionResults": {}, "authenticatorAttachment": "platform"}  # fmt: skip

    def _client_data(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return json.dumps(said).encode()

    def _authenticator_data(self, relying_party: str, flags: int) -> bytes:
        counted = (self.counter or 0).to_bytes(4, "big")
        return hashlib.sha256(relying_party.encode()).digest() + bytes([self.flags | flags]) + counted


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
