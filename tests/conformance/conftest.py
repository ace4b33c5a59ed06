"""Every implementation of every port, for the suites that run on all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.adapters.stores.sqlite import Store

STORES: dict[str, Callable[[Path], Store]] = {"sqlite": lambda home: Store(home / "ostiary.db")}


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    opened = STORES[request.param](tmp_path)
    yield opened
    opened.close()
