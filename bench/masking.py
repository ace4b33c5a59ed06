"""The injected-secret masker beside the cheapest thing that could be done: one search for the plain key.

Run: `.venv/bin/python bench/masking.py`
"""

import json
import resource
import time
from collections.abc import Callable

from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.secret import Secret

KEYS = {
    24: b"sk-Q4f7xB2nL9vTzR8mW1cKd",
    68: b"key_" + b"0123456789abcdef" * 4,
    164: b"sk-proj-" + bytes(48 + (index * index) % 75 for index in range(156)),
    4096: bytes(33 + (index * index * 7 + index // 90) % 94 for index in range(4096)),
}
RECORDS = [
    {"id": f"agent-{number}", "text": "The quick brown fox jumps over the lazy dog & \u00e9", "n": number * 7919}
    for number in range(1000)
]
JSON = json.dumps(RECORDS).encode()
EVENT = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":" word"}}]}\n\n'


def microseconds(work: Callable[[], object], count: int, rounds: int = 7) -> float:
    """The median of several rounds, per call."""
    results = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(count):
            work()
        results.append((time.perf_counter() - begun) / count * 1e6)
    return sorted(results)[rounds // 2]


def resident_mib() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1024 / 1024


def show(title: str, data: bytes, work: Callable[[], object], count: int) -> None:
    spent = microseconds(work, count)
    print(f"  {title:44}{spent:9.2f} µs {len(data) / spent:9.0f} MB/s")


def main() -> None:
    forms = (AuthForm(AuthScheme.BEARER),)
    matchers = {}
    print("compiling")
    for length, key in KEYS.items():
        before, begun = resident_mib(), time.perf_counter()
        matchers[length] = InjectedSecretMatcher([Secret("key", 1, key)], forms)
        spent = time.perf_counter() - begun
        print(f"  key of {length:5} characters {spent:7.3f} s {resident_mib() - before:7.1f} MiB", end="")
        print(f", holds back at most {matchers[length].hold_back_max_bytes} bytes")
    pieces = {
        "SSE event": (EVENT, 20_000),
        "1 KiB": (JSON[:1022] + b'"}', 10_000),
        "16 KiB": (JSON[:16382] + b'"}', 1000),
        "64 KiB": (JSON[:65534] + b'"}', 200),
    }
    for name, (data, count) in pieces.items():
        print(f"{name}, {len(data)} bytes")
        show("one search for the plain key (baseline)", data, lambda data=data: data.find(KEYS[68]), count)
        for length, matcher in matchers.items():
            feed = matcher.stream("body").feed
            show(f"stream, clean, key of {length}", data, lambda feed=feed, data=data: feed(data), count)
        feed = matchers[68].stream("body").feed
        ends_in_key = data[:-4] + b"key_"
        show("stream, end may become a key, key of 68", data, lambda feed=feed, data=ends_in_key: feed(data), count)
        hit = data[: len(data) // 2] + KEYS[68] + data[len(data) // 2 :]
        feed = matchers[68].stream("body").feed
        show("stream, with the key in the middle", hit, lambda feed=feed, data=hit: feed(data), count)


if __name__ == "__main__":
    main()
