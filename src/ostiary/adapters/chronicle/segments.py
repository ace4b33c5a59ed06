"""Segment files: sealed parts of many recordings, under one data key that the root key wraps.

A segment begins with a line of text, the length of the wrapped key and the wrapped key itself. It is never appended
to after a restart, so an incomplete end needs no mending: reading stops there.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ostiary.adapters.chronicle.files import GrowingFile, Places, sync_directory
from ostiary.model.errors import IntegrityError
from ostiary.recording.sealing import HEADER, PartHeader, SegmentKey, erased_part, open_part, read_part_header
from ostiary.vault.sealing import WRAPPED_KEY_BYTES, RootKey, SealContext, unwrap_key, wrap_key

MAGIC = b"ostiary recordings 1\n"
HEAD_BYTES = len(MAGIC) + WRAPPED_KEY_BYTES
SEGMENT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PlacedPart:
    """Where a part lies."""

    segment: int
    offset: int
    header: PartHeader


class Segment:
    """The segment being written."""

    __slots__ = ("_file", "key", "number")

    def __init__(self, places: Places, number: int, root_key: RootKey, installation: str) -> None:
        data_key = os.urandom(32)
        wrapped = wrap_key(root_key, data_key, _context(installation, number), os.urandom(12))
        self.key = SegmentKey(data_key)
        self.number = number
        self._file = GrowingFile(places.recording(number))
        try:
            self._file.append(MAGIC + wrapped, sync=False)
            sync_directory(places.recordings)
        except OSError:
            self._file.close()
            places.recording(number).unlink(missing_ok=True)
            raise

    @property
    def full(self) -> bool:
        return self._file.size >= SEGMENT_BYTES

    def append(self, parts: bytes) -> None:
        """Raises `OSError` when not all could be written; then nothing was. Durable after `sync` only."""
        self._file.append(parts, sync=False)

    def sync(self) -> None:
        self._file.sync()

    def close(self) -> None:
        self._file.close()


def read_segment_key(path: Path, number: int, root_key: RootKey, installation: str) -> SegmentKey:
    """Raises `IntegrityError` when the head is damaged or the root key is another."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if len(head) != HEAD_BYTES or not head.startswith(MAGIC):
        raise IntegrityError(f"{path.name} is not a recordings file.", "Restore HOME/recordings from a backup.")
    return SegmentKey(unwrap_key(root_key, head[len(MAGIC) :], _context(installation, number)))


def scan_parts(path: Path, number: int, offset: int = 0) -> Iterator[PlacedPart]:
    """The parts from `offset` on that are there as a whole."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        offset = max(offset, HEAD_BYTES)
        while offset < end:
            file.seek(offset)
            header = read_part_header(file.read(HEADER.size + 255))
            if header is None or offset + header.size > end:
                return
            yield PlacedPart(number, offset, header)
            offset += header.size


def read_part(places: Places, placed: PlacedPart, key: SegmentKey, installation: str) -> bytes:
    """The part's plaintext. Raises as `open_part` does."""
    with places.recording(placed.segment).open("rb") as file:
        file.seek(placed.offset)
        data = file.read(placed.header.size)
    header = read_part_header(data)
    if header is None or (header.exchange, header.size) != (placed.header.exchange, placed.header.size):
        raise IntegrityError(
            f"The recording of {placed.header.exchange} is not where it was.",
            "Restore HOME/recordings from a backup.",
        )
    return open_part(key, installation, header, data[header.header_bytes :])


def erase_part(places: Places, placed: PlacedPart) -> None:
    """Overwrite the part where it lies: salt and ciphertext become zeros, on disk."""
    descriptor = os.open(places.recording(placed.segment), os.O_RDWR | os.O_CLOEXEC)
    try:
        found = read_part_header(os.pread(descriptor, HEADER.size + 255, placed.offset))
        if found is None or (found.exchange, found.size) != (placed.header.exchange, placed.header.size):
            raise IntegrityError(
                f"The recording of {placed.header.exchange} is not where it was.",
                "Restore HOME/recordings from a backup.",
            )
        data, offset = erased_part(found), placed.offset
        while data:
            written = os.pwrite(descriptor, data, offset)
            data, offset = data[written:], offset + written
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def next_segment_number(places: Places) -> Callable[[], int]:
    """Numbers of segments that do not exist yet."""
    last = max(places.recording_numbers(), default=0)

    def following() -> int:
        nonlocal last
        last += 1
        return last

    return following


def _context(installation: str, number: int) -> SealContext:
    return SealContext(installation, "recording-segment", str(number), 1)
