"""`ostiary token`."""

import re
from datetime import UTC, datetime
from typing import IO, Any

import click

from ostiary.cli.agent_label import agent_option
from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.new_token import print_new_token
from ostiary.cli.terminal import moment, print_json, print_table, seconds_from, visible

_CERTIFICATE_MAX_BYTES = 64 * 1024
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\n?")


class TimeSpan(click.ParamType[float]):
    """`1h`, `30m`, … as seconds."""

    name = "time"

    def convert(self, value: object, parameter: click.Parameter | None, context: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else seconds_from(str(value))
        except ValueError as error:
            self.fail(str(error), parameter, context)


def names_in(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """`-x a,b -x c` as a, b, c."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _certificate(_context: click.Context, _parameter: click.Parameter, value: IO[bytes] | None) -> str | None:
    """One PEM certificate; never the file's private key."""
    if value is None:
        return None
    text = value.read(_CERTIFICATE_MAX_BYTES).decode("ascii", "replace")
    found = _PEM.search(text)
    if found is None:
        raise click.BadParameter("the file holds no PEM certificate (-----BEGIN CERTIFICATE-----).")
    return found.group()


certificate_option = click.option(
    "--certificate",
    type=click.File("rb"),
    metavar="FILE",
    callback=_certificate,
    help="PEM certificate: only who connects with it may use the token (mutual TLS).",
)


@click.group(cls=Group, invoke_without_command=True)
@agent_option
@click.pass_context
def token(context: click.Context, agent: str | None) -> None:
    """Print a fresh token of your sign-in, alone on standard output, for tools that run a command to get their key.

    Or create, list and revoke the tokens that tools hold.
    """
    if context.invoked_subcommand is not None:
        return
    # The usual case, a token that is still fresh, ends before this is loaded: see quick_token.
    from ostiary.cli import access, login_file

    invocation = context.ensure_object(Invocation)
    login = access.chosen_login(invocation.console, agent)
    fresh = access.access_of(login)
    if invocation.json:
        print_json(login_file.access_document(login, fresh))
    else:
        print(fresh["token"])


@token.command()
@click.option("--actor", metavar="NAME", help="Who the token speaks for; you, where you have a sign-in.")
@click.option("--kind", type=click.Choice(["user", "service"]), default="user", help="Default user.")
@click.option("--agent", metavar="LABEL", help="The tool that acts for the person; makes an agent's token.")
@click.option("--groups", multiple=True, metavar="A,B", callback=names_in, help="Groups the actor belongs to.")
@click.option("--ttl", type=TimeSpan(), metavar="TIME", help="How long it lives: 90s, 15m, 12h, 7d (default 12h).")
@click.option("--connection", "connections", multiple=True, metavar="C", callback=names_in, help="Only for this one.")
@certificate_option
@pass_invocation
def create(
    invocation: Invocation,
    actor: str | None,
    kind: str,
    agent: str | None,
    groups: list[str],
    ttl: float | None,
    connections: list[str],
    certificate: str | None,
) -> None:
    """Make a token and print it once: alone on standard output when that is a pipe."""
    if agent and kind == "service":
        raise click.UsageError("--agent belongs to a person's token; leave out --kind service.")
    request: dict[str, object] = {"kind": "agent" if agent else kind, "groups": groups}
    optional = {
        "actor": actor,
        "agent": agent,
        "ttl_s": ttl,
        "connections": connections or None,
        "certificate": certificate,
    }
    request |= {name: value for name, value in optional.items() if value is not None}
    result = invocation.server.post("tokens", body=request)
    advice = "Give it to the tool: ostiary setup cursor|claude-code|codex|opencode"
    print_new_token(invocation, result, f"Token for {visible(actor or 'you')}", advice)


@token.command("list")
@pass_invocation
def list_tokens(invocation: Invocation) -> None:
    """List the tokens that were made: whose, until when, last used; never the token itself."""
    result = invocation.server.get("tokens")
    if invocation.json:
        print_json(result)
        return
    rows = result["tokens"]
    if not rows:
        print("No token yet. Make one: ostiary token create --actor NAME")
        return
    print_table(
        ["ID", "ACTOR", "KIND", "AGENT", "SCOPE", "GROUPS", "CONNECTIONS", "EXPIRES", "LAST USED", "STATE"],
        [
            [
                row["id"],
                row["actor"],
                row["kind"],
                row["agent"],
                row["scope"],
                ",".join(row["groups"]),
                "all" if row["connections"] is None else ",".join(row["connections"]),
                moment(row["expires_at"]),
                moment(row["last_used_at"]),
                token_state(row),
            ]
            for row in rows
        ],
    )


def token_state(row: dict[str, Any]) -> str:
    if row["revoked_at"]:
        return "revoked"
    return "expired" if datetime.fromisoformat(row["expires_at"]) <= datetime.now(UTC) else "live"


@token.command()
@click.argument("token_id", metavar="ID")
@pass_invocation
def revoke(invocation: Invocation, token_id: str) -> None:
    """End the token ID now; its running exchanges end within five seconds."""
    result = invocation.server.delete("tokens", token_id)
    if invocation.json:
        print_json(result)
    else:
        print(f"The token {visible(token_id)} is revoked.")
