"""What masking costs a server that does nothing: `python -m bench.masking_start [--quick]`.

Predicted before the first run: ready after 1 s without masking, 3 s with the credentials, 4 s with every detector;
60 MB at rest without, 90 MB with the credentials, 120 MB with every detector.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.configurations import KEY
from bench.machine import LOAD_CORE, PROXY_CORE, BenchError, cpu_seconds, free_port, memory, require, start, stop
from bench.masking_delay import MASKING, configuration
from bench.masking_report import Table, conditions, for_terminal, number, publish
from bench.servers import ostiary_command

REST_S = 1.0
READY_LIMIT_S = 60.0


class Start(NamedTuple):
    seconds: float
    cpu_s: float
    rss_mb: float
    pss_mb: float


def configured(home: Path, masking: str) -> None:
    """A home whose connections all have this masking; the server that it needed is gone."""
    only = configuration(9)
    for rules in MASKING.values():
        only = only.replace(f'"masking": {_written(rules)}', f'"masking": {_written(MASKING[masking])}')
    home.mkdir(parents=True)
    path = home.parent / f"{home.name}.yaml"
    path.write_text(only)
    process, _ = _serve(home)
    try:
        ostiary_command(home, "apply", "-f", str(path))
        ostiary_command(home, "secret", "set", "bench-key", stdin=KEY)
    finally:
        stop(process)


def _written(rules: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in rules) + "]"


def _serve(home: Path) -> "tuple[subprocess.Popen[bytes], float]":
    """The server and how many seconds it took until it was ready."""
    ports = {name: free_port() for name in ("gateway", "console", "ops")}
    command = [sys.executable, "-m", "ostiary", "serve", "--home", str(home)]
    for name, port in ports.items():
        command += [f"--{name}", f"127.0.0.1:{port}"]
    log = home.parent / f"{home.name}.log"
    begun = time.monotonic()
    process = start(command, PROXY_CORE, log)
    while time.monotonic() - begun < READY_LIMIT_S and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports['ops']}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return process, time.monotonic() - begun
        except OSError:
            time.sleep(0.01)
    stop(process)
    raise BenchError(f"not ready in {READY_LIMIT_S} s:\n{log.read_text()[-2000:]}")


def started(home: Path) -> Start:
    process, seconds = _serve(home)
    try:
        cpu = cpu_seconds(process.pid)
        time.sleep(REST_S)
        seen = memory(process.pid)
    finally:
        stop(process)
    return Start(seconds, cpu, seen.rss / 1024, seen.pss / 1024)


def measure(rounds: int) -> dict[str, Start]:
    folder = Path(__file__).resolve().parent.parent / ".bench" / f"{os.getpid()}"
    folder.mkdir(parents=True)
    homes = {name: folder / f"home-{at}" for at, name in enumerate(MASKING)}
    seen: dict[str, list[Start]] = {name: [] for name in MASKING}
    try:
        for name, home in homes.items():
            configured(home, name)
        for _ in range(rounds):
            for name, home in homes.items():
                seen[name].append(started(home))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {name: Start(*map(median, zip(*starts, strict=True))) for name, starts in seen.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.masking_start", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, written nowhere")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    require("taskset")
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    machine = conditions()
    seen = measure(1 if options.quick else options.rounds)
    rows = [[name, *map(number, each)] for name, each in seen.items()]
    table = Table(
        "`ostiary serve` at rest", ["masking", "ready after, s", "of it processor, s", "RSS, MB", "PSS, MB"], rows
    )
    print(for_terminal(table))
    if not options.quick:
        values = {name: each._asdict() for name, each in seen.items()}
        publish("masking-start", f"python -m bench.masking_start --rounds {options.rounds}", machine, [table], values)


if __name__ == "__main__":
    main()
