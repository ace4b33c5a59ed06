"""Request and response heads: a head is read or refused, never anything else; what is read holds nothing dangerous."""

import contextlib
import random

from engine import fuzz

from ostiary.gateway.admission import HostList, admit
from ostiary.model.errors import GatewayRefusal
from ostiary.protocols.heads import (
    HeadError,
    ResponseLines,
    looks_broken,
    parse_request_head,
    parse_response_head,
    request_line_cache,
    without_length,
)

CORPUS = (
    b"GET /openai/v1/models HTTP/1.1\r\nHost: localhost:8420\r\nAuthorization: Bearer x\r\nAccept: */*",
    b"POST /a/b%20c?x=%61&y HTTP/1.1\r\nHost: [::1]:1\r\nContent-Length: 5\r\nExpect: 100-continue",
    b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: x-a, close\r\nX-A: 1",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\nKeep-Alive: 5",
    b'HTTP/1.0 304\r\nETag: "a"\r\nSet-Cookie: a=b\r\nConnection: etag',
)
CACHE, ANSWERS, HOSTS = request_line_cache(), ResponseLines(scanned=True), HostList("")


def target(data: bytes, _chance: random.Random) -> None:
    looks_broken(data)
    key, length = without_length(data)
    assert len(key) <= len(data)
    assert length is None or 0 <= length < 10**18
    try:
        head = parse_request_head(data, CACHE, 50, 2000)
    except HeadError as error:
        assert error.status in (400, 414, 431)
    else:
        for line in head.lines:
            assert not set(line) & {0, 10, 13}
            assert max(line, default=0) < 0x7F
        try:
            admitted = admit(head, HOSTS)
        except GatewayRefusal as refusal:
            assert 400 <= refusal.status < 500
        else:
            assert admitted.target.path.startswith(b"/")
            assert not {b".", b".."} & set(admitted.target.path.split(b"/"))
    with contextlib.suppress(HeadError):
        parse_response_head(data, ANSWERS, 50)


if __name__ == "__main__":
    fuzz("heads", CORPUS, target)
