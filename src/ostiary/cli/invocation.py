"""What every command shares: `--home`, `--console`, `--json`, `--debug`, and the way to the running server."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostiary.settings import Settings, default_home

if TYPE_CHECKING:
    from ostiary.cli.client import Api


@dataclass
class Invocation:
    """One run of the command line; click hands it to the commands."""

    home_given: Path | None = None
    console_given: str | None = None
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
    def console(self) -> str | None:
        """The console asked for with `--console` or OSTIARY_CONSOLE; `--home` means a server on this machine."""
        if self.console_given is not None or self.home_given is not None:
            return self.console_given
        from ostiary.cli.login_file import console_of_environment

        text = console_of_environment()
        return None if text is None else console_url(text, "OSTIARY_CONSOLE")

    @property
    def server(self) -> "Api":
        """The console that was asked for; else this HOME's server; else, where none runs and HOME is the usual one, the
        console of the latest sign-in."""
        # HTTP is a fifth of the start-up time, and not every command needs it.
        from ostiary.cli.client import AdminClient

        home = self.home
        if self.console is None and ((home / "admin.sock").exists() or home != default_home()):
            return AdminClient(home, self.home_option)
        from ostiary.cli.console_client import client_of_login

        remote = client_of_login(self.console, quiet=self.json)
        return AdminClient(home, self.home_option) if remote is None else remote


def console_url(text: str, where: str) -> str:
    """The console's URL in one spelling. Raises `click.UsageError`."""
    from ostiary.cli.login_file import console_from

    url = console_from(text)
    if not url:
        raise click.UsageError(
            f"{where} {text!r} is not the address of a console, for example https://ostiary.example."
        )
    return url


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def _set_home(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).home_given = value.expanduser().absolute()


def _set_console(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Invocation).console_given = console_url(value, "--console")


def _set_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).json = True


def _set_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).debug = True


def _shared_options(own: list[click.Parameter]) -> list[click.Parameter]:
    """The options every command and group takes, before or after its own name; not those it has of its own."""
    taken = {name for parameter in own for name in parameter.opts}
    return [option for option in _every_shared_option() if not taken.intersection(option.opts)]


def _every_shared_option() -> list[click.Parameter]:
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
            ["--console"],
            metavar="URL",
            expose_value=False,
            is_eager=True,
            callback=_set_console,
            help="Ask this console, as whoever signed in there with `ostiary login`.",
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
        self.params += _shared_options(self.params)


class Group(click.Group):
    """A group that takes the shared options, as its commands do, and knows the nearest name for a typo."""

    command_class = Command

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params += _shared_options(self.params)

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
