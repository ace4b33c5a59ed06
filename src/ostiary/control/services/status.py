"""Is everything working?"""

from typing import Any

import ostiary
from ostiary.control.caller import Caller, Permission
from ostiary.control.ports import Status


class StatusService:
    def __init__(self, status: Status) -> None:
        self._status = status

    def show(self, caller: Caller) -> dict[str, Any]:
        """`version`, `ready`, `parts` and whatever else the application tells of itself."""
        caller.require(Permission.STATUS_READ)
        return {"version": ostiary.__version__, **self._status()}
