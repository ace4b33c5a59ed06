"""One connection from a tool: requests come out of it in order, answers go into it (RFC 9112)."""

import asyncio
from collections.abc import Callable
from enum import IntEnum, IntFlag
from typing import Any, Protocol, cast

from ostiary.gateway.deadlines import NEVER, Sweeper
from ostiary.model.errors import GatewayRefusal
from ostiary.protocols.chunked import ChunkedDecoder, ChunkError
from ostiary.protocols.forwarded import FIELD, TrustedProxies, client_address
from ostiary.protocols.heads import (
    HEAD_END,
    HeadError,
    LineCache,
    RequestHead,
    looks_broken,
    parse_request_head,
    without_length,
)
from ostiary.settings import Settings

_DISCARD_MAX_BYTES = 256 * 1024
_LINGER_S = 2.0
_BUFFERED_BODY_BYTES = 64 * 1024


class Taker(Protocol):
    """Who works on a request. `key` is the head without its Content-Length; `recall` gives what was said of the same
    key before, which `take` then gets back."""

    def recall(self, key: bytes) -> "Recalled | None": ...
    def take(self, client: "ClientConnection", head: RequestHead, key: bytes, recalled: Any) -> None: ...
    def refuse_unread(self, client: "ClientConnection", refusal: GatewayRefusal) -> None: ...


class Recalled(Protocol):
    @property
    def head(self) -> RequestHead: ...


class BodySink(Protocol):
    def on_request_body(self, data: bytes) -> None: ...
    def on_request_end(self) -> None: ...


class _Phase(IntEnum):
    HEAD = 0
    BODY = 1
    ANSWERING = 2
    DISCARDING = 3
    CLOSED = 4


class _Hold(IntFlag):
    """Why reading from the client is paused; several may hold at once."""

    NOTHING = 0
    BUFFER = 1
    UPSTREAM = 2
    RECORDER = 4


