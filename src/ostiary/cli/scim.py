"""`ostiary scim`."""

import click

from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.new_token import print_new_token
from ostiary.cli.token import TimeSpan


@click.group(cls=Group)
def scim() -> None:
    """Let an identity provider provision people."""


@scim.command("token")
@click.option("--name", metavar="NAME", help="What the audit log calls whoever uses it; default scim.")
@click.option("--ttl", type=TimeSpan(), metavar="TIME", help="How long it lives: 90d, 365d; default the longest.")
@pass_invocation
def make_token(invocation: Invocation, name: str | None, ttl: float | None) -> None:
    """Make the token that the identity provider uses for /scim/v2, and print it once."""
    body = {"scope": "scim", "actor": name, "ttl_s": ttl}
    made = invocation.server.post("tokens", body={key: value for key, value in body.items() if value is not None})
    advice = "Give it to the identity provider, with the console's address and /scim/v2. It opens nothing else."
    print_new_token(invocation, made, "Token for SCIM", advice)
