"""A real installation: `python -m ostiary serve` as a process of its own in a fresh home, driven from outside."""

import base64
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlencode

from ostiary.cli.commands import run as run_command

START_LIMIT_S = 25.0
STOP_LIMIT_S = 15.0

QUICK_DEADLINES = {
    "OSTIARY_CLIENT_HEAD_TIMEOUT_S": "1.0",
    "OSTIARY_CLIENT_BODY_TIMEOUT_S": "1.0",
    "OSTIARY_CLIENT_WRITE_TIMEOUT_S": "1.5",
    "OSTIARY_UPSTREAM_CONNECT_TIMEOUT_S": "2.0",
    "OSTIARY_UPSTREAM_HEAD_TIMEOUT_S": "2.5",
    "OSTIARY_UPSTREAM_IDLE_TIMEOUT_S": "1.5",
    "OSTIARY_DRAIN_TIMEOUT_S": "2.0",
    "OSTIARY_RECORDING_BODY_MAX_BYTES": str(256 * 1024),
}
"""Short enough for a test; every deadline and limit stays in force."""


class Refused(Exception):
    """The control API said no."""

    def __init__(self, status: int, problem: Any) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on at this moment, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [entry.getsockname()[1] for entry in held]
    finally:
        for entry in held:
            entry.close()


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a fresh shell would have, without any OSTIARY_* or proxy variable of this one."""
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment.update(extra or {})
    return environment


class Installation:
    """Start it, talk to it, stop it or kill it, start it again on the same home.

    `output` is everything the server wrote to stdout and stderr, over all its starts.
    """

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None, *options: str) -> None:
        self.home = home
        self.environment = clean_environment({"HOME": str(home.parent), **QUICK_DEADLINES, **(environment or {})})
        self.options = options
        self.gateway_port, self.console_port, self.ops_port = free_ports(3)
        self.process: subprocess.Popen[bytes] | None = None
        self._output = bytearray()
        self._admin = threading.local()
        self._readers: list[threading.Thread] = []

    # -- the process ---------------------------------------------------------

    def start(self) -> "Installation":
        """Returns when `/readyz` says 200. Raises AssertionError with the server's output otherwise."""
        process = self.launch()
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end:
            if process.poll() is not None:
                self._join_readers()
                raise AssertionError(f"serve ended with {process.returncode}:\n{self.output.decode(errors='replace')}")
            if self.ready():
                return self
            time.sleep(0.03)
        self.kill()
        raise AssertionError(f"not ready in {START_LIMIT_S} s:\n{self.output.decode(errors='replace')}")

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process without waiting for it."""
        addresses = [
            f"--{name}=127.0.0.1:{port}"
            for name, port in [
                ("gateway", self.gateway_port),
                ("console", self.console_port),
                ("ops", self.ops_port),
            ]
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ostiary", "serve", "--home", str(self.home), *addresses, *self.options],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
        )
        reader = threading.Thread(target=self._collect, args=(self.process.stdout,), daemon=True)
        reader.start()
        self._readers.append(reader)
        return self.process

    def ready(self) -> bool:
        try:
            return self.ops("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL; the exit status."""
        return self._end(signal.SIGKILL)

    @property
    def output(self) -> bytes:
        return bytes(self._output)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def resident_bytes(self) -> int:
        """Memory of the server and its children."""
        assert self.process is not None
        total = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            except OSError:
                continue
            if str(self.process.pid) in (fields["Pid"].strip(), fields["PPid"].strip()) and "VmRSS" in fields:
                total += int(fields["VmRSS"].split()[0]) * 1024
        return total

    def settled_bytes(self) -> int:
        """What is resident once it no longer grows: after a start, secrets are compiled in the background."""
        last = self.resident_bytes()
        for _ in range(50):
            time.sleep(0.3)
            now = self.resident_bytes()
            if abs(now - last) < 128 * 1024:
                return now
            last = now
        return last

    def _end(self, number: int) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._join_readers()
        return status

    def _collect(self, stream: Any) -> None:
        while data := stream.read1(65536):
            self._output += data

    def _join_readers(self) -> None:
        for reader in self._readers:
            reader.join(5.0)
        self._readers.clear()

    # -- the control API -----------------------------------------------------

    def api(self, method: str, path: str, document: Any = None, **query: Any) -> Any:
        """The decoded answer of the control API over the admin socket. Raises `Refused` for 4xx and 5xx."""
        target = "/api/v1" + path + ("?" + urlencode(query) if query else "")
        payload = None if document is None else json.dumps(document).encode()
        status, content = self._called(method, target, payload)
        try:
            decoded = json.loads(content) if content else None
        except ValueError:
            decoded = content
        if status >= 400:
            raise Refused(status, decoded)
        return decoded

    def _called(self, method: str, target: str, payload: bytes | None) -> tuple[int, bytes]:
        """(status, body) over a kept connection of this thread; a stale one is replaced once."""
        headers = {} if payload is None else {"Content-Type": "application/json"}
        for fresh in (False, True):
            kept = getattr(self._admin, "connection", None)
            if kept is None or fresh:
                kept = self._admin.connection = _UnixConnection(self.home / "admin.sock", 30.0)
            try:
                kept.request(method, target, payload, headers)
                answer = kept.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                kept.close()
                self._admin.connection = None
                if fresh:
                    raise
        raise AssertionError("unreachable")

    def apply(self, document: Mapping[str, Any], *, prune: bool = False) -> Any:
        """Apply a declarative document (JSON is YAML). The version line is added."""
        text = json.dumps({"version": 1, **document}, indent=1)
        return self.api("POST", "/configuration/apply", {"yaml": text, "filename": "attack.yaml", "prune": prune})

    def set_secret(self, name: str, value: str) -> Any:
        return self.api("PUT", f"/secrets/{name}", {"value": value})

    def mint(self, actor: str, **how: Any) -> dict[str, Any]:
        """What the API says of a fresh gateway token: token, id, expires_at.
        `how`: kind, groups, ttl_s, connections, agent."""
        return dict(self.api("POST", "/tokens", {"actor": actor, "kind": "user", "ttl_s": 3600, **how}))

    def token(self, actor: str, **how: Any) -> str:
        """The text of a fresh gateway token."""
        return str(self.mint(actor, **how)["token"])

    def last_index(self) -> int:
        """The index that the newest audit entry has; -1 when there is none."""
        size = int(self.api("GET", "/audit/checkpoint")["size"])
        return size - 1

    def indexed_entries(self, after: int = -1) -> list[tuple[int, dict[str, Any]]]:
        """(index, entry) of the audit entries with an index above `after`, oldest first."""
        found: list[tuple[int, dict[str, Any]]] = []
        while True:
            rows = self.api("GET", "/audit/entries", after=after, limit=1000)["entries"]
            found += [(row["index"], row["entry"]) for row in rows]
            if len(rows) < 1000:
                return found
            after = rows[-1]["index"]

    def entries(self, after: int = -1) -> list[dict[str, Any]]:
        """Audit entries with an index above `after`, oldest first."""
        return [entry for _, entry in self.indexed_entries(after)]

    def recordings(self, **which: str) -> Iterator[tuple[str, bytes]]:
        """(session or exchange, everything it shows) of the sessions of that `actor` or `connection`."""
        for session in self.api("GET", "/sessions", **which, limit=1000)["sessions"]:
            detail = self.api("GET", f"/sessions/{session['id']}")
            yield f"session {session['id']}", json.dumps(detail).encode()
            for exchange in detail["exchanges"]:
                try:
                    frames = self.api("GET", f"/recordings/{exchange['exchange']}")["frames"]
                except Refused as refusal:
                    if refusal.status != 404:
                        raise
                    continue
                yield f"recording {exchange['exchange']}", replayed(frames)

    def ops(self, path: str) -> tuple[int, bytes]:
        """(status, body) of the ops listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ops_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    # -- the command line ----------------------------------------------------

    def cli(self, *arguments: str, stdin: bytes = b"", **environment: str) -> "subprocess.CompletedProcess[bytes]":
        """`ostiary ARGUMENTS` on this home, with nothing else in the environment."""
        return subprocess.run(
            [sys.executable, "-m", "ostiary", *arguments],
            env={**self.environment, "OSTIARY_HOME": str(self.home), **environment},
            input=stdin,
            capture_output=True,
            timeout=60,
            cwd="/",
            check=False,
        )

    def cli_here(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """The same in this process, for what does not depend on the process: starting one takes longer than most
        commands do."""
        given, out, err = (io.TextIOWrapper(io.BytesIO(data), "utf-8") for data in (stdin, b"", b""))
        environment = {**self.environment, "OSTIARY_HOME": str(self.home)}
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch.object(sys, "stdin", given),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = run_command(list(arguments))
        for stream in (out, err):
            stream.flush()
        return subprocess.CompletedProcess(arguments, code, out.buffer.getvalue(), err.buffer.getvalue())


def replayed(frames: list[Mapping[str, Any]]) -> bytes:
    """The bytes of a recording's frames, request and response each in one piece, then the frames as shown."""
    joined: dict[str, bytearray] = {}
    for frame in frames:
        data = base64.b64decode(frame["base64"]) if frame.get("base64") is not None else frame["text"].encode()
        joined.setdefault(f"{frame['direction']}", bytearray()).extend(data)
    return b"\n".join([*joined.values(), json.dumps(frames).encode()])


@contextmanager
def running(home: Path, environment: Mapping[str, str] | None = None, *options: str) -> Iterator[Installation]:
    """A started installation that is killed at the end, whatever happens."""
    installation = Installation(home, environment, *options)
    try:
        yield installation.start()
    finally:
        if installation.alive:
            installation.kill()
