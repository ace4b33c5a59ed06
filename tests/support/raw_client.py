"""A client on a raw socket: sends exact bytes, reads a whole answer or everything until the peer closes."""

import contextlib
import json
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import brotli
import zstandard

DEADLINE_S = 10.0
CLOSE_WAIT_S = 1.0


class MalformedReply(AssertionError):
    """What came back is not an HTTP/1.1 response that a strict reader accepts."""


@dataclass
class Reply:
    """One response. `raw` is every byte received for it, `body` has chunking removed, `interim` is 1xx heads.

    `complete` is False when the connection ended or the deadline passed first; `closed` says that the peer
    closed the connection after it; `extra` are bytes that followed the response.
    """

    raw: bytes
    status: int = 0
    reason: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    trailers: bytes = b""
    interim: list[bytes] = field(default_factory=list)
    complete: bool = False
    closed: bool = False
    extra: bytes = b""

    def header(self, name: bytes | str) -> list[bytes]:
        """All values of the field, whatever its case."""
        wanted = (name.encode() if isinstance(name, str) else name).lower()
        return [value for field_name, value in self.headers if field_name.lower() == wanted]

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def decoded(self) -> bytes:
        """The body with its content codings undone."""
        data = self.body
        for coding in reversed(b",".join(self.header("content-encoding")).split(b",")):
            match coding.strip().lower():
                case b"gzip":
                    data = zlib.decompressobj(31).decompress(data)
                case b"deflate":
                    data = zlib.decompressobj().decompress(data)
                case b"br":
                    data = brotli.decompress(data)
                case b"zstd":
                    data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        return data


