"""Files that only grow, and where they lie in HOME."""

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything of the chronicle lies."""

    home: Path

    @property
    def audit(self) -> Path:
        return self.home / "audit"

    @property
    def recordings(self) -> Path:
        return self.home / "recordings"

    @property
    def index(self) -> Path:
        return self.home / "index.db"

    @property
    def lock(self) -> Path:
        return self.audit / "lock"

    @property
    def hashes(self) -> Path:
        return self.audit / "hashes"

    @property
    def checkpoints(self) -> Path:
        return self.audit / "checkpoints"

    @property
    def keys(self) -> Path:
        return self.audit / "keys"

    @property
    def signing_key(self) -> Path:
        return self.audit / "signing-key"

    @property
    def frontier(self) -> Path:
        return self.audit / "frontier"

    def log(self, number: int) -> Path:
        return self.audit / f"entries-{number:06d}.log"

    def recording(self, number: int) -> Path:
        return self.recordings / f"segment-{number:06d}.rec"

    def log_numbers(self) -> list[int]:
        return _numbers(self.audit, "entries-", ".log")

    def recording_numbers(self) -> list[int]:
        return _numbers(self.recordings, "segment-", ".rec")


def _numbers(directory: Path, before: str, after: str) -> list[int]:
    names = (path.name for path in directory.glob(f"{before}*{after}"))
    texts = (name[len(before) : -len(after)] for name in names)
    return sorted(int(text) for text in texts if text.isascii() and text.isdigit())


class DisplacedError(OSError):
    """The file at the path is no longer the one that is being written, or somebody else changed its length."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.ESTALE, "the file was removed, replaced or cut while it was in use", str(path))


class GrowingFile:
    """A file that is appended to and never has less than whole appends in it.

    `size` counts what was appended completely (and synced, where asked). A failed append is undone before the next
    one, so whatever reads up to `size` never sees a part of it. A file that somebody else cut is not appended to any
    more: what is missing cannot be made up. One thread at a time.
    """

    __slots__ = ("_cut_by_others", "_descriptor", "_inode", "_undo", "path", "size")

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, FILE_MODE)
        status = os.fstat(self._descriptor)
        self.path = path
        self.size = status.st_size
        self._inode = (status.st_dev, status.st_ino)
        self._undo = False
        self._cut_by_others = False

    def append(self, data: bytes, *, sync: bool) -> None:
        """Raises `OSError` when not all of `data` is in the file (with `sync`, on disk): then none of it counts."""
        if self._undo:
            self._take_back()
        self._undo = True
        try:
            self._write(data)
            if sync:
                os.fdatasync(self._descriptor)
            status = os.stat(self.path)
            if (status.st_dev, status.st_ino) != self._inode or status.st_size != self.size + len(data):
                self._cut_by_others = status.st_size < self.size + len(data)
                raise DisplacedError(self.path)
        except OSError:
            with suppress(OSError):
                self._take_back()
            raise
        self.size += len(data)
        self._undo = False

    def _write(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while True:
            written = os.write(self._descriptor, rest)
            if written == len(rest):
                return
            rest = memoryview(rest)[written:]

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def cut(self, size: int) -> None:
        """Forget what is behind `size`, on disk too."""
        os.ftruncate(self._descriptor, size)
        os.fdatasync(self._descriptor)
        self.size = size

    def close(self) -> None:
        """Undo a failed append if that is possible, and let go of the file."""
        with suppress(OSError):  # the next start cuts off an incomplete end
            if self._undo:
                self._take_back()
        os.close(self._descriptor)

    def _take_back(self) -> None:
        status = os.stat(self.path)
        in_place = (status.st_dev, status.st_ino) == self._inode
        if not in_place or self._cut_by_others or status.st_size < self.size:
            raise DisplacedError(self.path)
        os.ftruncate(self._descriptor, self.size)
        self._undo = False


def sync_directory(path: Path) -> None:
    """Make a new file's name durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes, *, sync: bool) -> None:
    """Put `content` in place of the file, whole or not at all."""
    unfinished = path.with_name(path.name + ".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    if sync:
        sync_directory(path.parent)
