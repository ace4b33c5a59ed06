"""The demo's stage: a temporary home, a stand-in upstream, a real server, and the real command line."""

import http.client
import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ostiary.cli.terminal import paint, visible
from ostiary.model.errors import OstiaryError

_START_S = 20.0
_STOP_S = 10.0
_COMMAND_S = 30.0
_SHOWN_LINES = 40
_SHOWN_COLUMNS = 116
_INDENT_COLUMNS = 5


class DemoDeviation(OstiaryError):
    """Something came out differently than the story says."""

    code = "demo_deviation"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


class Stage:
    """Starts everything on entering and removes everything on leaving."""

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self.home = Path(tempfile.mkdtemp(prefix="ostiary-demo-"))
        self.key = f"crsr_{secrets.token_hex(32)}"
        self.token = ""
        self.upstream_port = 0
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")}
        self._running: list[subprocess.Popen[bytes]] = []
        self._gateway_port, self._console_port, self._ops_port = _free_ports(3)

    def __enter__(self) -> "Stage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._running):
            _stop(process)
        if self._keep:
            say(f"The demo's home stays in {self.home}.")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    # -- processes -----------------------------------------------------------

    def start_upstream(self) -> int:
        """The stand-in for Cursor's API, which knows the real key; returns its port."""
        command = ["-m", "ostiary.standin.cursor", "--port", "0", "--key", self.key, "--echo-authorization"]
        process = self._start(command, "upstream.log", stdout=subprocess.PIPE)
        line = process.stdout.readline() if process.stdout else b""
        try:
            return int(json.loads(line)["port"])
        except (ValueError, KeyError, TypeError):
            raise DemoDeviation("The stand-in for Cursor's API did not start.", self._log("upstream.log")) from None

    def start_server(self) -> None:
        """`ostiary serve`, until it says that it is ready."""
        addresses = {"gateway": self._gateway_port, "console": self._console_port, "ops": self._ops_port}
        options = [part for name, port in addresses.items() for part in (f"--{name}", f"127.0.0.1:{port}")]
        say_command(f"ostiary serve --gateway 127.0.0.1:{self._gateway_port} …")
        process = self._start(["-m", "ostiary", "serve", "--home", str(self.home / "home"), *options], "serve.log")
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and process.poll() is None:
            if self._ready():
                return
            time.sleep(0.05)
        raise DemoDeviation("The server did not become ready.", self._log("serve.log"))

    def _start(self, arguments: Sequence[str], log: str, stdout: int | None = None) -> "subprocess.Popen[bytes]":
        with (self.home / log).open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=sink if stdout is None else stdout,
                stderr=sink,
            )
        self._running.append(process)
        return process

    def _log(self, name: str) -> str:
        tail = (self.home / name).read_text(errors="replace").strip().splitlines()[-3:]
        return "It said: " + " / ".join(tail) if tail else "It said nothing."

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._ops_port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    # -- the command line ------------------------------------------------------

    def ostiary(
        self, *arguments: str, stdin: str = "", shown: str = "", quiet: bool = False, exit_code: int = 0
    ) -> str:
        """Run `ostiary ARGUMENTS`, show command and output, and return the output.

        `shown` stands in for the command line where it would tell too much; `quiet` shows nothing.
        """
        if not quiet:
            say_command(shown or "ostiary " + shlex.join(arguments))
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "ostiary", "--home", str(self.home / "home"), *arguments],
            env=self._environment,
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )
        if not quiet:
            say_output(done.stdout)
        expect(self.key not in done.stdout + done.stderr, f"`ostiary {arguments[0]}` printed the key.")
        if done.returncode != exit_code:
            raise DemoDeviation(
                f"`ostiary {shlex.join(arguments)}` ended with {done.returncode} instead of {exit_code}.",
                done.stderr.strip() or done.stdout.strip(),
            )
        return done.stdout

    def ostiary_json(self, *arguments: str) -> Any:
        """The decoded output of `ostiary ARGUMENTS --json`, shown to nobody."""
        return json.loads(self.ostiary(*arguments, "--json", quiet=True))

    # -- the tool's side -----------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, *, timeout_s: float = 30.0) -> Answer:
        """One request of the tool, with its token and nothing else, through the gateway."""
        connection, answer = self._request(method, path, body, timeout_s)
        try:
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def stream_lines(self, path: str, *, timeout_s: float = 30.0) -> Iterator[str]:
        """The lines of a streamed answer as they come."""
        connection, answer = self._request("GET", path, None, timeout_s)
        try:
            expect(answer.status == 200, f"GET {path} answered {answer.status} instead of 200.")
            while line := answer.readline():
                yield line.decode("utf-8", errors="replace").rstrip("\r\n")
        finally:
            connection.close()

    def _request(
        self, method: str, path: str, body: Any, timeout_s: float
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self._gateway_port, timeout=timeout_s)
        headers = {"Authorization": f"Bearer {self.token}"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body=payload, headers=headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise DemoDeviation(f"{method} {path} got no answer ({type(error).__name__}).") from None

    def places_with_the_key(self) -> list[str]:
        """Files of the server's home, and its log, in which the real key's bytes stand."""
        files = [path for path in (self.home / "home").rglob("*") if path.is_file()] + [self.home / "serve.log"]
        needle = self.key.encode()
        return [path.name for path in files if needle in path.read_bytes()]


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [entry.getsockname()[1] for entry in held]
    finally:
        for entry in held:
            entry.close()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


# -- what the audience sees ------------------------------------------------------


def say_chapter(number: int, title: str) -> None:
    print(paint(f"\n{number}. {title}", "bold"), flush=True)


def say(text: str) -> None:
    print(f"   {text}", flush=True)


def say_command(text: str) -> None:
    print(paint(f"   $ {text}", "blue"), flush=True)


def say_output(text: str, most_lines: int = _SHOWN_LINES) -> None:
    """At most a screenful, indented, wrapped and escaped."""
    lines = [piece for line in visible(text.rstrip("\n"), keep_lines=True).split("\n") for piece in _wrapped(line)]
    for line in lines[:most_lines]:
        print(f"     {line}".rstrip())
    if len(lines) > most_lines:
        print(f"     … {len(lines) - most_lines} more lines")
    sys.stdout.flush()


def _wrapped(line: str) -> list[str]:
    columns = max(40, shutil.get_terminal_size(fallback=(_SHOWN_COLUMNS, 24)).columns - _INDENT_COLUMNS)
    return [line[at : at + columns] for at in range(0, len(line), columns)] or [""]


def say_answer(request: str, answer: Answer) -> None:
    colour = "green" if answer.status < 400 else "yellow"
    print(f"   {paint('tool', 'dim')} {request}  →  {paint(str(answer.status), colour)}")
    say_output(answer.text, 5)


def expect(condition: bool, sentence: str) -> None:
    """The story goes on, or ends with `sentence`."""
    if not condition:
        raise DemoDeviation(sentence, "This should not happen: please report it.")
