"""Publishes the log's head: hashes, signed checkpoint, and where to take up the log again. A thread of its own."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from ostiary.adapters.chronicle.files import FILE_MODE, DisplacedError, GrowingFile, Places, replace_file
from ostiary.adapters.chronicle.health import RETRY_S, Health
from ostiary.audit.checkpoint import Checkpoint, SigningKey, sign_checkpoint
from ostiary.audit.merkle import HASH_BYTES, Frontier

PART = "checkpoints"
Told = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Head:
    """The tree at a moment at which all of it was durable, and where in the log that was.

    `hashes` are the leaves new since the head before. `told` are called with the note, or with b"" when it
    cannot be written.
    """

    frontier: Frontier
    hashes: bytes
    number: int
    offset: int
    told: tuple[Told, ...] = ()


class Publisher(threading.Thread):
    """Takes heads from a queue. Of several that wait only the last is signed; their hashes are all written."""

    def __init__(
        self,
        places: Places,
        origin: str,
        keys: tuple[SigningKey, ...],
        health: Health,
        sync_recordings: Callable[[], None],
        published_size: int,
        note: bytes,
    ) -> None:
        super().__init__(name="ostiary-checkpoints", daemon=True)
        self.heads: SimpleQueue[Head | None] = SimpleQueue()
        self.note = note
        self._places = places
        self._origin = origin
        self.keys = keys
        self._health = health
        self._sync_recordings = sync_recordings
        self._published_size = published_size
        self._checkpoints: GrowingFile | None = None

    def run(self) -> None:
        waiting: list[Head] = []
        stopping = False
        while not (stopping and not waiting):
            try:
                head = self.heads.get(timeout=RETRY_S if waiting else None)
                while head is not None:
                    waiting.append(head)
                    head = self.heads.get_nowait()
                stopping = True
            except Empty:
                pass
            if waiting:
                try:
                    self._publish(waiting)
                except OSError as error:
                    self._health.failed(PART, error)
                    waiting = [self._told_of_failure(head) for head in waiting]
                    if stopping:
                        break
                else:
                    waiting.clear()
                    self._health.works(PART)
        if self._checkpoints is not None:
            self._checkpoints.close()

    @staticmethod
    def _told_of_failure(head: Head) -> Head:
        for told in head.told:
            told(b"")
        return replace(head, told=())

    def _publish(self, heads: list[Head]) -> None:
        head = heads[-1]
        size = head.frontier.size
        if size > self._published_size:
            self._sync_recordings()
            keys = self.keys
            hashes = b"".join(each.hashes for each in heads)
            self._write_hashes(hashes, size * HASH_BYTES - len(hashes))
            note = sign_checkpoint(Checkpoint(self._origin, size, head.frontier.root()), *keys)
            self._append_note(note)
            self.note, self._published_size = note, size
            if self.keys is keys:
                self.keys = keys[-1:]
            kept = {"frontier": head.frontier.to_json(), "file": head.number, "offset": head.offset}
            replace_file(self._places.frontier, json.dumps(kept).encode(), sync=False)
        for each in heads:
            for told in each.told:
                told(self.note)

    def _write_hashes(self, hashes: bytes, offset: int) -> None:
        descriptor = os.open(self._places.hashes, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            if os.fstat(descriptor).st_size < offset:
                raise DisplacedError(self._places.hashes)
            while hashes:
                written = os.pwrite(descriptor, hashes, offset)
                hashes, offset = hashes[written:], offset + written
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def _append_note(self, note: bytes) -> None:
        if self._checkpoints is None:
            self._checkpoints = GrowingFile(self._places.checkpoints)
        self._checkpoints.append(note, sync=True)
