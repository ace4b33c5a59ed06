"""B19-B23: bodies that unfold, peers that dawdle, line ends that travel inside other things."""

import gzip
import re
import time
import zlib

import brotli
import pytest
import zstandard

from support.cases import each
from support.installation import Refused
from support.raw_client import RawClient, request
from support.raw_upstream import Answer, answer, chunked, wait_until
from support.scene import Scene

CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("coding", CODINGS)
def test_B19_encoded_request_body_is_decoded_or_refused(scene: Scene, coding: str) -> None:
    """What a rule or a recording looks at is what the upstream reads."""
    plain = b'{"model":"x","messages":[],"padding":"' + b"p" * 500 + b'"}'
    packed = CODINGS[coding](plain)
    for kind, path in (("openai", "/v1/chat/completions"), ("anthropic", "/v1/messages"), ("http", "/a")):
        reply = scene.ask(kind, path, f"Content-Encoding: {coding}", method="POST", body=packed)
        if reply.status == 200:
            sent = scene.upstream.requests[-1]
            assert sent.body == plain
            assert sent.header(b"content-encoding") == []
        else:
            scene.must_be_refused(reply, 415, closed=False)


def test_B19_unreadable_request_coding_is_refused(scene: Scene) -> None:
    body = b"0123456789" * 30
    cases = {
        "unknown": ("rot13", body),
        "compress": ("compress", body),
        "lie": ("gzip", body),
        "known then unknown": ("gzip, rot13", gzip.compress(body)),
        "cut": ("gzip", gzip.compress(body)[:-10]),
        "many layers": (", ".join(["gzip"] * 40), gzip.compress(body)),
        "parameters": ("gzip;q=1", gzip.compress(body)),
    }

    def check(_: str, case: tuple[str, bytes]) -> None:
        before = len(scene.upstream.requests)
        reply = scene.ask("http", "/a", f"Content-Encoding: {case[0]}", method="POST", body=case[1])
        scene.must_be_refused(reply, 400, 413, 415, closed=False)
        assert len(scene.upstream.requests) == before

    each(cases, check)


def bombs(megabytes: int) -> dict[str, bytes]:
    zeros = bytes(megabytes << 20)
    return {
        "gzip": gzip.compress(zeros, 9),
        "deflate": zlib.compress(zeros, 9),
        "br": brotli.compress(zeros, quality=5),
        "zstd": zstandard.compress(zeros),
        "gzip, gzip": gzip.compress(gzip.compress(zeros, 9), 9),
    }


def test_B20_zip_bombs_both_ways_are_capped(scene: Scene) -> None:
    scene.ask()
    before = scene.installation.settled_bytes()

    def check(coding: str, bomb: bytes) -> None:
        scene.upstream.script = [answer(bomb, f"Content-Encoding: {coding}".encode())]
        reply = scene.ask()
        assert not reply.complete or reply.status == 502, f"{len(reply.body)} bytes came through"
        assert len(reply.body) <= 8 << 20
        requests = len(scene.upstream.requests)
        reply = scene.ask("http", "/up", f"Content-Encoding: {coding}", method="POST", body=bomb)
        scene.must_be_refused(reply, 400, 413, 415, closed=False)
        assert len(scene.upstream.requests) == requests

    each(bombs(24), check)
    after = scene.installation.resident_bytes()
    assert after - before < 48 << 20, f"grew by {(after - before) >> 20} MiB"


def test_B20_well_compressed_ordinary_bodies_still_pass(scene: Scene) -> None:
    body = b'{"rows":[' + b",".join(b'{"id":%d,"name":"some name","active":true}' % n for n in range(9000)) + b"]}"
    for coding, pack in CODINGS.items():
        scene.upstream.script = [answer(pack(body), f"Content-Encoding: {coding}".encode())]
        assert scene.ask().body == body, coding


def seconds_until_closed(client: RawClient, limit_s: float) -> tuple[float, bytes]:
    start = time.monotonic()
    data, closed = client.until_close(limit_s)
    assert closed, f"still open after {limit_s} s; got {data[:200]!r}"
    return time.monotonic() - start, data


def test_B21_slow_heads_and_bodies_meet_a_deadline(scene: Scene) -> None:
    """The shared installation gives a head and a silent body one second each."""
    raw = scene.raw("http", "/a", "Content-Length: 100", method="POST")
    cases = {
        "head cut": (raw[:60],),
        "head drips": (raw[:20], *[piece for at in range(20, 36) for piece in (raw[at : at + 1], 0.2)]),
        "line end missing": (raw[:-2],),
        "body silent": (raw, b"0123456789"),
        "chunked body silent": (
            scene.raw("http", "/a", "Transfer-Encoding: chunked", method="POST"),
            b"5\r\n01234\r\n",
        ),
        "chunk size cut": (scene.raw("http", "/a", "Transfer-Encoding: chunked", method="POST"), b"5"),
    }

    def check(_: str, segments: tuple[bytes | float, ...]) -> None:
        with scene.client() as client:
            client.send(*segments)
            waited, data = seconds_until_closed(client, 5.0)
        assert waited < 4.0
        if data:
            assert data.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ")), data[:200]

    each(cases, check, at_once=len(cases))
    assert scene.upstream.requests == []
    assert scene.upstream.wait_for_close(scene.upstream.connections, 2.0), "an upstream connection was left behind"
    assert scene.ask().status == 200


