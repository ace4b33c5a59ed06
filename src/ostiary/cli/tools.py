"""How tools are led through the gateway: tables of kinds and of tools, for `ostiary setup` and `ostiary run`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join

TOKEN_VARIABLE = "OSTIARY_TOKEN"  # noqa: S105 - the name of a variable
_TOKEN = f"${TOKEN_VARIABLE}"

HELPER_EVERY_MS = 30_000
"""How long tools keep what their helper printed: `ostiary token` is quick, and what it prints lasts longer."""
_HELPER_TIMEOUT_MS = 20_000
_CLAUDE_RETRIES = 2
"""With a helper, Claude Code takes a 403 for a stale token and tries again: 10 times, for over four minutes, before the
person sees why something was denied. With 2 it is seven seconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tool's connection is, and how the tool gets its token: `helper` is a command that prints a fresh one;
    None leaves it to the variable `OSTIARY_TOKEN`."""

    connection: str
    url: str
    model: str = ""
    helper: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class KindVariables:
    """`set` are templates of `{url}` and `{token}`; `unset` are variables that would get in the way."""

    set: Mapping[str, str]
    unset: tuple[str, ...] = ()


KIND_VARIABLES = {
    "openai": KindVariables({"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "{token}"}),
    "anthropic": KindVariables(
        {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_AUTH_TOKEN": "{token}"}, unset=("ANTHROPIC_API_KEY",)
    ),
    "cursor": KindVariables({"CURSOR_BACKEND_URL": "{url}", "CURSOR_API_KEY": "{token}"}),
}
"""Kind of connection → what its SDKs and tools read."""


def variables_of_kind(kind: str, url: str, token: str) -> dict[str, str]:
    """Empty for a kind without a convention."""
    known = KIND_VARIABLES.get(kind)
    return {} if known is None else {name: text.format(url=url, token=token) for name, text in known.set.items()}


@dataclass(frozen=True, slots=True)
class File:
    """A file of the tool's: `members` are merged into JSON; for TOML they are what must hold after `text` is added."""

    shown: str
    path: Callable[[Mapping[str, str], Path], Path]
    text: str
    members: Mapping[str, object]
    format: str = "json"


@dataclass(frozen=True, slots=True)
class Tool:
    """`environment` gives the variables to set, `file` what belongs into which file (None: only variables)."""

    title: str
    kind: str
    check: str
    environment: Callable[[Place], dict[str, str]]
    file: Callable[[Place], File | None]
    notes: tuple[str, ...] = ()
    helper_notes: tuple[str, ...] = ()
    """For who is signed in."""


def _none(_place: Place) -> None:
    return None


def _nothing(_place: Place) -> dict[str, str]:
    return {}


def _kind_environment(kind: str) -> Callable[[Place], dict[str, str]]:
    return lambda place: variables_of_kind(kind, place.url, _TOKEN)


def _home_path(variable: str, usual: str, name: str) -> Callable[[Mapping[str, str], Path], Path]:
    """The file `name` in the folder that a variable names, or in its usual place below the home folder."""
    return lambda environment, home: Path(environment.get(variable) or home / usual) / name


def claude_settings(place: Place) -> dict[str, object]:
    """What Claude Code's settings need so that it asks the helper for every token."""
    return {
        "apiKeyHelper": join(place.helper or ()),
        "env": {
            "ANTHROPIC_BASE_URL": place.url,
            "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": str(HELPER_EVERY_MS),
            "CLAUDE_CODE_MAX_RETRIES": str(_CLAUDE_RETRIES),
        },
    }


def _claude_environment(place: Place) -> dict[str, str]:
    return {} if place.helper else variables_of_kind("anthropic", place.url, _TOKEN)


def _claude_file(place: Place) -> File | None:
    if place.helper is None:
        return None
    members = claude_settings(place)
    path = _home_path("CLAUDE_CONFIG_DIR", ".claude", "settings.json")
    return File("~/.claude/settings.json", path, _json(members), members)


def codex_provider(place: Place) -> dict[str, object]:
    """The table `model_providers.ostiary` of Codex."""
    provider: dict[str, object] = {"name": "Ostiary", "base_url": f"{place.url}/v1", "wire_api": "responses"}
    if place.helper is None:
        return {**provider, "env_key": TOKEN_VARIABLE}
    command, *arguments = place.helper
    auth = {
        "command": command,
        "args": arguments,
        "timeout_ms": _HELPER_TIMEOUT_MS,
        "refresh_interval_ms": HELPER_EVERY_MS,
    }
    return {**provider, "auth": auth}


