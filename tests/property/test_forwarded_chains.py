"""X-Forwarded-For, whatever is in it: nobody but a trusted proxy says where a request comes from."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from ostiary.protocols.forwarded import TrustedProxies, client_address

TRUSTED = TrustedProxies.parse("10.0.0.0/8, 2001:db8:1::/48")

_INSIDE = st.one_of(st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="2001:db8:1::/48")).map(str)
_OUTSIDE = st.one_of(st.ip_addresses(network="203.0.113.0/24"), st.ip_addresses(network="2001:db8:2::/48")).map(str)
_ANYTHING = st.one_of(st.binary(max_size=60), _OUTSIDE.map(str.encode), _INSIDE.map(str.encode), st.just(b", ,"))
_CHAINS = st.lists(_ANYTHING, max_size=5)


def spelled(address: str, how: int) -> str:
    if ":" in address:
        return (address, f"[{address}]", f"[{address}]:443", address.upper())[how]
    return (address, f"{address}:80", f"::ffff:{address}", f" {address}\t")[how]


@given(peer=_OUTSIDE, lines=_CHAINS)
def test_a_peer_that_is_not_trusted_is_the_client(peer: str, lines: list[bytes]) -> None:
    assert client_address(peer, lines, TRUSTED) == peer


@given(peer=_INSIDE, lines=_CHAINS)
def test_the_client_is_the_peer_or_an_address_outside(peer: str, lines: list[bytes]) -> None:
    found = client_address(peer, lines, TRUSTED)
    assert found == peer or ipaddress.ip_address(found) not in TRUSTED


@given(
    peer=_INSIDE,
    forged=_CHAINS,
    client=_OUTSIDE,
    proxies=st.lists(_INSIDE, max_size=6),
    how=st.integers(0, 3),
    own_lines=st.booleans(),
)
def test_proxies_that_add_whom_they_saw_name_the_client_whatever_it_forged(
    peer: str, forged: list[bytes], client: str, proxies: list[str], how: int, own_lines: bool
) -> None:
    """Each appends to the last line, or adds one of its own."""
    lines = list(forged)
    for seen in (client, *proxies):
        entry = spelled(seen, how).encode()
        if lines and not own_lines:
            lines[-1] += b", " + entry
        else:
            lines.append(entry)
    assert client_address(peer, lines, TRUSTED) == client


@given(peer=_INSIDE, lines=st.lists(_ANYTHING, min_size=1, max_size=5))
def test_several_lines_are_one_list(peer: str, lines: list[bytes]) -> None:
    assert client_address(peer, lines, TRUSTED) == client_address(peer, [b",".join(lines)], TRUSTED)
