"""Counters in the Prometheus text format. Labels hold connection names and codes, never anything a client chose."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence

from ostiary.gateway.state import Exchange
from ostiary.model.finding import Finding

_DURATION_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


def _label(text: str) -> str:
    """A rule's name as a label value, by the exposition format's own escapes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


class Metrics:
    def __init__(self) -> None:
        self._exchanges: Counter[tuple[str, str]] = Counter()
        self._refused: Counter[str] = Counter()
        self._findings: Counter[tuple[str, str, str]] = Counter()
        self._request_bytes = 0
        self._response_bytes = 0
        self._durations = [0] * (len(_DURATION_BOUNDS_S) + 1)
        self._duration_sum_us = 0
        self._gauges: list[tuple[str, str, Callable[[], float]]] = []

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Read at scrape time."""
        self._gauges.append((name, help_text, read))

    def concluded(self, exchange: Exchange, duration_us: int) -> None:
        route = exchange.route
        self._exchanges[(route.name if route is not None else "", f"{exchange.status // 100}xx")] += 1
        self._request_bytes += exchange.request_bytes
        self._response_bytes += exchange.response_bytes
        self._duration_sum_us += duration_us
        duration_s = duration_us / 1_000_000
        self._durations[bisect_left(_DURATION_BOUNDS_S, duration_s)] += 1
        self._count(exchange.findings)

    def _count(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._findings[(_label(finding.detector), finding.place, finding.action)] += finding.count

    def refused(self, code: str, findings: Sequence[Finding] = ()) -> None:
        self._refused[code] += 1
        self._count(findings)

    def text(self) -> str:
        lines = [
            "# HELP ostiary_exchanges_total Exchanges that were forwarded.",
            "# TYPE ostiary_exchanges_total counter",
        ]
        for (connection, status), count in sorted(self._exchanges.items()):
            lines.append(f'ostiary_exchanges_total{{connection="{connection}",status="{status}"}} {count}')
        lines += [
            "# HELP ostiary_refused_total Requests that were refused, by code.",
            "# TYPE ostiary_refused_total counter",
        ]
        lines += [f'ostiary_refused_total{{code="{code}"}} {count}' for code, count in sorted(self._refused.items())]
        lines += [
            "# HELP ostiary_findings_total What masking found, by what was done with it.",
            "# TYPE ostiary_findings_total counter",
        ]
        for (detector, place, action), count in sorted(self._findings.items()):
            lines.append(f'ostiary_findings_total{{detector="{detector}",place="{place}",action="{action}"}} {count}')
        for name, value in (("request", self._request_bytes), ("response", self._response_bytes)):
            lines += [
                f"# HELP ostiary_{name}_bytes_total Body bytes of forwarded exchanges.",
                f"# TYPE ostiary_{name}_bytes_total counter",
                f"ostiary_{name}_bytes_total {value}",
            ]
        lines += self._histogram()
        for name, help_text, read in self._gauges:
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", f"{name} {read():g}"]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        name = "ostiary_exchange_duration_seconds"
        lines = [f"# HELP {name} From the request's head to the end of the answer.", f"# TYPE {name} histogram"]
        running = 0
        for bound, count in zip(_DURATION_BOUNDS_S, self._durations, strict=False):
            running += count
            lines.append(f'{name}_bucket{{le="{bound:g}"}} {running}')
        running += self._durations[-1]
        lines.append(f'{name}_bucket{{le="+Inf"}} {running}')
        lines += [f"{name}_sum {self._duration_sum_us / 1_000_000:.6f}", f"{name}_count {running}"]
        return lines
