"""Event streams: from bytes to whole events, and from an event to its lines.

The format is WHATWG HTML, section 9.2.6 (parsing an event stream): lines end with CR, LF or CRLF, an event ends with an
empty line, a line is a comment or a field. What is split here is never changed: the blocks put one after the other are
the stream byte for byte, and they are the same however the stream was cut.
"""

import re
from typing import NamedTuple

from ostiary.model.errors import MaskingFailedError

EVENT_MAX_BYTES = 16 * 1024 * 1024
"""An event of more bytes than this is refused: it would have to be kept until it is complete."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DATA = b"data"
EVENT = b"event"
ID = b"id"

_LINE_END = re.compile(rb"\r\n|\n|\r")
_EVENT_END = re.compile(rb"\n(?:\n|\r\n?)|\r(?:\r\n?|\n(?:\n|\r\n?))")
"""Two line ends. CRLF is one: no branch takes its two bytes for two."""
_TAIL_BYTES = 2
"""So much of what has been searched can still be the first line end of the two that end an event."""
_LF = 0x0A
_CR = 0x0D
_COLON = 0x3A


class Line(NamedTuple):
    """One line of a block: `block[start:end]` without its line end, which goes up to `next_start`.

    `name` is the field's name, empty for comments and for empty lines; `value_start` is behind the colon and one space.
    """

    name: bytes
    start: int
    value_start: int
    end: int
    next_start: int

    @property
    def is_empty(self) -> bool:
        return self.start == self.end


def lines_of(block: bytes) -> list[Line]:
    """The lines of an event, the empty one at its end included."""
    lines = []
    start = 0
    while start < len(block):
        line_end = _LINE_END.search(block, start)
        end, next_start = line_end.span() if line_end else (len(block), len(block))
        colon = block.find(b":", start, end)
        if colon < 0:
            lines.append(Line(block[start:end], start, end, end, next_start))
        else:
            value_start = colon + 2 if block[colon + 1 : min(colon + 2, end)] == b" " else colon + 1
            lines.append(Line(block[start:colon], start, value_start, end, next_start))
        start = next_start
    return lines


class EventSplitter:
    """Cuts a stream into blocks: an event with the empty line that ends it, or, between events, a single comment line,
    an empty line or the byte order mark. Comments between events do not wait for anything: they keep streams alive.
    """

    __slots__ = ("_after_return", "_at_start", "_pending", "_pending_bytes", "_tail")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._tail = b""
        self._at_start = True
        self._after_return = False  # the last block ended with a CR, to which an LF may still come

    def feed(self, data: bytes) -> list[bytes]:
        """The blocks that are complete now; `data` itself where it is exactly one event.

        Raises `MaskingFailedError` for an event of more than `EVENT_MAX_BYTES`.
        """
        # The usual cut: one event of one or two lines. No byte order mark begins below 0x80, a field's name does.
        if data[-2:] == b"\n\n" and not self._pending and _COLON < data[0] < 0x80:
            last = len(data) - 2
            line_end = data.find(b"\n")
            if (
                (line_end == last or line_end + 1 < last == data.find(b"\n", line_end + 1))
                and data.find(b"\r") < 0
                and last < EVENT_MAX_BYTES
            ):
                self._at_start = self._after_return = False
                return [data]
        return self._split(data)

    def rest(self) -> bytes:
        """What came after the last complete block; the stream has ended."""
        rest = b"".join(self._pending)
        self._keep(b"")
        return rest

    @property
    def is_between_events(self) -> bool:
        """Whether what comes next begins a block."""
        return not self._pending and not self._after_return and not self._at_start

    @property
    def held_bytes(self) -> int:
        return self._pending_bytes

    def _split(self, data: bytes) -> list[bytes]:
        if self._pending:
            if not self._may_complete(data):
                self._pending.append(data)
                self._pending_bytes += len(data)
                self._tail = (self._tail + data)[-_TAIL_BYTES:]
                if self._pending_bytes > EVENT_MAX_BYTES:
                    _refuse()
                return []
            data = b"".join((*self._pending, data))
        blocks: list[bytes] = []
        start = 0
        returns = data.count(b"\r")
        simple = not returns or returns == data.count(b"\r\n")
        while start < len(data):
            end = self._block_end(data, start, simple)
            if end < 0:
                break
            if end - start > EVENT_MAX_BYTES:
                _refuse()
            blocks.append(data[start:end])
            start = end
        self._keep(data[start:])
        if self._pending_bytes > EVENT_MAX_BYTES:
            _refuse()
        return blocks

    def _may_complete(self, data: bytes) -> bool:
        """Whether a block that was begun can end in `data`; with something short anything can."""
        return self._pending_bytes <= len(BYTE_ORDER_MARK) or (
            (b"\n" in data or b"\r" in data)
            and (self._pending[0][0] == _COLON or _EVENT_END.search(self._tail + data) is not None)
        )

    def _keep(self, data: bytes) -> None:
        self._pending = [data] if data else []
        self._pending_bytes = len(data)
        self._tail = data[-_TAIL_BYTES:]

    def _block_end(self, data: bytes, start: int, simple: bool) -> int:
        """Where the block that begins at `start` ends, -1 when that has not arrived. `simple`: no CR without an LF."""
        first = data[start]
        if self._at_start:
            if data.startswith(BYTE_ORDER_MARK):
                self._at_start = False
                return len(BYTE_ORDER_MARK)
            if BYTE_ORDER_MARK.startswith(data):
                return -1
            self._at_start = False
        if self._after_return:
            self._after_return = False
            if first == _LF:
                return start + 1
        line_only = first in (_LF, _CR, _COLON)
        if simple:
            line_end = data.find(b"\n", start)
            if line_only:
                return line_end + 1 if line_end >= 0 else -1
            while line_end >= 0:
                if data[line_end + 1 : line_end + 2] == b"\n":
                    return line_end + 2
                if data[line_end + 1 : line_end + 3] == b"\r\n":
                    return line_end + 3
                line_end = data.find(b"\n", line_end + 1)
            return -1
        found = (_LINE_END if line_only else _EVENT_END).search(data, start)
        if found is None:
            return -1
        end = found.end()
        self._after_return = data[end - 1] == _CR and end == len(data)
        return end


def _refuse() -> None:
    raise MaskingFailedError(f"An event of a stream has more than {EVENT_MAX_BYTES} bytes.")
