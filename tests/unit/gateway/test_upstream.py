"""An upstream connection goes back to the pool only when its answer was handed on, and as others expect it."""

import asyncio
from typing import cast

from ostiary.gateway.upstream import NO_SECRET, UpstreamConnection
from ostiary.model.errors import GatewayRefusal
from ostiary.protocols.heads import ResponseHead
from ostiary.settings import Settings


class Transport:
    def __init__(self) -> None:
        self.reading = True
        self.aborted = False

    def set_write_buffer_limits(self, high: int) -> None: ...

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None:
        self.aborted = True


class SlowSink:
    """Pauses the upstream with every piece, as a client that does not read makes a relay do."""

    def __init__(self, connection: UpstreamConnection, log: list[str], *, broken: bool = False) -> None:
        self._connection = connection
        self._log = log
        self._broken = broken

    def on_head(self, head: ResponseHead, body: bytes, complete: bool) -> None:
        self._log.append("head")

    def on_body(self, data: bytes) -> None:
        if self._broken:
            raise RuntimeError("a defect of ours")
        self._log.append("body")
        self._connection.pause_reading(True)

    def on_end(self) -> None:
        self._log.append("end")

    def on_failure(self, failure: GatewayRefusal) -> None:
        self._log.append(failure.code)

    def on_upstream_pressure(self, paused: bool) -> None: ...


def connected(log: list[str]) -> tuple[UpstreamConnection, Transport]:
    loop = asyncio.new_event_loop()
    connection = UpstreamConnection(loop, Settings(), lambda _connection, reusable: log.append(f"released {reusable}"))
    transport = Transport()
    connection.connection_made(cast(asyncio.BaseTransport, transport))
    loop.close()
    return connection, transport


def test_last_piece_is_handed_on_before_the_connection_is_free_and_reading_goes_on() -> None:
    log: list[str] = []
    connection, transport = connected(log)
    connection.begin(SlowSink(connection, log), False, NO_SECRET)
    connection.finish_request()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
    connection.data_received(b"cd")
    assert log == ["head", "body", "released True", "end"]
    assert transport.reading
    assert not transport.aborted


def test_a_defect_while_an_answer_is_handled_ends_the_exchange() -> None:
    log: list[str] = []
    connection, transport = connected(log)
    connection.begin(SlowSink(connection, log, broken=True), False, NO_SECRET)
    connection.finish_request()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    connection.data_received(b"abcd")
    assert log == ["head", "released False", "internal"]
    assert transport.aborted
