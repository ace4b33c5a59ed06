"""`ports.Chronicle` on files: what the event loop sees of the threads that write."""

import os
from asyncio import AbstractEventLoop, Future, TimerHandle, get_running_loop, wait_for
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ostiary.adapters.chronicle.files import Places
from ostiary.adapters.chronicle.health import Health
from ostiary.adapters.chronicle.log_writer import Line, LogWriter
from ostiary.adapters.chronicle.opening import OpenedLog, open_log, take_lock
from ostiary.adapters.chronicle.publisher import Publisher
from ostiary.adapters.chronicle.recorder import Item, Recorder
from ostiary.adapters.chronicle.signing import known_keys, load_signing_key, log_origin, make_signing_key
from ostiary.audit.checkpoint import SigningKey
from ostiary.audit.entries import encode_entry, entry_time
from ostiary.model.errors import OperatorError, StorageUnavailableError
from ostiary.ports import Frame, Receipt
from ostiary.settings import MIB, Settings
from ostiary.vault.sealing import RootKey

GATHER_S = 0.004
GATHER_BYTES = 256 * 1024
UNWRITTEN_MAX_BYTES = 64 * MIB
"""Kept in memory while the disk does not take it. Beyond it `record` raises, so that the stream that has most to
say stops first, and notes are only counted; outcomes and intents are bounded by the running exchanges."""


