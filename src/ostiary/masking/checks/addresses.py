"""Whether something is an IP address of the public Internet.

Addresses for documentation count: they stand for public ones. Private, shared, loopback, link-local, multicast and
reserved ones do not: they say nothing about a person, and configurations are full of them.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_network

from ostiary.masking.checks.words import Words, listed

_DOCUMENTATION_4 = tuple(ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
_DOCUMENTATION_6 = ip_network("2001:db8::/32")
_RESOLVERS = frozenset((b"8.8.8.8", b"8.8.4.4", b"1.1.1.1", b"1.0.0.1", b"9.9.9.9", b"4.2.2.2"))
_OCTETS = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_GOES_ON = re.compile(rb"\.[0-9A-Za-z]|-[A-Za-z]|\+[0-9A-Za-z]")
_NAMED_VERSION = re.compile(
    rb"(?:version|ver|release|firmware|build|revision|rev|tag|v[0-9]{0,2}|oid|objectidentifier|section|chapter|sdk"
    rb"|driver|jdk|kernel|\xc2\xa7)s?_{0,2}[\"'`\\]{0,3}\s{0,2}[:=(]{0,2}\s{0,2}[\"'`\\(=<>~^v]{0,3}$",
    re.IGNORECASE,
)
_REQUIREMENT_BEFORE = re.compile(rb"[=~^!<>]=\s?[\"']?$|[~^]$|[A-Za-z]-$|[A-Za-z0-9]/$")
_DECIMALS_BEFORE = re.compile(rb"(?:^|[^0-9.])[0-9]{0,3}\.[0-9]{1,3}(?:\.[0-9]{1,3})?[ -]?$")
"""The path of a drawing in SVG."""
_ADDRESS_WORDS = Words(
    listed(
        "ip,ips,ipv4,addr,inet,host,src,dst,dns,peer,cidr,ping,curl,url,www,address,addresses,client,remote,server,"
        "servers,forwarded,listen,gateway,nameserver,resolver,connect,netmask,subnet"
    )
)
_STRAIGHT_BETWEEN = re.compile(rb"[^0-9A-Za-z]{0,8}(?:(?:is|of|to|at|addr|address)\b)?[^0-9A-Za-z]{0,8}")
_VERSION_PART_MAX = 40
_SECOND_PART_MAX = 20
"""Four numbers up to the first of these, or the first two numbers up to these, are a version or a section more often
than an address. One address in a hundred is so; it is found where a word, a slash or a line's beginning stands by."""


def public_ipv4(value: bytes, before: bytes) -> int:
    """The length of the address at the beginning of `value`; 0 for versions, OIDs and what is not public."""
    found = _OCTETS.match(value)
    if found is None or _GOES_ON.match(value[found.end() :]):
        return 0
    text = found.group()
    parts = text.split(b".")
    if any(len(part) > 1 and part.startswith(b"0") for part in parts):
        return 0
    if _NAMED_VERSION.search(before) or _REQUIREMENT_BEFORE.search(before):
        return 0
    numbers = [int(part) for part in parts]
    if text not in _RESOLVERS and _may_be_version(numbers, before) and not value[found.end() :].startswith(b"/"):
        return 0
    try:
        address = IPv4Address(text.decode())
    except ValueError:
        return 0
    if address.is_multicast or not (address.is_global or any(address in net for net in _DOCUMENTATION_4)):
        return 0
    return found.end()


def _may_be_version(numbers: list[int], before: bytes) -> bool:
    if numbers[0] > _VERSION_PART_MAX or before.endswith(b"//"):
        return False
    word_end = _ADDRESS_WORDS.end_in(before)
    if word_end >= 0 and _STRAIGHT_BETWEEN.fullmatch(before, word_end):
        return False
    if max(numbers) <= _VERSION_PART_MAX or _DECIMALS_BEFORE.search(before):
        return True
    return numbers[1] <= _SECOND_PART_MAX and not before.endswith(b"\n")


_GROUP_BEFORE = re.compile(rb"(?:^|[^0-9A-Za-z])[0-9A-Fa-f]{1,4}:$|:$(?<=::)")


def public_ipv6(value: bytes, before: bytes) -> int:
    """The length of the address, which may end before a colon that belongs to the text."""
    if _GROUP_BEFORE.search(before):
        return 0
    text = value[:-1] if value.endswith(b":") and not value.endswith(b"::") else value
    try:
        address = IPv6Address(text.decode())
    except ValueError:
        return 0
    if text.endswith(b"::") and text.count(b":") < 4:
        return 0  # `2001:db8::` names a registry's block, and `2000::` all of the Internet
    return len(text) if address.is_global or address in _DOCUMENTATION_6 else 0
