"""What an issuer publishes as a file beside us: read again when it changes."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from ostiary.adapters.identity_providers.asking import ANSWER_MAX_BYTES
from ostiary.model.errors import OperatorError

_What = TypeVar("_What")
_Mark = tuple[int, int, int]


class KeptFile(Generic[_What]):
    """`read` makes something of the file's bytes. A file that cannot be read, or makes no sense, is a failure at once:
    nothing of an earlier one is used on."""

    def __init__(self, path: str, read: Callable[[bytes], _What]) -> None:
        self._path = Path(path)
        self._read = read
        self._kept: tuple[_Mark, _What] | None = None

    def peek(self) -> _What | None:
        """What the file holds, when it has not changed since it was read."""
        kept = self._kept
        if kept is None:
            return None
        try:
            return kept[1] if self._mark() == kept[0] else None
        except OSError:
            return None

    async def get(self) -> _What:
        """Raises `OperatorError`."""
        known = self.peek()
        if known is not None:
            return known
        return await asyncio.to_thread(self._load)

    def _mark(self) -> _Mark:
        found = os.stat(self._path)
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self) -> _What:
        try:
            mark = self._mark()  # before its bytes: what changes in between is read again
            with self._path.open("rb") as file:
                data = file.read(ANSWER_MAX_BYTES + 1)
        except OSError as failure:
            raise OperatorError(
                f"The file {self._path} cannot be read: {failure.strerror}.", "Mend the path or its permissions."
            ) from None
        if len(data) > ANSWER_MAX_BYTES:
            raise OperatorError(f"The file {self._path} is larger than {ANSWER_MAX_BYTES:,} bytes.")
        value = self._read(data)
        self._kept = mark, value
        return value
