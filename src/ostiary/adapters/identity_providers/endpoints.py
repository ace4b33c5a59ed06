"""The addresses that a provider names, read strictly: where to connect, and what to ask for there."""

import ipaddress
import re
from typing import NamedTuple

from ostiary.model.connection import Upstream
from ostiary.model.errors import OperatorError

URL_MAX_CHARACTERS = 2048

_URL = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<target>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)"
)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_DEFAULT_PORT = {"http": 80, "https": 443}


class Endpoint(NamedTuple):
    """`target` is the path with its query."""

    server: Upstream
    target: str

    @property
    def is_secure(self) -> bool:
        return self.server.scheme == "https"


def read_endpoint(url: object) -> Endpoint:
    """Raises `OperatorError` for anything but an https URL, or an http URL of this very machine: without user name,
    fragment or characters that two readers could take for different places."""
    match = _URL.fullmatch(url) if isinstance(url, str) and len(url) <= URL_MAX_CHARACTERS else None
    if match is None:
        raise OperatorError("It is not a plain https URL.")
    host = _address(match["six"]) if match["six"] is not None else _host(match["name"])
    port = int(match["port"] or _DEFAULT_PORT[match["scheme"]])
    if port > 65_535:
        raise OperatorError("Its port is above 65535.")
    if match["scheme"] == "http" and not _is_loopback(host):
        raise OperatorError("It is not https.")
    target = match["target"]
    return Endpoint(Upstream(match["scheme"], host, port), target if target.startswith("/") else f"/{target}")


def _host(name: str) -> str:
    """A name that ends in a number is an address to most resolvers; only its one plain spelling is taken."""
    host = name.lower()
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        return _address(host, six=False)
    return host


def _address(text: str, six: bool = True) -> str:
    try:
        return str(ipaddress.IPv6Address(text) if six else ipaddress.IPv4Address(text))
    except ValueError:
        raise OperatorError("Its host is an address in an odd spelling.") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
