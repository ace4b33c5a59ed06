"""An upstream on a raw socket: it records the exact bytes it gets and sends the exact bytes it is told to."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Segment = bytes | float
"""Bytes to send in one write, or seconds to wait."""

ACCEPT_POLL_S = 1.0
READ_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: chunks are joined in `body`, `raw` keeps every byte."""

    raw: bytes
    line: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    connection: int

    def header(self, name: bytes) -> list[bytes]:
        """All values of the field, whatever its case."""
        return [value for field_name, value in self.headers if field_name.lower() == name.lower()]

    @property
    def method(self) -> bytes:
        return self.line.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send. `at_head` answers before the request body is read, `close` ends the connection after it,
    `reset` ends it with RST, `at_connect` sends without waiting for a request."""

    segments: Iterable[Segment] | Callable[[Request], Iterable[Segment]]
    close: bool = False
    reset: bool = False
    at_head: bool = False


OK = Answer((b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",))


def answer(
    body: bytes = b"ok",
    *headers: bytes,
    status: bytes = b"200 OK",
    content_type: bytes = b"text/plain",
    length: int | None = None,
    **how: Any,
) -> Answer:
    """A well-formed answer with Content-Length, in one segment."""
    lines = [b"HTTP/1.1 " + status, b"Content-Type: " + content_type, *headers]
    lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return Answer((b"\r\n".join(lines) + b"\r\n\r\n" + body,), **how)


def chunked(pieces: Iterable[bytes], *headers: bytes, content_type: bytes = b"text/plain", **how: Any) -> Answer:
    """A chunked answer, each piece a chunk in a segment of its own."""
    head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Type: " + content_type, b"Transfer-Encoding: chunked", *headers])
    segments = [head + b"\r\n\r\n"]
    segments += [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    return Answer((*segments, b"0\r\n\r\n"), **how)


@dataclass
class _State:
    connections: int = 0
    open: set[socket.socket] = field(default_factory=set)
    received: list[bytearray] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    closed_by_peer: list[int] = field(default_factory=list)


class RawUpstream:
    """Listens on a free loopback port until `close()`. Answers are taken from `script` in order; when it is
    empty, `always` is sent. Give `tls` to speak TLS; a failed handshake counts in `handshake_failures`."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._listener = socket.create_server((host, 0), backlog=128)
        self._listener.settimeout(ACCEPT_POLL_S)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.script: list[Answer] = []
        self.always = OK
        self.handshake_failures = 0
        self.send_failures = 0
        self._tls = tls
        self._state = _State()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return self._state.connections

    @property
    def requests(self) -> list[Request]:
        with self._lock:
            return list(self._state.requests)

    @property
    def received(self) -> list[bytes]:
        """Every byte of each connection, in the order they were accepted."""
        with self._lock:
            return [bytes(data) for data in self._state.received]

    def wait_for_requests(self, count: int, deadline_s: float = 5.0) -> list[Request]:
        """The requests so far, once there are `count` or the deadline passed."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._state.requests) >= count, deadline_s)
            return list(self._state.requests)

    def wait_for_close(self, count: int = 1, deadline_s: float = 5.0) -> bool:
        """True once the gateway has closed `count` connections."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._state.closed_by_peer) >= count, deadline_s)

    def forget(self) -> None:
        """Drop what was recorded so far; open connections stay."""
        with self._lock:
            self._state.requests.clear()
            for data in self._state.received:
                data.clear()

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._stopping.set()
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1.0):
            pass  # wakes the thread that accepts
        self._listener.close()
        with self._lock:
            for open_socket in self._state.open:
                with contextlib.suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(2.0)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                accepted, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self._stopping.is_set():
                accepted.close()
                return
            accepted.settimeout(READ_LIMIT_S)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                number = self._state.connections
                self._state.connections += 1
                self._state.received.append(bytearray())
            thread = threading.Thread(target=self._serve, args=(accepted, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, accepted: socket.socket, number: int) -> None:
        peer = accepted
        if self._tls is not None:
            try:
                peer = self._tls.wrap_socket(accepted, server_side=True)
            except (OSError, ssl.SSLError):
                self.handshake_failures += 1
                accepted.close()
                return
        with self._lock:
            self._state.open.add(peer)
        try:
            self._converse(peer, number)
        except (OSError, ssl.SSLError, EOFError, ValueError):
            pass
        finally:
            with self._lock:
                self._state.open.discard(peer)
            peer.close()

    def _converse(self, peer: socket.socket, number: int) -> None:
        reader = _Reader(peer, self._state.received[number])
        while not self._stopping.is_set():
            try:
                head = reader.until(b"\r\n\r\n")
            except (EOFError, OSError):
                self._note_close(number)
                return
            line, headers = _parsed(head)
            with self._lock:
                reply = self.script.pop(0) if self.script else self.always
            if reply.at_head:
                self._remember(Request(head, line, headers, b"", number))
                self._send(peer, reply, Request(head, line, headers, b"", number))
                if reply.close or reply.reset:
                    return
                reader.body(headers)
                continue
            try:
                body, raw_body = reader.body(headers)
            except EOFError:
                self._note_close(number)
                return
            request = Request(head + raw_body, line, headers, body, number)
            self._remember(request)
            self._send(peer, reply, request)
            if reply.close:
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_WR)
                return
            if reply.reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return

    def _note_close(self, number: int) -> None:
        with self._changed:
            self._state.closed_by_peer.append(number)
            self._changed.notify_all()

    def _remember(self, request: Request) -> None:
        with self._changed:
            self._state.requests.append(request)
            self._changed.notify_all()

    def _send(self, peer: socket.socket, reply: Answer, request: Request) -> None:
        segments = reply.segments(request) if callable(reply.segments) else reply.segments
        try:
            for segment in segments:
                if isinstance(segment, float):
                    if self._stopping.wait(segment):
                        return
                else:
                    peer.sendall(segment)
        except (OSError, ssl.SSLError):
            self.send_failures += 1
            self._note_close(-1)
            raise


class _Reader:
    """Reads one connection; every byte also goes into `record`."""

    def __init__(self, peer: socket.socket, record: bytearray) -> None:
        self._peer = peer
        self._record = record
        self._buffer = bytearray()

    def until(self, mark: bytes) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            self._fill()
        return self._take(at + len(mark))

    def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        return self._take(count)

    def body(self, headers: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bytes]:
        """(joined body, the bytes that carried it)."""
        fields = {name.lower(): value for name, value in headers}
        if b"transfer-encoding" in fields:
            return self._chunks()
        body = self.exactly(int(fields.get(b"content-length", b"0")))
        return body, body

    def _chunks(self) -> tuple[bytes, bytes]:
        joined, raw = bytearray(), bytearray()
        while True:
            line = self.until(b"\r\n")
            raw += line
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            piece = self.exactly(size + 2)
            raw += piece
            joined += piece[:-2]
        while (line := self.until(b"\r\n")) != b"\r\n":
            raw += line
        return bytes(joined), bytes(raw + line)

    def _fill(self) -> None:
        data = self._peer.recv(65536)
        if not data:
            raise EOFError
        self._record += data
        self._buffer += data

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _parsed(head: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    line, *rest = head[:-4].split(b"\r\n")
    pairs = (entry.partition(b":") for entry in rest)
    return line, tuple((name, value.strip(b" \t")) for name, _, value in pairs)


def wait_until(question: Callable[[], bool], deadline_s: float = 5.0, pause_s: float = 0.01) -> bool:
    """Ask until the answer is yes; False when the deadline passes."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if question():
            return True
        time.sleep(pause_s)
    return question()
