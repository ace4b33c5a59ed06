"""A person on a machine of their own, and a console to sign in at."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ostiary.cli import commands
from ostiary.cli.invocation import Invocation
from support.console_standin import KeptLogins, StandIn, console_standin

Ostiary = Callable[..., tuple[int, str, str]]


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Their home folder, empty; nothing of who runs the tests shows through."""
    home = tmp_path / "person"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in (
        "XDG_CONFIG_HOME", "OSTIARY_HOME", "OSTIARY_CONSOLE", "OSTIARY_AGENT", "SSH_CONNECTION", "BROWSER", "DISPLAY",
        "WAYLAND_DISPLAY", "CLAUDE_CONFIG_DIR", "CODEX_HOME",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def ostiary(person: Path, capsys: pytest.CaptureFixture[str]) -> Ostiary:
    """Run the command line in this process: (exit code, stdout, stderr)."""
    del person

    def call(*arguments: str) -> tuple[int, str, str]:
        code = commands._run(list(arguments), Invocation())
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.fixture
def console() -> Iterator[StandIn]:
    with console_standin() as standin:
        yield standin


@pytest.fixture
def kept(person: Path) -> KeptLogins:
    return KeptLogins(person)
