"""`ostiary owner`."""

import sys

import click

from ostiary.cli.client import AdminClient
from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.terminal import print_json, visible


@click.group(cls=Group)
def owner() -> None:
    """A link that makes, or recovers, the owner."""


@owner.command()
@pass_invocation
def link(invocation: Invocation) -> None:
    """Make a link that works once, for setting up the owner's passkey or code; whoever opens it is the owner.

    Only beside the server, as the user who runs it: it is the way back in when no identity provider works.
    """
    if invocation.console_given is not None:
        raise click.UsageError("The link is only made beside the server: leave out --console.")
    made = AdminClient(invocation.home, invocation.home_option).post("owner-link")
    if invocation.json:
        print_json(made)
        return
    print(visible(made["url"]))
    print("It works once, within 24 hours. Any link before it is void.", file=sys.stderr)
