"""Failures as sentences and exit codes, and the options every command shares."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import ostiary
from ostiary.cli import commands as command_line
from ostiary.cli.commands import DONE, FAILED, NOT_REACHABLE, WRONG_USAGE
from ostiary.cli.invocation import Invocation
from ostiary.model.errors import OperatorError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process on an empty HOME: (exit code, stdout, stderr)."""
    monkeypatch.setenv("OSTIARY_HOME", str(tmp_path / "home"))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = command_line._run(list(arguments), Invocation())
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def every_command() -> list[tuple[str, ...]]:
    """The path of every command and group there is."""
    found: list[tuple[str, ...]] = []
    context = click.Context(command_line.ostiary)
    for name in command_line.ostiary.list_commands(context):
        command = command_line.ostiary.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, inner) for inner in command.list_commands(context)]
    return found


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_every_command_has_help_and_takes_the_shared_options(path: tuple[str, ...], run: Run) -> None:
    code, out, err = run(*path, "--help")
    assert (code, err) == (DONE, "")
    assert out.startswith(f"Usage: ostiary {' '.join(path)}")
    assert "--home DIR" in out
    assert "--json" in out


def test_sentences_advise_commands_that_there_are() -> None:
    known = set(every_command())
    advised = [
        (file.name, *words)
        for file in Path(ostiary.__file__).parent.rglob("*.py")
        for words in re.findall(r"`ostiary ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+(?:-[a-z]+)*))?", file.read_text())
    ]
    assert len(advised) > 50
    groups = {path[0] for path in known if len(path) == 2}
    wrong = [
        (file, first, second)
        for file, first, second in advised
        if (first,) not in known or (first in groups and second and (first, second) not in known)
    ]
    assert wrong == []


def test_help_at_the_top_lists_every_command(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == DONE
    assert all(f"\n  {path[0]}" in out for path in every_command())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["versoin"], "There is no command 'versoin'. Did you mean 'version'? See `ostiary --help`."),
        (
            ["token", "craete"],
            "There is no command 'craete'. Did you mean 'create'? See `ostiary token --help`.",
        ),
        (["serve", "--gatewya", "x"], "No such option '--gatewya'."),
        (["token", "create", "--certificate", "missing.pem"], "missing.pem"),
        (["token", "create", "--actor", "a", "--ttl", "soon"], "soon is not a time span"),
        (
            ["token", "create", "--actor", "a", "--kind", "service", "--agent", "x"],
            "--agent belongs to a person",
        ),
        (["serve", "--workers", "4"], "this version runs one process"),
        (["serve", "--database", "postgresql://db"], "embedded store only"),
        (["serve", "--gateway", "8420"], "'8420' is not ADDRESS:PORT"),
        (["serve", "--ops", "127.0.0.1:65536"], "is not ADDRESS:PORT"),
        (["serve", "--tls-cert", "x.pem"], "--tls-cert and --tls-key belong together"),
        (["apply", "-f", "missing.yaml"], "missing.yaml"),
        (["audit", "verify", "missing"], "missing"),
        (["audit", "verify", "--key", "nonsense"], "--key takes a verifier key"),
        (["setup", "emacs"], "'emacs' is not one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], sentence: str, run: Run) -> None:
    code, out, err = run(*arguments)
    assert code == WRONG_USAGE
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1
    assert err.startswith("ostiary: ")


def test_no_command_shows_the_help_and_is_wrong_usage(run: Run) -> None:
    code, out, _ = run()
    assert code == WRONG_USAGE
    assert out.startswith("Usage: ostiary")


@pytest.mark.parametrize(
    "arguments",
    [
        ["token", "list"],
        ["secret", "list"],
        ["sessions", "list"],
        ["sessions", "replay", "x"],
        ["sessions", "tail"],
        ["approvals", "list"],
        ["approvals", "approve", "x"],
        ["audit", "tail"],
        ["export"],
    ],
    ids=" ".join,
)
def test_without_a_server_the_exit_code_is_3_and_says_how_to_start_it(arguments: list[str], run: Run) -> None:
    code, out, err = run(*arguments)
    assert code == NOT_REACHABLE
    assert out == ""
    assert err.startswith("ostiary: No Ostiary is running for HOME ")
    assert "Start it with `ostiary serve" in err


def test_a_home_with_a_path_longer_than_a_socket_name_is_only_not_running(run: Run, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["directory" * 5] * 4)
    deep.mkdir(parents=True)
    code, _, err = run("token", "list", "--home", str(deep))
    assert code == NOT_REACHABLE
    assert "No Ostiary is running" in err


def test_a_leftover_socket_is_a_server_that_does_not_run(run: Run, tmp_path: Path) -> None:
    import socket

    (tmp_path / "home").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "home" / "admin.sock"))
    code, _, err = run("token", "list")
    assert code == NOT_REACHABLE
    assert "No Ostiary is running" in err


def test_failures_are_json_where_json_was_asked_for(run: Run) -> None:
    code, out, err = run("token", "list", "--json")
    assert (code, out) == (NOT_REACHABLE, "")
    assert json.loads(err)["error"]["code"] == "not_reachable"


def test_shared_options_work_before_and_after_the_command(run: Run, tmp_path: Path) -> None:
    for arguments in (["--home", str(tmp_path), "token", "list"], ["token", "list", "--home", str(tmp_path)]):
        assert f"HOME {tmp_path}." in run(*arguments)[2]


def test_a_bad_setting_in_the_environment_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTIARY_HEADERS_MAX", "many")
    code, _, err = run("serve")
    assert code == WRONG_USAGE
    assert "OSTIARY_HEADERS_MAX='many'" in err


def _command_that_raises(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(command_line.ostiary, "get_command", lambda *_: click.Command("x", callback=fail))


def test_an_own_fault_is_a_sentence_without_traceback_or_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _command_that_raises(RuntimeError("crsr_secret_in_a_message"), monkeypatch)
    code, out, err = run("x")
    assert (code, out) == (FAILED, "")
    assert err.startswith("ostiary: Ostiary met a fault of its own (RuntimeError).")
    assert "crsr_secret" not in err
    assert "Traceback" not in err


def test_debug_shows_where_it_happened_and_no_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _command_that_raises(RuntimeError("crsr_secret_in_a_message"), monkeypatch)
    code, _, err = run("--debug", "x")
    assert code == FAILED
    assert "in fail" in err
    assert "crsr_secret" not in err


def test_a_sentence_from_elsewhere_cannot_act_on_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _command_that_raises(OperatorError("The file \x1b[2J\u202e is bad."), monkeypatch)
    code, _, err = run("x")
    assert code == FAILED
    assert err == "ostiary: The file ‹U+001B›[2J‹U+202E› is bad.\n"


def test_python_m_ostiary_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "ostiary", "version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ostiary ")


def test_looking_at_help_imports_no_server() -> None:
    program = (
        "import sys; from ostiary.cli import commands; commands._run(['--help'], commands.Invocation());"
        "heavy = {'asyncio', 'http.client', 'starlette', 'cryptography', 'yaml', 'ssl'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