def test_B21_a_slow_but_steady_upload_is_not_the_upstreams_silence(scene: Scene) -> None:
    """The upload takes longer than the upstream may take for its answer; the upstream's time begins after it."""
    pieces = 11
    framings = {"length": f"Content-Length: {pieces * 4}", "chunked": "Transfer-Encoding: chunked"}

    def check(name: str, framing: str) -> None:
        piece = b"abcd" if name == "length" else b"4\r\nabcd\r\n"
        end = b"" if name == "length" else b"0\r\n\r\n"
        with scene.client() as client:
            client.send(scene.raw("http", "/up", framing, method="POST"))
            client.send(*[part for _ in range(pieces) for part in (0.35, piece)], end)
            reply = client.reply("POST")
        assert reply.status == 200, reply.raw

    each(framings, check, at_once=2)
    assert [sent.body for sent in scene.upstream.requests] == [b"abcd" * pieces] * 2


def test_B21_slow_reader_slows_the_upstream_and_is_cut_off(scene: Scene) -> None:
    sent = 0

    def endless(_) -> object:
        nonlocal sent
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
        block = b"z" * 65_536
        for _number in range(4096):
            yield block
            sent += len(block)

    scene.ask()
    before = scene.installation.settled_bytes()
    scene.upstream.script = [Answer(endless, close=True)]
    with scene.client(receive_buffer_bytes=4096) as client:
        client.send(scene.raw())
        time.sleep(0.8)
        held = sent
        grown = scene.installation.resident_bytes() - before
        assert held < 24 << 20, f"{held >> 20} MiB were taken from the upstream for a client that reads nothing"
        assert grown < 32 << 20, f"grew by {grown >> 20} MiB"
        assert wait_until(lambda: scene.upstream.send_failures > 0, 6.0), "the stalled exchange was never cut off"
    assert scene.ask().status == 200


def test_B21_many_idle_streams_cost_little_and_block_nobody(scene: Scene) -> None:
    scene.ask()
    before = scene.installation.settled_bytes()
    number = 300
    event = b"data: {}\n\n"

    def stream(_) -> object:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + event
        for _number in range(60):
            yield 0.5
            yield b": still here\n\n"

    clients: list[RawClient] = []
    try:
        scene.upstream.script = [Answer(stream, close=True) for _ in range(number)]
        for _ in range(number):
            client = scene.client()
            clients.append(client)
            client.send(scene.raw())
        for client in clients:
            assert client.some(5.0)
        grown = scene.installation.resident_bytes() - before
        assert grown < number * 64 * 1024, f"{grown // number} bytes a stream"
        start = time.monotonic()
        assert scene.ask("http", "/quick").status == 200
        assert time.monotonic() - start < 1.0
    finally:
        for client in clients:
            client.close()
    assert scene.upstream.wait_for_close(number, 8.0), "a client that went away did not cancel its upstream"


def test_B21_pipelining_without_reading_holds_no_memory(scene: Scene) -> None:
    """A client sends requests as fast as it can and reads none of the answers."""
    big = answer(b"r" * 20_000)
    scene.upstream.always = big
    scene.ask()
    before = scene.installation.settled_bytes()
    raw = scene.raw() * 50
    with scene.client(receive_buffer_bytes=4096) as client:
        client._socket.settimeout(0.5)
        for _ in range(400):
            if not client.send(raw):
                break
        time.sleep(0.3)
        grown = scene.installation.resident_bytes() - before
        answered = len(scene.upstream.requests)
    assert grown < 32 << 20, f"grew by {grown >> 20} MiB"
    assert answered < 2000, f"{answered} requests were forwarded for a client that reads nothing"
    assert scene.ask().status == 200


def test_B21_silent_upstream_meets_a_deadline(scene: Scene) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfine"
    scene.upstream.script = [Answer((8.0,))]
    start = time.monotonic()
    scene.must_be_refused(scene.ask(), 504, code="upstream_timeout", closed=False)
    assert time.monotonic() - start < 5.0
    scene.upstream.script = [Answer((head, 8.0))]
    start = time.monotonic()
    reply = scene.ask()
    assert not reply.complete
    assert time.monotonic() - start < 5.0


