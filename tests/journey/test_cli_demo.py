"""The demo tells its story to the end, and says so when something comes out differently."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ostiary.cli.demo_stage import DemoDeviation, Stage, expect
from support.installation import clean_environment


def test_the_demo_tells_the_whole_story_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ostiary", "demo"],
        env=clean_environment({"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "OSTIARY_HOME": "/nonexistent"}),
        capture_output=True,
        text=True,
        timeout=100,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "[masked:injected-secret]" in done.stdout
    assert "is approved" in done.stdout
    assert "Not whole." in done.stdout
    assert "The whole story in" in done.stdout
    assert "\x1b" not in done.stdout
    assert os.listdir(tmp_path) == []


def test_a_deviation_is_a_sentence_and_the_stage_is_cleared() -> None:
    homes: list[Path] = []

    def play() -> None:
        with Stage(keep=False) as stage:
            homes.append(stage.home)
            expect(False, "It rained.")

    with pytest.raises(DemoDeviation, match="It rained"):
        play()
    assert not homes[0].exists()
