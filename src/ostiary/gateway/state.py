"""What is known of one running exchange."""

import time
from typing import Any

from ostiary.gateway.client import ClientConnection
from ostiary.gateway.route import Route
from ostiary.model.actor import Actor
from ostiary.model.decision import Decision
from ostiary.model.finding import Finding
from ostiary.model.operation import UNKNOWN_OPERATION, Operation
from ostiary.ports import Frame
from ostiary.protocols.heads import RequestHead
from ostiary.protocols.targets import Target

_FLUSH_BYTES = 64 * 1024


class Exchange:
    """Mutable on purpose, and only while the exchange runs. `started` is loop time in seconds."""

    __slots__ = (
        "actor",
        "answered",
        "approval",
        "approved_by",
        "client",
        "decision",
        "end",
        "findings",
        "first_byte_us",
        "frame_bytes",
        "frames",
        "head",
        "id",
        "intent_index",
        "operation",
        "recorded_request_bytes",
        "recorded_response_bytes",
        "request_bytes",
        "response_bytes",
        "route",
        "session",
        "started",
        "status",
        "target",
    )

    def __init__(self, identity: str, started: float, client: ClientConnection, head: RequestHead) -> None:
        self.id = identity
        self.started = started
        self.client = client
        self.head = head
        self.target: Target | None = None
        self.actor: Actor | None = None
        self.route: Route | None = None
        self.operation: Operation = UNKNOWN_OPERATION
        self.decision: Decision | None = None
        self.approval: str | None = None
        self.approved_by: str | None = None
        self.session = ""
        self.intent_index = -1
        self.answered = False
        self.status = 0
        self.end = "complete"
        self.request_bytes = 0
        self.response_bytes = 0
        self.recorded_request_bytes = 0
        self.recorded_response_bytes = 0
        self.first_byte_us = 0
        self.findings: list[Finding] = []
        self.frames: list[Frame] = []
        self.frame_bytes = 0

    def add_frame(self, now: float, direction: int, data: bytes) -> bool:
        """Keep a frame; True when enough have gathered to be handed to the recorder."""
        self.frames.append((int((now - self.started) * 1_000_000), direction, data))
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
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int((now - second) * 1_000_000):06d}Z"


Entry = dict[str, Any]
