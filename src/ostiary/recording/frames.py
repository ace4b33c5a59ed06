"""Frames as bytes: what passed, in which direction, and when.

A frame is 8 bytes of microseconds since the exchange began, 1 byte of direction, 4 bytes of length
(big-endian), and its bytes. `Frame` and the direction numbers are those of `ostiary.ports`.
"""

import struct
from collections.abc import Iterable

from ostiary.model.errors import IntegrityError

REQUEST, RESPONSE, HEAD = 0, 1, 2
DIRECTIONS = (REQUEST, RESPONSE, REQUEST | HEAD, RESPONSE | HEAD)
Frame = tuple[int, int, bytes]

_HEADER = struct.Struct(">QBI")
_pack = _HEADER.pack


def encode_frames(frames: Iterable[Frame]) -> bytes:
    """Raises `ValueError` for a frame that has no place in the format."""
    try:
        return b"".join(
            [piece for at_us, direction, data in frames for piece in (_pack(at_us, direction, len(data)), data)]
        )
    except struct.error as error:
        raise ValueError("a frame's time, direction or length does not fit") from error


def decode_frames(data: bytes) -> list[Frame]:
    """Raises `IntegrityError` for bytes that `encode_frames` did not make."""
    frames: list[Frame] = []
    position = 0
    while position < len(data):
        body = position + _HEADER.size
        if body > len(data):
            raise _damaged()
        at_us, direction, length = _HEADER.unpack_from(data, position)
        position = body + length
        if position > len(data) or direction not in DIRECTIONS:
            raise _damaged()
        frames.append((at_us, direction, data[body:position]))
    return frames


def _damaged() -> IntegrityError:
    return IntegrityError("A recording's frames cannot be read.", "Run `ostiary audit verify`.")
