"""Which names this console answers to, and which pages may send it forms."""

import ipaddress
from collections.abc import Callable

from starlette.requests import HTTPConnection

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_OWN_SITES = frozenset({"same-origin", "none"})
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Origins:
    """`allowed_hosts` as in the settings; `console_url` is asked anew each time, because a free port is known late."""

    def __init__(self, allowed_hosts: str, console_url: Callable[[], str]) -> None:
        listed = {name.strip().lower() for name in allowed_hosts.split(",") if name.strip()}
        self._any = "*" in listed
        self._names = frozenset(listed | {"localhost"})
        self._console_url = console_url

    def admits_host(self, connection: HTTPConnection) -> bool:
        """Exactly one Host, of a name that is known. IP addresses pass: a rebinding page needs a name (C09)."""
        hosts = connection.headers.getlist("host")
        name = _host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None:
            return False
        return self._any or _is_address(name) or name in self._names or name == self._console_name()

    def is_own(self, origin: str, connection: HTTPConnection) -> bool:
        """Whether `origin` is this console as the browser sees it: its public address, or the one it just asked."""
        asked = f"{connection.url.scheme}://{connection.headers.get('host', '')}"
        return origin != "null" and _plain(origin) in {_plain(asked), _plain(origin_of(self._console_url()))}

    def may_write(self, connection: HTTPConnection) -> bool:
        """Whether a request that changes something comes from a page of ours: by Origin, and by Sec-Fetch-Site where
        the browser sends it. A request that has neither is no page's."""
        origins, sites = connection.headers.getlist("origin"), connection.headers.getlist("sec-fetch-site")
        if not origins and not sites:
            return False
        return self._same(origins, sites, connection)

    def may_read(self, connection: HTTPConnection) -> bool:
        """The same for what changes nothing: a foreign page is refused, no page at all is not."""
        return self._same(
            connection.headers.getlist("origin"), connection.headers.getlist("sec-fetch-site"), connection
        )

    def _same(self, origins: list[str], sites: list[str], connection: HTTPConnection) -> bool:
        return (
            len(origins) <= 1
            and len(sites) <= 1
            and all(self.is_own(origin, connection) for origin in origins)
            and all(site in _OWN_SITES for site in sites)
        )

    def _console_name(self) -> str | None:
        return _host_name(origin_of(self._console_url()).partition("://")[2])


def origin_of(url: str) -> str:
    """Scheme and authority of a URL that has both."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _plain(origin: str) -> str:
    """Lower case, and without the scheme's own port."""
    origin = origin.lower()
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], " "))


def _host_name(authority: str) -> str | None:
    """Lower case without port; None for what no browser sends."""
    if not authority or len(authority) > 260 or not authority.isascii() or set(authority) & set("@,/\\?# \t"):
        return None
    if authority[0] == "[":
        name, bracket, port = authority[1:].partition("]")
        if not bracket or port[:1] not in {"", ":"}:
            return None
    else:
        name, _, port = authority.partition(":")
    port = port.removeprefix(":")
    if port and not (port.isdigit() and len(port) <= 5):
        return None
    return name.lower() or None


def _is_address(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return getattr(address, "scope_id", None) is None
