"""Many cases in one test, all of them tried, every failure named."""

import traceback
from collections.abc import Callable, Mapping
from typing import TypeVar

Case = TypeVar("Case")


def each(cases: Mapping[str, Case], check: Callable[[str, Case], None]) -> None:
    """Call `check(name, case)` for every case; one AssertionError tells of all that failed."""
    failures = []
    for name, case in cases.items():
        try:
            check(name, case)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[1]
            failures.append(f"- {name} (line {place.lineno}): {type(error).__name__}: {str(error)[:900]}")
    assert not failures, f"{len(failures)} of {len(cases)} cases failed:\n" + "\n".join(failures)
