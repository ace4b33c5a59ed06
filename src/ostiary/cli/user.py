"""`ostiary user`."""

from typing import Any

import click

from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.terminal import moment, print_fields, print_json, print_table, visible

_PAGE = 200


@click.group(cls=Group)
def user() -> None:
    """See people, end their access or give it back."""


@user.command("list")
@pass_invocation
def list_users(invocation: Invocation) -> None:
    """List the people who have signed in or were provisioned."""
    rows = _every_user(invocation)
    if invocation.json:
        print_json({"users": rows})
        return
    if not rows:
        print("Nobody yet: people appear when they first sign in, or when SCIM provisions them.")
        return
    print_table(
        ["NAME", "DISPLAY NAME", "ORIGIN", "ISSUER", "LAST SEEN", "STATE"],
        [
            [
                row["name"],
                row.get("display_name"),
                row.get("origin"),
                row.get("issuer"),
                moment(row.get("seen_at")),
                _state(row),
            ]
            for row in rows
        ],
    )


def _every_user(invocation: Invocation) -> list[dict[str, Any]]:
    server, rows, after = invocation.server, [], ""
    while True:
        page: list[dict[str, Any]] = server.get("users", after=after or None, limit=_PAGE)["users"]
        rows += page
        if len(page) < _PAGE:
            return rows
        after = str(page[-1]["name"])


def _state(row: dict[str, Any]) -> str:
    return "active" if row.get("active") else "deactivated"


@user.command()
@click.argument("name")
@pass_invocation
def show(invocation: Invocation, name: str) -> None:
    """Show the person NAME: where they come from, their groups and what they may do."""
    result = invocation.server.get("users", name)
    if invocation.json:
        print_json(result)
        return
    person = result["user"]
    print_fields(
        [
            ("name", person.get("name")),
            ("display name", person.get("display_name")),
            ("e-mail", person.get("email")),
            ("state", _state(person)),
            ("origin", person.get("origin")),
            ("issuer", person.get("issuer")),
            ("subject", person.get("subject")),
            ("groups", ", ".join(person.get("groups") or [])),
            ("may", ", ".join(person.get("permissions") or [])),
            ("first seen", moment(person.get("created_at"))),
            ("last seen", moment(person.get("seen_at"))),
        ]
    )


def _do(invocation: Invocation, name: str, verb: str, sentence: str) -> None:
    result = invocation.server.post("users", name, verb)
    if invocation.json:
        print_json(result)
    else:
        print(f"{visible(name)} {sentence}")


@user.command()
@click.argument("name")
@pass_invocation
def deactivate(invocation: Invocation, name: str) -> None:
    """End everything the person NAME has, now: sign-ins, tokens, waiting requests, running streams."""
    _do(invocation, name, "deactivate", "is deactivated: sign-ins and tokens have ended, running streams end now.")


@user.command()
@click.argument("name")
@pass_invocation
def activate(invocation: Invocation, name: str) -> None:
    """Let the person NAME sign in again. What had ended stays ended."""
    _do(invocation, name, "activate", "may sign in again.")


@user.command("sign-ins")
@click.argument("name")
@pass_invocation
def sign_ins(invocation: Invocation, name: str) -> None:
    """List where the person NAME is signed in."""
    result = invocation.server.get("users", name, "sign-ins")
    if invocation.json:
        print_json(result)
        return
    rows = result["sign_ins"]
    if not rows:
        print(f"{visible(name)} is not signed in anywhere.")
        return
    print_table(
        ["ID", "KIND", "AGENT", "DEVICE", "NETWORK", "SIGNED IN", "LAST SEEN", "STATE"],
        [
            [
                row["id"],
                row.get("kind"),
                row.get("agent"),
                row.get("device"),
                row.get("network"),
                moment(row.get("created_at")),
                moment(row.get("seen_at")),
                row.get("ended_why") or "ended" if row.get("ended_at") else "live",
            ]
            for row in rows
        ],
    )


@user.command("end-sign-in")
@click.argument("name")
@click.argument("sign_in_id", metavar="ID")
@pass_invocation
def end_sign_in(invocation: Invocation, name: str, sign_in_id: str) -> None:
    """End the sign-in ID of the person NAME, with its tokens."""
    result = invocation.server.post("users", name, "sign-ins", sign_in_id, "end")
    if invocation.json:
        print_json(result)
    else:
        print(f"The sign-in {visible(sign_in_id)} of {visible(name)} has ended, with its tokens.")
