"""Claude Code, Codex and opencode as people install them, configured by what `ostiary setup` prints."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from doors import HAIKU, Wires
from house import SENTENCE, Keys, Ostiary
from processes import Outcome, clean_environment, run_tool

PACKAGES = Path(__file__).parent / "node" / "node_modules"
PROMPT = "write a haiku about doors"
_NO_CONNECTION = "none"


def _into_home(home: Path, project: Path, content: str) -> None:
    (home / ".codex").mkdir(parents=True)
    (home / ".codex" / "config.toml").write_text(content)


def _into_project(home: Path, project: Path, content: str) -> None:
    (project / "opencode.json").write_text(content)


def _nowhere(home: Path, project: Path, content: str) -> None:
    assert content == ""


@dataclass(frozen=True, slots=True)
class Tool:
    """`connection` is also the name of the wire its upstream is on; `asks` what that upstream hears."""

    binary: Path
    arguments: tuple[str, ...]
    connection: str
    asks: str
    configure: Callable[[Path, Path, str], None] = _nowhere
    environment: Mapping[str, str] = field(default_factory=dict)


TOOLS = {
    "claude-code": Tool(
        binary=PACKAGES / "@anthropic-ai" / "claude-code-linux-x64" / "claude",
        arguments=("-p",),
        connection="anthropic",
        asks="POST /v1/messages?beta=true",
    ),
    "codex": Tool(
        binary=PACKAGES / "codex-linux-x64" / "vendor" / "x86_64-unknown-linux-musl" / "bin" / "codex",
        arguments=("exec", "--skip-git-repo-check", "--model", "gpt-5.4-mini"),
        connection="openai",
        asks="POST /v1/responses",
        configure=_into_home,
    ),
    "opencode": Tool(
        binary=PACKAGES / "opencode-linux-x64-baseline" / "bin" / "opencode",
        arguments=("run",),
        connection="openai",
        asks="POST /v1/chat/completions",
        configure=_into_project,
        # It would ask the internet for a list of models and for its own next version.
        environment={"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"},
    ),
}


def setup_without_a_server(name: str, url: str, home: Path) -> dict[str, Any]:
    """What `ostiary setup` says, made to lead straight to an upstream at `url`."""
    command = [
        sys.executable, "-m", "ostiary", "setup", name, "--home", str(home / "no-ostiary"),
        "--gateway", url, "--connection", _NO_CONNECTION, "--json",
    ]  # fmt: skip
    done = subprocess.run(command, env=clean_environment(home / "setup"), capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.replace(f"{url}/{_NO_CONNECTION}", url)))


def run(name: str, setup: Mapping[str, Any], token: str, directory: Path, prompt: str = PROMPT) -> Outcome:
    """One prompt to a freshly installed tool that follows `setup` and holds `token`."""
    tool = TOOLS[name]
    home, project = directory / "home", directory / "project"
    home.mkdir(parents=True)
    project.mkdir()
    tool.configure(home, project, setup["content"])
    named = {key: value.replace("$OSTIARY_TOKEN", token) for key, value in setup["environment"].items()}
    environment = clean_environment(home, OSTIARY_TOKEN=token, **named, **tool.environment)
    return run_tool([str(tool.binary), *tool.arguments, prompt], environment, project)


@pytest.fixture(params=list(TOOLS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_tool_gets_its_answer_straight_from_the_upstream(name: str, keys: Keys, wires: Wires, tmp_path: Path) -> None:
    tool = TOOLS[name]
    wire = getattr(wires, tool.connection)
    setup = setup_without_a_server(name, f"http://127.0.0.1:{wire.port}", tmp_path)
    outcome = run(name, setup, getattr(keys, tool.connection), tmp_path)
    assert HAIKU in outcome.out, outcome.text
    assert outcome.exit_code == 0
    assert tool.asks in wire.requests()


def test_tool_gets_its_answer_through_the_gateway(
    name: str, ostiary: Ostiary, developer: str, keys: Keys, wires: Wires, tmp_path: Path
) -> None:
    tool = TOOLS[name]
    outcome = run(name, ostiary.setup(name, tool.connection), developer, tmp_path)
    assert HAIKU in outcome.out, outcome.text
    assert outcome.exit_code == 0
    wire = getattr(wires, tool.connection)
    assert tool.asks in wire.requests()
    assert getattr(keys, tool.connection).encode() in wire.asked
    assert developer.encode() not in wire.asked


def test_denial_reaches_the_person_word_for_word(
    name: str, ostiary: Ostiary, contractor: str, wires: Wires, tmp_path: Path
) -> None:
    tool = TOOLS[name]
    outcome = run(name, ostiary.setup(name, tool.connection), contractor, tmp_path)
    assert SENTENCE in outcome.text
    assert HAIKU not in outcome.text
    assert tool.asks not in getattr(wires, tool.connection).requests()
    assert outcome.duration_s < 45


def test_what_the_upstream_complains_of_reaches_the_person(
    name: str, ostiary: Ostiary, developer: str, tmp_path: Path
) -> None:
    setup = ostiary.setup(name, TOOLS[name].connection)
    outcome = run(name, setup, developer, tmp_path, prompt="misunderstand please")
    assert "The upstream wants another temperature." in outcome.text


@pytest.mark.parametrize("place", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "apiKeyHelper"])
def test_claude_code_may_hold_its_token_in_any_of_its_places(
    ostiary: Ostiary, developer: str, keys: Keys, wires: Wires, tmp_path: Path, place: str
) -> None:
    tool = TOOLS["claude-code"]
    settings = {"apiKeyHelper": f"echo {developer}"} if place == "apiKeyHelper" else {}
    variables = {} if settings else {place: developer}
    outcome = run_tool(
        [str(tool.binary), "--settings", json.dumps(settings), "-p", PROMPT],
        clean_environment(tmp_path / "home", ANTHROPIC_BASE_URL=ostiary.url("anthropic"), **variables),
        tmp_path / "project",
    )
    assert HAIKU in outcome.out, outcome.text
    assert keys.anthropic.encode() in wires.anthropic.asked


def test_codex_may_fetch_its_token_with_a_command(ostiary: Ostiary, developer: str, tmp_path: Path) -> None:
    setup = ostiary.setup("codex", "openai")
    by_command = f"""
