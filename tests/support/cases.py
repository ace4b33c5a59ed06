"""Many cases in one test, all of them tried, every failure named."""

import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Case = TypeVar("Case")


def each(cases: Mapping[str, Case], check: Callable[[str, Case], None], *, at_once: int = 1) -> None:
    """Call `check(name, case)` for every case, `at_once` of them in threads; one AssertionError tells of all
    that failed."""

    def failure(named: tuple[str, Case]) -> str | None:
        name, case = named
        try:
            check(name, case)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[1]
            return f"- {name} (line {place.lineno}): {type(error).__name__}: {str(error)[:900]}"
        return None

    if at_once == 1:
        results = [failure(named) for named in cases.items()]
    else:
        with ThreadPoolExecutor(at_once) as pool:
            results = list(pool.map(failure, cases.items()))
    failures = [result for result in results if result is not None]
    assert not failures, f"{len(failures)} of {len(cases)} cases failed:\n" + "\n".join(failures)
