"""`ostiary run` and `ostiary setup`: tools get base URLs and tokens, and their own files keep what they held."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ostiary.cli.commands import DONE, FAILED, WRONG_USAGE
from ostiary.cli.run import tool_environment
from ostiary.cli.server_file import gateway_url
from ostiary.control.api import create_api
from ostiary.control.socket import serve_unix
from support.console_standin import KeptLogins, StandIn, a_login
from support.control_room import control_room

Ostiary = Callable[..., tuple[int, str, str]]

CONFIGURATION = """\
version: 1
connections:
  - {name: models, kind: openai}
  - {name: claude, kind: anthropic}
  - {name: weather-2, kind: http, upstream: "https://weather.example"}
rules:
  - {name: reads, who: {groups: [engineering]}, on: [models], operations: ["class:read"], effect: allow}
"""

SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"


def run_tool(person: Path, *arguments: str, path: Path | None = None, **more: str) -> "subprocess.Popen[str]":
    """`ostiary run` as a process of its own: it becomes the tool."""
    environment = {"HOME": str(person), "PATH": f"{path}:{os.environ['PATH']}", "ANTHROPIC_API_KEY": "theirs"} | more
    return subprocess.Popen(
        [sys.executable, "-m", "ostiary", "run", *arguments],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def shown(process: "subprocess.Popen[str]") -> tuple[list[str], dict[str, str]]:
    out, err = process.communicate(timeout=30)
    assert err == ""
    arguments, environment = json.loads(out)
    return arguments, environment


def fake_tool(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    tool = folder / name
    tool.write_text(f"#!{sys.executable}\n{SHOW}\n")
    tool.chmod(0o755)
    return folder


@pytest.fixture
def signed_in(console: StandIn, kept: KeptLogins) -> StandIn:
    console.api["GET /api/v1/configuration"] = (200, {"yaml": CONFIGURATION, "version": 1})
    kept.write(a_login(console, gateway="https://gateway.example"))
    return console


def test_a_tool_gets_base_urls_and_a_token(person: Path, signed_in: StandIn) -> None:
    _, environment = shown(run_tool(person, "--", sys.executable, "-c", SHOW))
    assert environment["OPENAI_BASE_URL"] == "https://gateway.example/models/v1"
    assert environment["ANTHROPIC_BASE_URL"] == "https://gateway.example/claude"
    assert environment["OSTIARY_URL_WEATHER_2"] == "https://gateway.example/weather-2"
    assert environment["OSTIARY_GATEWAY_URL"] == "https://gateway.example"
    for name in ("OSTIARY_TOKEN", "OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        assert environment[name] == "gateway-token-0"
    assert "ANTHROPIC_API_KEY" not in environment
    assert "CURSOR_API_KEY" not in environment


def test_only_the_connections_that_were_named(person: Path, signed_in: StandIn, ostiary: Ostiary) -> None:
    process = run_tool(person, "--connection", "claude", sys.executable, "-c", SHOW)
    _, environment = shown(process)
    assert "OPENAI_API_KEY" not in environment
    assert environment["ANTHROPIC_BASE_URL"] == "https://gateway.example/claude"
    code, _, err = ostiary("run", "--connection", "nowhere", "--", "true")
    assert (code, "no connection 'nowhere'" in err) == (FAILED, True)


@pytest.fixture
def member(console: StandIn, kept: KeptLogins) -> StandIn:
    """Signed in where the configuration is not for everybody."""
    console.api["GET /api/v1/configuration"] = (403, {"code": "not_allowed", "detail": "Needs a permission."})
    known = [{"name": "models", "kind": "openai"}, {"name": "weather-2", "kind": "http"}]
    console.api["GET /api/v1/connections"] = (200, {"connections": known})
    kept.write(a_login(console, gateway="https://gateway.example"))
    return console


def test_who_may_not_see_the_configuration_is_told_their_connections(
    person: Path, member: StandIn, ostiary: Ostiary
) -> None:
    _, environment = shown(run_tool(person, "--", sys.executable, "-c", SHOW))
    assert environment["OPENAI_BASE_URL"] == "https://gateway.example/models/v1"
    assert environment["OSTIARY_URL_WEATHER_2"] == "https://gateway.example/weather-2"
    assert "ANTHROPIC_BASE_URL" not in environment and "CURSOR_API_KEY" not in environment
    code, _, err = ostiary("run", "--connection", "nowhere", "--", "true")
    assert (code, "There are: models, weather-2" in err) == (FAILED, True)
    assert "Through the connection 'models'" in ostiary("setup", "codex")[1]
    assert "No connection of the kind 'anthropic' is known to be there for you" in ostiary("setup", "claude-code")[1]


def test_a_tool_may_have_connections_that_its_person_has_not(person: Path, member: StandIn, kept: KeptLogins) -> None:
    kept.write(
        a_login(member, gateway="https://gateway.example"),
        a_login(member, gateway="https://gateway.example", agent="claude@laptop"),
    )
    agent = ("--agent", "claude@laptop")
    _, environment = shown(run_tool(person, *agent, "--", sys.executable, "-c", SHOW))
    assert environment["OPENAI_BASE_URL"] == "https://gateway.example/models/v1"
    _, environment = shown(run_tool(person, *agent, "--connection", "anthropic", sys.executable, "-c", SHOW))
    assert environment["ANTHROPIC_BASE_URL"] == "https://gateway.example/anthropic"


@pytest.mark.parametrize("answer", [(404, {"code": "not_found", "detail": "No such."}), (200, {}), (200, [1])])
def test_where_nobody_says_connections_are_named_like_their_kinds(
    person: Path, member: StandIn, answer: tuple[int, Any], ostiary: Ostiary
) -> None:
    member.api["GET /api/v1/connections"] = answer
    _, environment = shown(run_tool(person, "--", sys.executable, "-c", SHOW))
    assert environment["ANTHROPIC_BASE_URL"] == "https://gateway.example/anthropic"
    assert environment["OPENAI_BASE_URL"] == "https://gateway.example/openai/v1"
    assert "assuming one named 'openai'" in ostiary("setup", "codex")[1]


def ignored_from_outside() -> int:
    """The signals that whoever started these tests ignores, as a mask; Python itself ignores two."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigIgn"))
    return int(line.split()[1], 16) & ~(1 << signal.SIGPIPE - 1) & ~(1 << signal.SIGXFSZ - 1)


