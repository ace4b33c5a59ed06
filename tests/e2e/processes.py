"""Starting, watching and stopping the servers and tools of the end-to-end tests."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


def free_port() -> int:
    """A loopback port nobody listens on at the moment of asking."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """What `env -i` leaves, a home of its own, and `variables`: no proxy, key or configuration of ours."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(home),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TMPDIR": str(home),
        **variables,
    }


@dataclass(slots=True)
class Server:
    """A running server; everything it says goes to `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """SIGTERM, and SIGKILL to its group if that was not enough. The exit code comes back."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def start_server(
    command: Sequence[str], log: Path, environment: Mapping[str, str], ready: Callable[[], bool]
) -> Server:
    """The server, once `ready()` says so. Raises `RuntimeError` with the end of its log otherwise."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, log)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{server.said()[-4000:]}")
        if ready():
            return server
        time.sleep(0.05)
    server.stop()
    raise RuntimeError(f"{command[0]} was not ready after {START_TIMEOUT_S} s:\n{server.said()[-4000:]}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool did: `text` is what a person would have read in the terminal, both streams."""

    exit_code: int
    out: str
    text: str
    duration_s: float


def run_tool(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, timeout_s: float = 90.0
) -> Outcome:
    """Runs to the end with no standard input; a tool that hangs is killed and fails the test."""
    directory.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        env=dict(environment),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(
            f"{Path(command[0]).name} did not end within {timeout_s} s:\n{_text(out)}\n{_text(err)}"
        ) from None
    return Outcome(process.returncode, _text(out), _text(out) + _text(err), time.monotonic() - started)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
