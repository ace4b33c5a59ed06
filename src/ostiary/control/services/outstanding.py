"""What anybody may begin, and perhaps never ends: attempts to sign in, challenges, device codes."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

from ostiary.control.identity_ports import OneTime

OUTSTANDING_MAX = 100_000
"""Of one purpose, everybody's together."""

_LOOK_EACH = 1000


class Outstanding:
    """Puts things into `OneTime`. How many there are refuses nobody: a limit for everybody together would be one that
    anybody with enough addresses closes the door with. Beyond it the oldest are dropped, and whoever began one of those
    begins anew. What one network may begin is the caller's to limit."""

    def __init__(self, one_time: OneTime, most: int = OUTSTANDING_MAX, look_each: int = _LOOK_EACH) -> None:
        """There are up to `look_each` more: counting takes long."""
        self._one_time = one_time
        self._most = most
        self._look_each = look_each
        self._lock = Lock()
        self._puts: dict[str, int] = {}

    def put(self, purpose: str, hash: bytes, document: Mapping[str, Any], expires_at: float) -> bool:
        """As `OneTime.put`. Takes as long as the disk does."""
        with self._lock:
            puts = self._puts.get(purpose, 0)
            self._puts[purpose] = puts + 1
        if puts % self._look_each == 0:
            self._one_time.keep_newest(purpose, self._most)
        return self._one_time.put(purpose, hash, document, expires_at)
