"""A token that was just made: printed this once."""

import sys
from collections.abc import Mapping
from typing import Any

from ostiary.cli.invocation import Invocation
from ostiary.cli.terminal import moment, print_json, visible


def print_new_token(invocation: Invocation, made: Mapping[str, Any], title: str, advice: str) -> None:
    """The token alone on standard output; what it is, and what to do with it, beside it when a person looks on."""
    if invocation.json:
        print_json(made)
        return
    for name in made.get("unknown_connections") or []:
        print(f"Note: there is no connection {visible(name)} yet.", file=sys.stderr)
    watched = sys.stdout.isatty()
    if watched:
        print(f"{title}, valid until {moment(made['expires_at'])}. It is shown this once:", file=sys.stderr)
    print(made["token"])
    if watched and advice:
        print(advice, file=sys.stderr)
