"""Which upstream addresses may be dialled: the resolved address is judged, and that very address is dialled."""

import asyncio
import ipaddress
import socket

from ostiary.model.connection import Upstream
from ostiary.model.errors import GatewayRefusal

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_ONLY = (
    ipaddress.IPv6Network("fec0::/10"),  # site-local (RFC 3879), which Python calls global
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # local-use NAT64 (RFC 8215): where the IPv4 address stands is not known
)
_CGN = ipaddress.IPv4Network("100.64.0.0/10")
_NEVER = (
    ipaddress.ip_network("0.0.0.0/8"),
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("192.0.0.192/32"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::/32"),
    ipaddress.ip_network("fd20:ce::/32"),
    ipaddress.ip_network("255.255.255.255/32"),
)
"""Link-local and metadata services: no setting opens them."""


def embedded_address(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address stands for (mapped, compatible, NAT64, 6to4, Teredo), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_admitted(address: IPAddress, allow_private: bool) -> bool:
    """Whether a connection may be made to this address. Metadata, multicast and reserved ones never."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if any(address in network for network in _LOCAL_ONLY):
            return allow_private
    real = embedded_address(address)
    if any(real in network for network in _NEVER if network.version == real.version):
        return False
    if real.is_multicast or real.is_unspecified:
        return False
    if real.is_loopback or (isinstance(real, ipaddress.IPv4Address) and real in _CGN):
        return allow_private
    if real.is_global and not real.is_reserved:
        return True
    return allow_private and real.is_private and not real.is_reserved


def _refused(upstream: Upstream) -> GatewayRefusal:
    return GatewayRefusal(
        502,
        "upstream_unreachable",
        "The connection's upstream has an address that is not allowed here.",
        "A private or loopback upstream needs `allow_private: true`; link-local and metadata addresses are never used.",
    )


async def admitted_addresses(upstream: Upstream, allow_private: bool) -> list[str]:
    """The addresses to dial, in the resolver's order. One refused answer refuses them all (D03).

    Raises `GatewayRefusal` when a name does not resolve or an address is not allowed.
    """
    try:
        return await judged_addresses(upstream.host, upstream.port, allow_private)
    except AddressRefusedError:
        raise _refused(upstream) from None
    except OSError:
        raise GatewayRefusal(
            502, "upstream_unreachable", "The upstream's name does not resolve.", "Ask your administrator."
        ) from None


class AddressRefusedError(Exception):
    """A name has an address that may not be dialled."""


async def judged_addresses(host: str, port: int, allow_private: bool) -> list[str]:
    """As `admitted_addresses`; raises `OSError` when the name does not resolve, else `AddressRefusedError`."""
    literals = [host] if _is_literal(host) else await _resolve(host, port)
    addresses = [ipaddress.ip_address(text) for text in literals]
    if not addresses or not all(is_admitted(address, allow_private) for address in addresses):
        raise AddressRefusedError
    return [str(address) for address in addresses]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    seen: dict[str, None] = {}
    for _family, _type, _proto, _canonical, address in found:
        seen[str(address[0])] = None
    return list(seen)
