"""A console per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.web_room import WebRoom, web_room


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebRoom]:
    with web_room(tmp_path) as web:
        yield web
