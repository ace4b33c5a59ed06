"""An OAuth room per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.oauth_room import OAuthRoom, oauth_room


@pytest.fixture
def house(tmp_path: Path) -> Iterator[OAuthRoom]:
    with oauth_room(tmp_path) as house:
        yield house
