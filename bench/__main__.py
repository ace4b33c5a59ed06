"""`python -m bench [--quick] [--only nginx,envoy]`: measure, print, and write the results down."""

import argparse
import os
import platform
import shutil
import sys
import time
from pathlib import Path

from bench import measures, report
from bench.latency import percentiles
from bench.machine import LOAD_CORE, BenchError, fdatasync_us, idle_share, require
from bench.servers import STARTERS, Servers

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, noisier, written nowhere")
    parser.add_argument("--only", default="nginx,envoy,ostiary", help="proxies to measure, comma separated")
    options = parser.parse_args()
    names = options.only.split(",")
    try:
        require("wrk", "nginx", "taskset")
        result = run(measures.QUICK if options.quick else measures.FULL, names, options.quick)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n" + report.for_terminal(result))
    for title in report.missed(result, names):
        print(f"aim missed: {title}")
    if not options.quick and names == list(STARTERS):
        report.write(result, ROOT / "bench" / "results" / "latest.json", ROOT / "docs" / "performance.md")
        print("\nWritten to bench/results/latest.json and docs/performance.md.")
    return 0


def run(plan: measures.Plan, names: list[str], quick: bool) -> report.Result:
    """Everything in a scratch folder of the repository, whose disk is the one whose fdatasync counts."""
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    # The path of a Unix socket has at most 107 bytes, so the folder's name is short.
    folder = ROOT / ".bench" / f"{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        with Servers(folder) as servers:
            return measure(servers, plan, names, quick)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(servers: Servers, plan: measures.Plan, names: list[str], quick: bool) -> report.Result:
    idle = idle_share(2.0)
    if idle < 0.9:
        say(f"The machine is busy ({1 - idle:.0%} used before the first measure): ratios hold, numbers are worse.")
    direct = servers.upstreams()
    proxies = [STARTERS[name](servers) for name in names]
    time.sleep(1)
    measured: dict[str, measures.Values] = {name: {} for name in ("direct", *names)}
    for proxy in proxies:
        # Before any load: memory that a process has taken and not given back would hide what streams need.
        measured[proxy.name] |= measures.memory_idle(proxy)
        measured[proxy.name] |= measures.memory_streams(proxy, plan)
    disk = fdatasync_us(servers.folder, 300)
    steps = (
        (measures.latency_round, [direct, *proxies]),
        (measures.streams_round, [direct, *proxies]),
        (measures.requests_round, proxies),
    )
    for step, asked in steps:
        for name, values in measures.interleaved(asked, plan, step, say).items():
            measured[name] |= values
        disk += fdatasync_us(servers.folder, 300)
    disk_time = percentiles(disk)
    return report.Result(
        command="make bench" if not quick else "python -m bench --quick",
        machine=f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, each proxy on one core, load and upstreams on another; "
        f"{1 - idle:.0%} of the machine used by others before the first measure",
        day=time.strftime("%Y-%m-%d"),
        versions={proxy.name: proxy.version for proxy in proxies},
        disk_p50_ms=disk_time.p50 / 1000,
        disk_p99_ms=disk_time.p99 / 1000,
        values=report.presented(measured, disk_time.p50),
    )


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