[model_providers.ostiary.auth]
command = "/bin/echo"
args = ["{developer}"]
"""
    content = setup["content"].replace('env_key = "OSTIARY_TOKEN"', "") + by_command
    outcome = run("codex", {**setup, "content": content}, "unused", tmp_path)
    assert HAIKU in outcome.out, outcome.text


@pytest.mark.parametrize("name", ["claude-code", "codex"], indirect=True)
@pytest.mark.parametrize(
    ("token", "sentence"),
    [("expired", "This token has expired."), ("unknown", "This token is not known here.")],
)
def test_token_that_ended_is_said_within_seconds(
    name: str, ostiary: Ostiary, tmp_path: Path, token: str, sentence: str
) -> None:
    """A tool that retries a 401 in silence would look like a hung one."""
    made = ostiary.new_token("--actor", "dora", "--groups", "developers", "--ttl", "1s")["token"]
    time.sleep(1.2)
    bearer = made if token == "expired" else "ost_uUnknown"
    outcome = run(name, ostiary.setup(name, TOOLS[name].connection), bearer, tmp_path)
    assert sentence in outcome.text
    assert outcome.duration_s < 30


def test_refused_real_key_is_said_within_seconds(ostiary: Ostiary, developer: str, tmp_path: Path) -> None:
    outcome = run("claude-code", ostiary.setup("claude-code", "anthropic-stale"), developer, tmp_path)
    assert "Your own token is fine" in outcome.text
    assert outcome.duration_s < 30
