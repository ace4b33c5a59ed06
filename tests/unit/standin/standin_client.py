"""A client on `http.client` for a running stand-in."""

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any

KEY = "crsr_" + "0123456789abcdef" * 4


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """One connection per request; `basic` and `bearer` say in which form the key is sent."""

    port: int
    key: str = KEY

    def basic(self, method: str, target: str, body: object = None, **headers: str) -> Answer:
        packed = base64.b64encode(f"{self.key}:".encode()).decode()
        return self.send(method, target, body, {"Authorization": f"Basic {packed}", **headers})

    def bearer(self, method: str, target: str, body: object = None, **headers: str) -> Answer:
        return self.send(method, target, body, {"Authorization": f"Bearer {self.key}", **headers})

    def send(self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            sent = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
            connection.request(method, target, raw, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()
