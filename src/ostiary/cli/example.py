"""`ostiary example`: configurations to begin with, also where there is no copy of the repository."""

from importlib.resources import files

import click

from ostiary.cli.invocation import Command, Invocation, pass_invocation
from ostiary.cli.terminal import print_json

_SUFFIX = ".yaml"


def example_names() -> list[str]:
    return sorted(
        entry.name.removesuffix(_SUFFIX)
        for entry in files("ostiary").joinpath("examples").iterdir()
        if entry.name.endswith(_SUFFIX)
    )


@click.command(cls=Command)
@click.argument("name", required=False, type=click.Choice(example_names()))
@pass_invocation
def example(invocation: Invocation, name: str | None) -> None:
    """Print the example NAME, or the names there are. Try: ostiary example cursor | ostiary apply -f -"""
    if name is None:
        names = example_names()
        if invocation.json:
            print_json({"examples": names})
        else:
            print("\n".join(names))
        return
    text = files("ostiary").joinpath("examples", name + _SUFFIX).read_text(encoding="utf-8")
    if invocation.json:
        print_json({"name": name, "yaml": text})
    else:
        print(text, end="")
