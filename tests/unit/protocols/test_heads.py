"""Heads that two servers could read differently are refused; the others are read exactly."""

import pytest

from ostiary.protocols.header_rules import RequestField
from ostiary.protocols.heads import (
    HeadError,
    RequestHead,
    ResponseHead,
    ResponseLines,
    looks_broken,
    parse_request_head,
    parse_response_head,
    request_line_cache,
)

CACHE = request_line_cache()
ANSWERS = ResponseLines(scanned=True)


def read(*lines: bytes, request_line: bytes = b"GET /a/b HTTP/1.1", host: bool = True) -> RequestHead:
    block = b"\r\n".join([request_line, *([b"Host: x"] if host else []), *lines])
    return parse_request_head(block, CACHE, headers_max=20, target_max_bytes=100)


def answer(*lines: bytes, status_line: bytes = b"HTTP/1.1 200 OK") -> ResponseHead:
    return parse_response_head(b"\r\n".join([status_line, *lines]), ANSWERS, headers_max=20)


def test_ordinary_head_is_read() -> None:
    head = read(b"Content-Length: 12", b"Authorization:Bearer x", b"Accept: */* ", b"X-Empty:")
    assert (head.method, head.target, head.content_length, head.chunked) == (b"GET", b"/a/b", 12, False)
    assert head.lines == [b"Accept: */* ", b"X-Empty:"]
    assert head.first(b"authorization") == b"Bearer x"
    assert head.first(b"x-empty") == b""
    assert head.keep_alive


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length : 1",
        b" Leading: x",
        b"\tfolded",
        b"no colon",
        b": empty name",
        b"Bad(Name: x",
        b"X: a\x00b",
        b"X: a\rb",
        b"X: a\nb",
        b"X: caf\xc3\xa9",
        b"X\x80: v",
        b"X: \x7f",
        b"",
    ],
)
def test_malformed_field_lines_are_refused(line: bytes) -> None:
    with pytest.raises(HeadError):
        read(line)


@pytest.mark.parametrize(
    "value",
    [
        b"+5",
        b"-1",
        b"5_0",
        b"0x5",
        b"",
        b"5 5",
        b"5,5",
        b"1" * 20,
        b"9223372036854775808",
        b"9" * 5000,
        "٣".encode(),
        b"5;",
        b"1e3",
    ],
)
def test_content_length_is_plain_digits_only(value: bytes) -> None:
    with pytest.raises(HeadError):
        read(b"Content-Length: " + value)


@pytest.mark.parametrize(
    "value", [b"xchunked", b"chunked, identity", b"\x0bchunked", b"chunked;q=1", b"identity", b"gzip, chunked", b""]
)
def test_transfer_encoding_is_exactly_chunked(value: bytes) -> None:
    with pytest.raises(HeadError):
        read(b"Transfer-Encoding: " + value)


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 1", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 1", b"Content-Length: 1"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Host: y",),
        (b"Content-Type: a/b", b"Content-Type: c/d"),
        (b"Max-Forwards: 0",),
    ],
)
def test_doubled_or_contradicting_fields_are_refused(lines: tuple[bytes, ...]) -> None:
    with pytest.raises(HeadError):
        read(*lines)


def test_missing_host_is_refused() -> None:
    with pytest.raises(HeadError):
        read(host=False)


def test_chunked_on_http_1_0_is_refused() -> None:
    with pytest.raises(HeadError):
        read(b"Transfer-Encoding: chunked", request_line=b"GET / HTTP/1.0")


@pytest.mark.parametrize(
    "line",
    [
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/2.0",
        b"GET / HTTP/1.2",
        b"GET / http/1.1",
        b"GET /a b HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"G@T / HTTP/1.1",
        b"GET /\x80 HTTP/1.1",
        b"GET /",
        b"",
        b" GET / HTTP/1.1",
        b"A" * 33 + b" / HTTP/1.1",
    ],
)
def test_malformed_request_lines_are_refused(line: bytes) -> None:
    with pytest.raises(HeadError):
        read(request_line=line)


def test_sizes_have_their_own_statuses() -> None:
    with pytest.raises(HeadError) as long_target:
        read(request_line=b"GET /" + b"a" * 100 + b" HTTP/1.1")
    with pytest.raises(HeadError) as many:
        read(*[b"X-%d: y" % number for number in range(30)])
    assert (long_target.value.status, many.value.status) == (414, 431)


def test_connection_names_hop_by_hop_fields_that_go_no_further() -> None:
    head = read(b"X-Hop: 1", b"Connection: close, x-hop", b"X-Stay: 2")
    assert head.lines == [b"X-Stay: 2"]
    assert not head.keep_alive


@pytest.mark.parametrize(
    "name",
    [
        b"X_API_KEY", b"x_api_key", b"Content_Length", b"Transfer_Encoding", b"X_Forwarded_For", b"Cookie",
        b"Forwarded", b"X-Real-IP", b"X-Original-URL", b"X-Rewrite-URL", b"X-HTTP-Method-Override", b"Range", b"TE",
        b"Trailer", b"Proxy-Authorization", b"X-Forwarded-Host", b"Keep-Alive", b"Upgrade", b"X-Ostiary-Exchange",
    ],
)  # fmt: skip
def test_fields_that_never_reach_the_upstream(name: bytes) -> None:
    head = read(name + b": 1")
    assert head.lines == []
    assert head.content_length is None
    assert not head.chunked


def test_credentials_are_never_kept_in_the_line_cache() -> None:
    cache = request_line_cache()
    line = b"Authorization: Bearer secret-of-mine"
    assert cache.read(line)[2] == RequestField.CREDENTIAL
    assert cache.get(line) is None


@pytest.mark.parametrize("partial", [b"\x16\x03\x01", b"\r\nGET", b"GET / HTTP/1.1\nHost: x", b"G\x00", b" GET"])
def test_hopeless_beginnings_are_recognised(partial: bytes) -> None:
    assert looks_broken(partial)


def test_good_beginnings_are_waited_for() -> None:
    whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert not any(looks_broken(whole[:length]) for length in range(1, len(whole)))


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: five",),
        (b"Transfer-Encoding: gzip",),
        (b" folded",),
        (b"X: a\x00",),
        (b"Content-Type: a/b", b"Content-Type: a/c"),
    ],
)
def test_smuggling_answers_are_refused(lines: tuple[bytes, ...]) -> None:
    with pytest.raises(HeadError):
        answer(*lines)


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 20 OK", b"HTTP/1.1 0200 OK", b"HTTP/2 200", b"ICY 200 OK", b"HTTP/1.1  200"]
)
def test_malformed_status_lines_are_refused(line: bytes) -> None:
    with pytest.raises(HeadError):
        answer(status_line=line)


def test_chunked_answer_of_http_1_0_is_refused() -> None:
    with pytest.raises(HeadError):
        answer(b"Transfer-Encoding: chunked", status_line=b"HTTP/1.0 200 OK")


def test_answer_keeps_harmless_fields_and_drops_the_others() -> None:
    head = answer(
        b"Content-Type: text/plain", b"X-Request-Id: 1", b"Set-Cookie: a=b", b"Alt-Svc: h3", b"Digest: x",
        b"Cache-Control: public", b"Keep-Alive: timeout=5", b"ETag: \"a\"", b"Connection: x-request-id",
    )  # fmt: skip
    assert head.lines == [b"Content-Type: text/plain"]
    assert (head.etag, head.keep_alive_s) == (b'"a"', 5.0)
