"""One direction's body on its way into the recording: withheld, cut at the limit, slowed by a slow disk."""

import asyncio
from collections.abc import Callable, Sequence

from ostiary.gateway.bodies import Body
from ostiary.gateway.masks import RouteMasks, in_recording
from ostiary.gateway.state import Exchange
from ostiary.masking.engine import Masker
from ostiary.model.errors import MaskingFailedError, StorageUnavailableError
from ostiary.ports import Chronicle
from ostiary.protocols.redaction import FieldWithholder
from ostiary.settings import Settings

_BACKLOG_POLL_S = 0.02


class BodyTap:
    """`hold` is called with True when the recorder falls behind, and with False when it has caught up."""

    __slots__ = (
        "_body",
        "_chronicle",
        "_direction",
        "_exchange",
        "_hold",
        "_loop",
        "_masker",
        "_over",
        "_room",
        "_settings",
        "_withholder",
    )

    def __init__(
        self,
        exchange: Exchange,
        direction: int,
        withheld: Sequence[str],
        chronicle: Chronicle,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        hold: Callable[[bool], None],
        content_type: bytes,
    ) -> None:
        self._exchange = exchange
        self._direction = direction
        self._withholder = FieldWithholder(withheld) if withheld else None
        self._room = settings.recording_body_max_bytes
        self._chronicle = chronicle
        self._settings = settings
        self._loop = loop
        self._hold = hold
        self._over = False
        self._masker: Masker | None = None
        self._body: Body | None = None
        masks, route = exchange.masks, exchange.route
        if masks.recording is not None and route is not None:
            self._masker = masks.masker(masks.recording)
            self._choose(route.masks, content_type)

    def _choose(self, masks: RouteMasks, content_type: bytes) -> None:
        assert self._masker is not None
        try:
            self._body = masks.body(self._masker, content_type)
        except MaskingFailedError as failure:
            self._withhold(failure)

    def _withhold(self, failure: MaskingFailedError) -> None:
        """What cannot be masked is not recorded; the recording says so."""
        self._body = None
        self._room = 0
        self._exchange.add_frame(self._direction, f"[withheld: {failure.sentence}]".encode())

    def take(self, data: bytes) -> bool:
        """False when the recording cannot be written and the exchange must end."""
        if self._withholder is not None:
            self._withholder.feed(data)
            return True
        if self._room <= 0:
            return True
        if self._body is not None:
            data = self._masked(self._body, data)
            if not data:
                return True
        kept = data if len(data) <= self._room else data[: self._room]
        self._room -= len(kept)
        if not self._exchange.add_frame(self._direction, kept):
            return True
        try:
            self._chronicle.record(self._exchange.id, self._exchange.take_frames())
        except StorageUnavailableError:
            return False
        if self._chronicle.backlog_bytes > self._settings.recording_queue_bytes:
            self._hold(True)
            self._loop.call_later(_BACKLOG_POLL_S, self._look_at_backlog)
        return True

    def finish(self) -> None:
        """The body is over, or cut: what had to be read as a whole is recorded now."""
        if self._over:
            return
        self._over = True
        rest = self._withholder.finish() if self._withholder is not None else b""
        if self._body is not None:
            rest = (self._masked(self._body, rest) if rest else b"") + self._masked(self._body, None)
            if self._exchange.end != "complete":
                rest = b""  # half of something, of which nobody can tell what it would have become
        if rest and (self._room > 0 or self._withholder is not None):
            self._exchange.add_frame(self._direction, rest)
        if self._masker is not None:
            self._exchange.findings += in_recording(self._masker.findings())

    def _masked(self, body: Body, data: bytes | None) -> bytes:
        """What of the data may be recorded; None asks for the rest."""
        if self._body is None:
            return b""
        try:
            return body.finish() if data is None else body.feed(data)
        except MaskingFailedError as failure:
            self._withhold(failure)
        except Exception:  # noqa: BLE001 - whatever breaks in a detector, what it did not see is not recorded
            self._withhold(MaskingFailedError("A detector failed."))
        return b""

    def _look_at_backlog(self) -> None:
        if self._over:
            return
        if self._chronicle.backlog_bytes > self._settings.recording_queue_bytes // 2:
            self._loop.call_later(_BACKLOG_POLL_S, self._look_at_backlog)
        else:
            self._hold(False)