def _codex_file(place: Place) -> File:
    provider = codex_provider(place)
    members = {"model_provider": "ostiary", "model_providers": {"ostiary": provider}}
    auth = provider.pop("auth", None)
    text = 'model_provider = "ostiary"\n\n[model_providers.ostiary]\n' + _toml_lines(provider)
    if isinstance(auth, dict):
        text += "\n[model_providers.ostiary.auth]\n" + _toml_lines(auth)
        provider["auth"] = auth
    path = _home_path("CODEX_HOME", ".codex", "config.toml")
    return File("~/.codex/config.toml", path, text, members, "toml")


def toml_value(value: object) -> str:
    """A text, number, list or table of such, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {toml_value(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(toml_value(inner) for inner in value) + "]"
    # A JSON text or number is one of TOML too.
    return json.dumps(value, ensure_ascii=True)


def _toml_lines(table: Mapping[str, object]) -> str:
    return "".join(f"{name} = {toml_value(value)}\n" for name, value in table.items())


def _opencode_file(place: Place) -> File:
    members = {
        "$schema": "https://opencode.ai/config.json",
        "model": f"ostiary/{place.model}",
        "provider": {
            "ostiary": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Ostiary",
                "options": {"baseURL": f"{place.url}/v1", "apiKey": f"{{env:{TOKEN_VARIABLE}}}"},
                "models": {place.model: {}},
            }
        },
    }

    def path(environment: Mapping[str, str], home: Path) -> Path:
        return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "opencode" / "opencode.json"

    shown = "opencode.json in the project, or ~/.config/opencode/opencode.json"
    return File(shown, path, _json(members), members)


def _mcp_file(place: Place) -> File:
    entry = {"url": place.url, "headers": {"Authorization": f"Bearer ${{env:{TOKEN_VARIABLE}}}"}}
    members = {"mcpServers": {place.connection: entry}}
    return File("~/.cursor/mcp.json", lambda _, home: home / ".cursor" / "mcp.json", _json(members), members)


def _json(members: Mapping[str, object]) -> str:
    return json.dumps(members, indent=2, ensure_ascii=False) + "\n"


_TRY_OPENAI = 'curl -H "Authorization: Bearer {token}" {url}/v1/models'
_BY_RUN = "Its key comes from its environment: start it with `ostiary run -- COMMAND`, which sets a fresh token."

TOOLS = {
    "cursor": Tool(
        title="Cursor's API: cloud agents with the Cursor SDK, administration and analytics scripts",
        kind="cursor",
        check='curl -u "{token}:" {url}/v1/me',
        environment=_kind_environment("cursor"),
        file=_none,
        notes=(
            "In a script of your own, put the URL above where it says https://api.cursor.com.",
            "The editor's own model traffic goes to Cursor's servers and cannot be led through a gateway.",
        ),
        helper_notes=(_BY_RUN,),
    ),
    "claude-code": Tool(
        title="Claude Code",
        kind="anthropic",
        check='curl -H "x-api-key: {token}" -H "anthropic-version: 2023-06-01" {url}/v1/models',
        environment=_claude_environment,
        file=_claude_file,
        notes=("Unset ANTHROPIC_API_KEY, or Claude Code may send two different tokens and is refused.",),
        helper_notes=("Unset ANTHROPIC_AUTH_TOKEN too: Claude Code prefers it to the helper.",),
    ),
    "codex": Tool(
        title="Codex",
        kind="openai",
        check=_TRY_OPENAI,
        environment=_nothing,
        file=_codex_file,
    ),
    "opencode": Tool(
        title="opencode",
        kind="openai",
        check=_TRY_OPENAI,
        environment=_nothing,
        file=_opencode_file,
        helper_notes=(_BY_RUN,),
    ),
    "mcp": Tool(
        title="MCP servers behind Ostiary, for Cursor and other clients that read mcpServers",
        kind="mcp",
        check=(
            'curl -H "Authorization: Bearer {token}" -H "Content-Type: application/json" '
            '-H "Accept: application/json, text/event-stream" '
            """-d '{{"jsonrpc":"2.0","id":1,"method":"ping"}}' {url}"""
        ),
        environment=_nothing,
        file=_mcp_file,
        notes=("Claude Code: claude mcp add --transport http NAME URL --header 'Authorization: Bearer TOKEN'.",),
        helper_notes=(
            "Clients that take a variable in a header, as above, are started with `ostiary run -- COMMAND`.",
        ),
    ),
}
