"""What masking adds to streamed deltas, with real sockets: `python -m bench.masking_delay [--quick]`.

Predicted before the first run: over masking off, a median delta comes 0.02 ms later with the credentials and 0.05 ms
later with every detector; the first one 0.15 ms later; the time from a request of 8 KiB to its first delta grows by
0.3 ms. Fewer than one delta in a hundred has text held back for one event.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import cast

import uvloop

from bench.latency import percentiles
from bench.machine import LOAD_CORE, BenchError, require
from bench.masking_report import Table, conditions, for_terminal, number, publish
from bench.masking_texts import PERSONAL, deltas, prose
from bench.servers import Proxy, Servers
from bench.streams import END
from ostiary.masking.engine import MINTED, detector_names

OFF = "off"
MASKING = {
    OFF: [],
    "secrets": ["secrets"],
    "secrets and personal data": ["secrets", "personal-data"],
    "every detector": ["everything"],
}
PROMPT_BYTES = 8 * 1024
STREAMS = 10
INTERVAL_MS = 40
DATA = re.compile(rb"data: (\{.*\})\n\n")


def configuration(upstream_port: int) -> str:
    connections = [
        {
            "name": _connection(number),
            "kind": "openai",
            "upstream": f"http://127.0.0.1:{upstream_port}",
            "secret": "bench-key",
            "allow_private": True,
            "masking": rules,
        }
        for number, rules in enumerate(MASKING.values())
    ]
    both = ["request", "response"]
    everything = [name for name in detector_names() if name != MINTED]
    masking = [
        {"name": "secrets", "detectors": ["secrets"], "where": both, "action": "replace"},
        {"name": "personal-data", "detectors": list(PERSONAL), "where": ["response"], "action": "replace"},
        {"name": "everything", "detectors": everything, "where": [*both, "recording"], "action": "replace"},
    ]
    rule = {
        "name": "bench asks",
        "who": {"groups": ["bench"]},
        "on": [each["name"] for each in connections],
        "operations": ["chat.completions.create"],
        "effect": "allow",
    }
    secrets = [{"name": "bench-key", "from": {"stored": True}}]
    # JSON is YAML.
    return json.dumps(
        {"version": 1, "secrets": secrets, "connections": connections, "masking": masking, "rules": [rule]}
    )


def _connection(number: int) -> str:
    return f"stream-{number}"


@dataclass(slots=True)
class Seen:
    """Of all streams under the same masking."""

    first_us: list[float] = field(default_factory=list)
    delays_us: list[float] = field(default_factory=list)
    answered_us: list[float] = field(default_factory=list)
    """From the request to the first delta."""
    held: int = 0
    """Deltas that came without the last of their text, which followed in the next."""
    events: int = 0


class Listener(asyncio.Protocol):
    """Sends one request and keeps what comes, with the time of its coming."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.pieces: list[tuple[int, bytes]] = []
        self.tail = b""
        self.asked_ns = 0
        self.finished = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.asked_ns = time.monotonic_ns()
        self.transport.write(self.message)

    def data_received(self, data: bytes) -> None:
        self.pieces.append((time.monotonic_ns(), data))
        self.tail = (self.tail + data)[-len(END) :]
        refused = len(self.pieces) == 1 and not data.startswith(b"HTTP/1.1 200")
        if (refused or self.tail == END) and not self.finished.done():
            self.finished.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

    @property
    def received(self) -> bytes:
        return b"".join(data for _, data in self.pieces)


