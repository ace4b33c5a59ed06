"""Refused requests are recorded too (H18); under a flood they are counted, so that the log cannot be drowned."""

import asyncio
from collections.abc import Callable

from ostiary.gateway.state import Entry, WallClock
from ostiary.ports import Chronicle

_WRITTEN_PER_SECOND = 200


class RefusalBook:
    """Writes up to 200 refusals a second one by one; the rest of that second becomes one entry a code."""

    def __init__(self, chronicle: Chronicle, loop: asyncio.AbstractEventLoop, now: Callable[[], float]) -> None:
        self._chronicle = chronicle
        self._loop = loop
        self._now = now
        self._clock = WallClock()
        self._written = 0
        self._counted: dict[str, int] = {}
        self._window_open = False

    def note(self, entry: Entry) -> None:
        if not self._window_open:
            self._window_open = True
            self._loop.call_later(1.0, self._close_window)
        if self._written < _WRITTEN_PER_SECOND:
            self._written += 1
            self._chronicle.note(entry)
        else:
            code = str(entry["code"])
            self._counted[code] = self._counted.get(code, 0) + 1

    def _close_window(self) -> None:
        self.flush()
        self._window_open = False
        self._written = 0

    def flush(self) -> None:
        """Write the counts of the running second."""
        counted, self._counted = self._counted, {}
        for code, count in counted.items():
            self._chronicle.note(
                {
                    "v": 1,
                    "type": "exchange.refused.many",
                    "time": self._clock.text(self._now()),
                    "code": code,
                    "count": count,
                }
            )
