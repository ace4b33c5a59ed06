"""Reading a request head: our line-cached grammar against httptools' callbacks with the strict check they still need.

Run: `.venv/bin/python bench/heads.py`
"""

import time
from collections.abc import Callable

import httptools
import re2

from ostiary.protocols.heads import parse_request_head, request_line_cache

HEAD = (
    b"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8420\r\nAccept-Encoding: gzip, deflate\r\n"
    b"Connection: keep-alive\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
    b"User-Agent: OpenAI/Python 1.109.0\r\nX-Stainless-Lang: python\r\nX-Stainless-Package-Version: 1.109.0\r\n"
    b"X-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n"
    b"Authorization: Bearer ost_uabcdefghijklmnopqrstuvwxyz0123456789ABCDEFabcdef\r\n"
    b"x-stainless-retry-count: 0\r\nContent-Length: 0\r\n\r\n"
)
_OPTIONS = re2.Options()
_OPTIONS.encoding = re2.Options.Encoding.LATIN1
STRICT = re2.compile(rb"(?:[!#$%&'*+\-.^`|~0-9A-Za-z]+:[\x20-\x7e\t]*\r\n)*", options=_OPTIONS)


class Collector:
    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_message_complete(self) -> None:
        pass


def microseconds(work: Callable[[], object], rounds: int = 7, count: int = 20_000) -> float:
    """The median of several rounds, per call."""
    results = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(count):
            work()
        results.append((time.perf_counter() - begun) / count * 1e6)
    return sorted(results)[rounds // 2]


def main() -> None:
    collector = Collector()
    parser = httptools.HttpRequestParser(collector)
    block_start = HEAD.index(b"\r\n") + 2

    def callbacks() -> None:
        collector.fields = []
        parser.feed_data(HEAD)
        parser.get_method()

    def callbacks_checked() -> None:
        callbacks()
        STRICT.fullmatch(HEAD[block_start:-2])

    cache = request_line_cache()
    block = HEAD[:-4]
    unique = iter(range(10_000_000))

    def own_warm() -> None:
        parse_request_head(block, cache, 128, 16384)

    def own_three_new_lines() -> None:
        number = b"%d" % next(unique)
        parse_request_head(
            block.replace(b"count: 0", b"count: " + number).replace(b"x64", number).replace(b"CPython", number),
            cache,
            128,
            16384,
        )

    print(f"head of {len(HEAD)} bytes, 14 fields; microseconds per head")
    print(f"  httptools callbacks                     {microseconds(callbacks):6.2f}")
    print(f"  httptools callbacks + strict check      {microseconds(callbacks_checked):6.2f}")
    print(f"  own grammar, all lines seen before      {microseconds(own_warm):6.2f}")
    print(f"  own grammar, three lines new each time  {microseconds(own_three_new_lines):6.2f}")


if __name__ == "__main__":
    main()
