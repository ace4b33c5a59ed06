"""An installation whose people come from identity providers: its console, its command line and its gateway."""

import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlencode

from house import OSTIARY, Installation
from processes import clean_environment
from providers import GATEWAY_AUDIENCE, Providers

ACCESS_ENDS_WITHIN_S = 5.0

_CONFIGURATION = Template("""\
version: 1
secrets:
  - {name: client-secret, from: {env: E2E_CLIENT_SECRET}}
  - {name: bench-key, from: {env: E2E_BENCH_KEY}}
connections:
  - {name: bench, kind: http, upstream: "http://127.0.0.1:$bench", secret: bench-key, auth: {header: X-Api-Key},
     allow_private: true}
groups:
  - name: engineering
    from:
      - {issuer: corp, claim: groups, value: eng}
      - {issuer: people, claim: groups, value: builders}
      - {issuer: odd, claim: groups, value: eng}
      - {issuer: paper, claim: "http://schemas.passportjs.com/groups", value: eng}
      - {issuer: stamp, claim: groups, value: eng}
      - {scim: Engineering}
  - name: everybody
    from:
      - {issuer: corp, claim: groups, value: everybody}
      - {issuer: people, claim: groups, value: guests}
      - {issuer: odd, claim: groups, value: everybody}
rules:
  - {name: engineers work at the bench, who: {groups: [engineering]}, on: [bench], effect: allow}
identity:
  issuers:
    - name: corp
      oidc:
        issuer: "$corp"
        client_id: ostiary
        client_secret: {secret: client-secret}
        accept_tokens_for: "$audience"
        recheck: 60s
        allow_private: true
    - name: people
      oidc:
        issuer: "$people"
        client_id: ostiary
        client_secret: {secret: client-secret}
        scopes: [openid, profile, email, groups]
        trust_email: true
        allow_private: true
    - {name: odd, oidc: {issuer: "$odd", client_id: ostiary, allow_private: true}}
    - name: paper
      saml:
        metadata: {file: "$paper"}
        groups: "http://schemas.passportjs.com/groups"
        grant: true
        allow_private: true
    - {name: stamp, saml: {metadata: {url: "$stamp/metadata"}, allow_private: true}}
  assign: [{role: auditor, groups: [everybody]}]
  scim: {issuer: corp}
""")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class IdentityHouse(Installation):
    access_ttl_s = 8

    def __init__(
        self,
        directory: Path,
        console_port: int,
        providers: Providers,
        *,
        bench: int,
        client_secret: str,
        bench_key: str,
    ) -> None:
        super().__init__(
            directory,
            {
                "E2E_CLIENT_SECRET": client_secret,
                "E2E_BENCH_KEY": bench_key,
                "OSTIARY_ACCESS_TTL_S": str(self.access_ttl_s),
            },
            console_port,
        )
        self.console = f"http://127.0.0.1:{console_port}"
        self.gateway = f"http://127.0.0.1:{self.gateway_port}"
        self.client_secret = client_secret
        self.paper_metadata = directory / "paper.xml"
        self.paper_metadata.write_bytes(providers["paper"].get("/metadata"))
        file = directory / "ostiary.yaml"
        file.write_text(
            _CONFIGURATION.substitute(
                {name: providers[name].url for name in ("corp", "people", "odd", "stamp")},
                paper=self.paper_metadata,
                bench=bench,
                audience=GATEWAY_AUDIENCE,
            )
        )
        self.command("apply", "-f", str(file))

    def ask(self, token: str, path: str = "/hello") -> Answer:
        """What the bench answers through the gateway."""
        return fetch(f"{self.gateway}/bench{path}", {"Authorization": f"Bearer {token}"})

    def grant(self, **fields: str) -> Answer:
        """The answer of the token endpoint."""
        return fetch(f"{self.console}/oauth/token", {}, urlencode(fields).encode())

    def newest(self, entry_type: str, **detail: object) -> dict[str, Any]:
        """The newest audit entry of this type whose detail has these members; written soon, so it is waited for."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for entry in reversed(self.entries()):
                if entry["type"] == entry_type and detail.items() <= entry["detail"].items():
                    return entry
            time.sleep(0.1)
        raise AssertionError(f"no {entry_type} with {detail}")


class Laptop:
    """Somebody's machine, new and clean: nothing of the server's is in its home."""

    def __init__(self, directory: Path, console: str, **variables: str) -> None:
        self._console = console
        self._environment = clean_environment(directory, **variables)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*OSTIARY, *arguments], env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )

    def token(self, *options: str) -> str:
        done = self.run("token", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def login(self, *options: str) -> "Login":
        return Login([*OSTIARY, "login", "--console", self._console, *options], self._environment)


class Login:
    """A running `ostiary login`, as the person before it sees it."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        self._said.extend(iter(self._process.stderr.readline, ""))

    def said(self) -> str:
        return "".join(self._said)

    def line(self, needle: str) -> str:
        """The first line with `needle` in it, once it is there."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for line in list(self._said):
                if needle in line:
                    return line
            time.sleep(0.02)
        self._process.kill()
        raise AssertionError(f"`ostiary login` never said {needle!r}:\n{self.said()}")

    def end(self, timeout_s: float = 30) -> tuple[int, str]:
        """Its exit code and all that it printed."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"`ostiary login` goes on:\n{self.said()}") from None
        self._reader.join()
        assert self._process.stdout is not None
        return self._process.returncode, self._process.stdout.read() + self.said()


class Stream:
    """A running answer of the bench, read by a tool."""

    def __init__(self, house: IdentityHouse, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", house.gateway_port, timeout=30)
        self._connection.request("GET", "/bench/ticks", headers={"Authorization": f"Bearer {token}"})
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self._ended_at: float | None = None
        self.ticks = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while self.ticks < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.runs()

    def _read(self) -> None:
        with suppress(OSError, HTTPException):
            while line := self._answer.readline():
                self.ticks += line.startswith(b"data:")
        self._ended_at = time.monotonic()

    def runs(self) -> bool:
        return self._ended_at is None and self.ticks > 0

    def ended_after(self, began: float, timeout_s: float = ACCESS_ENDS_WITHIN_S) -> float:
        """Seconds from `began` on the monotonic clock. `AssertionError` if it goes on for longer than `timeout_s`."""
        self._thread.join(max(0.0, began + timeout_s - time.monotonic()))
        assert self._ended_at is not None, f"the stream goes on after {timeout_s} s"
        return self._ended_at - began

    def close(self) -> None:
        with suppress(OSError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._connection.close()


def fetch(url: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, answer.read())
    except urllib.error.HTTPError as refused:
        return Answer(refused.code, refused.read())
