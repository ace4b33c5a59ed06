"""Streams of one JSON document a line: the texts that their documents put together, as event streams do."""

from collections.abc import Sequence

from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingFailedError
from ostiary.protocols.sse import EVENT_MAX_BYTES
from ostiary.protocols.text_channels import TextChannel

_DATA = b"data: "
_END = b"\n\n"


class LinesBody:
    """A `Body`. Every line is masked as if it were the data of an event, and goes out when it is complete.

    Raises `MaskingFailedError` for a line of more than `EVENT_MAX_BYTES`.
    """

    __slots__ = ("_events", "_held", "_held_bytes")

    def __init__(self, masker: TextMasker, channels: Sequence[TextChannel]) -> None:
        self._events = SseBody(masker, channels)
        self._held: list[bytes] = []
        self._held_bytes = 0

    def feed(self, data: bytes) -> bytes:
        end = data.rfind(b"\n") + 1
        if not end:
            self._hold(data)
            return b""
        whole = b"".join((*self._held, data[:end])) if self._held else data[:end]
        self._held, self._held_bytes = [], 0
        if end < len(data):
            self._hold(data[end:])
        return b"".join([self._line(line, b"\n") for line in whole.split(b"\n")[:-1]])

    def finish(self) -> bytes:
        last = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        shown = self._line(last, b"\n") if last else b""
        shown += _lines(self._events.finish(), b"\n")
        return shown[:-1] if last and shown.endswith(b"\n") else shown

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > EVENT_MAX_BYTES:
            raise MaskingFailedError(f"A line of a stream has more than {EVENT_MAX_BYTES:,} bytes.")

    def _line(self, line: bytes, line_end: bytes) -> bytes:
        """The line, and lines that bring what is left of a text in front of it."""
        if line.endswith(b"\r"):
            line, line_end = line[:-1], b"\r\n"
        if not line.strip():
            return line + line_end
        # Within a line a CR is white space between tokens of JSON; in an event stream it would end the line.
        event = _DATA + line.replace(b"\r", b" ") + _END
        masked = self._events.feed(event)
        return line + line_end if masked is event or masked == event else _lines(masked, line_end)


def _lines(events: bytes, line_end: bytes) -> bytes:
    return b"".join([event.removeprefix(_DATA) + line_end for event in events.split(_END)[:-1]])
