"""The request body on its way to the upstream, recorded as it is sent."""

import asyncio

from ostiary.gateway.forwarding import Forwarder
from ostiary.gateway.state import Exchange
from ostiary.ports import REQUEST, Chronicle
from ostiary.protocols.redaction import FieldWithholder
from ostiary.settings import Settings

_BACKLOG_POLL_S = 0.02


class Upload:
    """Takes body bytes from the client (a `BodySink`) and hands them on; slow upstreams slow the client."""

    def __init__(
        self,
        exchange: Exchange,
        forwarder: Forwarder,
        chronicle: Chronicle,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._exchange = exchange
        self._forwarder = forwarder
        self._chronicle = chronicle
        self._settings = settings
        self._loop = loop
        fields = exchange.operation.secret_fields
        self._withholder = FieldWithholder(fields) if fields else None

    def record(self, data: bytes) -> None:
        """Record body bytes that `Forwarder.send` took along with the head."""
        exchange = self._exchange
        exchange.request_bytes += len(data)
        if self._withholder is not None:
            self._withholder.feed(data)
            return
        room = self._settings.recording_body_max_bytes - exchange.recorded_request_bytes
        if room <= 0:
            return
        exchange.recorded_request_bytes += min(room, len(data))
        if exchange.add_frame(self._loop.time(), REQUEST, data if len(data) <= room else data[:room]):
            self._chronicle.record(exchange.id, exchange.take_frames())
            if self._chronicle.backlog_bytes > self._settings.recording_queue_bytes:
                exchange.client.hold_back(True)
                self._loop.call_later(_BACKLOG_POLL_S, self._look_at_backlog)

    def record_end(self) -> None:
        if self._withholder is not None:
            body = self._withholder.finish()
            if body:
                self._exchange.add_frame(self._loop.time(), REQUEST, body)

    def on_request_body(self, data: bytes) -> None:
        self.record(data)
        self._forwarder.send_body(data)

    def on_request_end(self) -> None:
        self.record_end()
        self._forwarder.end_body()

    def _look_at_backlog(self) -> None:
        if self._chronicle.backlog_bytes > self._settings.recording_queue_bytes // 2:
            self._loop.call_later(_BACKLOG_POLL_S, self._look_at_backlog)
        else:
            self._exchange.client.hold_back(False)
