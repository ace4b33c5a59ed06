"""`ostiary approvals`."""

import click

from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.terminal import actor_label, moment, print_fields, print_json, print_table, size, visible

_STATES = ["waiting", "granted", "used", "denied", "expired", "withdrawn", "all"]


@click.group(cls=Group)
def approvals() -> None:
    """See and answer requests that wait for a person."""


@approvals.command("list")
@click.option("--state", type=click.Choice(_STATES), default="waiting", show_default=True)
@pass_invocation
def list_approvals(invocation: Invocation, state: str) -> None:
    """List the requests that wait."""
    result = invocation.server.get("approvals", state=None if state == "all" else state)
    if invocation.json:
        print_json(result)
        return
    rows = result["approvals"]
    if not rows:
        print("Nothing waits for approval." if state == "waiting" else "There is none.")
        return
    print_table(
        ["ID", "STATE", "EXPIRES", "WHO", "WANTS"],
        [
            [
                row["id"],
                row["state"],
                moment(row["expires_at"]),
                actor_label({"name": row["actor"], "agent": row["agent"]}),
                f"{row['operation']} on {row['connection']}",
            ]
            for row in rows
        ],
    )


@approvals.command()
@click.argument("approval_id", metavar="ID")
@pass_invocation
def show(invocation: Invocation, approval_id: str) -> None:
    """Show exactly what would be sent, and who asks."""
    result = invocation.server.get("approvals", approval_id)
    if invocation.json:
        print_json(result)
        return
    approval = result["approval"]
    print_fields(
        [
            ("approval", approval.get("id")),
            ("state", approval.get("state")),
            ("who asks", actor_label({"name": approval["actor"], "agent": approval["agent"]})),
            ("connection", approval.get("connection")),
            ("operation", approval.get("operation")),
            ("rule", approval.get("rule")),
            ("asked", moment(approval.get("asked_at"))),
            ("expires", moment(approval.get("expires_at"))),
            ("tool", "waits for the answer" if approval.get("clients_waiting") else "went away; may send it again"),
            ("decided by", approval.get("decided_by")),
            ("decided", moment(approval.get("decided_at"))),
            ("reason", approval.get("reason")),
            ("body", size(approval.get("body_bytes"))),
            ("fingerprint", approval.get("fingerprint")),
        ]
    )
    print("\nThe request, exactly as it would be sent (without the key):\n")
    # The preview shows hidden characters as escapes already; escaping it again would escape those.
    for line in str(approval.get("preview", "")).split("\n"):
        print(f"    {line}".rstrip())
    if approval.get("state") == "waiting":
        command = f"ostiary{invocation.home_option} approvals approve {visible(approval.get('id'))}"
        print(f"\nAnswer: {command}   (or deny)")


def _answer(invocation: Invocation, approval_id: str, verb: str, reason: str) -> None:
    result = invocation.server.post("approvals", approval_id, verb, body={"reason": reason or None})
    if invocation.json:
        print_json(result)
    else:
        past = {"approve": "approved: it is sent once, as shown", "deny": "denied: it is not sent"}[verb]
        print(f"The request {visible(approval_id)} is {past}.")


@approvals.command()
@click.argument("approval_id", metavar="ID")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit log.")
@pass_invocation
def approve(invocation: Invocation, approval_id: str, reason: str) -> None:
    """Let the request ID be sent, once and exactly as shown."""
    _answer(invocation, approval_id, "approve", reason)


@approvals.command()
@click.argument("approval_id", metavar="ID")
@click.option("--reason", default="", metavar="TEXT", help="Why; the one who asked sees it.")
@pass_invocation
def deny(invocation: Invocation, approval_id: str, reason: str) -> None:
    """Refuse the request ID."""
    _answer(invocation, approval_id, "deny", reason)
