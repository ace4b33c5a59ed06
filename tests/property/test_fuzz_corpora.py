"""Every fuzz target runs briefly in the fast suite, so that none rots; `make fuzz` runs them for longer."""

import subprocess
import sys
from pathlib import Path

import pytest

TARGETS = sorted((Path(__file__).parents[1] / "fuzz").glob("fuzz_*.py"))


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_fuzz_target_finds_nothing_in_a_moment(path: Path) -> None:
    done = subprocess.run([sys.executable, str(path), "0.5", "1"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "no failure" in done.stdout


def test_there_are_targets() -> None:
    assert len(TARGETS) >= 6
