"""`ostiary setup`: what to put where, so that a tool goes through the gateway."""

import os
from pathlib import Path
from shlex import join

import click

from ostiary.cli.agent_label import agent_option
from ostiary.cli.invocation import Command, Invocation, pass_invocation
from ostiary.cli.reach import Reach, reach_of
from ostiary.cli.terminal import paint, print_json, visible
from ostiary.cli.tools import TOKEN_VARIABLE, TOOLS, File, Place, Tool
from ostiary.model.errors import CallerError


@click.command(cls=Command)
@click.argument("tool", type=click.Choice(sorted(TOOLS)))
@agent_option
@click.option("--connection", metavar="NAME", help="Which connection; default is the one of the tool's kind.")
@click.option("--gateway", metavar="URL", help="The gateway as the tool reaches it; default is this machine's.")
@click.option("--model", metavar="ID", default="gpt-5.4-mini", show_default=True, help="For opencode.")
@click.option("--write", is_flag=True, help="Write it into the tool's own file; a copy of what was there is kept.")
@pass_invocation
def setup(
    invocation: Invocation,
    tool: str,
    agent: str | None,
    connection: str | None,
    gateway: str | None,
    model: str,
    write: bool,
) -> None:
    """Show how to point a tool at Ostiary, or with --write do it.

    If you are signed in (`ostiary login`), tools that can run a command for their key are told to run `ostiary token`.
    """
    chosen = TOOLS[tool]
    reach = reach_of(invocation, agent, gateway)
    name, note = (connection, "") if connection else _connection_of_kind(reach, chosen.kind)
    place = Place(name, f"{reach.gateway}/{name}", model, reach.helper())
    file = chosen.file(place)
    written = _write(tool, file) if write else None
    if invocation.json:
        print_json(
            {
                "tool": tool,
                "connection": name,
                "base_url": place.url,
                "environment": chosen.environment(place),
                "file": file.shown if file else "",
                "content": file.text if file else "",
                **({"written": written} if written else {}),
            }
        )
        return
    print(paint(f"# {chosen.title}", "bold"))
    if note:
        print(f"# {note}")
    if written:
        _print_written(written)
    _print(chosen, reach, place, file, _token_command(invocation, tool, reach, name), shows_file=not written)


def _write(tool: str, file: File | None) -> dict[str, object]:
    if file is None:
        raise CallerError(
            f"{TOOLS[tool].title.partition(':')[0]} reads its environment here, and no file.",
            "Start it with `ostiary run -- COMMAND`"
            + (", or run `ostiary login` first." if tool == "claude-code" else "."),
        )
    from ostiary.cli.client_files import write_into

    path = file.path(os.environ, Path.home())
    changed, copy = write_into(file, path)
    return {"file": str(path), "changed": changed, "copy": str(copy) if copy else None}


def _print_written(written: dict[str, object]) -> None:
    path, copy = visible(written["file"]), written["copy"]
    if not written["changed"]:
        print(f"{path} is already as it should be.")
    else:
        print(f"{path} is written{f'; what it was is in {visible(copy)}' if copy else ''}.")


def _print(chosen: Tool, reach: Reach, place: Place, file: File | None, command: str, *, shows_file: bool) -> None:
    environment = chosen.environment(place)
    from_variable = place.helper is None or any(
        TOKEN_VARIABLE in text for text in (*environment.values(), file.text if file else "")
    )
    print()
    if from_variable:
        print(f'export {TOKEN_VARIABLE}="$({command})"')
    for key, value in environment.items():
        print(f'export {key}="{visible(value)}"')
    if file and shows_file:
        print(f"\n# {file.shown}:")
        print(visible(file.text, keep_lines=True).rstrip())
    token = f"${TOKEN_VARIABLE}" if from_variable else f"$({command})"
    print(f"\n# Try it:\n{visible(chosen.check.format(url=place.url, token=token))}")
    for line in (*chosen.notes, *(chosen.helper_notes if reach.login else ())):
        print(f"\n# {line}")


def _token_command(invocation: Invocation, tool: str, reach: Reach, connection: str) -> str:
    helper = reach.helper()
    if helper is not None:
        return visible(join(helper))
    groups = ",".join(reach.groups_on(connection))
    return (
        f"ostiary{invocation.home_option} token create --actor YOUR-NAME"
        f"{f' --groups {visible(groups)}' if groups else ''} --agent {tool} --connection {connection}"
    )


def _connection_of_kind(reach: Reach, kind: str) -> tuple[str, str]:
    """The first connection of the kind, and a remark for the reader; else the kind's own name."""
    known = reach.connections()
    if known is None:
        return kind, f"Which connections there are is not known; assuming one named {kind!r} (--connection NAME)."
    names = [name for name, its_kind in known if its_kind == kind]
    if not names:
        if reach.document is None:
            return kind, f"No connection of the kind {kind!r} is known to be there for you (--connection NAME)."
        return kind, f"There is no connection of the kind {kind!r} yet: add one with `ostiary apply -f FILE`."
    others = f" (others of this kind: {', '.join(names[1:])})" if names[1:] else ""
    return names[0], f"Through the connection {names[0]!r}{others}."
