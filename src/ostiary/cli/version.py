"""`ostiary version`."""

import click

from ostiary import __version__
from ostiary.cli.invocation import Command, Invocation, pass_invocation
from ostiary.cli.terminal import print_json


@click.command(cls=Command)
@pass_invocation
def version(invocation: Invocation) -> None:
    """Print the version."""
    if invocation.json:
        print_json({"version": __version__})
    else:
        print(f"ostiary {__version__}")
