"""HOME/server.json: what a running server says of itself to the commands beside it."""

import json
from pathlib import Path
from typing import Any

from ostiary.settings import Settings


def read_server_file(home: Path) -> dict[str, Any]:
    """What the file holds; empty when it is missing or unreadable. A killed server leaves its file behind."""
    try:
        value = json.loads((home / "server.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def gateway_url(home: Path) -> str:
    """Such as `http://127.0.0.1:8420`: where tools reach the gateway of this machine, running or not."""
    settings = Settings.from_environment()
    server = read_server_file(home)
    told = server.get("gateway_url") or server.get("gateway") or settings.gateway_url
    return _from_here(str(told) if told else f"{'https' if settings.tls_cert else 'http'}://{settings.gateway}")


def local_console_url(home: Path) -> str:
    """Where the console of this HOME's server is reached; "" when none runs."""
    told = read_server_file(home)
    return _from_here(str(told.get("console_url") or told.get("console") or "")).rstrip("/")


def _from_here(url: str) -> str:
    for everywhere, here in (("//0.0.0.0:", "//127.0.0.1:"), ("//[::]:", "//[::1]:")):
        url = url.replace(everywhere, here)
    return url