def request(path: str, token: str, what: str) -> bytes:
    system = prose(PROMPT_BYTES).decode()
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "Who keeps the door?"}]
    body = json.dumps(
        {"model": "gpt-5.4-mini", "stream": True, "messages": messages, "user": what}, separators=(",", ":")
    )
    return (
        f"POST {path}/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def ask(port: int, message: bytes) -> Listener:
    _, listener = await asyncio.get_running_loop().create_connection(lambda: Listener(message), "127.0.0.1", port)
    await asyncio.wait_for(listener.finished, 60)
    listener.transport.abort()
    if not listener.received.startswith(b"HTTP/1.1 200"):
        raise BenchError(f"unexpected answer: {listener.received[:300]!r}")
    return listener


async def stream(proxy: Proxy, upstream_port: int, number: int, name: str, count: int, seen: Seen) -> None:
    path = f"/{_connection(number)}"
    listener = await ask(proxy.streams_port, request(path, proxy.token, f"words {count} {INTERVAL_MS} {name}"))
    times = await ask(upstream_port, request("", "", f"times {name}"))
    sent_ns = json.loads(times.received[times.received.index(b"[") : times.received.rindex(b"]") + 1])
    received = listener.received
    ends, arrived, at = [], [], 0
    for now, data in listener.pieces:
        at += len(data)
        ends.append(at)
        arrived.append(now)
    found = list(DATA.finditer(received))
    if len(found) < count:
        raise BenchError(f"{len(found)} of {count} events could be read")
    contents = [json.loads(match[1])["choices"][0]["delta"]["content"] for match in found]
    words = deltas(count)
    if "".join(contents) != "".join(words):
        raise BenchError("the text that came is not the text that was sent")
    piece = late = 0
    for event, match in enumerate(found[:count]):
        while ends[piece] < match.end():
            piece += 1
        seen.delays_us.append((arrived[piece] - sent_ns[event]) / 1000)
        late += len(words[event]) - len(contents[event])
        seen.held += late > 0
        if event == 0:
            seen.first_us.append(seen.delays_us[-1])
            seen.answered_us.append((arrived[piece] - listener.asked_ns) / 1000)
    seen.events += count


async def _round(proxy: Proxy, upstream_port: int, number: int, name: str, count: int, seen: Seen) -> None:
    tasks = []
    for each in range(STREAMS):
        tasks.append(asyncio.create_task(stream(proxy, upstream_port, number, f"{name}-{each}", count, seen)))
        await asyncio.sleep((INTERVAL_MS / STREAMS + 0.37) / 1000)  # so that they do not all speak at once
    await asyncio.gather(*tasks)


def measure(rounds: int, count: int) -> dict[str, Seen]:
    folder = Path(__file__).resolve().parent.parent / ".bench" / f"{os.getpid()}"
    folder.mkdir(parents=True)
    seen = {name: Seen() for name in MASKING}
    try:
        with Servers(folder) as servers:
            servers.streams()
            proxy = servers.ostiary(configuration(servers.stream_port))
            for number in range(len(MASKING)):  # what the first exchange loads does not count
                uvloop.run(_round(proxy, servers.stream_port, number, f"warm-{number}", 5, Seen()))
            for turn in range(rounds):
                for number, each in enumerate(seen.values()):
                    uvloop.run(_round(proxy, servers.stream_port, number, f"turn-{turn}-{number}", count, each))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return seen


def table(seen: dict[str, Seen]) -> tuple[Table, dict[str, dict[str, float]]]:
    off = seen[OFF]
    values = {}
    rows: list[Sequence[str]] = []
    for name, each in seen.items():
        delay, bare = percentiles(each.delays_us), percentiles(off.delays_us)
        values[name] = {
            "first_us": median(each.first_us),
            "p50_us": delay.p50,
            "p99_us": delay.p99,
            "answered_us": median(each.answered_us),
            "held_per_1000": each.held * 1000 / each.events,
        }
        mine, base = values[name], median(off.first_us)
        rows.append(
            [
                name,
                *(number(mine[key] / 1000) for key in ("first_us", "p50_us", "p99_us", "answered_us")),
                f"{(mine['first_us'] - base) / 1000:+.3f}",
                f"{(delay.p50 - bare.p50) / 1000:+.3f}",
                f"{(delay.p99 - bare.p99) / 1000:+.3f}",
                number(mine["held_per_1000"]),
            ]
        )
    head = ["masking", "first delta, ms", "delta p50, ms", "p99, ms", "from request to first, ms",
            "added to first", "added p50", "added p99", "of 1,000 deltas not whole at once"]  # fmt: skip
    return Table("Delay of streamed deltas, from the upstream's write to the client's read", head, rows), values


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.masking_delay", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="noisier, written nowhere")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    require("taskset")
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    machine = conditions()
    made, values = table(measure(2, 25) if options.quick else measure(options.rounds, 100))
    print(for_terminal(made))
    if not options.quick:
        publish("masking-delay", f"python -m bench.masking_delay --rounds {options.rounds}", machine, [made], values)


if __name__ == "__main__":
    main()
