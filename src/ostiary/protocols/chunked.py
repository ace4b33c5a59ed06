"""Chunked transfer coding (RFC 9112 section 7.1), read strictly: no bare line ends, no signs, no 17th digit."""

import re
from enum import IntEnum

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb"\"[ !#-\[\]-~\t]*\""
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[ \t]*%b(?:=(?:%b|%b))?)*" % (_TOKEN, _TOKEN, _QUOTED))
_TRAILER_LINE = re.compile(rb"%b:[ -~\t\x80-\xff]*" % _TOKEN)
_LINE_MAX_BYTES = 1024
_TRAILERS_MAX_BYTES = 16 * 1024


class ChunkError(Exception):
    """The coding is broken; nothing after this point can be trusted."""


class _State(IntEnum):
    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILER = 3
    COMPLETE = 4


class ChunkedDecoder:
    """Takes bytes, gives payload. Extensions and trailers are checked and dropped.

    Holds back at most one unfinished size or trailer line. After `complete`, `excess` has what followed the body.
    """

    __slots__ = ("_held", "_remaining", "_state", "_trailer_bytes", "excess")

    def __init__(self) -> None:
        self._state = _State.SIZE
        self._held = b""
        self._remaining = 0
        self._trailer_bytes = 0
        self.excess = b""

    @property
    def complete(self) -> bool:
        return self._state is _State.COMPLETE

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`. Raises `ChunkError`."""
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        position, end = 0, len(data)
        while position < end or self._state is _State.DATA_END:
            state = self._state
            if state is _State.DATA:
                piece = data[position : position + self._remaining]
                pieces.append(piece)
                position += len(piece)
                self._remaining -= len(piece)
                if self._remaining:
                    break
                self._state = _State.DATA_END
            elif state is _State.DATA_END:
                mark = data[position : position + 2]
                if mark != b"\r\n":
                    if mark in (b"", b"\r"):
                        self._held = mark
                        break
                    raise ChunkError("A chunk does not end where it said.")
                position += 2
                self._state = _State.SIZE
            elif state is _State.COMPLETE:
                self.excess = data[position:]
                break
            else:
                line_end = data.find(b"\r\n", position)
                if line_end < 0:
                    self._hold_line(data[position:])
                    break
                line = data[position:line_end]
                position = line_end + 2
                if state is _State.SIZE:
                    self._begin_chunk(line)
                else:
                    self._take_trailer(line)
        if self._state is _State.COMPLETE and position < end:
            self.excess = data[position:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _hold_line(self, rest: bytes) -> None:
        if len(rest) > _LINE_MAX_BYTES or b"\n" in rest or b"\r" in rest[:-1]:
            raise ChunkError("A chunk size or trailer line is malformed.")
        self._held = rest

    def _begin_chunk(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line) if len(line) <= _LINE_MAX_BYTES else None
        if match is None:
            raise ChunkError("A chunk size line is malformed.")
        self._remaining = int(match[1], 16)
        self._state = _State.DATA if self._remaining else _State.TRAILER

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self._state = _State.COMPLETE
            return
        self._trailer_bytes += len(line)
        if self._trailer_bytes > _TRAILERS_MAX_BYTES or _TRAILER_LINE.fullmatch(line) is None:
            raise ChunkError("A trailer field is malformed.")


LAST_CHUNK = b"0\r\n\r\n"


def encode_chunk(data: bytes) -> bytes:
    """One chunk around non-empty `data`."""
    return b"%x\r\n%b\r\n" % (len(data), data)
