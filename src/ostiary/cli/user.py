"""`ostiary user`."""

from typing import Any

import click

from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.terminal import moment, print_fields, print_json, print_table, visible
from ostiary.model.errors import NotFoundError

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
                row["display_name"],
                row["origin"],
                row["issuer"],
                moment(row["seen_at"]),
                _state(row),
            ]
            for row in rows
        ],
    )


def _every_user(invocation: Invocation) -> list[dict[str, Any]]:
    server = invocation.server
    rows: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = server.get("users", after=after, limit=_PAGE)
        rows += page["users"]
        after = page["after"]
    return rows


def _user(invocation: Invocation, name: str) -> dict[str, Any]:
    """The person with this name, without regard to case, or with this id. Raises `NotFoundError`."""
    plain = name.casefold()
    rows = _every_user(invocation)
    found = next((row for row in rows if str(row["name"]).casefold() == plain or row["id"] == name), None)
    if found is None:
        raise NotFoundError(f"There is nobody called {visible(name)}.", "See `ostiary user list`.")
    return found


def _state(row: dict[str, Any]) -> str:
    return "active" if row["active"] else "deactivated"


@user.command()
@click.argument("name")
@pass_invocation
def show(invocation: Invocation, name: str) -> None:
    """Show the person NAME: where they come from, their groups and their roles."""
    person = _user(invocation, name)
    if invocation.json:
        print_json({"user": person})
        return
    print_fields(
        [
            ("name", person["name"]),
            ("display name", person["display_name"]),
            ("e-mail", person["email"]),
            ("state", _state(person)),
            ("origin", person["origin"]),
            ("issuer", person["issuer"]),
            ("groups", ", ".join(person["groups"])),
            ("roles", ", ".join(person["roles"])),
            ("first seen", moment(person["created_at"])),
            ("last seen", moment(person["seen_at"])),
        ]
    )


def _do(invocation: Invocation, name: str, verb: str, sentence: str) -> None:
    result = invocation.server.post("users", _user(invocation, name)["id"], verb)
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
    result = invocation.server.get("users", _user(invocation, name)["id"], "sign-ins")
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
                row["kind"],
                row["agent"],
                row["device"],
                row["network"],
                moment(row["created_at"]),
                moment(row["seen_at"]),
                row["ended_why"] or "ended" if row["ended_at"] else "live",
            ]
            for row in rows
        ],
    )


@user.command("end-sign-in")
@click.argument("sign_in_id", metavar="ID")
@pass_invocation
def end_sign_in(invocation: Invocation, sign_in_id: str) -> None:
    """End the sign-in ID of whomever it is, with its tokens."""
    result = invocation.server.post("sign-ins", sign_in_id, "end")
    if invocation.json:
        print_json(result)
    else:
        print(f"The sign-in {visible(sign_in_id)} has ended, with its tokens.")


@user.command()
@click.argument("name")
@pass_invocation
def forget(invocation: Invocation, name: str) -> None:
    """Remove the person NAME. What they did stays in the audit log."""
    result = invocation.server.delete("users", _user(invocation, name)["id"])
    if invocation.json:
        print_json(result)
    else:
        print(f"{visible(name)} is removed; what they did stays in the audit log.")
