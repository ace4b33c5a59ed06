"""The request body on its way to the upstream, recorded as it is sent."""

import asyncio

from ostiary.gateway.body_tap import BodyTap
from ostiary.gateway.state import Exchange
from ostiary.gateway.upstream import UpstreamConnection
from ostiary.ports import REQUEST, Chronicle
from ostiary.protocols.chunked import LAST_CHUNK, encode_chunk
from ostiary.settings import Settings


class Upload:
    """Takes body bytes from the client (a `BodySink`) and hands them on; slow upstreams slow the client."""

    __slots__ = ("_chunked", "_exchange", "_refused", "_tap", "_upstream")

    def __init__(
        self,
        exchange: Exchange,
        upstream: UpstreamConnection,
        chronicle: Chronicle,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._exchange = exchange
        self._upstream = upstream
        self._chunked = False
        self._refused = False
        self._tap = BodyTap(
            exchange,
            REQUEST,
            exchange.operation.secret_fields,
            chronicle,
            settings,
            loop,
            exchange.client.hold_for_recorder,
            exchange.content_type,
        )

    def begin(self, body: bytes, complete: bool, chunked: bool) -> None:
        """Record what went with the head, and take the rest from the client."""
        self._chunked = chunked
        if body:
            self._record(body)
        if complete:
            self._tap.finish()
        else:
            self._exchange.client.deliver_body_to(self)

    def on_request_body(self, data: bytes) -> None:
        if not self._record(data):
            return
        self._upstream.write(encode_chunk(data) if self._chunked else data)

    def on_request_end(self) -> None:
        if self._refused:
            return
        self._tap.finish()
        if self._chunked:
            self._upstream.write(LAST_CHUNK)
        self._upstream.finish_request()

    def finish_recording(self) -> None:
        """The exchange is over, perhaps before the body was."""
        self._tap.finish()

    def _record(self, data: bytes) -> bool:
        """False when it cannot be recorded: then nothing more is sent, and the exchange is cut."""
        self._exchange.request_bytes += len(data)
        if self._tap.take(data):
            return True
        self._refused = True
        self._exchange.end = "cut: audit_unavailable"
        self._exchange.client.abort()
        return False