class ClientConnection(asyncio.Protocol):
    """The current request is running until `finish`; what a client pipelines meanwhile waits in the socket."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        cache: LineCache,
        taker: Taker,
        sweeper: Sweeper,
        register: "Callable[[ClientConnection, bool], None]",
        trusted: TrustedProxies,
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._cache = cache
        self._taker = taker
        self._sweeper = sweeper
        self._register = register
        self._trusted = trusted
        self._phase = _Phase.HEAD
        self._buffer = b""
        self._remaining = 0
        self._decoder: ChunkedDecoder | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._body_complete = True
        self._body_sink: BodySink | None = None
        self._body_waiter: asyncio.Future[None] | None = None
        self._body_limit = _BUFFERED_BODY_BYTES
        self._reading_paused = False
        self._holds = _Hold.NOTHING
        self.write_paused = False
        self._continue_wanted = False
        self._discarded = 0
        self.draining = False
        self.head: RequestHead | None = None
        self.content_length: int | None = None
        self.on_gone: Callable[[], object] | None = None
        self.on_pressure: Callable[[bool], None] | None = None
        self.deadline = NEVER
        self._connected = ""
        self.peer = ""
        """Where the current request comes from: who connected, or whom a trusted proxy hands it on for."""
        self.local: tuple[str, int] = ("", 0)
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)

    # -- what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._settings.write_buffer_bytes)
        peer = transport.get_extra_info("peername")
        local = transport.get_extra_info("sockname")
        self.peer = self._connected = str(peer[0]) if isinstance(peer, tuple) else ""
        self.local = (str(local[0]), int(local[1])) if isinstance(local, tuple) else ("", 0)
        self.deadline = self._loop.time() + self._settings.client_head_timeout_s
        self._sweeper.add(self)
        self._register(self, True)

    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase is _Phase.HEAD:
            self._read_head(self._buffer + data, len(self._buffer)) if self._buffer else self._read_head(data)
        elif phase is _Phase.BODY:
            self.deadline = self._loop.time() + self._settings.client_body_timeout_s
            self._read_body(data)
        elif phase is _Phase.ANSWERING:
            self._buffer += data
            if len(self._buffer) > _BUFFERED_BODY_BYTES:
                self._hold(_Hold.BUFFER, True)
        elif phase is _Phase.DISCARDING:
            self._discarded += len(data)
            if self._discarded > _DISCARD_MAX_BYTES * 64:
                self.abort()

    def eof_received(self) -> bool | None:
        # A half-closed connection cannot be told from one that is gone; treating it as gone cancels the upstream.
        self.deadline = self._loop.time() + self._settings.client_write_timeout_s
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._phase = _Phase.CLOSED
        self._sweeper.discard(self)
        self._register(self, False)
        self._body.clear()
        self._buffer = b""
        gone, self.on_gone = self.on_gone, None
        if gone is not None:
            gone()

    def pause_writing(self) -> None:
        self.write_paused = True
        self.deadline = self._loop.time() + self._settings.client_write_timeout_s
        if self.on_pressure is not None:
            self.on_pressure(True)

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._phase is _Phase.ANSWERING:
            self.deadline = NEVER
        if self.on_pressure is not None:
            self.on_pressure(False)

    def expired(self) -> None:
        if self._phase is _Phase.HEAD and self._buffer:
            self._refuse(408, "bad_request", "The request head did not arrive in time.")
        else:
            self.abort()

    # -- reading requests

    def _read_head(self, data: bytes, searched: int = 0) -> None:
        end = data.find(HEAD_END, max(0, searched - 3))
        limit = self._settings.head_max_bytes
        if end < 0 or end > limit:
            if len(data) > limit or end > limit:
                self._refuse(431, "bad_request", "The request head is too large.")
            elif looks_broken(data, searched):
                self._refuse(400, "bad_request", "The request is not well-formed HTTP/1.1.")
            else:
                if not self._buffer:
                    self.deadline = self._loop.time() + self._settings.client_head_timeout_s
                self._buffer = data
            return
        self._buffer = b""
        block = data[:end]
        key, length = (block, None) if block[:4] == b"GET " else without_length(block)
        recalled = self._taker.recall(key)
        # A length beside a chunked head of before is not the same head: it is read, and refused, as a whole.
        if recalled is not None and recalled.head.chunked and length is not None:
            recalled = None
        if recalled is not None:
            head = recalled.head
        else:
            try:
                head = parse_request_head(
                    block, self._cache, self._settings.headers_max, self._settings.target_max_bytes
                )
            except HeadError as error:
                code = "bad_request" if error.status != 400 else "ambiguous_request"
                self._refuse(error.status, code, str(error))
                return
            if head.content_length != length:
                key, length = b"", head.content_length
        if self._trusted.networks:
            lines = [value for name, value, _ in head.fields if name == FIELD]
            self.peer = client_address(self._connected, lines, self._trusted)
        self.head = head
        self.content_length = length
        self._body_bytes = 0
        self._body_limit = _BUFFERED_BODY_BYTES
        rest = data[end + 4 :]
        if head.chunked or length:
            self._phase = _Phase.BODY
            self._body_complete = False
            self._decoder = ChunkedDecoder() if head.chunked else None
            self._remaining = length or 0
            self._continue_wanted = head.expects_continue
            self.deadline = self._loop.time() + self._settings.client_body_timeout_s
            if rest and not self._read_body(rest):
                return
        else:
            self._phase = _Phase.ANSWERING
            self._body_complete = True
            self._continue_wanted = False
            self._buffer = rest
            self.deadline = NEVER
        self._taker.take(self, head, key, recalled)

    def _read_body(self, data: bytes) -> bool:
        """Deliver or keep body bytes; what follows the body stays buffered. False when the framing broke."""
        decoder = self._decoder
        if decoder is not None:
            try:
                data = decoder.feed(data)
            except ChunkError as error:
                self._break_body(str(error))
                return False
            complete = decoder.complete
            if complete:
                self._buffer = decoder.excess
        else:
            if len(data) > self._remaining:
                self._buffer = data[self._remaining :]
                data = data[: self._remaining]
            self._remaining -= len(data)
            complete = self._remaining == 0
        if complete:
            self._body_complete = True
            self._decoder = None
            self._phase = _Phase.ANSWERING
            self.deadline = NEVER
        if self._body_sink is not None:
            if data:
                self._body_sink.on_request_body(data)
            if complete and self._body_sink is not None:
                sink, self._body_sink = self._body_sink, None
                sink.on_request_end()
        else:
            if data:
                self._body.append(data)
                self._body_bytes += len(data)
            if not complete and self._body_bytes > self._body_limit:
                self._hold(_Hold.BUFFER, True)
            if self._body_waiter is not None and (complete or self._body_bytes > self._body_limit):
                self._wake_body_waiter(None)
        return True

    def _break_body(self, sentence: str) -> None:
        refusal = GatewayRefusal(400, "ambiguous_request", f"The request body is malformed: {sentence}", close=True)
        if self._body_waiter is not None:
            self._body_complete = True
            self._wake_body_waiter(refusal)
        elif self.on_gone is not None:
            # The exchange runs: it ends as if the client had gone, after the client was told why if it still can be.
            self.abort()
        else:
            self._body_complete = True
            self._taker.refuse_unread(self, refusal)

    def _wake_body_waiter(self, failure: Exception | None) -> None:
        waiter, self._body_waiter = self._body_waiter, None
        if waiter is not None and not waiter.done():
            if failure is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(failure)

    def _refuse(self, status: int, code: str, sentence: str) -> None:
        """What could not be read is nobody's but that of who connected."""
        self.peer = self._connected
        self._taker.refuse_unread(self, GatewayRefusal(status, code, sentence, close=True))

    # -- what the exchange does

    @property
    def body_complete(self) -> bool:
        return self._body_complete

    def take_body(self) -> bytes:
        """The body bytes received so far, which are then no longer kept here."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._body_bytes = 0
        return body

    def deliver_body_to(self, sink: BodySink) -> None:
        """From now on body bytes go to `sink` as they arrive; those already here have been taken."""
        self._say_continue()
        if self._body_complete:
            sink.on_request_end()
            return
        self._body_sink = sink
        self._hold(_Hold.BUFFER, False)

    async def whole_body(self, limit_bytes: int) -> bytes:
        """The complete body. Raises `GatewayRefusal` 413 above the limit, 400 when its framing breaks."""
        length = self.content_length
        if length is not None and length > limit_bytes:
            raise _too_large(limit_bytes)
        if not self._body_complete:
            self._say_continue()
            self._body_limit = limit_bytes
            self._body_waiter = self._loop.create_future()
            self._hold(_Hold.BUFFER, False)
            await self._body_waiter
        if self._body_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        return self.take_body()

    def _say_continue(self) -> None:
        if self._continue_wanted and not self._body_complete:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._continue_wanted = False

    def hold_for_upstream(self, paused: bool) -> None:
        """The upstream takes the body more slowly than the client sends it."""
        self._hold(_Hold.UPSTREAM, paused)

    def hold_for_recorder(self, paused: bool) -> None:
        """The recorder writes the body more slowly than the client sends it."""
        self._hold(_Hold.RECORDER, paused)

    def _hold(self, reason: "_Hold", paused: bool) -> None:
        """Reading goes on when no reason to hold the client back is left."""
        self._holds = self._holds | reason if paused else self._holds & ~reason
        self._pause(bool(self._holds))

    def _pause(self, paused: bool) -> None:
        if paused != self._reading_paused and not self.transport.is_closing():
            self._reading_paused = paused
            if paused:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()
            if self._phase is _Phase.BODY:
                # While it is we who do not read, the client owes us nothing.
                self.deadline = NEVER if paused else self._loop.time() + self._settings.client_body_timeout_s

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def finish(self, keep_alive: bool) -> None:
        """The answer is out. Read the next request, or close — gently, so that the answer is not lost to a reset."""
        self.on_gone = self.on_pressure = None
        self._body_sink = None
        if self._phase is _Phase.CLOSED or self.transport.is_closing():
            return
        if not self._body_complete or not keep_alive or self.draining:
            self._linger()
            return
        self.head = None
        self._body.clear()
        self._phase = _Phase.HEAD
        self._holds = _Hold.NOTHING
        self._pause(False)
        if self._buffer:
            self.deadline = self._loop.time() + self._settings.client_head_timeout_s
            self._loop.call_soon(self._resume_head)
        else:
            self.deadline = self._loop.time() + self._settings.client_idle_timeout_s

    def _resume_head(self) -> None:
        """Read what the client pipelined, unless newer bytes already made that happen."""
        if self._phase is _Phase.HEAD and self._buffer:
            data, self._buffer = self._buffer, b""
            self._read_head(data)

    def _linger(self) -> None:
        self._body.clear()
        self._buffer = b""
        body_pending = not self._body_complete
        self._phase = _Phase.DISCARDING
        if body_pending and self.transport.can_write_eof():
            self.transport.write_eof()
            self._holds = _Hold.NOTHING
            self._pause(False)
            self.deadline = self._loop.time() + _LINGER_S
        else:
            self._close_within_deadline()

    def _close_within_deadline(self) -> None:
        """Close after what is written has been read, which must not take for ever."""
        self.deadline = self._loop.time() + self._settings.client_write_timeout_s
        self.transport.close()

    def abort(self) -> None:
        """Cut the connection so that the client cannot take what it has for a whole answer."""
        self.transport.abort()

    def retire(self) -> None:
        """Stop after the current exchange; an idle connection is closed now."""
        self.draining = True
        if self._phase is _Phase.HEAD and not self._buffer:
            self._close_within_deadline()


def _too_large(limit_bytes: int) -> GatewayRefusal:
    return GatewayRefusal(
        413,
        "bad_request",
        f"The request body is larger than the {limit_bytes} bytes that can be held here.",
        close=True,
    )
