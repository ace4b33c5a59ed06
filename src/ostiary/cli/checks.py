"""What `ostiary doctor` looks at. Each check yields reports; a check that cannot look says so."""

import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ostiary.cli.client import Api
from ostiary.cli.invocation import Invocation
from ostiary.cli.terminal import size
from ostiary.model.errors import OstiaryError, UnreachableError
from ostiary.settings import MIB, Address, Settings

_DISK_WARN_BYTES = 1024 * MIB
_DISK_FAIL_BYTES = 128 * MIB
_LOG_READ_MAX_BYTES = 256 * MIB
_CLOCK_SLACK_S = 5.0
_LISTENERS = ("gateway", "console", "ops")


@dataclass(frozen=True, slots=True)
class Report:
    """`level` is ok, warn or fail; `next_step` says what to do about it."""

    level: str
    subject: str
    sentence: str
    next_step: str = ""


def all_checks(invocation: Invocation) -> Iterator[Report]:
    """Every check's reports, in an order in which the first failure explains the later ones."""
    home = invocation.home
    if not home.is_dir():
        yield Report(
            "fail",
            "home",
            f"{home} is not a directory.",
            f"`ostiary serve{invocation.home_option}` makes it.",
        )
        return
    local: tuple[Callable[[Path], Iterator[Report]], ...] = (
        _home,
        _root_key,
        _database,
        _disk,
        _audit_log,
        _clock,
    )
    for check in local:
        yield from _guarded(check, home)
    yield from _server(invocation)


def _guarded(check: Callable[[Path], Iterator[Report]], home: Path) -> Iterator[Report]:
    subject = check.__name__.strip("_").replace("_", " ")
    try:
        yield from check(home)
    except OSError as error:
        yield Report("fail", subject, f"Cannot be looked at: {error.strerror}.", "Run this as the server's user.")


def _private(path: Path, subject: str, wanted_mode: int) -> Iterator[Report]:
    """Belongs to us, and nobody else may look."""
    status = path.stat()
    mode = status.st_mode & 0o777
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        yield Report("fail", subject, f"{path} belongs to another user.", "Run Ostiary as the user who owns it.")
    elif mode & ~wanted_mode:
        yield Report("fail", subject, f"Others may enter {path} (mode {mode:o}).", f"chmod {wanted_mode:o} {path}")
    else:
        yield Report("ok", subject, f"{path} is private (mode {mode:o}).")


def _home(home: Path) -> Iterator[Report]:
    yield from _private(home, "home", 0o700)


def _root_key(home: Path) -> Iterator[Report]:
    from ostiary.vault.sealing import RootKey

    given = Settings.from_environment().root_key
    path = home / "root.key"
    if not given and not path.exists():
        if (home / "ostiary.db").exists():
            advice = "Put it back from your backup: without it no secret opens."
            yield Report("fail", "root key", f"There is no {path}.", advice)
        else:
            yield Report("warn", "root key", f"There is no {path} yet.", "The first `ostiary serve` makes it.")
        return
    if not given:
        yield from _private(path, "root key", 0o600)
    try:
        RootKey.from_hex(given or path.read_text("ascii", errors="replace"))
    except OstiaryError as error:
        yield Report("fail", "root key", error.sentence, error.next_step)


def _database(home: Path) -> Iterator[Report]:
    path = home / "ostiary.db"
    if not path.exists():
        yield Report("warn", "database", f"There is no {path} yet.", "The first `ostiary serve` makes it.")
        return
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        answer = str(error)
    if answer == "ok":
        yield Report("ok", "database", f"{path} is sound ({size(path.stat().st_size)}).")
    else:
        yield Report("fail", "database", f"{path}: {answer}.", "Stop the server and restore HOME from a backup.")


def _disk(home: Path) -> Iterator[Report]:
    free = shutil.disk_usage(home).free
    sentence = f"{size(free)} free where HOME is."
    if free >= _DISK_WARN_BYTES:
        yield Report("ok", "disk", sentence)
    else:
        level = "fail" if free < _DISK_FAIL_BYTES else "warn"
        yield Report(level, "disk", sentence, "Free some: on a full disk nothing is forwarded.")


