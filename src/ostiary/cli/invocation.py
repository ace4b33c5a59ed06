"""What every command shares: `--home`, `--json`, `--debug`, and the way to the running server."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostiary.settings import Settings, default_home

if TYPE_CHECKING:
    from ostiary.cli.client import AdminClient


@dataclass
class Invocation:
    """One run of the command line; click hands it to the commands."""

    home_given: Path | None = None
    json: bool = False
    debug: bool = False

    @property
    def home(self) -> Path:
        try:
            return self.home_given or Settings.from_environment().home
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    @property
    def home_option(self) -> str:
        """` --home DIR` as advice should show it, or "" when HOME is the usual one."""
        return "" if self.home == default_home() else f" --home {self.home}"

    @property
    def server(self) -> "AdminClient":
        # HTTP is a fifth of the start-up time, and not every command needs it.
        from ostiary.cli.client import AdminClient

        return AdminClient(self.home, self.home_option)


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def _set_home(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).home_given = value.expanduser().absolute()


def _set_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).json = True


def _set_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).debug = True


def _shared_options() -> list[click.Parameter]:
    """The three options every command and group takes, before or after its own name."""
    return [
        click.Option(
            ["--home"],
            type=click.Path(file_okay=True, path_type=Path),
            metavar="DIR",
            expose_value=False,
            is_eager=True,
            callback=_set_home,
            help="Where the installation lives (OSTIARY_HOME; default ~/.local/share/ostiary).",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_set_json,
            help="Print JSON.",
        ),
        click.Option(["--debug"], is_flag=True, expose_value=False, is_eager=True, callback=_set_debug, hidden=True),
    ]


class Command(click.Command):
    """A command that also takes the shared options."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params += _shared_options()


class Group(click.Group):
    """A group that takes the shared options, as its commands do, and knows the nearest name for a typo."""

    command_class = Command

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params += _shared_options()

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0]
        if not name.startswith("-") and self.get_command(context, name) is None:
            from difflib import get_close_matches

            near = get_close_matches(name, self.list_commands(context), n=1)
            advice = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {name!r}.{advice}", context)
        return super().resolve_command(context, arguments)
