"""The thread that seals recordings and hands outcomes to the log, in that order."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ostiary.adapters.chronicle.files import Places
from ostiary.adapters.chronicle.health import RETRY_S, Health
from ostiary.adapters.chronicle.segments import Segment, next_segment_number
from ostiary.audit.entries import encode_entry
from ostiary.model.errors import OperatorError
from ostiary.ports import Frame
from ostiary.recording.frames import encode_frames
from ostiary.recording.sealing import CHAIN_START, COMMITMENT_BYTES, SALT_BYTES, chain_next, seal_part
from ostiary.vault.sealing import RootKey

logger = logging.getLogger(__name__)

PART = "recordings"
BATCH_MAX_ITEMS = 32
BATCH_MAX_BYTES = 1024 * 1024
"""Sealed at once: less than a millisecond of the interpreter for small exchanges."""
RANDOM_AT_ONCE = 32
SYNC_EVERY_S = 0.1
"""Little and often: what one sync writes in one go, the log's next group waits for."""
RANDOM_BYTES = SALT_BYTES + COMMITMENT_BYTES
NOTHING_RECORDED = {"root": None, "parts": 0, "bytes": 0}

Outcome = dict[str, Any]
Item = tuple[str, Sequence[Frame], Outcome | None, int]
"""Exchange, frames, the outcome when these are the last, and how many bytes the frames have."""


@dataclass(slots=True)
class _Running:
    """A recording whose exchange goes on."""

    salt: bytes
    segment: int
    cipher: AESGCM
    chain: bytes
    parts: int
    frame_bytes: int


