"""How large the endurance tests are, and the house they run in: one connection `far` of kind `http`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.installation import Installation
from support.process_upstream import UpstreamProcess

MIB = 1024 * 1024
KEY = "sk-endurance-2f6c9e1b7d4a8350"

PATIENT = {
    "OSTIARY_CLIENT_BODY_TIMEOUT_S": "30",
    "OSTIARY_CLIENT_HEAD_TIMEOUT_S": "30",
    "OSTIARY_CLIENT_WRITE_TIMEOUT_S": "60",
    "OSTIARY_UPSTREAM_HEAD_TIMEOUT_S": "60",
    "OSTIARY_UPSTREAM_IDLE_TIMEOUT_S": "60",
    "OSTIARY_DRAIN_TIMEOUT_S": "10",
}
"""The machine may be busy; nothing here is about deadlines."""


@dataclass(frozen=True, slots=True)
class Size:
    exchanges: int
    at_once: int
    body_bytes: int
    idle_streams: int
    deadline_s: float
    masked_bytes: int
    half_matches: int


SIZES = {
    "fast": Size(1_000, 200, 64 * MIB, 1_000, 60, 4 * MIB, 1_000),
    "full": Size(10_000, 200, 1024 * MIB, 1_000, 600, 1024 * MIB, 10_000),
}
SIZE = SIZES[os.environ.get("ENDURANCE_SIZE", "fast")]


@dataclass(frozen=True, slots=True)
class House:
    server: Installation
    upstream: UpstreamProcess
    token: str

    @property
    def port(self) -> int:
        return self.server.gateway_port

    def headers(self, *further: str) -> list[str]:
        return [f"Authorization: Bearer {self.token}", *further]


def configuration(upstream: str, **connection: Any) -> dict[str, Any]:
    return {
        "secrets": [{"name": "far-key", "from": {"stored": True}}],
        "connections": [
            {
                "name": "far",
                "kind": "http",
                "upstream": upstream,
                "secret": "far-key",
                "allow_private": True,
                **connection,
            }
        ],
        "rules": [{"name": "all may", "on": ["far"], "effect": "allow"}],
    }


def furnish(server: Installation, upstream: UpstreamProcess, **connection: Any) -> House:
    """Apply the configuration to a running server and mint a token."""
    scheme = "https" if connection.get("ca_file") else "http"
    server.apply(configuration(f"{scheme}://127.0.0.1:{upstream.port}", **connection))
    server.set_secret("far-key", KEY)
    return House(server, upstream, server.token("enduring"))


@contextmanager
def open_house(
    directory: Path, home: Path | None = None, options: tuple[str, ...] = (), pem: Path | None = None, **connection: Any
) -> Iterator[House]:
    """A running server with one upstream process behind it; both are ended, whatever happens."""
    server = Installation(home or directory / "home", PATIENT, *options)
    with UpstreamProcess(directory / "far", pem) as upstream:
        try:
            yield furnish(server.start(), upstream, **connection)
        finally:
            if server.alive:
                server.kill()
