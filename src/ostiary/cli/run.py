"""`ostiary run`: a tool with base URLs and a fresh token in its environment."""

import json
import os
import pwd
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn

import click

from ostiary.cli import access
from ostiary.cli.agent_label import LABEL_MAX, agent_option
from ostiary.cli.invocation import Command, Invocation, pass_invocation
from ostiary.cli.reach import Reach, reach_of
from ostiary.cli.terminal import visible
from ostiary.cli.token import names_in
from ostiary.cli.tools import (
    KIND_VARIABLES,
    TOKEN_VARIABLE,
    Place,
    claude_settings,
    codex_provider,
    toml_value,
    variables_of_kind,
)
from ostiary.model.errors import CallerError, OperatorError, RefusedError, UnreachableError


@click.command(cls=Command, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@agent_option
@click.option(
    "--connection", "connections", multiple=True, metavar="C", callback=names_in, help="Only through this one."
)
@click.option("--gateway", metavar="URL", help="The gateway as the tool reaches it.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND …")
@pass_invocation
def run(
    invocation: Invocation, agent: str | None, connections: list[str], gateway: str | None, command: tuple[str, ...]
) -> None:
    """Run a tool with base URLs and a fresh token in its environment. Signals and its exit code are the tool's own.

    The token is your sign-in's; without one, and with a server on this machine, one is made for your user name. Claude
    Code and Codex are told to ask for fresh ones as they go; other tools keep the one they start with.
    """
    program = shutil.which(command[0])
    if program is None:
        raise CallerError(f"There is no program {visible(command[0])!r}.", "Check its name, and PATH.")
    reach = reach_of(invocation, agent, gateway)
    chosen = _chosen(reach, connections)
    token = _token(invocation, reach, agent, connections, Path(program).name)
    environment = tool_environment(os.environ, reach.gateway, chosen, token)
    arguments = list(command)
    special = _SPECIAL.get(Path(program).name)
    if special is not None:
        special(arguments, environment, {kind: _place(reach, name) for name, kind in reversed(chosen)})
    _become(program, arguments, environment)


def _chosen(reach: Reach, names: list[str]) -> list[tuple[str, str]]:
    """Name and kind of the connections. Where they are not known, each kind of API has one of its own name, and the
    gateway says what there is."""
    known = reach.connections()
    if known is None:
        return [(name, name) for name in names or KIND_VARIABLES]
    kinds = dict(known)
    missing = next((name for name in names if name not in kinds), None)
    if missing is not None and reach.knows_all:
        raise CallerError(
            f"There is no connection {visible(missing)!r}.", f"There are: {visible(', '.join(kinds) or 'none')}."
        )
    return [(name, kinds.get(name, name)) for name in names] if names else known


def _place(reach: Reach, connection: str) -> Place:
    return Place(connection, f"{reach.gateway}/{connection}", helper=reach.helper())


def _token(invocation: Invocation, reach: Reach, agent: str | None, connections: list[str], program: str) -> str:
    if reach.login is not None:
        return str(access.access_of(reach.login)["token"])
    known = [name for name, _ in reach.connections() or []]
    groups = sorted({group for name in connections or known for group in reach.groups_on(name)})
    request: dict[str, object] = {
        "actor": pwd.getpwuid(os.geteuid()).pw_name,
        "kind": "agent",
        "agent": agent or f"{program}@{socket.gethostname()}"[:LABEL_MAX],
        "groups": groups,
    }
    if connections:
        request["connections"] = connections
    from ostiary.cli.client import AdminClient

    try:
        return str(AdminClient(invocation.home, invocation.home_option).post("tokens", body=request)["token"])
    except UnreachableError as error:
        raise RefusedError(
            f"You are not signed in, and {error.sentence[0].lower()}{error.sentence[1:]}",
            f"Sign in with `ostiary login{access.options(invocation.console, agent)}`. {error.next_step}",
        ) from None


def tool_environment(
    environment: Mapping[str, str], gateway: str, connections: Iterable[tuple[str, str]], token: str
) -> dict[str, str]:
    """The environment with what tools read: the first connection of each kind in the kind's own variables, and every
    one as `OSTIARY_URL_<NAME>`."""
    changed = {**environment, TOKEN_VARIABLE: token, "OSTIARY_GATEWAY_URL": gateway}
    seen: set[str] = set()
    for name, kind in connections:
        url = f"{gateway}/{name}"
        changed[f"OSTIARY_URL_{_variable(name)}"] = url
        if kind in KIND_VARIABLES and kind not in seen:
            seen.add(kind)
            changed.update(variables_of_kind(kind, url, token))
            for name_in_the_way in KIND_VARIABLES[kind].unset:
                changed.pop(name_in_the_way, None)
    return changed


def _variable(name: str) -> str:
    return "".join(character if character.isalnum() and character.isascii() else "_" for character in name).upper()


def _claude(arguments: list[str], environment: dict[str, str], places: Mapping[str, Place]) -> None:
    """Claude Code asks its helper for tokens, unless it is given settings already."""
    place = places.get("anthropic")
    if place is None or place.helper is None or any(word.split("=")[0] == "--settings" for word in arguments):
        return
    environment.pop("ANTHROPIC_AUTH_TOKEN", None)
    arguments[1:1] = ["--settings", json.dumps(claude_settings(place))]


def _codex(arguments: list[str], environment: dict[str, str], places: Mapping[str, Place]) -> None:
    """Codex reads no base URL from its environment; its provider is named on its command line."""
    del environment
    place = places.get("openai")
    if place is None:
        return
    provider = toml_value(codex_provider(place))
    arguments[1:1] = ["-c", 'model_provider="ostiary"', "-c", f"model_providers.ostiary={provider}"]


_SPECIAL: dict[str, Callable[[list[str], dict[str, str], Mapping[str, Place]], None]] = {
    "claude": _claude,
    "codex": _codex,
}


def _become(program: str, arguments: list[str], environment: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these; what it ignores, the tool would ignore too.
    before = {ignored: signal.signal(ignored, signal.SIG_DFL) for ignored in (signal.SIGPIPE, signal.SIGXFSZ)}
    try:
        os.execve(program, arguments, dict(environment))  # noqa: S606 - that is what this is for
    except OSError as error:
        for ignored, handler in before.items():
            signal.signal(ignored, handler)
        raise OperatorError(
            f"{visible(program)} cannot be run: {error.strerror}.", "Check that it is a program for this machine."
        ) from None
