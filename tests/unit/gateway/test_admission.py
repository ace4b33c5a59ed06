"""Which requests are meant for us, and which codings we ask upstreams for."""

import pytest

from ostiary.gateway.admission import HostList, admit
from ostiary.gateway.forwarding import accept_encoding_line
from ostiary.model.errors import GatewayRefusal
from ostiary.protocols.heads import RequestHead, parse_request_head, request_line_cache

HOSTS = HostList("gate.corp.example")


def head(
    target: bytes = b"/openai/v1/models", *lines: bytes, host: bytes = b"localhost:8420", method: bytes = b"GET"
) -> RequestHead:
    block = b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: " + host, *lines])
    return parse_request_head(block, request_line_cache(), 50, 1000)


@pytest.mark.parametrize(
    ("target", "name", "rest"),
    [
        (b"/openai/v1/models", b"openai", b"/v1/models"),
        (b"/openai", b"openai", b"/"),
        (b"/openai/", b"openai", b"/"),
        (b"/openai/a/b/", b"openai", b"/a/b/"),
        (b"/", b"", b"/"),
    ],
)
def test_first_segment_names_the_connection(target: bytes, name: bytes, rest: bytes) -> None:
    admitted = admit(head(target + b"?x=1"), HOSTS)
    assert (admitted.name, admitted.target.path, admitted.target.query) == (name, rest, b"x=1")


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"LOCALHOST:1", b"127.0.0.1:8420", b"[::1]:8420", b"10.1.2.3", b"gate.corp.example:443", b"[::1]"],
)
def test_hosts_that_are_answered(host: bytes) -> None:
    assert HOSTS.admits(host)


def test_the_host_of_the_public_address_is_answered() -> None:
    hosts = HostList("", "gate.example.com")
    assert hosts.admits(b"gate.example.com") and hosts.admits(b"GATE.example.com:443")
    assert not hosts.admits(b"example.com") and not HostList("").admits(b"gate.example.com")


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example", b"localhost.evil.example", b"localhost:port", b"user@localhost", b"localhost,evil", b"",
        b"[::1",
        b"[::1%25lo]", b"[::1]x", b"127.0.0.1.nip.io", b"2130706433", b"0177.0.0.1", b"localhost:123456",
    ],
)  # fmt: skip
def test_hosts_that_are_not(host: bytes) -> None:
    assert not HOSTS.admits(host)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((b"Origin: https://evil.example",), 403),
        ((b"Origin: null",), 403),
        ((b"Sec-Fetch-Site: cross-site",), 403),
        ((b"Sec-Fetch-Site: same-site",), 403),
        ((b"Content-Encoding: gzip",), 415),
        ((b"Expect: 200-maybe",), 417),
    ],
)
def test_requests_that_are_refused(lines: tuple[bytes, ...], status: int) -> None:
    with pytest.raises(GatewayRefusal) as refusal:
        admit(head(b"/openai/x", *lines), HOSTS)
    assert refusal.value.status == status
    assert refusal.value.close


@pytest.mark.parametrize("method", [b"TRACE", b"TRACK", b"CONNECT"])
def test_methods_that_are_refused(method: bytes) -> None:
    with pytest.raises(GatewayRefusal) as refusal:
        admit(head(b"/openai/x", method=method), HOSTS)
    assert refusal.value.status == 405


def test_same_origin_page_is_admitted() -> None:
    admit(head(b"/openai/x", b"Origin: http://localhost:8420", b"Sec-Fetch-Site: same-origin"), HOSTS)


def test_refused_targets_are_not_remembered_as_good() -> None:
    for _ in range(2):
        with pytest.raises(GatewayRefusal):
            admit(head(b"/openai/../admin"), HOSTS)
        with pytest.raises(GatewayRefusal):
            admit(head(b"/openai/x?k=ost_u" + b"A" * 49), HOSTS)


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        (b"", b"identity"),
        (b"gzip, deflate, br, zstd", b"gzip, deflate, br, zstd"),
        (b"zstd, dcb, br;q=0.5", b"br, zstd"),
        (b"gzip;q=0, br", b"br"),
        (b"gzip;q=0.000", b"identity"),
        (b"*", b"identity"),
        (b"compress", b"identity"),
    ],
)
def test_only_readable_codings_are_asked_for(offered: bytes, asked: bytes) -> None:
    assert accept_encoding_line(offered) == b"Accept-Encoding: " + asked + b"\r\n"
