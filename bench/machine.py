"""Cores, processes, memory and the disk, as the kernel counts them."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROXY_CORE = "1"
LOAD_CORE = "0"
CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """The bench cannot go on; the text says what is missing."""


def require(*programs: str) -> None:
    """Raises `BenchError` naming the first program that is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise BenchError(f"{program} is not installed (Debian: apt-get install wrk nginx-light util-linux).")
    if (os.cpu_count() or 1) < 2:
        raise BenchError("Two cores are needed: one for the proxy, one for the load and the upstream.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    command: Sequence[str], core: str, log: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """The command pinned to a core, its output in `log`, in a process group of its own."""
    with log.open("ab") as output:
        return subprocess.Popen(
            ["taskset", "-c", core, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask, wait ten seconds, then kill the process and its children."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise BenchError(f"Nothing listens on port {port}:\n{log.read_text(errors='replace')[-2000:]}")


def family(pid: int) -> list[int]:
    """The process and all its descendants that live now."""
    found = [pid]
    for member in found:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in children.read_text().split())
            except OSError:  # the thread ended between the listing and the reading
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of the process and its descendants."""
    ticks = 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / CLOCK_TICKS_PER_S


def idle_share(seconds: float) -> float:
    """How much of all cores nothing used, from 0 to 1. Below 0.9 somebody else is measured too."""

    def read() -> list[int]:
        return [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]

    before = read()
    time.sleep(seconds)
    spent = [after - earlier for after, earlier in zip(read(), before, strict=True)]
    return (spent[3] + spent[4]) / max(1, sum(spent))


@dataclass(frozen=True, slots=True)
class Memory:
    """KiB, summed over the process family. PSS shares a page's size among those that map it."""

    rss: int
    pss: int


def memory(pid: int) -> Memory:
    rss = pss = 0
    for member in family(pid):
        try:
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Rss:"):
                    rss += int(line.split()[1])
                elif line.startswith("Pss:"):
                    pss += int(line.split()[1])
        except OSError:  # it ended
            continue
    return Memory(rss, pss)


def fdatasync_us(folder: Path, rounds: int) -> list[float]:
    """Times of appending 700 bytes (about one audit entry) and `fdatasync`, in microseconds, sorted."""
    path = folder / "fdatasync-probe"
    times = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(rounds):
            begun = time.perf_counter_ns()
            os.write(descriptor, b"e" * 700)
            os.fdatasync(descriptor)
            times.append((time.perf_counter_ns() - begun) / 1000)
    finally:
        os.close(descriptor)
        path.unlink()
    return sorted(times)
