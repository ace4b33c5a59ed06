"""A SCIM service per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.scim_house import ScimHouse, scim_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[ScimHouse]:
    with scim_house(tmp_path) as house:
        yield house
