"""The measured values as a table in the terminal, as JSON, and as the block in `docs/performance.md`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Values = Mapping[str, float]
BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"


@dataclass(frozen=True, slots=True)
class Row:
    """`added`: the upstream's own value, asked directly, is subtracted. `aim` is Ostiary's own bound."""

    key: str
    title: str
    unit: str
    digits: int = 0
    more_is_better: bool = False
    added: bool = False
    aim: str = ""


ROWS = (
    Row("requests_c1", "requests, 1 connection, 1 KiB", "/s", more_is_better=True),
    Row("requests_c32", "requests, 32 connections, 1 KiB", "/s", more_is_better=True, aim="≥ 1.3 × Envoy"),
    Row("requests_c256", "requests, 256 connections, 1 KiB", "/s", more_is_better=True),
    Row("cpu_c32", "CPU per request, 32 connections, 1 KiB", "µs", 1),
    Row("large_mb_s", "bodies of 64 KiB, 32 connections", "MB/s", more_is_better=True),
    Row("cpu_large", "CPU per request, 64 KiB", "µs", 1),
    Row("latency_c1_p50", "added latency, 1 connection, p50", "ms", 3, added=True),
    Row("beyond_disk_p50", "the same beyond one fdatasync of the disk, p50", "ms", 3, aim="≤ 0.6 ms"),
    Row("latency_c1_p99", "added latency, 1 connection, p99", "ms", 3, added=True),
    Row("latency_rate_p50", "added latency at 2,000 requests/s, p50", "ms", 3, added=True),
    Row("latency_rate_p99", "added latency at 2,000 requests/s, p99", "ms", 3, added=True),
    Row("burst_events", "SSE events in bursts, 16 streams", "/s", more_is_better=True, aim="≥ 150,000/s"),
    Row("cpu_burst", "CPU per event in bursts", "µs", 2),
    Row("paced_p50", "added delay of a paced SSE event, p50", "ms", 3, added=True),
    Row("paced_p99", "added delay of a paced SSE event, p99", "ms", 3, added=True),
    Row("cpu_paced", "CPU per paced event, 100 streams", "µs", 1),
    Row("idle_rss_mb", "memory at idle, RSS", "MB", 1, aim="≤ 50 MB"),
    Row("idle_pss_mb", "memory at idle, PSS", "MB", 1),
    Row("stream_kib", "memory per open stream, 1,000 streams", "KiB", 1, aim="≤ 12 KiB"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """`values[proxy][row key]` as shown: milliseconds, and what is `added` already over the direct value."""

    command: str
    machine: str
    day: str
    versions: Mapping[str, str]
    disk_p50_ms: float
    disk_p99_ms: float
    values: Mapping[str, Values]


def presented(measured: Mapping[str, Values], disk_p50_us: float) -> dict[str, dict[str, float]]:
    """Latencies in ms with the direct value taken off; for Ostiary also what is left beyond one fdatasync."""
    direct = measured["direct"]
    shown: dict[str, dict[str, float]] = {}
    for name, values in measured.items():
        if name == "direct":
            continue
        row_values: dict[str, float] = {}
        for row in ROWS:
            if row.key not in values:
                continue
            row_values[row.key] = (values[row.key] - direct[row.key]) / 1000 if row.added else values[row.key]
        if name == "ostiary":
            row_values["beyond_disk_p50"] = row_values["latency_c1_p50"] - disk_p50_us / 1000
        shown[name] = row_values
    return shown


def _number(value: float | None, row: Row) -> str:
    return "–" if value is None else f"{value:,.{row.digits}f}"


def _ratio(mine: float | None, other: float | None) -> str:
    if mine is None or other is None or other <= 0 or mine <= 0:
        return "–"
    return f"{mine / other:.2f}"


def table(result: Result) -> list[list[str]]:
    """Header and one line per row: each proxy's value, then Ostiary's divided by each baseline's."""
    proxies = list(result.values)
    baselines = [name for name in proxies if name != "ostiary"] if "ostiary" in proxies else []
    lines = [["measure", "unit", *proxies, *(f"ostiary ÷ {name}" for name in baselines), "aim"]]
    for row in ROWS:
        numbers = [result.values[name].get(row.key) for name in proxies]
        if all(number is None for number in numbers):
            continue
        mine = result.values.get("ostiary", {}).get(row.key)
        ratios = [_ratio(mine, result.values[name].get(row.key)) for name in baselines]
        lines.append([row.title, row.unit, *(_number(number, row) for number in numbers), *ratios, row.aim])
    return lines


def for_terminal(result: Result) -> str:
    lines = table(result)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*text, "", _disk(result)])


def _disk(result: Result) -> str:
    return (
        f"The disk's own append and fdatasync in the same run: p50 {result.disk_p50_ms:.3f} ms, "
        f"p99 {result.disk_p99_ms:.3f} ms."
    )


def for_markdown(result: Result) -> str:
    head, *rest = table(result)
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    lines = [
        f"Measured on {result.day} with `{result.command}`: {result.machine}; {versions}.",
        _disk(result),
        "",
        "| " + " | ".join(head) + " |",
        "|" + "|".join("---" if column < 2 else "--:" for column in range(len(head))) + "|",
        *("| " + " | ".join(line) + " |" for line in rest),
    ]
    return "\n".join(lines)


def write(result: Result, json_path: Path, page: Path) -> None:
    """`json_path` anew; in `page` only what stands between the two marks."""
    json_path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "command": result.command,
        "machine": result.machine,
        "day": result.day,
        "versions": dict(result.versions),
        "disk_fdatasync_ms": {"p50": round(result.disk_p50_ms, 4), "p99": round(result.disk_p99_ms, 4)},
        "values": {
            name: {key: round(value, 4) for key, value in values.items()} for name, values in result.values.items()
        },
    }
    json_path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    if page.exists():
        before, found, rest = page.read_text().partition(BEGIN)
        _, closed, after = rest.partition(END)
        if found and closed:
            page.write_text(f"{before}{BEGIN}\n{for_markdown(result)}\n{END}{after}")


def missed(result: Result, proxies: Sequence[str]) -> list[str]:
    """Titles of the rows whose plain aim Ostiary misses in this run."""
    mine = result.values.get("ostiary")
    if mine is None:
        return []
    envoy = result.values["envoy"]["requests_c32"] if "envoy" in proxies else 0.0
    bounds = {
        "requests_c32": mine["requests_c32"] >= 1.3 * envoy,
        "beyond_disk_p50": mine["beyond_disk_p50"] <= 0.6,
        "burst_events": mine["burst_events"] >= 150_000,
        "idle_rss_mb": mine["idle_rss_mb"] <= 50,
        "stream_kib": mine["stream_kib"] <= 12,
    }
    return [f"{row.title}: {row.aim}" for row in ROWS if not bounds.get(row.key, True)]
