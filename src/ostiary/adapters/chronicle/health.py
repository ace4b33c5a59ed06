"""Whether records can be written, told from any thread and heard on the event loop."""

import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable

from ostiary.model.errors import StorageUnavailableError

RETRY_S = 1.0
NEXT_STEP = "See `ostiary doctor`: free space in HOME, make it writable; it recovers by itself."


class Health:
    """Bad as long as one of the parts is. `bad` may be read from any thread."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        self._callbacks: list[Callable[[bool], None]] = []
        self.bad = False

    @property
    def reasons(self) -> dict[str, str]:
        """Part (`log`, `recordings`, `checkpoints`) → what the system said, without file contents."""
        with self._lock:
            return dict(self._reasons)

    def on_change(self, callback: Callable[[bool], None]) -> None:
        self._callbacks.append(callback)

    def failed(self, part: str, error: OSError) -> None:
        self._set(part, error.strerror or type(error).__name__)

    def works(self, part: str) -> None:
        if part in self._reasons:
            self._set(part, None)

    def error(self) -> StorageUnavailableError:
        reasons = ", ".join(f"{part}: {reason}" for part, reason in sorted(self.reasons.items()))
        return StorageUnavailableError(f"Records cannot be written ({reasons or 'stopped'}).", NEXT_STEP)

    def _set(self, part: str, reason: str | None) -> None:
        with self._lock:
            before = self.bad
            if reason is None:
                self._reasons.pop(part, None)
            else:
                self._reasons[part] = reason
            self.bad = bool(self._reasons)
            changed = self.bad != before
        if changed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, not self.bad)

    def _tell(self, healthy: bool) -> None:
        for callback in self._callbacks:
            callback(healthy)
