"""One connection to an upstream: bytes in, response events out (RFC 9112), one request at a time."""

import asyncio
import logging
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol, cast

from ostiary.gateway.deadlines import NEVER
from ostiary.model.errors import GatewayRefusal
from ostiary.protocols.chunked import ChunkedDecoder, ChunkError
from ostiary.protocols.heads import HEAD_END, HeadError, ResponseHead, ResponseLines, parse_response_head
from ostiary.settings import Settings

_log = logging.getLogger("ostiary.gateway")

_INFORMATIONAL_MAX = 8

NO_SECRET = ResponseLines(scanned=False)
"""For connections without a secret: nothing is searched for."""


class ResponseSink(Protocol):
    """Who takes an answer. `on_head` comes once, with the body bytes that arrived with it and whether that was all;
    then `on_body` and `on_end`, or `on_failure` at any time. After `on_end` and `on_failure` nothing follows."""

    def on_head(self, head: ResponseHead, body: bytes, complete: bool) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_end(self) -> None: ...
    def on_failure(self, failure: GatewayRefusal) -> None: ...
    def on_upstream_pressure(self, paused: bool) -> None: ...


class _Phase(IntEnum):
    IDLE = 0
    HEAD = 1
    LENGTH = 2
    CHUNKED = 3
    UNTIL_CLOSE = 4
    CLOSED = 5


def invalid_answer(detail: str) -> GatewayRefusal:
    return GatewayRefusal(502, "upstream_invalid", f"The upstream's answer is not valid HTTP: {detail}", close=False)


_CUT = "It ended in the middle."


