"""`ostiary`: the table of commands, and the one place where failures become sentences and exit codes."""

import json
import os
import sys
from importlib import import_module

import click

from ostiary import __version__
from ostiary.cli.invocation import Group, Invocation
from ostiary.cli.terminal import visible
from ostiary.model.errors import OstiaryError, UnreachableError

DONE, FAILED, WRONG_USAGE, NOT_REACHABLE, INTERRUPTED = 0, 1, 2, 3, 130

# name → (module under ostiary.cli, its command, the line in --help). Only that module is imported.
_COMMANDS = {
    "serve": ("serve", "serve", "Run the gateway, the API and the health listener."),
    "example": ("example", "example", "Print a configuration to begin with."),
    "apply": ("configuration", "apply", "Make the configuration what a file says."),
    "export": ("configuration", "export", "Print the configuration as such a file."),
    "secret": ("secret", "secret", "Set upstream credentials; nobody can read them back."),
    "login": ("login", "login", "Sign in, so that tools can have tokens."),
    "logout": ("login", "logout", "End your sign-in."),
    "whoami": ("login", "whoami", "Show where you are signed in."),
    "token": ("token", "token", "Print a fresh token; create, list and revoke the tokens that tools hold."),
    "run": ("run", "run", "Run a tool that goes through Ostiary."),
    "setup": ("setup", "setup", "Show, or write, how a tool goes through Ostiary."),
    "user": ("user", "user", "See people, end their access or give it back."),
    "service": ("service", "service", "Machines' accounts and their keys."),
    "scim": ("scim", "scim", "Let an identity provider provision people."),
    "owner": ("owner", "owner", "A link that makes, or recovers, the owner."),
    "sessions": ("sessions", "sessions", "Look at what tools did, and replay it."),
    "approvals": ("approvals", "approvals", "See and answer requests that wait for a person."),
    "mask": ("mask", "mask", "Try masking on a text, and see what it knows."),
    "audit": ("audit", "audit", "Verify, export and follow the audit log."),
    "doctor": ("doctor", "doctor", "Check this installation and say what to do."),
    "demo": ("demo", "demo", "Play the whole story with a local stand-in for Cursor's API."),
    "version": ("version", "version", "Print the version."),
}


class _Commands(Group):
    """Looks commands up in the table; `--help` imports none of them."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute, _help = _COMMANDS[name]
        command: click.Command = getattr(import_module(f"ostiary.cli.{module}"), attribute)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_module, _attribute, text) in _COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s", prog_name="ostiary")
def ostiary() -> None:
    """A doorkeeper for AI coding tools: the tool holds a short-lived token, only Ostiary holds the key."""


def run(arguments: list[str]) -> int:
    """The exit code of one run: 0 done, 1 refused or failed, 2 wrong usage, 3 not reachable."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its escape instead of a failure.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    return _run(arguments, Invocation())


def _run(arguments: list[str], invocation: Invocation) -> int:
    try:
        result = ostiary.main(arguments, prog_name="ostiary", obj=invocation, standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough (`ostiary audit tail | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return WRONG_USAGE
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "ostiary"
        return _fail(invocation, WRONG_USAGE, "usage", error.format_message(), f"See `{where} --help`.")
    except click.ClickException as error:
        return _fail(invocation, FAILED, "failed", error.format_message(), "")
    except (click.Abort, KeyboardInterrupt):
        print(file=sys.stderr)
        return INTERRUPTED
    except OstiaryError as error:
        exit_code = NOT_REACHABLE if isinstance(error, UnreachableError) else FAILED
        _show_trace(invocation)
        return _fail(invocation, exit_code, error.code, error.sentence, error.next_step)
    except Exception as error:  # noqa: BLE001 - the outermost loop: a person never meets a traceback
        _show_trace(invocation)
        advice = "Run it again with --debug and report what it shows; it holds no secret."
        return _fail(invocation, FAILED, "internal", f"Ostiary met a fault of its own ({_kind(error)}).", advice)
    return result if isinstance(result, int) else DONE


def _fail(invocation: Invocation, exit_code: int, code: str, sentence: str, next_step: str) -> int:
    """Say it once on stderr, in the form that was asked for."""
    if invocation.json:
        print(json.dumps({"error": {"code": code, "message": sentence, "next": next_step}}), file=sys.stderr)
    else:
        print(f"ostiary: {visible(f'{sentence} {next_step}'.strip(), keep_lines=True)}", file=sys.stderr)
    return exit_code


def _kind(error: Exception) -> str:
    """What may be said of a foreign exception: its type, and the text of the system's own errors."""
    name = type(error).__name__
    return f"{name}: {error.strerror}" if isinstance(error, OSError) and error.strerror else name


def _show_trace(invocation: Invocation) -> None:
    """With --debug, where it happened: files, lines and functions, never values or messages."""
    if not invocation.debug:
        return
    import traceback

    _kind_of_error, error, trace = sys.exc_info()
    for frame in traceback.extract_tb(trace):
        print(f"  {frame.filename}:{frame.lineno} in {frame.name}", file=sys.stderr)
    print(f"  {type(error).__name__}", file=sys.stderr)
