"""`ostiary service`: accounts of machines."""

import click

from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.new_token import print_new_token
from ostiary.cli.terminal import moment, print_json, print_table, visible
from ostiary.cli.token import TimeSpan, certificate_option, names_in, token_state

_ACCOUNTS = "service-accounts"


@click.group(cls=Group)
def service() -> None:
    """Machines' accounts and their keys."""


@service.command()
@click.argument("name")
@click.option("--groups", multiple=True, metavar="A,B", callback=names_in, help="Groups it belongs to.")
@click.option("--connection", "connections", multiple=True, metavar="C", callback=names_in, help="Only for this one.")
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@pass_invocation
def create(invocation: Invocation, name: str, groups: list[str], connections: list[str], description: str) -> None:
    """Make the service account NAME. It opens nothing before it has a key."""
    body: dict[str, object] = {"name": name, "groups": groups, "description": description}
    if connections:
        body["connections"] = connections
    result = invocation.server.post(_ACCOUNTS, body=body)
    if invocation.json:
        print_json(result)
    else:
        print(f"The service account {visible(name)} is made. A key for it: ostiary service key {visible(name)}")


@service.command("list")
@pass_invocation
def list_accounts(invocation: Invocation) -> None:
    """List the service accounts."""
    result = invocation.server.get(_ACCOUNTS)
    if invocation.json:
        print_json(result)
        return
    rows = result["service_accounts"]
    if not rows:
        print("No service account yet. Make one: ostiary service create NAME")
        return
    print_table(
        ["NAME", "GROUPS", "CONNECTIONS", "MADE", "BY", "STATE", "DESCRIPTION"],
        [
            [
                row["name"],
                ",".join(row["groups"]),
                "all" if row["connections"] is None else ",".join(row["connections"]),
                moment(row["created_at"]),
                row["created_by"],
                "disabled" if row["disabled_at"] else "live",
                row["description"],
            ]
            for row in rows
        ],
    )


def _switch(invocation: Invocation, name: str, verb: str, sentence: str) -> None:
    result = invocation.server.post(_ACCOUNTS, name, verb)
    if invocation.json:
        print_json(result)
    else:
        print(f"The service account {visible(name)} {sentence}")


@service.command()
@click.argument("name")
@pass_invocation
def disable(invocation: Invocation, name: str) -> None:
    """End all keys of the service account NAME, for good, and refuse its platform's own tokens."""
    _switch(invocation, name, "disable", "is disabled; its keys have ended, and its platform's own tokens are refused.")


@service.command()
@click.argument("name")
@pass_invocation
def enable(invocation: Invocation, name: str) -> None:
    """Let the service account NAME have keys again."""
    _switch(invocation, name, "enable", "may have keys again.")


@service.command()
@click.argument("name")
@click.option("--ttl", type=TimeSpan(), metavar="TIME", help="How long it lives: 15m, 12h, 30d.")
@certificate_option
@pass_invocation
def key(invocation: Invocation, name: str, ttl: float | None, certificate: str | None) -> None:
    """Make a key for the service account NAME and print it once: alone on standard output when that is a pipe."""
    body = {name: value for name, value in (("ttl_s", ttl), ("certificate", certificate)) if value is not None}
    result = invocation.server.post(_ACCOUNTS, name, "keys", body=body)
    print_new_token(invocation, result, f"Key of {visible(name)}", "")


@service.command()
@click.argument("name")
@pass_invocation
def keys(invocation: Invocation, name: str) -> None:
    """List the keys of the service account NAME; never a key itself."""
    result = invocation.server.get(_ACCOUNTS, name, "keys")
    if invocation.json:
        print_json(result)
        return
    rows = result["keys"]
    if not rows:
        print(f"{visible(name)} has no key. Make one: ostiary service key {visible(name)}")
        return
    print_table(
        ["ID", "MADE", "EXPIRES", "LAST USED", "STATE"],
        [
            [
                row["id"],
                moment(row["created_at"]),
                moment(row["expires_at"]),
                moment(row["last_used_at"]),
                token_state(row),
            ]
            for row in rows
        ],
    )


@service.command()
@click.argument("name")
@click.argument("key_id", metavar="ID")
@pass_invocation
def revoke(invocation: Invocation, name: str, key_id: str) -> None:
    """End the key ID of the service account NAME now."""
    result = invocation.server.delete(_ACCOUNTS, name, "keys", key_id)
    if invocation.json:
        print_json(result)
    else:
        print(f"The key {visible(key_id)} of {visible(name)} is revoked.")