class Chronicle:
    """The audit log and the recordings of an embedded installation.

    `start` before use, `stop` after. All methods are called on the event loop; `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        home: Path,
        loop: AbstractEventLoop,
        settings: Settings,
        root_key: RootKey,
        installation: str,
        clock: Callable[[], float],
    ) -> None:
        self.places = Places(home)
        self.installation = installation
        self._loop = loop
        self._settings = settings
        self._root_key = root_key
        self._clock = clock
        self._health = Health(loop)
        self._noted_bytes = 0
        self._outcome_bytes = 0
        self._frame_bytes = 0
        self._lines: list[Line] = []
        self._items: list[Item] = []
        self._items_due: TimerHandle | None = None
        self._gathered_bytes = 0
        self._counted: Counter[str] = Counter()
        self._growth: list[Future[None]] = []
        self._lock: int | None = None
        self._started = False
        self.first_own_index = 0

    # ── life ──

    def start(self) -> None:
        """Open the log, mend its end after a crash, and begin to write.

        Raises `OperatorError` when another process has the log or HOME cannot be written, and `IntegrityError` when
        entries that were durable are missing or altered.
        """
        self._lock = take_lock(self.places)
        try:
            key = load_signing_key(self.places, self._root_key, self.installation)
            opened = open_log(self.places)
        except OSError as error:
            self._unlock()
            raise OperatorError(
                f"The audit log in {self.places.audit} cannot be opened: {error.strerror}.",
                "Free some space there and make every file readable and writable for this user.",
            ) from error
        except BaseException:
            self._unlock()
            raise
        self.first_own_index = opened.frontier.size
        self._begin_threads(opened, (key,))
        self._started = True
        self._note_the_beginning(opened, key)

    def _begin_threads(self, opened: OpenedLog, keys: tuple[SigningKey, ...]) -> None:
        self._recorder = Recorder(self.places, self._root_key, self.installation, self._health, self._enqueue_lines)
        self._publisher = Publisher(
            self.places,
            log_origin(self.installation),
            keys,
            self._health,
            self._recorder.sync,
            opened.checkpoint.size if opened.checkpoint else 0,
            opened.note,
        )
        self._writer = LogWriter(
            self.places,
            opened,
            self._loop,
            self._health,
            self._publisher,
            self._grown,
            self._clock,
            segment_bytes=self._settings.audit_segment_bytes,
            checkpoint_interval_s=self._settings.checkpoint_interval_s,
        )
        self._put = self._writer.items.put
        for thread in (self._publisher, self._writer, self._recorder):
            thread.start()

    def _note_the_beginning(self, opened: OpenedLog, key: SigningKey) -> None:
        if opened.frontier.size == 0:
            self._note_own("log.opened", origin=log_origin(self.installation), key=key.key.text)
        if opened.cut_bytes or opened.unsigned:
            self._note_own("log.recovered", cut_bytes=opened.cut_bytes, unsigned_entries=opened.unsigned)

    async def stop(self, timeout_s: float = 30.0) -> None:
        """Write what waits, publish a last checkpoint and let go of the log. What the disk does not take is lost."""
        if not self._started:
            return
        self._started = False
        loop = get_running_loop()
        self._hand_over_lines()
        self._hand_over_items()
        self._recorder.ask_to_stop()
        await loop.run_in_executor(None, self._recorder.join, timeout_s)
        self._put(None)
        await loop.run_in_executor(None, self._writer.join, timeout_s)
        await loop.run_in_executor(None, self._publisher.join, timeout_s)
        self._recorder.close()
        self._unlock()
        self._grown()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ── writing ──

    def intend(self, entry: dict[str, Any]) -> "Future[Receipt]":
        """See the port. While the log cannot be written the future has failed already."""
        future: Future[Receipt] = self._loop.create_future()
        if self._health.bad or not self._started:
            future.set_exception(self._health.error())
            return future
        line = encode_entry(entry)
        self._noted_bytes += len(line)
        self._group((line, future))
        return future

    def note(self, entry: dict[str, Any]) -> None:
        """See the port. Past `UNWRITTEN_MAX_BYTES` it is counted by type, and the counts become an entry."""
        if self.unwritten_bytes > UNWRITTEN_MAX_BYTES:
            self._counted[str(entry.get("type"))] += 1
            return
        if self._counted:
            counts, self._counted = dict(self._counted), Counter()
            self._note_own("log.counted", counts=counts)
        self._enqueue_note(encode_entry(entry))

    def record(self, exchange: str, frames: Sequence[Frame]) -> None:
        """See the port. Raises `StorageUnavailableError` past `UNWRITTEN_MAX_BYTES`: the stream must end."""
        frame_bytes = sum([len(frame[2]) for frame in frames])
        if self.backlog_bytes + frame_bytes > UNWRITTEN_MAX_BYTES:
            raise StorageUnavailableError(
                "Recordings cannot be written as fast as this stream goes on.", "Free space in HOME or a faster disk."
            )
        self._frame_bytes += frame_bytes
        self._gather((exchange, frames, None, frame_bytes))

    def conclude(self, exchange: str, frames: Sequence[Frame], outcome: dict[str, Any]) -> None:
        """See the port. `frames` and `outcome` belong to the recorder from now on."""
        frame_bytes = sum([len(frame[2]) for frame in frames])
        self._frame_bytes += frame_bytes
        self._gather((exchange, frames, outcome, frame_bytes))

    def _enqueue_note(self, line: bytes) -> None:
        self._noted_bytes += len(line)
        self._group((line, None))

    def _group(self, line: Line) -> None:
        """One hand-over for all that comes in one turn of the event loop: waking a thread costs more than a line."""
        if not self._lines:
            self._loop.call_soon(self._hand_over_lines)
        self._lines.append(line)

    def _hand_over_lines(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            self._put(lines)

    def _gather(self, item: Item) -> None:
        """Nobody waits for a recording: the recorder is woken every few milliseconds, or when there is much to do."""
        if not self._items:
            self._items_due = self._loop.call_later(GATHER_S, self._hand_over_items)
        self._items.append(item)
        self._gathered_bytes += item[3]
        if self._gathered_bytes >= GATHER_BYTES:
            self._hand_over_items()

    def _hand_over_items(self) -> None:
        if self._items_due is not None:
            self._items_due.cancel()
            self._items_due = None
        if self._items:
            items, self._items = self._items, []
            self._gathered_bytes = 0
            self._recorder.items.put(items)

    def _enqueue_lines(self, lines: list[bytes]) -> None:
        """Called by the recorder's thread with outcomes. Only it counts them: two threads may not add to one number."""
        self._outcome_bytes += sum(map(len, lines))
        self._put([(line, None) for line in lines])

    def _note_own(self, kind: str, **detail: object) -> None:
        entry = {"v": 1, "type": kind, "time": entry_time(self._clock()), "by": "ostiary", "detail": detail}
        self._enqueue_note(encode_entry(entry))

    # ── what can be known ──

    @property
    def backlog_bytes(self) -> int:
        """See the port."""
        return self._frame_bytes - self._recorder.done_bytes

    @property
    def unwritten_bytes(self) -> int:
        """Bytes of entries accepted and not yet on disk."""
        return self._noted_bytes + self._outcome_bytes - self._writer.done_bytes

    @property
    def healthy(self) -> bool:
        """See the port."""
        return not self._health.bad

    @property
    def reasons(self) -> dict[str, str]:
        """What does not work (`log`, `recordings`, `checkpoints`) and what the system said about it."""
        return self._health.reasons

    def on_health(self, callback: Callable[[bool], None]) -> None:
        """See the port."""
        self._health.on_change(callback)

    @property
    def size(self) -> int:
        """The number of durable entries."""
        return self._writer.size

    @property
    def last_checkpoint(self) -> bytes:
        """The note published last, empty before the first."""
        return self._publisher.note

    async def checkpoint(self, timeout_s: float = 10.0) -> bytes:
        """Publish and return a checkpoint of every entry accepted so far.

        Raises `StorageUnavailableError` when it cannot be written.
        """
        future: Future[bytes] = self._loop.create_future()

        def resolve(note: bytes) -> None:
            if not future.done():
                future.set_result(note)

        def told(note: bytes) -> None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(resolve, note)

        if self._health.bad or not self._started:
            raise self._health.error()
        self._hand_over_lines()
        self._put(told)
        try:
            note = await wait_for(future, timeout_s)
        except TimeoutError:
            note = b""
        if not note:
            raise self._health.error()
        return note

    async def wait_for_more(self, after: int, timeout_s: float) -> bool:
        """Whether there are more than `after` entries, as soon as there are, or after `timeout_s`."""
        if self.size > after or not self._started:
            return self.size > after
        future: Future[None] = self._loop.create_future()
        self._growth.append(future)
        self._writer.watched = True
        if self.size <= after:  # asked again: the writer may have grown before it knew that it is watched
            with suppress(TimeoutError):
                await wait_for(future, timeout_s)
        if future in self._growth:
            self._growth.remove(future)
        return self.size > after

    def _grown(self) -> None:
        waiting, self._growth = self._growth, []
        self._writer.watched = False
        for future in waiting:
            if not future.done():
                future.set_result(None)

    # ── keys ──

    async def rotate_signing_key(self) -> str:
        """Make a new signing key and return its public text. Old checkpoints stay verifiable by the old one.

        The change is an entry, and the checkpoint that first counts it is signed by both keys.
        """
        old = load_signing_key(self.places, self._root_key, self.installation)
        new = make_signing_key(self.places, self._root_key, self.installation)
        self._note_own("log.key_rotated", old=old.key.text, new=new.key.text)
        self._publisher.keys = (old, new)
        await self.checkpoint()
        return new.key.text

    def keys_text(self) -> str:
        """All public keys, one a line, oldest first."""
        return "".join(f"{key.text}\n" for key in known_keys(self.places))
