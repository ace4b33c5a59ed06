"""`ostiary token`: from the cache at once, refreshed once for all who ask, never from a file that others can read."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ostiary.cli import access, login_file
from ostiary.cli.commands import DONE, FAILED, NOT_REACHABLE
from ostiary.cli.login_file import console_from
from ostiary.cli.quick_token import quick_token
from support.console_standin import KeptLogins, StandIn, a_login

Ostiary = Callable[..., tuple[int, str, str]]


def run_process(person: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = {"HOME": str(person), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "ostiary", *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_cached_token_comes_without_the_command_line_and_within_150_ms(person: Path, kept: KeptLogins) -> None:
    kept.write(a_login())
    program = (
        "import sys; sys.argv = ['ostiary', 'token']; from ostiary.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'click', 'typing', 'dataclasses', 'pathlib', 'socket', 'ssl', 'http', 'urllib', 'asyncio', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {"HOME": str(person)}
    # -S: what a site-packages folder loads at start is not ours.
    command = [sys.executable, "-S", "-c", program]
    environment["PYTHONPATH"] = str(Path(login_file.__file__).parents[2])
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["gateway-token-0", "[]"]
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        process = run_process(person, "token")
        assert process.communicate() == ("gateway-token-0\n", "")
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.15


@pytest.mark.parametrize(
    ("arguments", "token"),
    [
        ([], "gateway-token-0"),
        (["--agent", "cursor@laptop"], "tool"),
        (["--agent=cursor@laptop", "--console", "HTTPS://Ostiary.Example:443/"], "tool"),
        (["--console", "https://other.example"], None),
        (["--agent", "codex"], None),
        (["--agent"], None),
        (["--agent="], None),
        (["list"], None),
        (["--help"], None),
        (["--home", "x"], None),
        (["--agent", "cursor@laptop", "create"], None),
    ],
    ids=str,
)
def test_what_is_answered_at_once(
    arguments: list[str], token: str | None, kept: KeptLogins, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = a_login(agent="cursor@laptop")
    tool["access"]["gateway"]["token"] = "tool"
    kept.write(tool, a_login(signed_in_at=1.0))
    assert quick_token(["token", *arguments]) is (token is not None)
    assert capsys.readouterr().out == (f"{token}\n" if token else "")


def test_json_tells_how_long_it_lives(kept: KeptLogins, capsys: pytest.CaptureFixture[str], ostiary: Ostiary) -> None:
    kept.write(a_login(agent="cursor@laptop"))
    assert quick_token(["token", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown["token"] == "gateway-token-0"
    assert shown["agent"] == "cursor@laptop"
    assert shown["console"] == "https://ostiary.example"
    assert shown["expires_at"].endswith("Z")
    assert json.loads(ostiary("token", "--json")[1]) == shown


def test_the_environment_chooses_too(kept: KeptLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.write(a_login(agent="cursor@laptop"))
    monkeypatch.setenv("OSTIARY_AGENT", "codex")
    assert not quick_token(["token"])
    monkeypatch.setenv("OSTIARY_AGENT", "cursor@laptop")
    monkeypatch.setenv("OSTIARY_CONSOLE", "127.0.0.1:8421")
    assert quick_token(["token"])
    monkeypatch.setenv("OSTIARY_CONSOLE", "https://other.example")
    assert not quick_token(["token"])


@pytest.mark.parametrize(
    ("life_s", "left_s", "is_fresh"),
    [(900, 61, True), (900, 59, False), (100, 21, True), (100, 19, False), (900, -1, False), (900, 901, False)],
)
def test_a_token_is_handed_out_while_a_minute_or_a_fifth_of_its_life_is_left(
    life_s: float, left_s: float, is_fresh: bool
) -> None:
    cached = {"token": "t", "received_at": 1000.0, "expires_at": 1000.0 + life_s}
    login = a_login() | {"access": {"gateway": cached}}
    now = cached["expires_at"] - left_s  # type: ignore[operator]
    assert (login_file.fresh_access(login, "gateway", now) is not None) is is_fresh


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://Ostiary.Example/", "https://ostiary.example"),
        ("https://a.example:443", "https://a.example"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8421", "http://[::1]:8421"),
        ("https://a.example/x", ""),
        ("https://u@a.example", ""),
        ("https://a.example?x", ""),
        ("https://a example", ""),
        ("https://", ""),
        ("ftp://a.example", ""),
        ("a.example", ""),
        ("https://ä.example", ""),
    ],
)
def test_consoles_have_one_spelling(text: str, url: str) -> None:
    assert console_from(text) == url


def _spoil_mode(path: Path) -> None:
    path.chmod(0o640)


def _spoil_folder(path: Path) -> None:
    path.parent.chmod(0o770)


def _spoil_link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _spoil_kind(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _spoil_content(path: Path) -> None:
    path.write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_spoil_mode, "Others may read"),
        (_spoil_folder, "Others may write into"),
        (_spoil_link, "cannot be read"),
        (_spoil_kind, "is no ordinary file"),
        (_spoil_content, "is not what `ostiary login` writes"),
    ],
)
def test_a_file_that_is_not_ours_alone_is_refused(
    spoil: Callable[[Path], None], sentence: str, ostiary: Ostiary, kept: KeptLogins
) -> None:
    kept.write(a_login())
    spoil(kept.path)
    assert not quick_token(["token"])
    code, out, err = ostiary("token")
    assert (code, out) == (FAILED, "")
    assert sentence in err
    assert "gateway-token" not in err


def test_a_file_of_another_user_is_refused(
    ostiary: Ostiary, kept: KeptLogins, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.write(a_login())
    ours = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: ours + 1)
    assert not quick_token(["token"])
    assert "belongs to another user" in ostiary("token")[2]


@pytest.mark.parametrize(
    "change",
    [
        {"refresh_token": None},
        {"endpoints": {"token": "https://evil.example/oauth/token", "revocation": ""}},
        {"endpoints": {"token": "https://ostiary.example/oauth/token", "revocation": "x"}},
        {"access": []},
        {"access": {"gateway": {"token": "t"}}},
        {"access": {"gateway": {"token": 1, "received_at": 0, "expires_at": 0}}},
        {"access": {"gateway": {"token": "t", "received_at": "0", "expires_at": 0}}},
        {"signed_in_at": "now"},
        {"agent": None},
    ],
    ids=str,
)
def test_a_file_with_holes_is_a_sentence(change: dict[str, Any], ostiary: Ostiary, kept: KeptLogins) -> None:
    kept.write(a_login() | change)
    assert not quick_token(["token"])
    assert "is not what `ostiary login` writes" in ostiary("token")[2]


def test_a_stale_token_is_refreshed_and_kept(ostiary: Ostiary, console: StandIn, kept: KeptLogins) -> None:
    kept.write(a_login(console, left_s=30), a_login(agent="other", signed_in_at=1.0))
    assert ostiary("token") == (DONE, "gateway-token-1\n", "")
    assert ostiary("token") == (DONE, "gateway-token-1\n", "")
    assert console.refreshes == 1
    assert [login["refresh_token"] for login in kept.read()] == ["refresh-1", "refresh-0"]
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in kept.path.parent.iterdir()) == ["logins.json", "logins.lock"]


def test_many_who_ask_at_once_use_the_refresh_token_once(person: Path, console: StandIn, kept: KeptLogins) -> None:
    kept.write(a_login(console, left_s=-1))
    processes = [run_process(person, "token") for _ in range(6)]
    assert [process.communicate() for process in processes] == [("gateway-token-1\n", "")] * 6
    assert console.refreshes == 1
    assert not console.ended


def test_without_a_console_a_token_that_is_valid_still_is_printed(
    ostiary: Ostiary, console: StandIn, kept: KeptLogins
) -> None:
    console.status = 503
    kept.write(a_login(console, left_s=30))
    assert ostiary("token") == (DONE, "gateway-token-0\n", "")
    kept.write(a_login(console, left_s=-1))
    code, out, err = ostiary("token")
    assert (code, out) == (NOT_REACHABLE, "")
    assert "has trouble (status 503)" in err
    assert console.refresh_token == "refresh-0"


def test_an_ended_sign_in_says_how_to_start_anew(ostiary: Ostiary, console: StandIn, kept: KeptLogins) -> None:
    console.ended = True
    kept.write(a_login(console, "cursor@laptop", left_s=30))
    code, out, err = ostiary("token")
    assert (code, out) == (FAILED, "")
    assert f"Sign in again with `ostiary login --console {console.url} --agent cursor@laptop`." in err


def test_without_a_sign_in_it_says_how_to_get_one(ostiary: Ostiary, kept: KeptLogins) -> None:
    code, out, err = ostiary("token")
    assert (code, out, err) == (FAILED, "", "ostiary: You are not signed in. Sign in with `ostiary login`.\n")
    kept.write(a_login())
    code, _, err = ostiary("token", "--agent", "co dex")
    assert code == FAILED
    assert "You are at https://ostiary.example." in err
    assert "`ostiary login --agent 'co dex'`" in err


def test_nothing_is_spent_where_the_answer_could_not_be_kept(
    ostiary: Ostiary, console: StandIn, kept: KeptLogins, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    kept.write(a_login(console, left_s=-1))
    monkeypatch.setattr(os, "fsync", full)
    code, _, err = ostiary("token")
    assert (code, "No space left" in err) == (FAILED, True)
    assert console.refreshes == 0
    kept.write(a_login(console, left_s=30))
    assert ostiary("token")[:2] == (DONE, "gateway-token-0\n")


def test_a_leftover_of_a_killed_writer_is_no_obstacle(ostiary: Ostiary, console: StandIn, kept: KeptLogins) -> None:
    kept.write(a_login(console, left_s=-1))
    Path(f"{kept.path}.{os.getpid()}.new").write_text("half")
    assert ostiary("token")[0] == DONE


def test_whoever_waits_for_long_is_told(ostiary: Ostiary, kept: KeptLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.write(a_login(left_s=-1))
    monkeypatch.setattr(access, "_LOCK_TIMEOUT_S", 0.05)
    with login_file.locked(1):
        code, _, err = ostiary("token")
    assert (code, "has been busy with your sign-ins" in err) == (FAILED, True)


def test_an_answer_that_makes_no_sense_is_a_sentence(
    ostiary: Ostiary, console: StandIn, kept: KeptLogins, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.write(a_login(console, left_s=-1))
    for broken in ({"token_type": "DPoP"}, {"access_token": "a\r\nb"}, {"access_token": ""}, {"expires_in": "soon"}):
        answer = {"access_token": "t", "token_type": "Bearer", "expires_in": 900, **broken}
        monkeypatch.setattr(console, "token", lambda _form, answer=answer: (200, answer))
        code, out, err = ostiary("token")
        assert (code, out) == (FAILED, "")
        assert "makes no sense" in err
