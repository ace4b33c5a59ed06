"""One direction's body on its way into the recording: withheld, cut at the limit, slowed by a slow disk."""

import asyncio
from collections.abc import Callable, Sequence

from ostiary.gateway.state import Exchange
from ostiary.model.errors import StorageUnavailableError
from ostiary.ports import Chronicle
from ostiary.protocols.redaction import FieldWithholder
from ostiary.settings import Settings

_BACKLOG_POLL_S = 0.02


class BodyTap:
    """`hold` is called with True when the recorder falls behind, and with False when it has caught up."""

    __slots__ = (
        "_chronicle",
        "_direction",
        "_exchange",
        "_hold",
        "_loop",
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

    def take(self, data: bytes) -> bool:
        """False when the recording cannot be written and the exchange must end."""
        if self._withholder is not None:
            self._withholder.feed(data)
            return True
        if self._room <= 0:
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
        self._over = True
        if self._withholder is not None:
            body = self._withholder.finish()
            if body:
                self._exchange.add_frame(self._direction, body)

    def _look_at_backlog(self) -> None:
        if self._over:
            return
        if self._chronicle.backlog_bytes > self._settings.recording_queue_bytes // 2:
            self._loop.call_later(_BACKLOG_POLL_S, self._look_at_backlog)
        else:
            self._hold(False)
