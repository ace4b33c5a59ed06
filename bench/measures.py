"""What is measured, on every proxy in turn, round after round, so that a noisy minute hits all of them."""

import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench import latency, streams
from bench.machine import LOAD_CORE, BenchError, cpu_seconds, memory
from bench.servers import Proxy

COMPLETIONS = "/v1/chat/completions"
MODELS = "/v1/models"
FILES = "/v1/files"
BURST_STREAMS = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """How long everything takes. `rounds` of each measure; the median counts."""

    rounds: int
    wrk_s: int
    answers: int
    rate_s: float
    burst_answers: int
    paced_events: int
    open_streams: int


FULL = Plan(5, 3, 3000, 3.0, 32, 60, 1000)
QUICK = Plan(2, 1, 500, 0.8, 8, 15, 1000)

Values = dict[str, float]
"""Measured values by name; see `report.ROWS`."""


def wrk(proxy: Proxy, path: str, connections: int, seconds: int) -> Values:
    """Requests per second, MB/s of bodies and the proxy's CPU time per request."""
    url = f"http://127.0.0.1:{proxy.requests_port}{proxy.requests_prefix}{path}"
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    pid = 0 if proxy.process is None else proxy.process.pid
    cpu_before = cpu_seconds(pid) if pid else 0.0
    output = subprocess.run(
        [*command, "-H", f"Authorization: Bearer {proxy.token}", url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    cpu = (cpu_seconds(pid) if pid else 0.0) - cpu_before
    found = re.search(r"(\d+) requests in ([\d.]+)(s|m)", output)
    if found is None or "Non-2xx" in output or "Socket errors" in output:
        raise BenchError(f"wrk against {proxy.name} {path} -c{connections}:\n{output}")
    requests = int(found[1])
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    assert rate is not None
    return {"per_s": float(rate[1]), "cpu_us": cpu * 1e6 / requests}


def requests_round(proxy: Proxy, plan: Plan) -> Values:
    values: Values = {}
    for connections in (1, 32, 256):
        seen = wrk(proxy, MODELS, connections, plan.wrk_s)
        values[f"requests_c{connections}"] = seen["per_s"]
        values[f"cpu_c{connections}"] = seen["cpu_us"]
    large = wrk(proxy, FILES, 32, plan.wrk_s)
    values["large_mb_s"] = large["per_s"] * 65536 / 1e6
    values["cpu_large"] = large["cpu_us"]
    return values


def latency_round(proxy: Proxy, plan: Plan) -> Values:
    path = proxy.requests_prefix + MODELS
    alone = latency.percentiles(latency.one_at_a_time(proxy.requests_port, path, proxy.token, plan.answers))
    at_rate = latency.percentiles(latency.at_rate(proxy.requests_port, path, proxy.token, 2000, plan.rate_s))
    return {
        "latency_c1_p50": alone.p50,
        "latency_c1_p99": alone.p99,
        "latency_rate_p50": at_rate.p50,
        "latency_rate_p99": at_rate.p99,
    }


def streams_round(proxy: Proxy, plan: Plan) -> Values:
    path = proxy.streams_prefix + COMPLETIONS
    pid = 0 if proxy.process is None else proxy.process.pid

    def cpu() -> float:
        return cpu_seconds(pid) if pid else 0.0

    before = cpu()
    burst_events, seconds = streams.bursts(
        proxy.streams_port, path, proxy.token, BURST_STREAMS, plan.burst_answers, 1000
    )
    between = cpu()
    paced_events, delay = streams.paced(proxy.streams_port, path, proxy.token, 100, plan.paced_events, 50)
    after = cpu()
    return {
        "burst_events": burst_events / seconds,
        "cpu_burst": (between - before) * 1e6 / burst_events,
        "paced_p50": delay.p50,
        "paced_p99": delay.p99,
        "cpu_paced": (after - between) * 1e6 / paced_events,
    }


def memory_idle(proxy: Proxy) -> Values:
    """Just started, nothing asked of it yet."""
    assert proxy.process is not None
    seen = memory(proxy.process.pid)
    return {"idle_rss_mb": seen.rss / 1024, "idle_pss_mb": seen.pss / 1024}


def memory_streams(proxy: Proxy, plan: Plan) -> Values:
    """KiB that each open stream adds, from one stream (so that what the first one loads does not count)."""
    assert proxy.process is not None
    path = proxy.streams_prefix + COMPLETIONS
    streams.IdleStreams(proxy.streams_port, path, proxy.token, 1).close()
    before = memory(proxy.process.pid).pss
    opened = streams.IdleStreams(proxy.streams_port, path, proxy.token, plan.open_streams)
    opened.rest(1.0)
    after = memory(proxy.process.pid).pss
    opened.close()
    return {"stream_kib": (after - before) / plan.open_streams}


Round = Callable[[Proxy, Plan], Values]


def interleaved(proxies: Sequence[Proxy], plan: Plan, measure: Round, say: Callable[[str], None]) -> dict[str, Values]:
    """The median of each value over the rounds, by proxy name."""
    seen: dict[str, list[Values]] = {proxy.name: [] for proxy in proxies}
    for number in range(plan.rounds):
        for proxy in proxies:
            begun = time.monotonic()
            seen[proxy.name].append(measure(proxy, plan))
            what = measure.__name__.removesuffix("_round")
            say(f"  {what} round {number + 1}/{plan.rounds} {proxy.name}: {time.monotonic() - begun:.1f} s")
    return {name: {key: median(values[key] for values in rounds) for key in rounds[0]} for name, rounds in seen.items()}
