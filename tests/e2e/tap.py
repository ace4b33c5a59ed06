"""A wire tap: relays TCP byte for byte and keeps what passed, with the moment it passed."""

import contextlib
import re
import socket
import threading
import time
from dataclasses import dataclass

_REQUEST_LINE = re.compile(rb"(?:^|[\r\n}\]])(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S+) HTTP/1\.1\r\n")


@dataclass(frozen=True, slots=True)
class Piece:
    """`connection` counts from 1 within one tap; `at_s` is on the monotonic clock."""

    connection: int
    at_s: float
    data: bytes


class Tap:
    """Listens on a loopback port of its own and relays to `port`, at once and unaltered."""

    def __init__(self, port: int) -> None:
        self._target_port = port
        self._lock = threading.Lock()
        self._asked: list[Piece] = []
        self._answered: list[Piece] = []
        self._ended: dict[int, int] = {}
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"tap-{self.port}", daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def forget(self) -> None:
        with self._lock:
            self._asked.clear()
            self._answered.clear()

    @property
    def asked(self) -> bytes:
        """Every byte towards the server, connection after connection."""
        return self._joined(self._asked)

    @property
    def answered(self) -> bytes:
        return self._joined(self._answered)

    def answers(self) -> list[Piece]:
        with self._lock:
            return list(self._answered)

    def requests(self) -> list[str]:
        """`METHOD target` of each request that passed, in order within each connection."""
        return [f"{method.decode()} {target.decode()}" for method, target in _REQUEST_LINE.findall(self.asked)]

    def moment_of(self, needle: bytes) -> float:
        """When the piece that completed `needle` went to the client; `AssertionError` if it never did."""
        heard: dict[int, bytes] = {}
        for piece in self.answers():
            heard[piece.connection] = heard.get(piece.connection, b"") + piece.data
            if needle in heard[piece.connection]:
                return piece.at_s
        raise AssertionError(f"{needle!r} never passed")

    def texts(self, member: str) -> list[tuple[str, float]]:
        """The texts that stood in the answers under this JSON member, with the moment each passed. Only for texts
        without escapes that differ from one another."""
        found = re.findall(rb'"%b":"([^"]+)"' % member.encode(), self.answered)
        return [(text.decode(), self.moment_of(b'"%b":"%b"' % (member.encode(), text))) for text in found]

    def _joined(self, pieces: list[Piece]) -> bytes:
        with self._lock:
            ordered = sorted(pieces, key=lambda piece: piece.connection)
            return b"".join(piece.data for piece in ordered)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port), timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = self._connections
            for source, sink, kept in ((client, server, self._asked), (server, client, self._answered)):
                threading.Thread(target=self._relay, args=(source, sink, kept, number), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, kept: list[Piece], number: int) -> None:
        """Until `source` ends. A sink that takes no more (a server that has answered early) stops nothing else."""
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            with self._lock:
                kept.append(Piece(number, time.monotonic(), data))
            with contextlib.suppress(OSError):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        with self._lock:
            self._ended[number] = self._ended.get(number, 0) + 1
            both_ways = self._ended[number] == 2
        if both_ways:
            source.close()
            sink.close()
