"""From where a request comes that a reverse proxy hands on: X-Forwarded-For, believed of proxies that are known."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

FIELD = b"x-forwarded-for"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOPS_MAX = 32
"""Proxies in a row; who says more of them is not followed."""
_ENTRY_MAX_BYTES = 64
_MAPPED_BITS = 96
_ENTRY = re.compile(
    rb"(?P<four>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?::(?P<port>[0-9]{1,5}))?"
    rb"|\[(?P<bracketed>[0-9A-Fa-f:.]{2,45})\](?::(?P<bracketed_port>[0-9]{1,5}))?"
    rb"|(?P<six>[0-9A-Fa-f:.]{2,45})"
)


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Whose word is taken; false when nobody's is."""

    networks: tuple[_Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """From addresses and networks (CIDR), comma separated. Raises `ValueError` with the entry that is none."""
        networks: list[_Network] = []
        for entry in text.split(","):
            if not (entry := entry.strip()):
                continue
            try:
                networks.append(_unmapped_network(ipaddress.ip_network(entry)))
            except ValueError:
                raise ValueError(entry) from None
        return cls(tuple(networks))

    def __bool__(self) -> bool:
        return bool(self.networks)

    def __contains__(self, address: _Address) -> bool:
        return any(address in network for network in self.networks)


NOBODY = TrustedProxies()


def client_address(peer: str, lines: Sequence[bytes], trusted: TrustedProxies) -> str:
    """The address that a request comes from: `peer`, who connected, unless that is a trusted proxy. Then it is the
    address at the right end of X-Forwarded-For (its `lines` as they came) that is none of a trusted proxy: each proxy
    adds whom it saw, and what stands further left anybody may have written, so it is not even read.

    An entry that is no address, and a chain of nothing but trusted ones, leave `peer`.
    """
    connected = _unmapped_peer(peer)
    if connected is None or connected not in trusted:
        return peer
    hops = 0
    for line in reversed(lines):
        rest: bytes | None = line
        while rest is not None:
            hops += 1
            comma = rest.rfind(b",")
            entry, rest = (rest, None) if comma < 0 else (rest[comma + 1 :], rest[:comma])
            address = _address_in(entry) if hops <= _HOPS_MAX else None
            if address is None:
                return peer
            if address not in trusted:
                return str(address)
    return peer


def _unmapped_network(network: _Network) -> _Network:
    address = _unmapped(network.network_address)
    if address is network.network_address or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.ip_network((address, network.prefixlen - _MAPPED_BITS))


def _unmapped_peer(peer: str) -> _Address | None:
    try:
        return _unmapped(ipaddress.ip_address(peer))
    except ValueError:
        return None


def _address_in(entry: bytes) -> _Address | None:
    """`192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`; None for anything else."""
    entry = entry.strip(b" \t")
    match = _ENTRY.fullmatch(entry) if len(entry) <= _ENTRY_MAX_BYTES else None
    if match is None or int(match["port"] or match["bracketed_port"] or 0) > 65_535:
        return None
    four, six = match["four"], match["bracketed"] or match["six"]
    try:
        if four is not None:
            return ipaddress.IPv4Address(four.decode("ascii"))
        return _unmapped(ipaddress.IPv6Address(six.decode("ascii")))
    except ValueError:
        return None


def _unmapped(address: _Address) -> _Address:
    """An IPv4 address in its own spelling also where it came over an IPv6 socket."""
    return getattr(address, "ipv4_mapped", None) or address
