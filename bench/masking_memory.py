"""What masking keeps in memory: `python -m bench.masking_memory [--megabytes 1000] [--streams 10000]`.

Predicted before the first run: every kind of body stays within 4 MB however much passes through it (what is found is
counted, not kept), and a stream that waits in the middle of a match costs 6 KiB.
"""

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from bench import masking_texts as texts
from bench.detectors import CHANNELS, masker
from bench.masking_report import Table, conditions, for_terminal, number, publish
from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.gateway.bodies.text_body import TextBody
from ostiary.startup import give_memory_back

RULES = "every detector"
PIECE_BYTES = 64 * 1024
MIB = 1024 * 1024
HALF = "gh" + "p_A1b2C3d4E5f6G7h8"


def resident_bytes() -> int:
    """What is in use: what compiling left free would hide what is measured, so the system gets it back first."""
    gc.collect()
    give_memory_back()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


# -- one long body


def pieces(start: bytes, again: bytes, megabytes: int) -> Iterator[bytes]:
    """`start` and then the same again and again, cut at places that differ each time."""
    yield start
    left = megabytes * 1_000_000
    block = again * (2 * PIECE_BYTES // len(again) + 2)
    at = 0
    while left > 0:
        size = min(PIECE_BYTES, left)
        yield block[at : at + size]
        at = (at + size) % len(again)
        left -= size


BODIES: dict[str, tuple[Callable[[], Body], Callable[[], tuple[bytes, bytes]]]] = {
    "SseBody, events of chat": (
        lambda: SseBody(masker(RULES), CHANNELS["openai"]),
        lambda: (b"", b"".join(texts.chat_events(2000))),
    ),
    "SseBody, addresses in every event": (
        lambda: SseBody(masker(RULES), CHANNELS["openai"]),
        lambda: (b"", b"".join(event.replace(b'"content":"', b'"content":" a.b@example.org ')
                               for event in texts.chat_events(200))),
    ),
    "JsonBody, one list of records": (
        lambda: JsonBody(masker(RULES)),
        lambda: (b"[", texts.records(4 * MIB) + b","),
    ),
    "JsonBody, one string that does not end": (
        lambda: JsonBody(masker(RULES)),
        lambda: (b'{"said": "', texts.prose(MIB).replace(b"\n", b"\\n")),
    ),
    "TextBody, prose": (lambda: TextBody(masker(RULES)), lambda: (b"", texts.prose(MIB))),
    "TextBody, one token that does not end": (
        lambda: TextBody(masker(RULES)),
        lambda: (b"eyJ" + b"hbGciOiJIUzI1NiJ9.eyJ" + b"zdWIiOiIxMjM0NTY3ODkwIn0.", b"dBjftJeZ4CVPmB92K27uhbUJU1p1r"),
    ),
}  # fmt: skip


def growth(name: str, megabytes: int) -> dict[str, float]:
    """MB that the process grew by after the first 4 MB, at most, and MB/s."""
    make, material = BODIES[name]
    body = make()
    start, again = material()
    before = most = passed = due = 0
    begun = time.thread_time()
    for piece in pieces(start, again, megabytes):
        body.feed(piece)
        passed += len(piece)
        if passed < 4_000_000:
            continue
        if not before:
            before = resident_bytes()
        if passed >= due:
            due = passed + max(1, megabytes // 50) * 1_000_000
            most = max(most, resident_bytes() - before)
    body.finish()
    most = max(most, resident_bytes() - before)
    return {"growth_mb": most / 1e6, "mb_s": passed / 1e6 / (time.thread_time() - begun)}


# -- many streams


def _half_event(number: int) -> bytes:
    return texts.chat_events(1)[0].replace(b'"content":" ', b'"content":"%d %b' % (number, HALF.encode()))


STREAMS: dict[str, tuple[Callable[[], Body], Callable[[int], bytes]]] = {
    "SseBody": (lambda: SseBody(masker(RULES), CHANNELS["openai"]), _half_event),
    "JsonBody": (lambda: JsonBody(masker(RULES)), lambda number: b'{"n": %d, "said": "%b' % (number, HALF.encode())),
    "TextBody": (lambda: TextBody(masker(RULES)), lambda number: b"%d %b" % (number, HALF.encode())),
}


def many(name: str, streams: int) -> dict[str, float]:
    """KiB for each stream that waits in the middle of a match, its masker included."""
    make, begin = STREAMS[name]
    make().feed(begin(0))
    started = [begin(number) for number in range(streams)]
    before = resident_bytes()
    bodies = [make() for _ in range(streams)]
    held = sum(body.feed(piece).count(HALF.encode()) == 0 for body, piece in zip(bodies, started, strict=True))
    after = resident_bytes()
    assert held == streams, f"{streams - held} did not hold the beginning back"
    return {"kib_each": (after - before) / 1024 / streams}


def _in_its_own_process(part: str, name: str, size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.masking_memory", "--part", part, "--name", name, "--size", str(size)]
    seen: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.masking_memory", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--write", action="store_true", help="also when it is smaller than usual")
    for name in ("--part", "--name", "--size"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps({"growth": growth, "many": many}[options.part](options.name, int(options.size))))
        return
    machine = conditions()
    long = {name: _in_its_own_process("growth", name, options.megabytes) for name in BODIES}
    waiting = {name: _in_its_own_process("many", name, options.streams) for name in STREAMS}
    tables = [
        Table(
            f"{options.megabytes:,} MB through one body, every detector",
            ["body", "growth, MB", "MB/s"],
            [[name, number(seen["growth_mb"]), number(seen["mb_s"])] for name, seen in long.items()],
        ),
        Table(
            f"{options.streams:,} streams at once, each in the middle of a token",
            ["body", "KiB for each"],
            [[name, number(seen["kib_each"])] for name, seen in waiting.items()],
        ),
    ]
    print("\n".join(map(for_terminal, tables)))
    if options.write or (options.megabytes, options.streams) == (1000, 10_000):
        command = f"python -m bench.masking_memory --megabytes {options.megabytes} --streams {options.streams}"
        publish("masking-memory", command, machine, tables, {"long": long, "waiting": waiting})


if __name__ == "__main__":
    main()
