"""The program's entry: a cached token at once, everything else through the table of commands."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 refused or failed, 2 wrong usage, 3 not reachable."""
    from ostiary.cli.quick_token import quick_token

    arguments = sys.argv[1:]
    if quick_token(arguments):
        sys.exit(0)
    from ostiary.cli.commands import run

    sys.exit(run(arguments))