def test_the_exit_code_and_the_signals_are_the_tools(person: Path, signed_in: StandIn) -> None:
    process = run_tool(person, "--", "sh", "-c", "exit 7")
    process.communicate(timeout=30)
    assert process.returncode == 7
    pipes = run_tool(person, "--", "sh", "-c", "grep SigIgn /proc/self/status")
    assert int(pipes.communicate(timeout=30)[0].split()[1], 16) == ignored_from_outside()
    process = run_tool(person, "--", "sleep", "60")
    command = Path(f"/proc/{process.pid}/cmdline")
    deadline = time.monotonic() + 20
    while not command.read_bytes().startswith(b"sleep") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM


def test_what_cannot_be_run_is_a_sentence(ostiary: Ostiary, signed_in: StandIn, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    for command, sentence in ((["no-such-tool"], "There is no program"), ([str(broken)], "cannot be run")):
        code, _, err = ostiary("run", "--", *command)
        assert (code, sentence in err) == (FAILED, True)
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN  # we go on as before
    assert ostiary("run")[0] == WRONG_USAGE
    assert ostiary("run", "--agent", "unknown", "--console", signed_in.url, "--", "true")[0] == FAILED


def test_claude_code_and_codex_ask_for_fresh_tokens(person: Path, signed_in: StandIn, tmp_path: Path) -> None:
    path = fake_tool(tmp_path / "bin", "claude")
    arguments, environment = shown(run_tool(person, "claude", "--print", "hello", path=path))
    assert arguments[0] == "--settings"
    assert arguments[2:] == ["--print", "hello"]
    settings = json.loads(arguments[1])
    helper = f"{sys.executable} -m ostiary token --console {signed_in.url}"
    assert settings["apiKeyHelper"] == helper
    assert settings["env"]["ANTHROPIC_BASE_URL"] == "https://gateway.example/claude"
    assert "ANTHROPIC_AUTH_TOKEN" not in environment
    done = subprocess.run(helper, shell=True, env={"HOME": str(person)}, capture_output=True, text=True, check=True)
    assert done.stdout == "gateway-token-0\n"

    arguments, environment = shown(run_tool(person, "claude", "--settings", "{}", path=path))
    assert arguments == ["--settings", "{}"]
    assert environment["ANTHROPIC_AUTH_TOKEN"] == "gateway-token-0"

    path = fake_tool(tmp_path / "bin", "codex")
    arguments, _ = shown(run_tool(person, "--", "codex", "exec", "-", path=path))
    assert arguments[::2] == ["-c", "-c", "exec"]
    document = tomllib.loads(f"{arguments[1]}\n{arguments[3]}")
    provider = document["model_providers"]["ostiary"]
    assert document["model_provider"] == "ostiary"
    assert provider["base_url"] == "https://gateway.example/models/v1"
    assert [provider["auth"]["command"], *provider["auth"]["args"]] == helper.split()


@contextmanager
def running_server(home: Path) -> Iterator[None]:
    """A server of this HOME, as far as its API goes."""
    home.mkdir(parents=True, mode=0o700)
    with control_room(home) as room:
        (home / "server.json").write_text(json.dumps({"gateway": "http://127.0.0.1:8999"}))
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        def on_loop(work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result(20)

        serving = on_loop(serve_unix(create_api(room.services), home / "admin.sock"))
        try:
            yield
        finally:
            on_loop(serving.close())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def test_beside_a_server_of_ones_own_no_sign_in_is_needed(person: Path, ostiary: Ostiary, tmp_path: Path) -> None:
    home = person / ".local" / "share" / "ostiary"
    file = tmp_path / "ostiary.yaml"
    file.write_text(CONFIGURATION)
    with running_server(home):
        assert ostiary("apply", "-f", str(file))[0] == DONE
        _, environment = shown(run_tool(person, "--", sys.executable, "-c", SHOW))
        (token,) = json.loads(ostiary("token", "list", "--json")[1])["tokens"]
        path = fake_tool(tmp_path / "bin", "codex")
        arguments, _ = shown(run_tool(person, "codex", path=path))
    assert environment["OPENAI_BASE_URL"] == "http://127.0.0.1:8999/models/v1"
    assert environment["OSTIARY_TOKEN"].startswith("ost_a")
    assert token["groups"] == ["engineering"]
    assert token["agent"].startswith(f"{Path(sys.executable).name}@")
    assert tomllib.loads(arguments[3])["model_providers"]["ostiary"]["env_key"] == "OSTIARY_TOKEN"


def test_without_a_sign_in_and_a_server_it_says_what_to_do(ostiary: Ostiary) -> None:
    code, _, err = ostiary("run", "--", "true")
    assert code == FAILED
    assert "You are not signed in, and no Ostiary is running" in err
    assert "`ostiary login`" in err


def test_the_first_connection_of_a_kind_has_the_kinds_variables() -> None:
    environment = tool_environment({}, "http://g", [("a", "openai"), ("b", "openai")], "t")
    assert environment["OPENAI_BASE_URL"] == "http://g/a/v1"
    assert environment["OSTIARY_URL_B"] == "http://g/b"


def test_where_the_gateway_is_not_known_it_is_asked_for(ostiary: Ostiary, kept: KeptLogins, console: StandIn) -> None:
    kept.write(a_login(console))
    assert "Give its address with --gateway" in ostiary("setup", "codex")[2]
    assert "https://g.example/openai/v1" in ostiary("setup", "codex", "--gateway", "https://g.example/")[1]
    usual = "https://localhost.invalid:8421"
    kept.write(a_login() | {"console": usual, "endpoints": {"token": f"{usual}/oauth/token", "revocation": ""}})
    assert "https://localhost.invalid:8420/openai/v1" in ostiary("setup", "codex")[1]


# -- setup


def test_a_sign_in_makes_setup_name_the_helper(ostiary: Ostiary, signed_in: StandIn) -> None:
    code, out, _ = ostiary("setup", "claude-code")
    assert code == DONE
    assert f"-m ostiary token --console {signed_in.url}" in out
    assert "export" not in out
    assert "through the connection 'claude'" in out.lower()
    assert "refresh_interval_ms" in ostiary("setup", "codex")[1]
    code, out, _ = ostiary("setup", "cursor")
    assert out.count("export ") == 3
    assert f"ostiary token --console {signed_in.url}" in out
    assert "ostiary run --" in ostiary("setup", "opencode")[1]
    assert "mcpServers" in ostiary("setup", "mcp", "--connection", "tools")[1]


def test_claude_codes_settings_keep_what_they_held(ostiary: Ostiary, signed_in: StandIn, person: Path) -> None:
    file = person / ".claude" / "settings.json"
    file.parent.mkdir()
    before = '{"env": {"FOO": "ä"}, "model": "opus", "permissions": {"allow": ["Bash"]}}'
    file.write_text(before)
    file.chmod(0o640)
    code, out, _ = ostiary("setup", "claude-code", "--write")
    assert (code, "is written; what it was is in" in out) == (DONE, True)
    settings = json.loads(file.read_text())
    assert settings["env"]["FOO"] == "ä"
    assert settings["env"]["ANTHROPIC_BASE_URL"] == "https://gateway.example/claude"
    assert settings["permissions"] == {"allow": ["Bash"]}
    assert settings["apiKeyHelper"].endswith(f"token --console {signed_in.url}")
    assert file.stat().st_mode & 0o777 == 0o640
    copy = file.with_name("settings.json.before-ostiary")
    assert copy.read_text() == before
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "already as it should be" in ostiary("setup", "claude-code", "--write")[1]
    ostiary("setup", "claude-code", "--write", "--gateway", "https://other.example")
    assert file.with_name("settings.json.before-ostiary-1").exists()
    assert copy.read_text() == before


def test_codexs_configuration_keeps_its_comments(ostiary: Ostiary, signed_in: StandIn, person: Path) -> None:
    file = person / ".codex" / "config.toml"
    _, out, _ = ostiary("setup", "codex", "--write", "--json")
    assert json.loads(out)["written"] == {"file": str(file), "changed": True, "copy": None}
    assert tomllib.loads(file.read_text())["model_provider"] == "ostiary"
    before = '# mine\nmodel = "gpt-5.4"\n\n[model_providers.other]\nname = "Other"  # keep\n'
    file.write_text(before)
    assert ostiary("setup", "codex", "--write")[0] == DONE
    after = file.read_text()
    assert before.rstrip() in after
    document = tomllib.loads(after)
    assert document["model"] == "gpt-5.4"
    assert sorted(document["model_providers"]) == ["ostiary", "other"]
    assert document["model_providers"]["ostiary"]["auth"]["args"][-1] == signed_in.url
    assert "already as it should be" in ostiary("setup", "codex", "--write")[1]
    assert file.with_name("config.toml.before-ostiary").read_text() == before


@pytest.mark.parametrize(
    ("tool", "name", "content", "sentence"),
    [
        ("codex", ".codex/config.toml", 'model_provider = "openai"\n', "has other values"),
        ("codex", ".codex/config.toml", "model_provider = \n", "is not valid TOML"),
        ("codex", ".codex/config.toml", "[model_providers]\nostiary = 1\n", "has other values"),
        ("claude-code", ".claude/settings.json", '{"a": 1, // mine\n}', "is no plain JSON"),
        ("claude-code", ".claude/settings.json", "[]", "is no plain JSON"),
        ("opencode", ".config/opencode/opencode.json", "\xff", "is no plain JSON"),
    ],
)
def test_what_cannot_be_kept_is_left_alone_and_shown_to_paste(
    tool: str, name: str, content: str, sentence: str, ostiary: Ostiary, signed_in: StandIn, person: Path
) -> None:
    file = person / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    code, out, err = ostiary("setup", tool, "--write")
    assert (code, out) == (FAILED, "")
    assert sentence in err
    assert "Nothing was written." in err
    assert "https://gateway.example/" in err
    assert file.read_text() == content
    assert [path.name for path in file.parent.iterdir() if "ostiary" in path.name] == []


def test_opencode_and_mcp_files_are_merged(ostiary: Ostiary, signed_in: StandIn, person: Path) -> None:
    ostiary("setup", "opencode", "--write", "--model", "m")
    document = json.loads((person / ".config" / "opencode" / "opencode.json").read_text())
    assert document["provider"]["ostiary"]["options"]["apiKey"] == "{env:OSTIARY_TOKEN}"
    file = person / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text('{"mcpServers": {"mine": {"command": "x"}}}')
    ostiary("setup", "mcp", "--write", "--connection", "tools")
    servers = json.loads(file.read_text())["mcpServers"]
    assert servers["mine"] == {"command": "x"}
    assert servers["tools"]["url"] == "https://gateway.example/tools"


def test_a_link_stays_a_link(ostiary: Ostiary, signed_in: StandIn, person: Path) -> None:
    real = person / "dotfiles.json"
    real.write_text("{}")
    (person / ".claude").mkdir()
    (person / ".claude" / "settings.json").symlink_to(real)
    assert ostiary("setup", "claude-code", "--write")[0] == DONE
    assert (person / ".claude" / "settings.json").is_symlink()
    assert "apiKeyHelper" in real.read_text()


def test_tools_that_only_read_their_environment_have_no_file(ostiary: Ostiary, signed_in: StandIn) -> None:
    code, _, err = ostiary("setup", "cursor", "--write")
    assert (code, "ostiary run -- COMMAND" in err) == (FAILED, True)


def test_the_public_address_of_a_gateway_goes_before_that_of_its_listener(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OSTIARY_GATEWAY_URL", raising=False)
    told = {"gateway": "http://0.0.0.0:8999"}
    (tmp_path / "server.json").write_text(json.dumps(told))
    assert gateway_url(tmp_path) == "http://127.0.0.1:8999"
    (tmp_path / "server.json").write_text(json.dumps({**told, "gateway_url": "https://gate.example.com"}))
    assert gateway_url(tmp_path) == "https://gate.example.com"
    (tmp_path / "server.json").unlink()
    monkeypatch.setenv("OSTIARY_GATEWAY_URL", "https://gate.example.com")
    assert gateway_url(tmp_path) == "https://gate.example.com"
