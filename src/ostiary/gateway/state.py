"""What is known of one running exchange."""

import os
import time
from asyncio import Task
from typing import TYPE_CHECKING, Any

from ostiary.gateway.client import ClientConnection
from ostiary.gateway.masks import NO_MASKS, Masks
from ostiary.gateway.route import Armed, Route
from ostiary.masking.placeholders import Placeholders
from ostiary.model.actor import Actor
from ostiary.model.decision import Decision
from ostiary.model.finding import Finding
from ostiary.model.operation import UNKNOWN_OPERATION, Operation
from ostiary.ports import Frame, Receipt
from ostiary.protocols.heads import RequestHead
from ostiary.protocols.targets import Target

if TYPE_CHECKING:
    from ostiary.gateway.judged import Judged
    from ostiary.gateway.relay import Relay
    from ostiary.gateway.upload import Upload

_FLUSH_BYTES = 64 * 1024
_IDENTITY_BYTES = 10
_BLOCK_BYTES = 400 * _IDENTITY_BYTES

Entry = dict[str, Any]

now_s = time.perf_counter
"""What durations are measured with, in seconds: the event loop's own time is rounded to milliseconds."""


class Exchange:
    """Mutable on purpose, and only while the exchange runs. `started` is `now_s` time.

    `judged_body` is the request's body as it is judged and recorded, `sent_body` what is sent where sealed values were
    put back into it.

    Defaults stand on the class: an exchange sets what differs, and most differ in little.
    """

    target: Target | None = None
    actor: Actor | None = None
    route: Route | None = None
    operation: Operation = UNKNOWN_OPERATION
    decision: Decision | None = None
    armed: Armed | None = None
    masks: Masks = NO_MASKS
    placeholders: Placeholders | None = None
    judged_body: bytes | None = None
    sent_body: bytes | None = None
    body_changed = False
    approval: str | None = None
    approved_by: str | None = None
    session = ""
    tool_session: str | None = None
    judged: "Judged | None" = None
    content_length: int | None = None
    receipt: Receipt | None = None
    task: "Task[None] | None" = None
    relay: "Relay | None" = None
    upload: "Upload | None" = None
    client_gone = False
    concluded = False
    retried = False
    answered = False
    status = 0
    end = "complete"
    request_bytes = 0
    response_bytes = 0
    first_byte_us = 0
    frame_bytes = 0
    findings: tuple[Finding, ...] = ()

    def __init__(self, identity: str, started: float, client: ClientConnection, head: RequestHead) -> None:
        self.id = identity
        self.started = started
        self.client = client
        self.head = head
        self.keep_alive = head.keep_alive
        self.content_length = client.content_length
        self.frames: list[Frame] = []

    @property
    def has_body(self) -> bool:
        return self.head.chunked or bool(self.content_length)

    @property
    def content_type(self) -> bytes:
        """Of the request's body."""
        return next((value for name, value, _fate in self.head.fields if name == b"content-type"), b"")

    def add_frame(self, direction: int, data: bytes) -> bool:
        """Keep a frame; True when enough have gathered to be handed to the recorder."""
        self.frames.append((int((now_s() - self.started) * 1_000_000), direction, data))
        self.frame_bytes += len(data)
        return self.frame_bytes >= _FLUSH_BYTES

    def take_frames(self) -> list[Frame]:
        frames, self.frames, self.frame_bytes = self.frames, [], 0
        return frames


class WallClock:
    """RFC 3339 times with microseconds; the part above the second is formatted once a second."""

    __slots__ = ("_prefix", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._prefix = ""

    def text(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return "%s%06dZ" % (self._prefix, (now - second) * 1_000_000)  # noqa: UP031 - half the time of an f-string here


class Identities:
    """Ids that sort by time: 48 bits of milliseconds, 80 random bits. Randomness is fetched in blocks."""

    __slots__ = ("_block", "_position")

    def __init__(self) -> None:
        self._block = ""
        self._position = 0

    def new(self, prefix: str, now: float) -> str:
        position = self._position
        if position >= len(self._block):
            self._block = os.urandom(_BLOCK_BYTES).hex()
            position = 0
        self._position = position + 2 * _IDENTITY_BYTES
        return "%s%012x%s" % (prefix, int(now * 1000), self._block[position : self._position])  # noqa: UP031
