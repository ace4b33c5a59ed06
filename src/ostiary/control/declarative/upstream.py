"""An upstream's URL, read strictly: one spelling for one place, or an error."""

import ipaddress
import re

from ostiary.model.connection import Upstream

_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#\\@\s]+)(?P<path>/[^?#\\\s]*)?")
_AUTHORITY = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,=:@-]+)*/?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_DEFAULT_PORT = {"http": 80, "https": 443}
_HOST_MAX = 253


class UpstreamError(ValueError):
    """`str()` is a sentence about the URL."""


def parse_upstream(url: str) -> Upstream:
    """Raises `UpstreamError`."""
    match = _URL.fullmatch(url)
    if match is None:
        raise UpstreamError(_complaint(url))
    authority = _AUTHORITY.fullmatch(match["authority"])
    if authority is None:
        raise UpstreamError("The upstream's host is not readable.")
    host = _ipv6(authority["six"]) if authority["six"] is not None else _host(authority["name"])
    return Upstream(
        scheme=match["scheme"],
        host=host,
        port=_port(authority["port"], match["scheme"]),
        base_path=_base_path(match["path"] or ""),
    )


def upstream_text(upstream: Upstream) -> str:
    """The URL that `parse_upstream` reads back."""
    return f"{upstream.scheme}://{upstream.authority}{upstream.base_path}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its very spelling."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


_LOCAL_ONLY = (ipaddress.IPv6Network("fec0::/10"), ipaddress.IPv6Network("64:ff9b:1::/48"))
"""Site-local addresses and local-use NAT64, which Python calls global."""


def is_private(host: str) -> bool:
    """Whether the host's very spelling leads somewhere that is not the public internet."""
    if is_loopback(host):
        return True
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _LOCAL_ONLY):
        return True
    return address is not None and (not address.is_global or address.is_multicast)


def _complaint(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        return "The upstream must begin with https:// (or http://) in lower case."
    for sign, name in (("@", "a user name"), ("?", "a query"), ("#", "a fragment"), ("\\", "a backslash")):
        if sign in url:
            return f"The upstream must not hold {name} ({sign})."
    return "The upstream is not a URL like https://host[:port][/path]."


def _port(text: str | None, scheme: str) -> int:
    if text is None:
        return _DEFAULT_PORT[scheme]
    if not _PORT.fullmatch(text) or int(text) > 65_535:
        raise UpstreamError("The upstream's port must be a number from 1 to 65535 without leading zeros.")
    return int(text)


def _host(name: str) -> str:
    host = _to_ascii(name)
    if len(host) > _HOST_MAX:
        raise UpstreamError("The upstream's host is too long.")
    labels = host.split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        # What ends in a number is an address to most resolvers; only its one plain spelling is taken.
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError:
            raise UpstreamError(
                "The upstream's host is an address in an odd spelling; write it like 192.0.2.1."
            ) from None
        return str(address)
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise UpstreamError("The upstream's host is not a host name (letters, digits, - and dots between them).")
    return host


def _to_ascii(name: str) -> str:
    """Lower case; a label beyond ASCII in its `xn--` form. Characters that merely look like ASCII are refused."""
    labels = []
    for label in name.split("."):
        if label.isascii():
            labels.append(label.lower())
            continue
        try:
            encoded = label.encode("idna").decode("ascii").lower()
        except UnicodeError:
            encoded = ""
        if not encoded.startswith("xn--") or "." in encoded:
            raise UpstreamError("The upstream's host holds characters that no host name has.")
        labels.append(encoded)
    return ".".join(labels)


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise UpstreamError("The upstream's host in brackets is not an IPv6 address.") from None
    if address.scope_id is not None:
        raise UpstreamError("The upstream's address must not have a zone (%).")
    if address.ipv4_mapped is not None:
        raise UpstreamError(f"Write the upstream's address as {address.ipv4_mapped}.")
    return str(address)


def _base_path(path: str) -> str:
    if not _PATH.fullmatch(path) or any(segment in (".", "..") for segment in path.split("/")):
        raise UpstreamError(
            "The upstream's path must be plain segments: no //, no . or .., no ; and nothing percent-encoded."
        )
    return path.rstrip("/")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
