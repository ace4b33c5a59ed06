"""Whom a request comes from: what trusted proxies say, as far as they can know it, and nobody else's word."""

import pytest

from ostiary.protocols.forwarded import NOBODY, TrustedProxies, client_address

TRUSTED = TrustedProxies.parse("192.0.2.1, 10.8.0.0/16,2001:db8:1::/48, ::1")
PROXY = "192.0.2.1"


def of(*lines: str | bytes, peer: str = PROXY, trusted: TrustedProxies = TRUSTED) -> str:
    return client_address(peer, [line.encode() if isinstance(line, str) else line for line in lines], trusted)


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (("203.0.113.7",), "203.0.113.7"),
        (("203.0.113.7:4711",), "203.0.113.7"),
        ((" \t203.0.113.7 ",), "203.0.113.7"),
        (("2001:db8::7",), "2001:db8::7"),
        (("2001:DB8:0::07",), "2001:db8::7"),
        (("[2001:db8::7]",), "2001:db8::7"),
        (("[2001:db8::7]:65535",), "2001:db8::7"),
        (("::ffff:203.0.113.7",), "203.0.113.7"),
        (("203.0.113.7, 10.8.1.2",), "203.0.113.7"),
        (("203.0.113.7,10.8.1.2,\t2001:db8:1::5",), "203.0.113.7"),
        (("203.0.113.7, ::ffff:10.8.1.2",), "203.0.113.7"),
        (("203.0.113.7", "10.8.1.2"), "203.0.113.7"),
        (("10.8.1.2", "203.0.113.7"), "203.0.113.7"),
    ],
)
def test_the_nearest_address_that_is_no_trusted_proxy(lines: tuple[str, ...], client: str) -> None:
    assert of(*lines) == client


@pytest.mark.parametrize(
    "forged",
    [
        "198.51.100.1",
        "127.0.0.1",
        "10.8.0.1",
        "garbage",
        "",
        ",,,",
        '"198.51.100.1"',
        "unknown",
        "\x00",
        "\x80",
        "a" * 20_000,
    ],
)
def test_what_a_client_writes_itself_counts_for_nothing(forged: str) -> None:
    assert of(f"{forged}, 203.0.113.7") == of(f"{forged}, 203.0.113.7, 10.8.1.2") == "203.0.113.7"
    assert of(forged, "203.0.113.7") == of(*[forged] * 100, "203.0.113.7") == "203.0.113.7"


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("",),
        (" ",),
        ("unknown",),
        ("_hidden",),
        ("203.0.113.7,",),
        ("203.0.113.7", ""),
        ("localhost",),
        ("203.0.113",),
        ("203.0.113.256",),
        ("203.0.113.07",),
        ("203.0.113.7:",),
        ("203.0.113.7:65536",),
        ("203.0.113.7:1:2",),
        ("203.0.113.7/32",),
        ("3405803783",),
        ("0xcb.0.113.7",),
        ("[203.0.113.7]",),
        ("[2001:db8::7",),
        ("2001:db8::7]",),
        ("[2001:db8::7]4711",),
        ("fe80::7%eth0",),
        ("[fe80::7%25eth0]",),
        ("2001:db8::7::1",),
        ("::ffff:203.0.113.256",),
        ("for=203.0.113.7",),
        ('"203.0.113.7"',),
        ("203.0.113.7 10.8.1.2",),
        ("203.0.113.7;10.8.1.2",),
        (b"203.0.113.7\x80",),
        ("²03.0.113.7",),
        (" " * 70 + "203.0.113.7\x0b",),
        ("1" * 20_000,),
        ("203.0.113.7, garbage",),
        ("203.0.113.7, , 10.8.1.2",),
        ("10.8.1.2",),
        ("10.8.1.2, 2001:db8:1::5",),
        ("203.0.113.7" + ", 10.8.1.2" * 32,),
    ],
)
def test_what_is_no_address_and_a_chain_of_proxies_leave_the_peer(lines: tuple[str | bytes, ...]) -> None:
    assert of(*lines) == PROXY


def test_thirty_one_proxies_in_a_row_are_followed() -> None:
    assert of("203.0.113.7" + ", 10.8.1.2" * 31) == "203.0.113.7"


@pytest.mark.parametrize(
    "peer", ["203.0.113.9", "192.0.2.2", "2001:db8:2::1", "::ffff:192.0.2.2", "", "unix", "10.9.0.1"]
)
def test_nobody_else_is_believed(peer: str) -> None:
    assert of("198.51.100.1", peer=peer) == peer


@pytest.mark.parametrize("peer", ["192.0.2.1", "::ffff:192.0.2.1", "::1", "2001:db8:1:ffff::9", "10.8.255.255"])
def test_the_proxies_that_are_named(peer: str) -> None:
    assert of("198.51.100.1", peer=peer) == "198.51.100.1"
    assert of("198.51.100.1", peer=peer, trusted=NOBODY) == peer


def test_proxies_may_be_written_as_ipv6_sockets_see_them() -> None:
    for text in ("::ffff:192.0.2.1", "::ffff:192.0.2.0/120", "192.0.2.0/24"):
        trusted = TrustedProxies.parse(text)
        assert of("198.51.100.1", trusted=trusted) == "198.51.100.1"
        assert of("198.51.100.1", trusted=trusted, peer="192.0.3.1") == "192.0.3.1"


def test_by_default_nobody_is_trusted() -> None:
    assert not TrustedProxies.parse("") and not TrustedProxies.parse(" , ") and not NOBODY and TRUSTED


@pytest.mark.parametrize("entry", ["proxy.example", "192.0.2.1/24", "192.0.2.0/33", "1", "192.0.2.1:80", "*", "[::1]"])
def test_what_is_no_proxy_is_named(entry: str) -> None:
    with pytest.raises(ValueError) as failure:
        TrustedProxies.parse(f"127.0.0.1, {entry}")
    assert str(failure.value) == entry