class RawClient:
    """One connection. Everything received is also handed to `witness`, if there is one."""

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        witness: Callable[[bytes], None] | None = None,
        tls: ssl.SSLContext | None = None,
        receive_buffer_bytes: int | None = None,
    ) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._socket.settimeout(DEADLINE_S)
        self._socket.connect((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        self._buffer = bytearray()
        self._ended = False
        self._witness = witness

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def shut_writing(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def send(self, *segments: bytes | float) -> bool:
        """Write the segments in order, waiting where a number stands. False when the peer closed."""
        try:
            for segment in segments:
                if isinstance(segment, float):
                    time.sleep(segment)
                else:
                    self._socket.sendall(segment)
        except (ConnectionError, TimeoutError):
            return False
        return True

    def reply(self, method: str = "GET", deadline_s: float = DEADLINE_S, *, see_close: bool = False) -> Reply:
        """The next final response, as far as it arrived. After `Connection: close`, or with `see_close`,
        waits for the peer to close."""
        end = time.monotonic() + deadline_s
        interim: list[bytes] = []
        consumed = bytearray()
        reply = Reply(b"")
        try:
            while True:
                head = self._until(b"\r\n\r\n", end)
                consumed += head
                reply = Reply(b"", interim=interim)
                reply.status, reply.reason, reply.headers = _parsed(head)
                if reply.status >= 200 or reply.status == 101:
                    break
                interim.append(head)
            self._read_body(reply, method, end, consumed)
            reply.complete = True
        except (EOFError, TimeoutError):
            consumed += self._buffer
            if not reply.complete and self._buffer:
                self._buffer.clear()
        if see_close or not reply.complete or b"close" in b",".join(reply.header("connection")).lower():
            self._wait_for_close()
        reply.closed = self._ended
        reply.extra = bytes(self._buffer)
        reply.raw = bytes(consumed)
        return reply

    def until_close(self, deadline_s: float = DEADLINE_S) -> tuple[bytes, bool]:
        """(every byte until the peer closes or the deadline passes, whether it closed)."""
        end = time.monotonic() + deadline_s
        with contextlib.suppress(EOFError, TimeoutError):
            while True:
                self._fill(end)
        data = bytes(self._buffer)
        self._buffer.clear()
        return data, self._ended

    def some(self, deadline_s: float = DEADLINE_S) -> bytes:
        """Whatever arrives next; empty at the end of the connection or the deadline."""
        with contextlib.suppress(EOFError, TimeoutError):
            if not self._buffer:
                self._fill(time.monotonic() + deadline_s)
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def _wait_for_close(self) -> None:
        end = time.monotonic() + CLOSE_WAIT_S
        with contextlib.suppress(EOFError, TimeoutError):
            while True:
                self._fill(end)

    def _read_body(self, reply: Reply, method: str, end: float, consumed: bytearray) -> None:
        if method == "HEAD" or reply.status in {204, 304, 101}:
            return
        codings = reply.header("transfer-encoding")
        lengths = reply.header("content-length")
        if codings and lengths:
            raise MalformedReply("both Transfer-Encoding and Content-Length")
        if codings:
            if codings != [b"chunked"]:
                raise MalformedReply(f"Transfer-Encoding {codings!r}")
            self._read_chunks(reply, end, consumed)
        elif lengths:
            if len(lengths) != 1 or not lengths[0].isdigit():
                raise MalformedReply(f"Content-Length {lengths!r}")
            self._read_length(reply, int(lengths[0]), end, consumed)
        else:
            self._read_to_end(reply, end, consumed)

    def _read_length(self, reply: Reply, count: int, end: float, consumed: bytearray) -> None:
        try:
            reply.body = self._exactly(count, end)
        except (EOFError, TimeoutError):
            reply.body = bytes(self._buffer)
            raise
        consumed += reply.body

    def _read_chunks(self, reply: Reply, end: float, consumed: bytearray) -> None:
        body = bytearray()
        try:
            while True:
                line = self._until(b"\r\n", end)
                consumed += line
                if not line[:-2] or not all(byte in b"0123456789abcdefABCDEF" for byte in line[:-2]):
                    raise MalformedReply(f"chunk line {line!r}")
                size = int(line, 16)
                if size == 0:
                    break
                piece = self._exactly(size + 2, end)
                consumed += piece
                if piece[-2:] != b"\r\n":
                    raise MalformedReply("chunk without CRLF")
                body += piece[:-2]
            while (line := self._until(b"\r\n", end)) != b"\r\n":
                reply.trailers += line
                consumed += line
            consumed += line
        finally:
            reply.body = bytes(body)

    def _read_to_end(self, reply: Reply, end: float, consumed: bytearray) -> None:
        try:
            while True:
                self._fill(end)
        except EOFError:
            reply.body = bytes(self._buffer)
            consumed += self._buffer
            self._buffer.clear()

    def _until(self, mark: bytes, end: float) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            self._fill(end)
        return self._take(at + len(mark))

    def _exactly(self, count: int, end: float) -> bytes:
        while len(self._buffer) < count:
            self._fill(end)
        return self._take(count)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _fill(self, end: float) -> None:
        if self._ended:
            raise EOFError
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(262_144)
        except ConnectionError:
            data = b""
        if not data:
            self._ended = True
            raise EOFError
        if self._witness is not None:
            self._witness(data)
        self._buffer += data


def _parsed(head: bytes) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    line, *rest = head[:-4].split(b"\r\n")
    version, _, remainder = line.partition(b" ")
    code, _, reason = remainder.partition(b" ")
    if version != b"HTTP/1.1" or len(code) != 3 or not code.isdigit():
        raise MalformedReply(f"status line {line!r}")
    headers = []
    for entry in rest:
        name, colon, value = entry.partition(b":")
        if not colon or not name or name.strip() != name or b"\n" in entry or b"\r" in entry or b"\0" in entry:
            raise MalformedReply(f"header line {entry!r}")
        headers.append((name, value.strip(b" \t")))
    return int(code), reason, headers


def request(
    method: str,
    target: str,
    headers: Iterable[str | bytes] = (),
    body: bytes | None = None,
    *,
    host: str = "localhost",
) -> bytes:
    """The bytes of a well-formed request; Content-Length is added when there is a body."""
    lines: list[bytes] = [f"{method} {target} HTTP/1.1".encode("latin-1"), f"Host: {host}".encode()]
    lines += [line.encode("latin-1") if isinstance(line, str) else line for line in headers]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")
