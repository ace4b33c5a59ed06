"""URLs as sign-in needs them: put together, taken apart, and judged. Stricter than RFC 3986 where it leaves room."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

URL_MAX = 2000
"""Characters."""

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_QUOTED = tuple(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256))
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.IGNORECASE | re.ASCII,
)
_VISIBLE = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII without the backslash, which browsers read as a slash."""
_USUAL_PORT = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Url:
    """`scheme` and `host` in lower case, an IPv6 address without brackets. `path` begins with "/"; `query` and
    `fragment` are None where there is none."""

    scheme: str
    host: str
    port: int
    path: str
    query: str | None
    fragment: str | None

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def read_url(text: str) -> Url | None:
    """An absolute http(s) URL; None for anything else, for one with a user name in it, and for doubtful characters."""
    if len(text) > URL_MAX or _VISIBLE.fullmatch(text) is None:
        return None
    match = _URL.fullmatch(text)
    if match is None:
        return None
    scheme, host = match["scheme"].lower(), match["host"].lower()
    port = int(match["port"]) if match["port"] else _USUAL_PORT[scheme]
    if not 0 < port < 65_536:
        return None
    if host.startswith("["):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return None
    return Url(scheme, host, port, match["path"] or "/", match["query"], match["fragment"])


def is_https_or_loopback(url: str) -> bool:
    """Whether it is an https URL, or an http one of this machine, without a fragment."""
    parts = read_url(url)
    return parts is not None and parts.fragment is None and (parts.scheme == "https" or parts.is_loopback)


def is_relative_path(text: str) -> bool:
    """Whether a browser sent there stays on this site: "/" and more, of visible ASCII (G12)."""
    return text.startswith("/") and "//" not in text and len(text) <= URL_MAX and _VISIBLE.fullmatch(text) is not None


def quoted(text: str) -> str:
    """Percent-encoded for any place in a URL or a form; only RFC 3986's unreserved characters stay."""
    return "".join([_QUOTED[byte] for byte in text.encode("utf-8")])


def form_of(pairs: Iterable[tuple[str, str]]) -> str:
    """`a=1&b=2`, for a query and for application/x-www-form-urlencoded."""
    return "&".join(f"{quoted(name)}={quoted(value)}" for name, value in pairs)


def with_query(url: str, pairs: Iterable[tuple[str, str]]) -> str:
    """`url` with `pairs` after whatever its query has; a fragment is dropped."""
    plain = url.partition("#")[0]
    added = form_of(pairs)
    if not added:
        return plain
    if "?" not in plain:
        return f"{plain}?{added}"
    return plain + ("" if plain.endswith(("?", "&")) else "&") + added
