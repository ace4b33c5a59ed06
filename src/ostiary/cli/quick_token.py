"""`ostiary token` from the cache, without loading the command line: tools ask for it before every request."""

from __future__ import annotations

import json
import os
import sys
import time

from ostiary.cli import login_file

_OPTIONS = ("--agent", "--console")


def quick_token(arguments: list[str]) -> bool:
    """Whether these arguments ask for a token, and a fresh one was there and is printed. Otherwise nothing has
    happened, and the command line says what is wrong or fetches one."""
    asked = _asked(arguments)
    if asked is None:
        return False
    try:
        login = login_file.find(login_file.read(), asked["--console"], asked["--agent"])
        cached = login_file.fresh_access(login, "gateway", time.time()) if login else None
        if login is None or cached is None:
            return False
        text = cached["token"]
        if asked["--json"]:
            text = json.dumps(login_file.access_document(login, cached), indent=2)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except (OSError, login_file.LoginFileError):
        return False
    return True


def _asked(arguments: list[str]) -> dict[str, str | None] | None:
    """The options' values for exactly `token` with some of them; None for everything else."""
    if not arguments or arguments[0] != "token":
        return None
    asked: dict[str, str | None] = {
        "--console": login_file.console_of_environment(),
        "--agent": os.environ.get("OSTIARY_AGENT") or None,
        "--json": None,
    }
    words = iter(arguments[1:])
    for word in words:
        if word == "--json":
            asked[word] = word
            continue
        name, equals, value = word.partition("=")
        if name not in _OPTIONS:
            return None
        if not equals:
            value = next(words, "")
        if not value:
            return None
        asked[name] = value
    if asked["--console"]:
        asked["--console"] = login_file.console_from(asked["--console"])
    return asked
