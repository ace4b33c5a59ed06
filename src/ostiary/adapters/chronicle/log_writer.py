"""The thread that writes the log: whatever waits is one group, one write, one sync and one call back."""

import errno
import logging
import os
import threading
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from ostiary.adapters.chronicle.files import GrowingFile, Places, sync_directory
from ostiary.adapters.chronicle.health import RETRY_S, Health
from ostiary.adapters.chronicle.opening import OpenedLog
from ostiary.adapters.chronicle.publisher import Head, Publisher, Told
from ostiary.audit.entries import encode_entry, entry_time
from ostiary.audit.merkle import leaf_hashes
from ostiary.ports import Receipt

logger = logging.getLogger(__name__)

PART = "log"
GROUP_MAX_ENTRIES = 4096
NOTES_WAIT_S = 0.01
HASHED_AT_ONCE = 64
"""Entries put into the tree before other threads may have the interpreter: well under a millisecond."""

Waiting = Future[Receipt] | None
Line = tuple[bytes, Waiting]
"""A line and who waits for it."""
Item = list[Line] | Told | None
"""Lines; or somebody who wants a checkpoint of all before it; or the end."""


class LogWriter(threading.Thread):
    """Takes items from `items`. Other threads may read `size`, the durable entries, and `done_bytes`."""

    def __init__(
        self,
        places: Places,
        opened: OpenedLog,
        loop: AbstractEventLoop,
        health: Health,
        publisher: Publisher,
        on_growth: Callable[[], None],
        clock: Callable[[], float],
        *,
        segment_bytes: int,
        checkpoint_interval_s: float,
    ) -> None:
        super().__init__(name="ostiary-log", daemon=True)
        self.items: SimpleQueue[Item] = SimpleQueue()
        self.size = opened.frontier.size
        self.watched = False
        self.done_bytes = 0
        self._places = places
        self._loop = loop
        self._health = health
        self._publisher = publisher
        self._on_growth = on_growth
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._interval_s = checkpoint_interval_s
        self._number = opened.number
        self._file: GrowingFile = opened.file
        self._frontier = opened.frontier
        self._hashes = bytearray(opened.new_hashes)
        self._handed_over = opened.checkpoint.size if opened.checkpoint else 0
        self._publish_at = 0.0
        self._kept: list[bytes] = []
        self._told: list[Told] = []
        self._failed_since: float | None = None
        self._retry_at = 0.0
        self._stopping = False

    def run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
            if self._failed_since is None:
                self._publish()
        except Exception as error:  # noqa: BLE001 - the outermost loop: nobody may wait for a dead thread
            logger.critical("chronicle.log_writer_died error=%s", type(error).__name__)
            self._health.failed(PART, OSError(0, f"the writer stopped on {type(error).__name__}"))
            self._refuse_what_comes()
        finally:
            self._publisher.heads.put(None)
            self._file.close()

    def _turn(self) -> None:
        lines, futures = self._gather()
        if self._failed_since is None:
            if lines:
                try:
                    self._commit(lines, futures)
                except Exception:
                    self._set_aside(lines, futures)  # whoever waits must hear of it before this thread ends
                    raise
        elif self._stopping or time.monotonic() >= self._retry_at:
            self._commit(lines, futures)
        else:
            self._set_aside(lines, futures)
        if self._failed_since is None:
            self._publish_if_due()

    def _refuse_what_comes(self) -> None:
        while not self._stopping:
            self._set_aside(*self._gather())
            self._kept.clear()

    # ── gathering ──

    def _gather(self) -> tuple[list[bytes], list[Waiting]]:
        """Everything that waits; sleeps until something does, a checkpoint is due or a retry is.

        Entries that nobody waits for alone are held for `NOTES_WAIT_S`: the next intent takes them along, and does
        not have to wait for a sync of theirs.
        """
        lines: list[bytes] = []
        futures: list[Waiting] = []
        urgent = self._take(lines, futures, self._patience())
        if lines and not urgent and self._failed_since is None:
            until = time.monotonic() + NOTES_WAIT_S
            while not urgent and len(lines) < GROUP_MAX_ENTRIES and (left := until - time.monotonic()) > 0:
                urgent = self._take(lines, futures, left)
        return lines, futures

    def _take(self, lines: list[bytes], futures: list[Waiting], timeout_s: float | None) -> bool:
        """Move what waits from the queue to the lists. Whether somebody waits for any of it."""
        urgent = False
        with suppress(Empty):
            item = self.items.get(timeout=timeout_s)
            while True:
                if type(item) is list:
                    for line, future in item:
                        lines.append(line)
                        futures.append(future)
                        urgent = urgent or future is not None
                    if len(lines) >= GROUP_MAX_ENTRIES:
                        break
                else:
                    urgent = True
                    if item is None:
                        self._stopping = True
                    else:
                        self._told.append(item)  # type: ignore[arg-type]
                item = self.items.get_nowait()
        return urgent

    def _patience(self) -> float | None:
        if self._failed_since is not None:
            return max(0.0, self._retry_at - time.monotonic())
        if self._frontier.size > self._handed_over:
            return max(0.0, self._publish_at - time.monotonic())
        return None

    # ── committing ──

    def _commit(self, lines: list[bytes], futures: list[Waiting]) -> None:
        all_lines = self._kept + lines if self._kept else lines
        accepted_bytes = sum(map(len, all_lines))
        if self._failed_since is not None:
            all_lines = [*all_lines, self._resumed_entry()]
        try:
            if self._file.size >= self._segment_bytes:
                self._begin_next_file()
            self._file.append(b"\n".join(all_lines) + b"\n", sync=True)
        except OSError as error:
            self._fail(lines, futures, error)
            return
        first = self.size + len(self._kept)
        self._kept = []
        self.size += len(all_lines)
        self.done_bytes += accepted_bytes
        if self.watched or any(futures):
            self._on_loop(self._resolve, futures, first)
        self._failed_since = None
        self._health.works(PART)
        self._integrate(all_lines)

    def _resolve(self, futures: list[Waiting], index: int) -> None:
        """On the event loop: everybody of a group at once."""
        for future in futures:
            if future is not None and not future.done():
                future.set_result(Receipt(index))
            index += 1
        if self.watched:
            self._on_growth()

    def _fail(self, lines: list[bytes], futures: list[Waiting], error: OSError) -> None:
        if self._failed_since is None:
            self._failed_since = self._clock()
        self._retry_at = time.monotonic() + RETRY_S
        self._health.failed(PART, error)
        self._set_aside(lines, futures)

    def _set_aside(self, lines: list[bytes], futures: list[Waiting]) -> None:
        """Entries that somebody waits for are refused; the others are kept for the next try."""
        waiting = []
        for line, future in zip(lines, futures, strict=True):
            if future is None:
                self._kept.append(line)
            else:
                waiting.append(future)
                self.done_bytes += len(line)
        if waiting:
            self._on_loop(self._refuse, waiting)
        for told in self._told:
            told(b"")
        self._told.clear()

    def _on_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _refuse(self, futures: list[Future[Receipt]]) -> None:
        for future in futures:
            if not future.done():
                future.set_exception(self._health.error())

    def _resumed_entry(self) -> bytes:
        """What is written first after a failure; writing it is how a disk is found to work again."""
        since = entry_time(self._failed_since or 0.0)
        return encode_entry({"v": 1, "type": "log.resumed", "time": entry_time(self._clock()), "since": since})

    def _begin_next_file(self) -> None:
        following = GrowingFile(self._places.log(self._number + 1))
        try:
            if following.size:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(following.path))
            sync_directory(self._places.audit)
        except OSError:
            following.close()
            raise
        self._file.close()
        self._file = following
        self._number += 1

    # ── the tree ──

    def _integrate(self, lines: list[bytes]) -> None:
        for start in range(0, len(lines), HASHED_AT_ONCE):
            if start:
                time.sleep(0.0001)  # let the event loop have its turn
            leaves = leaf_hashes(lines[start : start + HASHED_AT_ONCE])
            self._frontier.extend(leaves)
            self._hashes += b"".join(leaves)

    def _publish_if_due(self) -> None:
        if self._told or (self._frontier.size > self._handed_over and time.monotonic() >= self._publish_at):
            self._publish()

    def _publish(self) -> None:
        told, self._told = tuple(self._told), []
        if self._frontier.size == self._handed_over and not told:
            return
        self._publisher.heads.put(Head(self._frontier.copy(), bytes(self._hashes), self._number, self._file.size, told))
        self._hashes.clear()
        self._handed_over = self._frontier.size
        self._publish_at = time.monotonic() + self._interval_s
