"""A recording for reading: frames as text where they are text, with the chunks of one message joined."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ostiary.recording.frames import HEAD, RESPONSE, Frame


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame to show."""

    at_us: int
    direction: str
    head: bool
    data: bytes

    @property
    def text(self) -> str | None:
        """The bytes as UTF-8 text, or None. It may hold control characters: whoever shows it escapes them."""
        try:
            text = self.data.decode()
        except UnicodeDecodeError:
            return None
        return None if "\x00" in text else text

    def to_json(self) -> dict[str, object]:
        """`at_us`, `direction`, `head`, and `text` or `base64`."""
        described: dict[str, object] = {"at_us": self.at_us, "direction": self.direction, "head": self.head}
        text = self.text
        if text is None:
            described["base64"] = base64.b64encode(self.data).decode()
        else:
            described["text"] = text
        return described


def timeline(frames: Iterable[Frame]) -> list[Moment]:
    """The frames in the order they were seen; both directions of time order, heads before their bodies."""
    return [
        Moment(at_us, "response" if direction & RESPONSE else "request", bool(direction & HEAD), data)
        for at_us, direction, data in _whole_characters(sorted(frames, key=lambda frame: frame[0]))
    ]


def _whole_characters(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Moves a UTF-8 character that a frame's end cuts to the next frame of its direction."""
    held: dict[int, tuple[int, bytes]] = {}
    for at_us, direction, data in frames:
        if direction & HEAD:
            yield at_us, direction, data
            continue
        joined = held.pop(direction, (0, b""))[1] + data
        cut = _cut_character_bytes(joined)
        if cut:
            held[direction] = (at_us, joined[-cut:])
            joined = joined[:-cut]
        if joined or not cut:
            yield at_us, direction, joined
    for direction, (at_us, rest) in held.items():
        yield at_us, direction, rest


def _cut_character_bytes(data: bytes) -> int:
    """How many bytes at the end begin a character that is not complete (0 to 3)."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4 if byte & 0xF8 == 0xF0 else 1
        return back if needed > back else 0
    return 0
