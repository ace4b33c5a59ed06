"""What tools can reach, and as whom: connections, the gateway's address, and where tokens come from."""

import shutil
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostiary.cli import access, login_file
from ostiary.cli.invocation import Invocation
from ostiary.cli.server_file import gateway_url, local_console_url
from ostiary.model.errors import CallerError, OstiaryError

if TYPE_CHECKING:
    from ostiary.cli.client import Api

_USUAL_PORTS = (":8421", ":8420")


@dataclass(frozen=True, slots=True)
class Reach:
    """`login` None means this machine's own server, which makes tokens for who runs it. `document` is the configuration
    in force, None where it may not be seen; `known` are then the connections that there are for the person, by name and
    kind, None where nobody says."""

    login: dict[str, Any] | None
    gateway: str
    document: dict[str, Any] | None
    known: list[tuple[str, str]] | None = None

    def connections(self) -> list[tuple[str, str]] | None:
        """Name and kind of each; None when that is not known."""
        if self.document is None:
            return self.known
        return [(str(row["name"]), str(row.get("kind"))) for row in self.document.get("connections") or []]

    @property
    def knows_all(self) -> bool:
        """Whether a connection that is not among them cannot be reached: rules may speak of a tool and not of its
        person, who asks."""
        return self.document is not None or (self.known is not None and not (self.login and self.login["agent"]))

    def groups_on(self, connection: str) -> list[str]:
        """The groups that rules on this connection let in or ask for: without one of them a token opens nothing."""
        groups: set[str] = set()
        for rule in (self.document or {}).get("rules") or []:
            on = rule.get("on") or ["*"]
            if rule.get("effect") != "deny" and any(fnmatchcase(connection, str(pattern)) for pattern in on):
                groups.update(str(group) for group in (rule.get("who") or {}).get("groups") or [])
        return sorted(groups)

    def helper(self) -> tuple[str, ...] | None:
        """The command that prints a fresh token; None where nobody is signed in."""
        if self.login is None:
            return None
        options = ["--console", self.login["console"]]
        if self.login["agent"]:
            options += ["--agent", self.login["agent"]]
        return (*own_command(), "token", *options)


def own_command() -> tuple[str, ...]:
    """This program, as another one can start it."""
    name = Path(sys.argv[0])
    if name.name != "ostiary":
        return (sys.executable, "-m", "ostiary")
    found = shutil.which("ostiary")
    return ("ostiary",) if found and Path(found).resolve() == name.resolve() else (str(name.absolute()),)


def reach_of(invocation: Invocation, agent: str | None, gateway: str | None) -> Reach:
    """As the login that fits; without one, beside this machine's server. Raises `RefusedError` where a console is named
    and nobody is signed in there."""
    console, here = invocation.console, local_console_url(invocation.home)
    login = None
    if console is not None:
        login = access.chosen_login(console, agent)
    elif here or not invocation.home_option:
        # An unusual HOME is that of a server of its own: other consoles' sign-ins are no part of it.
        login = login_file.find(access.logins(), here if invocation.home_option else None, agent)
    is_here = login is None or login["console"] == here
    document, known = _configuration(_local_api(invocation)) if is_here else None, None
    if login is not None and document is None:
        server = _remote_api(login["console"])
        document = _configuration(server)
        known = _connections(server) if document is None else None
    url = gateway or (gateway_url(invocation.home) if is_here else "")
    if login is not None:
        url = url or login.get("gateway") or _usual_gateway(login["console"])
    if not url:
        raise CallerError("This console does not say where its gateway is.", "Give its address with --gateway URL.")
    return Reach(login, url.rstrip("/"), document, known)


def _local_api(invocation: Invocation) -> "Api":
    from ostiary.cli.client import AdminClient

    return AdminClient(invocation.home, invocation.home_option)


def _remote_api(console: str) -> "Api | None":
    """None where only a tool is signed in: it may not ask."""
    from ostiary.cli.console_client import client_of_login

    try:
        return client_of_login(console)
    except OstiaryError:
        return None


def _usual_gateway(console: str) -> str:
    """Beside a console on its usual port; "" elsewhere."""
    there, here = _USUAL_PORTS
    return console.removesuffix(there) + here if console.endswith(there) else ""


def _configuration(server: "Api | None") -> dict[str, Any] | None:
    if server is None:
        return None
    try:
        exported = server.get("configuration")["yaml"]
    except OstiaryError:
        return None
    import yaml

    document: dict[str, Any] = yaml.safe_load(exported) or {}
    return document


def _connections(server: "Api | None") -> list[tuple[str, str]] | None:
    """For whoever may not see the configuration."""
    if server is None:
        return None
    try:
        return [(str(row["name"]), str(row["kind"])) for row in server.get("connections")["connections"]]
    except (OstiaryError, KeyError, TypeError):
        return None  # an older server does not say