class Recorder(threading.Thread):
    """Takes items from `items`. `done_bytes` counts the frame bytes written and may be read from any thread."""

    def __init__(
        self,
        places: Places,
        root_key: RootKey,
        installation: str,
        health: Health,
        log_entries: Callable[[list[bytes]], None],
    ) -> None:
        super().__init__(name="ostiary-recorder", daemon=True)
        self.items: SimpleQueue[list[Item] | None] = SimpleQueue()
        self.done_bytes = 0
        self._places = places
        self._root_key = root_key
        self._installation = installation
        self._health = health
        self._log_entries = log_entries
        self._next_number = next_segment_number(places)
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._random: list[bytes] = []
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()
        self._segment: Segment | None = None
        self._unsynced = False
        self._sync_at = 0.0
        self._stopping = False
        self._stop_asked = threading.Event()

    def run(self) -> None:
        batch: list[Item] = []
        try:
            while not (self._stopping and not batch):
                batch = batch or self._gather()
                if not batch or self._write(batch):
                    batch = []
                elif self._stop_asked.wait(RETRY_S):
                    break
        except Exception as error:  # noqa: BLE001 - the outermost loop: the gateway must hear of it
            logger.critical("chronicle.recorder_died error=%s", type(error).__name__)
            self._health.failed(PART, OSError(0, f"the recorder stopped on {type(error).__name__}"))

    def ask_to_stop(self) -> None:
        """Let the thread end once it has written everything, or at once if it cannot write."""
        self._stop_asked.set()
        self.items.put(None)

    def sync(self) -> None:
        """Make what was written durable. Called by the publisher, before it signs."""
        with self._lock:
            if self._segment is not None and self._unsynced:
                self._segment.sync()
                self._unsynced = False

    def close(self) -> None:
        """After the thread ended."""
        with self._lock:
            if self._segment is not None:
                self._segment.close()
                self._segment = None

    def _gather(self) -> list[Item]:
        batch: list[Item] = []
        gathered_bytes = 0
        try:
            items = self.items.get()
            while items is not None:
                batch += items
                gathered_bytes += sum([item[3] for item in items])
                if len(batch) >= BATCH_MAX_ITEMS or gathered_bytes >= BATCH_MAX_BYTES:
                    return batch
                items = self.items.get_nowait()
            self._stopping = True
        except Empty:
            pass
        return batch

    def _write(self, batch: list[Item]) -> bool:
        """Whether the batch is in the file. If not, nothing of it is, and it is sealed anew for the next try."""
        running: dict[str, _Running] = {}
        if any(frames for _, frames, _, _ in batch) or self._running:
            try:
                segment = self._open_segment()
                pieces = self._seal(batch, segment, running)
                with self._lock:
                    segment.append(b"".join(pieces))
                    self._unsynced = True
                if time.monotonic() >= self._sync_at:
                    self.sync()
                    self._sync_at = time.monotonic() + SYNC_EVERY_S
            except OSError as error:
                self._health.failed(PART, error)
                self._give_up_segment()
                return False
            self._health.works(PART)
            self.done_bytes += sum([item[3] for item in batch])
        lines: list[bytes] = []
        for exchange, _, outcome, _ in batch:
            if outcome is not None:
                outcome.setdefault("recording", NOTHING_RECORDED)
                lines.append(_encoded(exchange, outcome))
                self._running.pop(exchange, None)
        self._running.update(running)
        if lines:
            self._log_entries(lines)
        return True

    def _seal(self, batch: list[Item], segment: Segment, running: dict[str, _Running]) -> list[bytes]:
        """The parts as bytes. `running` becomes what goes on after them; outcomes get their `recording`."""
        pieces: list[bytes] = []
        for exchange, frames, outcome, frame_bytes in batch:
            state = running.pop(exchange, None)
            if state is None and exchange in self._running:
                state = self._copy(self._running[exchange], segment)
            if frames:
                try:
                    begun, plaintext = self._with_plaintext(state, segment, frames)
                    pieces.append(self._sealed(exchange, begun, plaintext))
                except (ValueError, TypeError):
                    # One exchange's unwritable frames must not end everybody's recording.
                    logger.error("chronicle.frames_unwritable exchange=%s", exchange)
                else:
                    state = begun
                    state.chain = chain_next(state.chain, plaintext)
                    state.parts += 1
                    state.frame_bytes += frame_bytes
            if outcome is None:
                if state is not None:
                    running[exchange] = state
            elif state is not None:
                outcome["recording"] = {
                    "root": state.chain.hex(),
                    "parts": state.parts,
                    "bytes": state.frame_bytes,
                }
        return pieces

    def _with_plaintext(
        self, state: _Running | None, segment: Segment, frames: Sequence[Frame]
    ) -> tuple[_Running, bytes]:
        encoded = encode_frames(frames)
        if state is not None:
            return state, encoded
        if not self._random:
            data = os.urandom(RANDOM_BYTES * RANDOM_AT_ONCE)
            self._random = [data[at : at + RANDOM_BYTES] for at in range(0, len(data), RANDOM_BYTES)]
        random = self._random.pop()
        salt = random[:SALT_BYTES]
        begun = _Running(salt, segment.number, segment.key.cipher(salt), CHAIN_START, 0, 0)
        return begun, random[SALT_BYTES:] + encoded

    def _sealed(self, exchange: str, state: _Running, plaintext: bytes) -> bytes:
        return seal_part(
            state.cipher, state.salt, self._installation, exchange, state.parts, plaintext, self._compressor
        )

    @staticmethod
    def _copy(state: _Running, segment: Segment) -> _Running:
        """A copy, so that a failed batch changes nothing; with the key of this segment."""
        cipher = state.cipher if state.segment == segment.number else segment.key.cipher(state.salt)
        return _Running(state.salt, segment.number, cipher, state.chain, state.parts, state.frame_bytes)

    def _open_segment(self) -> Segment:
        """The segment to write to; a new one when the last is full or was given up."""
        segment = self._segment
        if segment is None or segment.full:
            if segment is not None:
                self.sync()
            following = Segment(self._places, self._next_number(), self._root_key, self._installation)
            with self._lock:
                self._segment, self._unsynced = following, False
            if segment is not None:
                segment.close()
            return following
        return segment

    def _give_up_segment(self) -> None:
        """After a failure the next try has a segment of its own: this one may be gone or beyond mending."""
        with self._lock:
            segment, self._segment = self._segment, None
        if segment is not None:
            try:
                segment.sync()
            except OSError:
                logger.warning("chronicle.segment_sync_failed segment=%d", segment.number)
            segment.close()


def _encoded(exchange: str, outcome: Outcome) -> bytes:
    """The outcome's entry; what can be said when it has something in it that no entry can hold."""
    try:
        return encode_entry(outcome)
    except OperatorError:
        logger.error("chronicle.outcome_unwritable exchange=%s", exchange)
        known = {key: outcome.get(key) for key in ("v", "type", "time", "exchange", "recording")}
        return encode_entry({**known, "exchange": exchange, "unwritable": True})
