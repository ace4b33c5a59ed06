"""A model API's stream, as fast as a raw protocol can send it: `python -m bench.sse_upstream PORT`.

The request's body names what to send in its `user` field:
`burst N`: N events as fast as the peer reads · `paced N MS`: N events, one every MS milliseconds ·
`idle`: one event, then silence until the peer goes away. Each event is a chunk of its own and holds one `~`.
`words N MS NAME`: N events of `masking_texts`, without `~`, one every MS milliseconds · `times NAME`: when each of them
was sent, as JSON.
"""

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

from bench.masking_texts import chat_events

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
ORDER = re.compile(rb'"user":"(burst|paced|idle|words|times) ?(\d*) ?(\d*) ?([a-z0-9-]*)"')
BURST_BYTES = 16 * 1024


def event(content: bytes) -> bytes:
    """One chunk with one event, as a chat completion streams it."""
    data = (
        b'data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1750000000,'
        b'"model":"gpt-5.4-mini","choices":[{"index":0,"delta":{"content":"' + content + b'~"}}]}\n\n'
    )
    return b"%x\r\n%s\r\n" % (len(data), data)


PLAIN = event(b" doorkeeper")
SENT_NS: dict[bytes, list[int]] = {}
"""When the events of each stream of words were sent, by its name."""


class Upstream(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.waiting = bytearray()
        self.paused = False
        self.left = 0
        self.bursting = False
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def connection_lost(self, error: Exception | None) -> None:
        self.left = 0
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        head, found, body = bytes(self.waiting).partition(b"\r\n\r\n")
        if not found:
            return
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length is None:
            ready = body.endswith(END)
        else:
            ready = len(body) >= int(length[1])
        if ready:
            self.waiting.clear()
            self.answer(body)

    def answer(self, body: bytes) -> None:
        order = ORDER.search(body)
        if order is None:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        self.transport.write(HEAD)
        match order[1]:
            case b"burst":
                self.left, self.bursting = int(order[2]), True
                self.burst()
            case b"paced":
                self.left, self.bursting = int(order[2]), False
                self.pace(time.monotonic(), int(order[3]) / 1000)
            case b"words":
                chunks = [b"%x\r\n%s\r\n" % (len(data), data) for data in chat_events(int(order[2]))]
                times = SENT_NS[order[4]] = []
                self.speak(chunks[::-1], times, time.monotonic(), int(order[3]) / 1000)
            case b"times":
                listed = json.dumps(SENT_NS.pop(order[4])).encode()
                self.transport.write(b"%x\r\n%s\r\n%s" % (len(listed), listed, END))
            case _:
                self.transport.write(PLAIN)

    def burst(self) -> None:
        while self.left and not self.paused:
            count = min(self.left, BURST_BYTES // len(PLAIN))
            self.left -= count
            self.transport.write(PLAIN * count + (b"" if self.left else END))

    def pace(self, due: float, interval_s: float) -> None:
        self.left -= 1
        # The time of sending travels in the event: both ends read the same monotonic clock.
        content = b" %d" % time.monotonic_ns()
        self.transport.write(event(content) + (b"" if self.left else END))
        if self.left:
            due += interval_s
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(due - time.monotonic(), self.pace, due, interval_s)

    def speak(self, left: list[bytes], times: list[int], due: float, interval_s: float) -> None:
        chunk = left.pop()
        times.append(time.monotonic_ns())
        self.transport.write(chunk + (b"" if left else END))
        if left:
            due += interval_s
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(due - time.monotonic(), self.speak, left, times, due, interval_s)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.bursting:
            self.burst()


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
