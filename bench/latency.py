"""How long one answer takes, over raw sockets: one at a time, and at a rate that waits for none."""

import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bench.machine import BenchError


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Microseconds."""

    p50: float
    p99: float


def percentiles(samples: Sequence[float]) -> Percentiles:
    ordered = sorted(samples)
    return Percentiles(ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)])


def request(path: str, token: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: application/json\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()


class Answers:
    """Counts whole answers in what one connection received; each has Content-Length or chunked framing."""

    def __init__(self) -> None:
        self.received = bytearray()

    def feed(self, data: bytes) -> int:
        self.received += data
        whole = 0
        while (end := self._end_of_first()) is not None:
            del self.received[:end]
            whole += 1
        return whole

    def _end_of_first(self) -> int | None:
        head_end = self.received.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        head = bytes(self.received[:head_end]).lower()
        if not head.startswith(b"http/1.1 200"):
            raise BenchError(f"unexpected answer: {bytes(self.received[:200])!r}")
        _, found, rest = head.partition(b"content-length:")
        if found:
            end = head_end + 4 + int(rest.split(b"\r\n", 1)[0])
            return end if len(self.received) >= end else None
        last = self.received.find(b"\r\n0\r\n\r\n", head_end)
        return None if last < 0 else last + 7


def one_at_a_time(port: int, path: str, token: str, count: int) -> list[float]:
    """Microseconds of each of `count` answers on one kept connection, after fifty that do not count."""
    message = request(path, token)
    samples = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = Answers()
        for number in range(count + 50):
            begun = time.perf_counter_ns()
            connection.sendall(message)
            while not answers.feed(_receive(connection)):
                pass
            if number >= 50:
                samples.append((time.perf_counter_ns() - begun) / 1000)
    return samples


def at_rate(port: int, path: str, token: str, per_s: int, seconds: float) -> list[float]:
    """Microseconds from when each request was due to its whole answer; 64 connections in turn."""
    message = request(path, token)
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
    answers = {connection: Answers() for connection in connections}
    due_times: dict[socket.socket, deque[int]] = {connection: deque() for connection in connections}
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    samples: list[float] = []
    step = 1_000_000_000 // per_s
    warm_up = per_s // 4
    total = int(per_s * seconds) + warm_up
    sent = answered = 0
    due = begun = time.perf_counter_ns()
    while answered < total:
        now = time.perf_counter_ns()
        while sent < total and due <= now:
            connection = connections[sent % len(connections)]
            due_times[connection].append(due)
            connection.sendall(message)
            sent += 1
            due += step
        pause_s = max(0.0, (due - time.perf_counter_ns()) / 1e9) if sent < total else 5.0
        # select waits with microseconds where epoll rounds up to milliseconds.
        readable, _, _ = select.select(connections, [], [], pause_s)
        if sent == total and not readable:
            raise BenchError(f"{total - answered} answers never came")
        for connection in readable:
            whole = answers[connection].feed(_receive(connection))
            now = time.perf_counter_ns()
            for _ in range(whole):
                came_due = due_times[connection].popleft()
                answered += 1
                if came_due - begun >= warm_up * step:
                    samples.append((now - came_due) / 1000)
    for connection in connections:
        connection.close()
    return samples


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(262_144)
    if not data:
        raise BenchError("the proxy closed the connection")
    return data
