"""Admin actions as audit entries."""

from collections.abc import Callable, Mapping
from typing import Any

from ostiary.audit.entries import VERSION, entry_time
from ostiary.control.caller import Caller
from ostiary.control.ports import Note


class AdminLog:
    def __init__(self, note: Note, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch."""
        self._note = note
        self._clock = clock

    def now(self) -> float:
        return self._clock()

    def write(self, entry_type: str, caller: Caller, detail: Mapping[str, Any]) -> None:
        self._note(
            {
                "v": VERSION,
                "type": entry_type,
                "time": entry_time(self._clock()),
                "by": caller.label,
                "detail": dict(detail),
            }
        )
