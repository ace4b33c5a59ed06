"""The option that says which tool acts for the person."""

import click

from ostiary.cli.terminal import visible

LABEL_MAX = 100


def _label(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """One line of visible characters, as the console takes it."""
    if value is not None and not (value.isprintable() and value.strip() == value and 0 < len(value) <= LABEL_MAX):
        raise click.BadParameter(f"{visible(value)!r} is no label; write for example cursor@laptop.")
    return value


agent_option = click.option(
    "--agent",
    metavar="LABEL",
    envvar="OSTIARY_AGENT",
    callback=_label,
    help="The tool that acts for you, for example cursor@laptop (OSTIARY_AGENT).",
)