def test_B21_stream_events_are_not_held_back(scene: Scene) -> None:
    """Every event arrives before the next is sent, also one that ends like the start of a key: what may be the start
    follows in the next event of the text."""
    texts = [b"one ", b"two " + scene.key[:4].encode(), b" three"]
    events = [b"data: %b\n\n" % text for text in texts]

    def paced(_) -> object:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        for event in events:
            sent.append(time.monotonic())
            yield b"%x\r\n%s\r\n" % (len(event), event)
            yield 0.5
        yield b"0\r\n\r\n"

    sent: list[float] = []
    scene.upstream.script = [Answer(paced)]
    with scene.client() as client:
        client.send(scene.raw())
        seen, arrived = b"", []
        while len(arrived) < 3:
            piece = client.some(3.0)
            assert piece, seen
            seen += piece
            while len(arrived) < 3 and seen.count(b"\n\n") > len(arrived):
                arrived.append(time.monotonic())
    for at, begun in zip(arrived, sent, strict=True):
        assert at < begun + 0.35, (arrived, sent)
    received = re.findall(rb"data: ([^\n]*)\n\n", seen)
    assert len(received) == 3
    assert received[1] == b"two "
    assert b"".join(received) == b"".join(texts)


def test_B23_line_ends_through_path_query_and_configuration(scene: Scene) -> None:
    paths = ["/a%0d%0aX-Evil:1", "/a%0aX", "/a%0dX", "/%0D%0A", "/a%0d%0a%0d%0aGET%20/forged", "/a%E5%98%8D%E5%98%8AX"]

    def check(_: str, path: str) -> None:
        scene.upstream.forget()
        reply = scene.ask("http", path)
        if reply.status == 200:
            sent = scene.upstream.requests[-1]
            assert b"%E5%98%8D" in sent.raw, sent.raw
            assert len(scene.upstream.requests) == 1
        else:
            scene.must_be_refused(reply, 400)

    each({path: path for path in paths}, check)

    def check_query(_: str, query: str) -> None:
        scene.upstream.forget()
        reply = scene.ask("http", f"/a?x={query}")
        if reply.status == 200:
            (sent,) = scene.upstream.requests
            assert f"?x={query}".lower().encode() in sent.line.lower()
            assert sent.header(b"x-evil") == []
        else:
            scene.must_be_refused(reply, 400)

    each({query: query for query in ("%0d%0aX-Evil:1", "%0aX-Evil:1", "a%00b", "%250d%250aX-Evil:1")}, check_query)

    def check_raw(_: str, raw: bytes) -> None:
        scene.upstream.forget()
        scene.must_be_refused(scene.say(raw), 400)
        scene.nothing_reached_upstream()

    plain = scene.raw("http", "/a?x=HERE")
    each(
        {repr(ends): plain.replace(b"HERE", ends) for ends in (b"\r\nX-Evil: 1\r\n", b"\n", b"\r", b"a\r\n b")},
        check_raw,
    )

    documents = {
        "fixed header": {"headers": {"X-Fixed": "a\r\nX-Evil: 1"}},
        "fixed header, LF": {"headers": {"X-Fixed": "a\nX-Evil: 1"}},
        "fixed header's name": {"headers": {"X-Fixed\r\nX-Evil": "1"}},
        "auth header": {"auth": {"header": "X-Key\r\nX-Evil"}},
        "auth prefix": {"auth": {"header": "X-Key", "prefix": "a\r\nX-Evil: 1"}},
        "query name": {"auth": {"query": "key\r\nX-Evil"}},
        "base path": {"upstream": f"http://127.0.0.1:{scene.upstream.port}/a\r\nX-Evil: 1"},
        "host": {"upstream": "http://localhost\r\nX-Evil: 1"},
        "framing header": {"headers": {"Transfer-Encoding": "chunked"}},
        "length header": {"headers": {"Content-Length": "5"}},
        "host header": {"headers": {"Host": "evil.example"}},
        "connection header": {"headers": {"Connection": "x-api-key"}},
    }

    def check_document(_: str, changes: dict) -> None:
        with pytest.raises(Refused) as refusal:
            scene.also("crlf", **changes)
        assert refusal.value.status in {400, 422}, refusal.value

    each(documents, check_document)


def test_B23_line_ends_in_a_chunked_answer_stay_in_the_body(scene: Scene) -> None:
    body = b"a\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    scene.upstream.script = [chunked([body]), answer(b"next")]
    with scene.client() as client:
        client.send(scene.raw() + scene.raw("http", "/next"))
        assert client.reply().body == body
        assert client.reply().body == b"next"


def test_B_connection_header_says_close_when_framing_is_in_doubt(scene: Scene) -> None:
    reply = scene.say(request("GET", scene.target(), ["Content-Length: +5", scene.bearer]))
    assert reply.header("connection") == [b"close"]
    scene.must_be_refused(reply, 400)
