"""`ostiary apply` and `ostiary export`."""

import sys
from collections.abc import Mapping
from typing import IO, Any

import click

from ostiary.cli.invocation import Command, Invocation, pass_invocation
from ostiary.cli.terminal import paint, print_json, visible
from ostiary.model.errors import OperatorError

_FILE_MAX_BYTES = 4 * 1024 * 1024
_COLOUR = {"+": "green", "~": "yellow", "-": "red"}
_VERB = {"+": "created", "~": "changed", "-": "removed"}


@click.command(cls=Command)
@click.option("-f", "--file", "source", type=click.File("rb"), required=True, help="- is standard input.")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
@click.option("--prune", is_flag=True, help="Also remove what the file does not name.")
@pass_invocation
def apply(invocation: Invocation, source: IO[bytes], dry_run: bool, prune: bool) -> None:
    """Make the configuration what FILE says: print a plan, then apply all of it or nothing."""
    filename = name_of(source)
    request = {"yaml": text_of(source), "filename": filename, "prune": prune}
    result = invocation.server.post("configuration", "plan" if dry_run else "apply", body=request)
    if invocation.json:
        print_json(result)
        return
    steps = result.get("plan", [])
    for step in steps:
        print(_line(step))
    print(_summary(steps, dry_run))
    for note in result.get("notes", []):
        print(f"Note: {visible(note)}", file=sys.stderr)
    if not dry_run:
        for secret in invocation.server.get("secrets")["secrets"]:
            if secret["provider"] == "stored" and secret["version"] is None:
                name = visible(secret["name"])
                print(f"{name} has no value yet: ostiary{invocation.home_option} secret set {name}")


def name_of(source: IO[bytes]) -> str:
    return "standard input" if source.name in ("-", "<stdin>") else str(source.name)


def text_of(source: IO[bytes]) -> str:
    """The declarative file's text. Raises `OperatorError` for what cannot be one."""
    filename = name_of(source)
    content = source.read(_FILE_MAX_BYTES + 1)
    if len(content) > _FILE_MAX_BYTES:
        raise OperatorError(f"{filename} is larger than 4 MiB: that is no configuration.", "Check the file's name.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise OperatorError(f"{filename}, line {line}: this is not UTF-8 text.", "Save it as UTF-8.") from None


def _line(step: Mapping[str, Any]) -> str:
    action = str(step.get("action", "?"))
    detail = visible(step.get("detail") or "")
    text = f"{action} {visible(step.get('kind', ''))} {visible(step.get('name', ''))}"
    coloured = paint(text, _COLOUR[action]) if action in _COLOUR else visible(text)
    return f"{coloured}  {detail}".rstrip()


def _summary(steps: list[Mapping[str, Any]], dry_run: bool) -> str:
    if not steps:
        return "Nothing to change: the configuration is already what the file says."
    counts = {action: sum(1 for step in steps if step.get("action") == action) for action in _VERB}
    told = ", ".join(f"{count} {_VERB[action]}" for action, count in counts.items() if count)
    return f"Would be applied: {told}. Nothing was changed (--dry-run)." if dry_run else f"Applied: {told}."


@click.command(cls=Command)
@pass_invocation
def export(invocation: Invocation) -> None:
    """Print the current configuration as a file for `ostiary apply`; never a secret's value."""
    result = invocation.server.get("configuration")
    if invocation.json:
        print_json(result)
        return
    text = str(result["yaml"])
    # Into a file it goes as it is; a terminal must not act on what somebody put into a message or a path.
    sys.stdout.write(visible(text, keep_lines=True) if sys.stdout.isatty() else text)
