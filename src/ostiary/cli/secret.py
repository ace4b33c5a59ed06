"""`ostiary secret`."""

import sys

import click

from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.terminal import moment, print_json, print_table, visible
from ostiary.model.errors import CallerError

_VALUE_MAX_BYTES = 4096


@click.group(cls=Group)
def secret() -> None:
    """Set upstream credentials; nobody can read them back."""


@secret.command("set")
@click.argument("name")
@pass_invocation
def set_value(invocation: Invocation, name: str) -> None:
    """Store the value of the secret NAME, read from standard input or from a prompt that does not show it.

    One line end at the end of standard input is not part of the value.
    """
    result = invocation.server.put("secrets", name, body={"value": _read_value(name)})
    if invocation.json:
        print_json(result)
    else:
        print(f"The secret {visible(name)} is set (version {result['version']}). It can be replaced, not read back.")


def _read_value(name: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"Value of {visible(name)}", hide_input=True, err=True))
    content = sys.stdin.buffer.read(_VALUE_MAX_BYTES + 3)
    content = content.removesuffix(b"\r\n") if content.endswith(b"\r\n") else content.removesuffix(b"\n")
    if not content:
        raise CallerError("The value on standard input is empty.", f"Pipe it in: ostiary secret set {name} <FILE")
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise CallerError(
            "The value holds bytes outside ASCII, which no HTTP header may carry.",
            "Check that the right file was piped in.",
        ) from None


@secret.command("list")
@pass_invocation
def list_secrets(invocation: Invocation) -> None:
    """List the secrets' names and where they live; never a value."""
    result = invocation.server.get("secrets")
    if invocation.json:
        print_json(result)
        return
    rows = result["secrets"]
    if not rows:
        print("No secret yet. Set one: ostiary secret set NAME")
        return
    print_table(
        ["NAME", "PROVIDER", "REFERENCE", "VERSION", "SET AT"],
        [[row["name"], row["provider"], row["reference"], row["version"], moment(row["set_at"])] for row in rows],
    )
