"""`ostiary setup`: what to put where, so that a tool goes through the gateway."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import click

from ostiary.cli.invocation import Command, Invocation, pass_invocation
from ostiary.cli.server_file import gateway_url
from ostiary.cli.terminal import paint, print_json, visible
from ostiary.model.errors import OstiaryError

_TOKEN = "$OSTIARY_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class _Tool:
    """`environment` and `content` are templates of `{url}` (the connection's base URL) and `{model}`;
    `file` says where `content` belongs."""

    title: str
    kind: str
    environment: dict[str, str] = field(default_factory=dict)
    file: str = ""
    content: str = ""
    check: str = ""
    notes: tuple[str, ...] = ()


_CODEX = """\
model_provider = "ostiary"

[model_providers.ostiary]
name = "Ostiary"
base_url = "{url}/v1"
env_key = "OSTIARY_TOKEN"
wire_api = "responses"
"""

_OPENCODE = """\
{{
  "$schema": "https://opencode.ai/config.json",
  "model": "ostiary/{model}",
  "provider": {{
    "ostiary": {{
      "npm": "@ai-sdk/openai-compatible",
      "name": "Ostiary",
      "options": {{"baseURL": "{url}/v1", "apiKey": "{{env:OSTIARY_TOKEN}}"}},
      "models": {{"{model}": {{}}}}
    }}
  }}
}}
"""

_TOOLS = {
    "cursor": _Tool(
        title="Cursor's API: cloud agents with the Cursor SDK, administration and analytics scripts",
        kind="cursor",
        environment={"CURSOR_BACKEND_URL": "{url}", "CURSOR_API_KEY": _TOKEN},
        check='curl -u "$OSTIARY_TOKEN:" {url}/v1/me',
        notes=(
            "In a script of your own, put the URL above where it says https://api.cursor.com.",
            "The editor's own model traffic goes to Cursor's servers and cannot be led through a gateway.",
        ),
    ),
    "claude-code": _Tool(
        title="Claude Code",
        kind="anthropic",
        environment={"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_AUTH_TOKEN": _TOKEN},
        check='curl -H "x-api-key: $OSTIARY_TOKEN" -H "anthropic-version: 2023-06-01" {url}/v1/models',
        notes=("Unset ANTHROPIC_API_KEY, or Claude Code may send two different tokens and is refused.",),
    ),
    "codex": _Tool(
        title="Codex",
        kind="openai",
        file="~/.codex/config.toml",
        content=_CODEX,
        check='curl -H "Authorization: Bearer $OSTIARY_TOKEN" {url}/v1/models',
    ),
    "opencode": _Tool(
        title="opencode",
        kind="openai",
        file="opencode.json in the project, or ~/.config/opencode/opencode.json",
        content=_OPENCODE,
        check='curl -H "Authorization: Bearer $OSTIARY_TOKEN" {url}/v1/models',
    ),
}


@click.command(cls=Command)
@click.argument("tool", type=click.Choice(sorted(_TOOLS)))
@click.option("--connection", metavar="NAME", help="Which connection; default is the one of the tool's kind.")
@click.option("--gateway", metavar="URL", help="The gateway as the tool reaches it; default is this machine's.")
@click.option("--model", metavar="ID", default="gpt-5.4-mini", show_default=True, help="For opencode.")
@pass_invocation
def setup(invocation: Invocation, tool: str, connection: str | None, gateway: str | None, model: str) -> None:
    """Show how to point a tool at Ostiary. Nothing is written."""
    chosen = _TOOLS[tool]
    document = _configuration(invocation)
    name, note = (connection, "") if connection else _connection_of_kind(document, chosen.kind)
    url = f"{(gateway or gateway_url(invocation.home)).rstrip('/')}/{name}"
    environment = {key: value.format(url=url) for key, value in chosen.environment.items()}
    content = chosen.content.format(url=url, model=model)
    if invocation.json:
        print_json(
            {
                "tool": tool,
                "connection": name,
                "base_url": url,
                "environment": environment,
                "file": chosen.file,
                "content": content,
            }
        )
        return
    print(paint(f"# {chosen.title}", "bold"))
    if note:
        print(f"# {note}")
    groups = ",".join(_groups_on(document or {}, name))
    command = (
        f"ostiary{invocation.home_option} token create --actor YOUR-NAME"
        f"{f' --groups {visible(groups)}' if groups else ''} --agent {tool} --connection {name}"
    )
    print(f'\nexport OSTIARY_TOKEN="$({command})"')
    for key, value in environment.items():
        print(f'export {key}="{visible(value)}"')
    if content:
        print(f"\n# {chosen.file}:")
        print(visible(content, keep_lines=True).rstrip())
    print(f"\n# Try it:\n{visible(chosen.check.format(url=url))}")
    for line in chosen.notes:
        print(f"\n# {line}")


def _configuration(invocation: Invocation) -> dict[str, Any] | None:
    """The configuration in force; None when no server runs here."""
    try:
        exported = invocation.server.get("configuration")["yaml"]
    except OstiaryError:
        return None
    import yaml

    document: dict[str, Any] = yaml.safe_load(exported) or {}
    return document


def _connection_of_kind(document: dict[str, Any] | None, kind: str) -> tuple[str, str]:
    """The first connection of the kind, and a remark for the reader; else the kind's own name."""
    if document is None:
        return kind, f"No Ostiary is running here; assuming a connection named {kind!r} (--connection NAME)."
    names = [str(row["name"]) for row in document.get("connections") or [] if row.get("kind") == kind]
    if not names:
        return kind, f"There is no connection of the kind {kind!r} yet: add one with `ostiary apply -f FILE`."
    others = f" (others of this kind: {', '.join(names[1:])})" if names[1:] else ""
    return names[0], f"Through the connection {names[0]!r}{others}."


def _groups_on(document: dict[str, Any], connection: str) -> list[str]:
    """The groups that rules on this connection let in or ask for: without one of them a token opens nothing."""
    groups: set[str] = set()
    for rule in document.get("rules") or []:
        on = rule.get("on") or ["*"]
        if rule.get("effect") != "deny" and any(fnmatchcase(connection, str(pattern)) for pattern in on):
            groups.update(str(group) for group in (rule.get("who") or {}).get("groups") or [])
    return sorted(groups)
