"""The request body on its way to the upstream, recorded as it is sent."""

import asyncio

from ostiary.gateway.state import Exchange
from ostiary.gateway.upstream import UpstreamConnection
from ostiary.model.errors import StorageUnavailableError
from ostiary.ports import REQUEST, Chronicle
from ostiary.protocols.chunked import LAST_CHUNK, encode_chunk
from ostiary.protocols.redaction import FieldWithholder
from ostiary.settings import Settings

_BACKLOG_POLL_S = 0.02


class Upload:
    """Takes body bytes from the client (a `BodySink`) and hands them on; slow upstreams slow the client."""

    __slots__ = ("_chronicle", "_chunked", "_exchange", "_loop", "_settings", "_upstream", "_withholder")

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
        self._chronicle = chronicle
        self._settings = settings
        self._loop = loop
        self._chunked = False
        fields = exchange.operation.secret_fields
        self._withholder = FieldWithholder(fields) if fields else None

    def begin(self, body: bytes, complete: bool, chunked: bool) -> None:
        """Record what went with the head, and take the rest from the client."""
        self._chunked = chunked
        if body:
            self._record(body)
        if complete:
            self._record_end()
        else:
            self._exchange.client.deliver_body_to(self)

    def on_request_body(self, data: bytes) -> None:
        self._record(data)
        self._upstream.write(encode_chunk(data) if self._chunked else data)

    def on_request_end(self) -> None:
        self._record_end()
        if self._chunked:
            self._upstream.write(LAST_CHUNK)
        self._upstream.finish_request()

    def _record(self, data: bytes) -> None:
        exchange = self._exchange
        exchange.request_bytes += len(data)
        if self._withholder is not None:
            self._withholder.feed(data)
            return
        room = self._settings.recording_body_max_bytes - exchange.recorded_request_bytes
        if room <= 0:
            return
        exchange.recorded_request_bytes += min(room, len(data))
        if exchange.add_frame(REQUEST, data if len(data) <= room else data[:room]):
            self._hand_over()

    def _hand_over(self) -> None:
        client = self._exchange.client
        try:
            self._chronicle.record(self._exchange.id, self._exchange.take_frames())
        except StorageUnavailableError:
            self._exchange.end = "cut: audit_unavailable"
            client.abort()
            return
        if self._chronicle.backlog_bytes > self._settings.recording_queue_bytes:
            client.hold_back(True)
            self._loop.call_later(_BACKLOG_POLL_S, self._look_at_backlog)

    def _record_end(self) -> None:
        if self._withholder is not None:
            body = self._withholder.finish()
            if body:
                self._exchange.add_frame(REQUEST, body)

    def _look_at_backlog(self) -> None:
        if self._chronicle.backlog_bytes > self._settings.recording_queue_bytes // 2:
            self._loop.call_later(_BACKLOG_POLL_S, self._look_at_backlog)
        else:
            self._exchange.client.hold_back(False)
