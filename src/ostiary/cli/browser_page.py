"""How a browser learns an address that others on this machine must not: from a file of one's own.

The arguments of a process are for everybody to read. Whoever knows the address of a sign-in that has begun can finish
it as themselves, and this command line would be signed in as them.
"""

import html
import os
import secrets
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<title>Ostiary</title><meta http-equiv="refresh" content="0;url={url}"></head>
<body><p><a href="{url}">Go on to sign in</a></p></body></html>
"""


@contextmanager
def opened(url: str) -> Iterator[bool]:
    """Within, a browser has been asked to open `url`; False when there is none, or no place for the file. The file is
    there for as long, since some browsers take their time to start."""
    path = _written(url)
    try:
        yield path is not None and _open(path.as_uri())
    finally:
        if path is not None:
            with suppress(OSError):
                path.unlink()


def _written(url: str) -> Path | None:
    quoted = html.escape(url)
    for folder in _folders():
        path = folder / f"ostiary-login-{secrets.token_hex(8)}.html"
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(_PAGE.format(url=quoted))
        except OSError:
            continue
        return path
    return None


def _folders() -> Iterator[Path]:
    """The home folder itself before all: browsers that come as a snap read nothing hidden, and no other's /tmp or
    runtime folder."""
    with suppress(RuntimeError):
        yield Path.home()
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        yield Path(runtime)


def _open(address: str) -> bool:
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False