class UpstreamConnection(asyncio.Protocol):
    """Belongs to a pool. `received_anything` tells whether the current answer has begun; `reused` whether this
    connection served another request before (then an early end may only mean that it was stale)."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        released: "Callable[[UpstreamConnection, bool], None]",
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._lines = NO_SECRET
        self._released = released
        self._phase = _Phase.IDLE
        self._sink: ResponseSink | None = None
        self._buffer = b""
        self._remaining = 0
        self._decoder: ChunkedDecoder | None = None
        self._bodiless = False
        self._keep_alive = True
        self._reading_paused = False
        self._informational = 0
        self.request_sent = False
        self.received_anything = False
        self.reused = False
        self.idle_since = 0.0
        self.idle_limit_s = settings.upstream_pool_idle_s
        self.deadline = NEVER
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)

    # -- what the forwarder does

    def begin(self, sink: ResponseSink, bodiless: bool, lines: ResponseLines) -> None:
        """Take the connection for one request. `bodiless`: the method's answer has no body (HEAD). `lines` are those
        judged for the secrets this request carries."""
        self._sink = sink
        self._lines = lines
        self._phase = _Phase.HEAD
        self._bodiless = bodiless
        self._informational = 0
        self._buffer = b""
        self.request_sent = False
        self.received_anything = False
        self.deadline = self._loop.time() + self._settings.upstream_head_timeout_s

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)
            if not self.request_sent:
                # Bytes still flow to the upstream: its time to answer begins anew.
                self.deadline = self._loop.time() + self._settings.upstream_head_timeout_s

    def pause_reading(self, paused: bool) -> None:
        """Stop or resume taking the answer, because whoever gets it is slower."""
        if paused != self._reading_paused and not self.transport.is_closing():
            self._reading_paused = paused
            if paused:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def finish_request(self) -> None:
        self.request_sent = True

    def abort(self) -> None:
        """Give up the exchange: the upstream sees the connection go, the sink hears nothing more."""
        self._sink = None
        self._close()

    # -- what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._settings.write_buffer_bytes)

    def pause_writing(self) -> None:
        if self._sink is not None:
            self._sink.on_upstream_pressure(True)

    def resume_writing(self) -> None:
        if self._sink is not None:
            self._sink.on_upstream_pressure(False)

    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase is _Phase.HEAD:
            self._read_head(self._buffer + data, len(self._buffer)) if self._buffer else self._read_head(data)
        elif phase is _Phase.LENGTH or phase is _Phase.CHUNKED or phase is _Phase.UNTIL_CLOSE:
            self.deadline = self._loop.time() + self._settings.upstream_idle_timeout_s
            try:
                payload, complete = self._read_body(data)
            except ChunkError as error:
                self._fail(invalid_answer(str(error)))
                return
            sink = self._sink
            if sink is None:
                return
            try:
                if payload:
                    sink.on_body(payload)
                # Only then is the connection free for others: what the sink does with it now, it does to its own.
                if complete and self._sink is sink:
                    self._finish()
                    sink.on_end()
            except Exception:  # noqa: BLE001 - whatever fails there, the exchange must end and be told
                self._break(sink)
        else:
            # An answer nobody asked for: whatever comes next on this connection cannot be trusted (A34).
            self._close()

    def eof_received(self) -> bool | None:
        if self._phase is _Phase.UNTIL_CLOSE and self._sink is not None:
            sink, self._sink = self._sink, None
            self._close()
            sink.on_end()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sink is not None:
            if self._phase is _Phase.UNTIL_CLOSE and exc is None:
                self.eof_received()
            elif self.received_anything or self._phase is not _Phase.HEAD:
                self._fail(invalid_answer(_CUT))
            else:
                self._fail(
                    GatewayRefusal(502, "upstream_unreachable", "The upstream closed the connection without an answer.")
                )
        self._close()

    def expired(self) -> None:
        if self._sink is None:
            self._close()
            return
        self._fail(GatewayRefusal(504, "upstream_timeout", "The upstream did not answer in time.", "Try again later."))

    # -- inside

    def _read_head(self, data: bytes, searched: int = 0) -> None:
        self.received_anything = True
        end = data.find(HEAD_END, max(0, searched - 3))
        if end < 0:
            if len(data) > self._settings.head_max_bytes:
                self._fail(invalid_answer("Its head is too large."))
            elif data[:5] != b"HTTP/"[: len(data)]:
                self._fail(invalid_answer("It has no status line."))
            else:
                self._buffer = data
            return
        if end > self._settings.head_max_bytes:
            self._fail(invalid_answer("Its head is too large."))
            return
        try:
            head = parse_response_head(data[:end], self._lines, self._settings.headers_max)
            rest = data[end + 4 :]
            if head.status < 200:
                self._take_informational(head, rest)
                return
            payload, complete = self._begin_body(head, rest)
        except HeadError as error:
            self._fail(invalid_answer(str(error)))
            return
        except ChunkError as error:
            self._fail(invalid_answer(str(error)))
            return
        sink = self._sink
        if sink is None:
            return
        if complete:
            self._finish()
        else:
            self.deadline = self._loop.time() + self._settings.upstream_idle_timeout_s
        try:
            sink.on_head(head, payload, complete)
        except Exception:  # noqa: BLE001 - whatever fails there, the exchange must end and be told
            self._break(sink)

    def _take_informational(self, head: ResponseHead, rest: bytes) -> None:
        """1xx answers end here: 101 would open a tunnel, the others may carry what must not pass (A17, C08)."""
        self._informational += 1
        if head.status == 101 or self._informational > _INFORMATIONAL_MAX:
            raise HeadError("It switches protocols or sends too many interim answers.")
        self._buffer = b""
        if rest:
            self._read_head(rest)

    def _begin_body(self, head: ResponseHead, rest: bytes) -> tuple[bytes, bool]:
        self._keep_alive = head.keep_alive
        if head.keep_alive_s is not None:
            self.idle_limit_s = min(self._settings.upstream_pool_idle_s, max(0.0, head.keep_alive_s - 1.0))
        if self._bodiless or head.status in (204, 304):
            if rest:
                self._keep_alive = False
            return b"", True
        if head.chunked:
            self._decoder = ChunkedDecoder()
            self._phase = _Phase.CHUNKED
        elif head.content_length is not None:
            self._remaining = head.content_length
            self._phase = _Phase.LENGTH
        else:
            self._keep_alive = False
            self._phase = _Phase.UNTIL_CLOSE
            return rest, False
        return self._read_body(rest)

    def _read_body(self, data: bytes) -> tuple[bytes, bool]:
        """Payload and whether the body is complete. Bytes beyond its end are dropped and end the connection."""
        if self._phase is _Phase.LENGTH:
            if len(data) < self._remaining:
                self._remaining -= len(data)
                return data, False
            if len(data) > self._remaining:
                self._keep_alive = False
                data = data[: self._remaining]
            return data, True
        decoder = self._decoder
        if decoder is None:
            return data, False
        payload = decoder.feed(data)
        if decoder.complete and decoder.excess:
            self._keep_alive = False
        return payload, decoder.complete

    def _finish(self) -> None:
        """The answer is complete: back to the pool, or closed where something is doubtful."""
        self._sink = None
        self._decoder = None
        self._buffer = b""
        self._phase = _Phase.IDLE
        self.pause_reading(False)
        if self._keep_alive and self.request_sent and not self.transport.is_closing():
            self.reused = True
            self.idle_since = self._loop.time()
            self.deadline = self.idle_since + self.idle_limit_s
            self._released(self, True)
        else:
            self._close()

    def _break(self, sink: ResponseSink) -> None:
        """A defect of ours met while the answer was handled."""
        _log.error("answer.failed", exc_info=_log.isEnabledFor(logging.DEBUG))
        self._sink = None
        self._close()
        sink.on_failure(GatewayRefusal(500, "internal", "Ostiary failed on this answer; nothing more of it passes."))

    def _fail(self, failure: GatewayRefusal) -> None:
        sink, self._sink = self._sink, None
        self._close()
        if sink is not None:
            sink.on_failure(failure)

    def _close(self) -> None:
        if self._phase is not _Phase.CLOSED:
            self._phase = _Phase.CLOSED
            self.deadline = NEVER
            if self.transport is not None:
                self.transport.abort()
            self._released(self, False)
