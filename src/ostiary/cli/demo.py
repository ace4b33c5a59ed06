"""`ostiary demo`."""

import click

from ostiary.cli.invocation import Command


@click.command(cls=Command)
@click.option("--keep", is_flag=True, help="Leave the demo's home behind and say where it is.")
def demo(keep: bool) -> None:
    """Play the whole story in this terminal, in under a minute: no account, no internet.

    Everything is real but the upstream, a local stand-in for Cursor's API: a server of its own in a temporary
    home, this command line, and plain HTTP. Exits with 1 when anything comes out differently than it should.
    """
    from ostiary.cli.demo_story import play

    play(keep)
