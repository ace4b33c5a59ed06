"""Taking up the log where it ended: whole, cut off by a crash, or not what was published."""

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ostiary.adapters.chronicle.files import (
    DIRECTORY_MODE,
    FILE_MODE,
    GrowingFile,
    Places,
    sync_directory,
)
from ostiary.adapters.chronicle.signing import known_keys
from ostiary.audit.checkpoint import Checkpoint, open_checkpoint
from ostiary.audit.merkle import HASH_BYTES, Frontier, leaf_hash
from ostiary.audit.standalone import split_notes
from ostiary.model.errors import IntegrityError, OperatorError

READ_BYTES = 1024 * 1024
NOTE_MAX_BYTES = 64 * 1024
RESTORE = (
    "Stop, restore the newest copy of HOME/audit, and run `ostiary audit verify`. To go on without the missing "
    "entries after an investigation, move HOME/audit aside: a new log begins."
)


@dataclass(slots=True)
class OpenedLog:
    """Where the log stands. `frontier` covers every entry; `new_hashes` are those missing at the end of the hash file.

    `cut_bytes` were an incomplete last line; `unsigned` complete entries came after the last checkpoint.
    """

    number: int
    file: GrowingFile
    frontier: Frontier
    new_hashes: bytes
    checkpoint: Checkpoint | None
    note: bytes
    cut_bytes: int
    unsigned: int


def take_lock(places: Places) -> int:
    """A descriptor that holds the log for this process until it is closed.

    Raises `OperatorError` when another process holds it or HOME cannot be written.
    """
    try:
        for directory in (places.audit, places.recordings):
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise OperatorError(
            f"{places.home} cannot be used for the audit log: {error.strerror}.",
            "Make the directory writable for this user, or choose another with --home.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise OperatorError(
            f"Another process is writing the audit log in {places.home}.",
            "Stop it first (`ostiary doctor` names it), or choose another --home.",
        ) from None
    return descriptor


def open_log(places: Places) -> OpenedLog:
    """The log, ready to be appended to. The caller holds the lock.

    Raises `IntegrityError` when entries that were durable are missing or altered; nothing was changed then.
    """
    published = _last_published(places)
    numbers = places.log_numbers()
    if numbers != list(range(1, len(numbers) + 1)):
        missing = next(number for number in range(1, len(numbers) + 1) if number not in numbers)
        raise IntegrityError(f"The audit log's file {places.log(missing).name} is missing.", RESTORE)
    hashes_known = places.hashes.stat().st_size // HASH_BYTES if places.hashes.exists() else 0
    start = _start(places, published, hashes_known)
    tail = _read_tail(places, numbers, start, published)
    size = tail.frontier.size
    if size < published.size:
        raise IntegrityError(
            f"The audit log has {size} entries, but a checkpoint of {published.size} was published.", RESTORE, size
        )
    if size < hashes_known:
        raise IntegrityError(f"The audit log has {size} entries, but {hashes_known} were written.", RESTORE, size)

    # Everything before it proved to be right: now cut off what a crash left incomplete.
    number = numbers[-1] if numbers else 1
    file = GrowingFile(places.log(number))
    if not numbers:
        sync_directory(places.audit)
    if tail.cut_bytes:
        file.cut(file.size - tail.cut_bytes)
    if places.checkpoints.exists() and places.checkpoints.stat().st_size > published.file_bytes:
        os.truncate(places.checkpoints, published.file_bytes)
    return OpenedLog(
        number=number,
        file=file,
        frontier=tail.frontier,
        new_hashes=tail.leaves[(hashes_known - start.frontier.size) * HASH_BYTES :],
        checkpoint=published.checkpoint,
        note=published.note,
        cut_bytes=tail.cut_bytes,
        unsigned=size - published.size,
    )


@dataclass(frozen=True, slots=True)
class _Published:
    """The last checkpoint, its note, and the length of the file up to the end of that note."""

    checkpoint: Checkpoint | None
    note: bytes
    file_bytes: int

    @property
    def size(self) -> int:
        return self.checkpoint.size if self.checkpoint else 0


@dataclass(frozen=True, slots=True)
class _Start:
    """Where reading begins: the tree so far, and the place in the log behind its last entry."""

    frontier: Frontier
    number: int = 1
    offset: int = 0


@dataclass(frozen=True, slots=True)
class _Tail:
    frontier: Frontier
    leaves: bytes
    cut_bytes: int


def _read_tail(places: Places, numbers: list[int], start: _Start, published: _Published) -> _Tail:
    frontier, leaves = start.frontier.copy(), bytearray()
    expected = _hashes_from(places, frontier.size)
    for number in numbers:
        if number < start.number:
            continue
        for line in _lines(places.log(number), start.offset if number == start.number else 0):
            if not line.endswith(b"\n"):
                if number != numbers[-1]:
                    raise _altered(frontier.size)
                return _Tail(frontier, bytes(leaves), len(line))
            leaf = leaf_hash(line[:-1])
            if expected[len(leaves) : len(leaves) + HASH_BYTES] not in (leaf, b""):
                raise _altered(frontier.size)
            frontier.append(leaf)
            leaves += leaf
            checkpoint = published.checkpoint
            if checkpoint and frontier.size == checkpoint.size and frontier.root() != checkpoint.root:
                raise IntegrityError("The audit log is not what its last checkpoint says.", RESTORE)
    return _Tail(frontier, bytes(leaves), 0)


def _altered(index: int) -> IntegrityError:
    return IntegrityError(f"Entry {index} of the audit log is not what was written.", RESTORE, index)


def _hashes_from(places: Places, index: int) -> bytes:
    """The leaf hashes from `index` on; an incomplete last one is left out."""
    try:
        with places.hashes.open("rb") as file:
            file.seek(index * HASH_BYTES)
            hashes = file.read()
    except FileNotFoundError:
        return b""
    return hashes[: len(hashes) // HASH_BYTES * HASH_BYTES]


def _last_published(places: Places) -> _Published:
    try:
        with places.checkpoints.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - NOTE_MAX_BYTES))
            notes = split_notes(file.read())
    except FileNotFoundError:
        return _Published(None, b"", 0)
    if notes and not (notes[-1].endswith(b"\n") and b"\n\n" in notes[-1]):
        length -= len(notes.pop())
    if not notes:
        return _Published(None, b"", length)
    return _Published(open_checkpoint(notes[-1], known_keys(places)), notes[-1], length)


def _start(places: Places, published: _Published, hashes_known: int) -> _Start:
    """What was kept at the last checkpoint, if it is of that checkpoint; else everything is read again."""
    try:
        kept = json.loads(places.frontier.read_bytes())
        frontier = Frontier.from_json(kept["frontier"])
        number, offset = int(kept["file"]), int(kept["offset"])
        with places.log(number).open("rb") as file:
            file.seek(max(0, offset - 1))
            behind_a_line = offset > 0 and file.read(1) == b"\n"
    except (OSError, ValueError, KeyError, TypeError):
        return _Start(Frontier())
    checkpoint = published.checkpoint
    fits = checkpoint is not None and (frontier.size, frontier.root()) == (checkpoint.size, checkpoint.root)
    if fits and behind_a_line and frontier.size <= hashes_known:
        return _Start(frontier, number, offset)
    return _Start(Frontier())


def _lines(path: Path, offset: int) -> Iterator[bytes]:
    with path.open("rb", buffering=READ_BYTES) as file:
        file.seek(offset)
        yield from file