def _audit_log(home: Path) -> Iterator[Report]:
    from ostiary.audit.verification import verify_directory

    folder = home / "audit"
    if not folder.is_dir():
        yield Report("warn", "audit log", f"There is no {folder} yet.", "The first `ostiary serve` makes it.")
        return
    length = sum(path.stat().st_size for path in folder.glob("entries-*.log"))
    if length > _LOG_READ_MAX_BYTES:
        yield Report("warn", "audit log", f"{size(length)} are not read here.", "Run `ostiary audit verify`.")
        return
    verdict = verify_directory(folder, unsigned_allowed=True)
    if verdict.whole:
        yield Report("ok", "audit log", f"{verdict.entries} entries are whole, {verdict.signed} of them signed for.")
    else:
        yield Report("fail", "audit log", verdict.sentence, "Keep it as it is; compare with a backup.")


def _clock(home: Path) -> Iterator[Report]:
    newest = max((path.stat().st_mtime for path in (home / "audit").glob("entries-*.log")), default=0.0)
    behind_s = newest - time.time()
    if behind_s > _CLOCK_SLACK_S:
        yield Report(
            "fail",
            "clock",
            f"The clock is {behind_s:.0f} s behind the audit log's last write.",
            "Set the clock (NTP): tokens and approvals expire by it.",
        )
    else:
        yield Report("ok", "clock", f"{datetime.now().astimezone().isoformat(timespec='seconds')}")


def _server(invocation: Invocation) -> Iterator[Report]:
    server = invocation.server
    try:
        status = server.get("status")
    except UnreachableError as error:
        if (invocation.home / "admin.sock").exists() and "No Ostiary" not in error.sentence:
            yield Report("fail", "server", error.sentence, error.next_step)
        else:
            yield Report("warn", "server", "It is not running.", f"Start it: ostiary serve{invocation.home_option}")
        yield from _ports()
        return
    except OstiaryError as error:
        yield Report("fail", "server", error.sentence, error.next_step)
        return
    yield from _readiness(status)
    yield from _connections(server)


def _readiness(status: dict[str, Any]) -> Iterator[Report]:
    bad = {name: state for name, state in status["parts"].items() if state != "ok"}
    for name, state in bad.items():
        yield Report("fail", "server", f"{name}: {state}", "Look at the server's log.")
    if not bad:
        yield Report("ok", "server", f"Ostiary {status['version']} is running and ready.")


def _ports() -> Iterator[Report]:
    """Whether the server could listen where it would."""
    settings = Settings.from_environment()
    for name in _LISTENERS:
        address = getattr(settings, name)
        try:
            listener = Address.parse(address)
            family, kind, protocol, _, target = socket.getaddrinfo(
                listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(target)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not ADDRESS:PORT"
            yield Report("fail", "ports", f"{name} {address}: {reason}.", f"Choose another: ostiary serve --{name} A:P")
        else:
            yield Report("ok", "ports", f"{name} {address} is free.")


def _connections(server: Api) -> Iterator[Report]:
    import yaml

    document = yaml.safe_load(server.get("configuration")["yaml"]) or {}
    connections = document.get("connections") or []
    if not connections:
        yield Report("warn", "connections", "There is none yet.", "Name one in a file: ostiary apply -f FILE")
    unset = {str(row["name"]) for row in server.get("secrets")["secrets"] if _is_unset(row)}
    for connection in connections:
        yield from _connection(connection, unset)


def _is_unset(row: dict[str, Any]) -> bool:
    return row["provider"] == "stored" and row["version"] is None


def _connection(connection: dict[str, Any], unset: set[str]) -> Iterator[Report]:
    import asyncio
    from urllib.parse import urlsplit

    from ostiary.catalog import load_catalog
    from ostiary.gateway.guard import admitted_addresses
    from ostiary.model.connection import Upstream

    name, secret = str(connection["name"]), connection.get("secret")
    if secret in unset:
        yield Report(
            "fail",
            "connections",
            f"{name}: the secret {secret} has no value.",
            f"ostiary secret set {secret}",
        )
    kind = load_catalog().get(str(connection.get("kind")))
    url = urlsplit(str(connection.get("upstream") or (kind.upstream if kind else "")))
    port = url.port or (443 if url.scheme == "https" else 80)
    upstream = Upstream(url.scheme, url.hostname or "", port)
    try:
        addresses = asyncio.run(admitted_addresses(upstream, bool(connection.get("allow_private"))))
    except OstiaryError as error:
        advice = error.next_step if "resolve" not in error.sentence else "Check the name, and this machine's DNS."
        yield Report("fail", "connections", f"{name} ({url.hostname}): {error.sentence}", advice)
    else:
        yield Report(
            "ok",
            "connections",
            f"{name}: {url.hostname} is {', '.join(addresses[:3])}, which may be dialled.",
        )
