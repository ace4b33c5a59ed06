"""B18: answers whose borders two readers could see in different places."""

import pytest

from support.cases import each
from support.raw_upstream import Answer
from support.scene import Scene

OK = b"HTTP/1.1 200 OK\r\n"
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

BAD_HEADS = {
    "CL and TE": OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n" + FORGED,
    "TE and CL": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nfine\r\n0\r\n\r\n" + FORGED,
    "two CL": OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nfine" + FORGED,
    "CL list": OK + b"Content-Length: 4, 5\r\n\r\nfine" + FORGED,
    "CL +4": OK + b"Content-Length: +4\r\n\r\nfine",
    "CL -1": OK + b"Content-Length: -1\r\n\r\nfine",
    "CL 0x4": OK + b"Content-Length: 0x4\r\n\r\nfine",
    "CL 4_0": OK + b"Content-Length: 4_0\r\n\r\nfine",
    "CL empty": OK + b"Content-Length:\r\n\r\nfine",
    "CL 5000 digits": OK + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\nfine",
    "CL 20 digits": OK + b"Content-Length: 18446744073709551620\r\n\r\nfine",
    "TE xchunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "TE chunked, identity": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "TE twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "TE with a tab in front": OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "TE on HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "TE before a colon with space": OK + b"Transfer-Encoding : chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    "1,000 headers": OK + b"".join(b"X-%d: y\r\n" % number for number in range(1000)) + b"Content-Length: 2\r\n\r\nok",
    "1 MB header": OK + b"X: " + b"y" * (1 << 20) + b"\r\nContent-Length: 2\r\n\r\nok",
    "no status line": b"Content-Length: 4\r\n\r\nfine",
    "HTTP/0.9": b"fine",
    "HTML": b"<html><body>hello</body></html>\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 4\r\n\r\nfine",
    "h2 frame": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\r\n\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 4\r\n\r\nfine",
    "ICY": b"ICY 200 OK\r\nContent-Length: 4\r\n\r\nfine",
    "status 20": b"HTTP/1.1 20 OK\r\nContent-Length: 4\r\n\r\nfine",
    "status 2000": b"HTTP/1.1 2000 OK\r\nContent-Length: 4\r\n\r\nfine",
    "status abc": b"HTTP/1.1 abc OK\r\nContent-Length: 4\r\n\r\nfine",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 4\r\n\r\nfine",
    "status -20": b"HTTP/1.1 -20 OK\r\nContent-Length: 4\r\n\r\nfine",
    "tabs": b"HTTP/1.1\t200\tOK\r\nContent-Length: 4\r\n\r\nfine",
    "LF only": b"HTTP/1.1 200 OK\nContent-Length: 4\n\nfine",
    "bare CR in a value": OK + b"X: a\rContent-Length: 9\r\nContent-Length: 4\r\n\r\nfine",
    "bare LF in a value": OK + b"X: a\nSet-Cookie: b\r\nContent-Length: 4\r\n\r\nfine",
    "NUL in a value": OK + b"X: a\0b\r\nContent-Length: 4\r\n\r\nfine",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 4\r\n\r\nfine",
    "CR in the reason": b"HTTP/1.1 200 O\rK\r\nContent-Length: 4\r\n\r\nfine",
    "no colon": OK + b"Nonsense\r\nContent-Length: 4\r\n\r\nfine",
    "space before colon": OK + b"Content-Length : 4\r\n\r\nfine",
    "empty name": OK + b": x\r\nContent-Length: 4\r\n\r\nfine",
    "obs-fold": OK + b"X: a\r\n b\r\nContent-Length: 4\r\n\r\nfine",
    "folded first line": OK + b" X: a\r\nContent-Length: 4\r\n\r\nfine",
    "a request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}

BAD_BODIES = {
    "underscore": b"0_4\r\nfine\r\n0\r\n\r\n",
    "plus": b"+4\r\nfine\r\n0\r\n\r\n",
    "0x": b"0x4\r\nfine\r\n0\r\n\r\n",
    "17 digits": b"00000000000000004\r\nfine\r\n0\r\n\r\n",
    "wraps": b"FFFFFFFFFFFFFFFFF\r\nfine\r\n0\r\n\r\n",
    "signed wrap": b"8000000000000004\r\nfine\r\n0\r\n\r\n",
    "not hex": b"zz\r\nfine\r\n0\r\n\r\n",
    "empty size": b"\r\nfine\r\n0\r\n\r\n",
    "missing CRLF": b"4\r\nfine0\r\n\r\n",
    "longer data": b"4\r\nfiner\r\n0\r\n\r\n",
    "bare LF": b"4\nfine\n0\n\n",
    "LF in extension": b"4;a=\nfine\r\n0\r\n\r\n",
    "CR in extension": b"4;a=\rb\r\nfine\r\n0\r\n\r\n",
    "bad second chunk": b"4\r\nfine\r\nxx\r\nmore\r\n0\r\n\r\n",
    "bad trailer": b"4\r\nfine\r\n0\r\nnonsense\r\n\r\n",
    "trailer with bare LF": b"4\r\nfine\r\n0\r\nA: b\nC: d\r\n\r\n",
}


@pytest.mark.parametrize("delivery", ["whole", "in pieces"])
def test_B18_upstream_smuggles_in_the_head(scene: Scene, delivery: str) -> None:
    def check(_: str, raw: bytes) -> None:
        pieces = (raw,) if delivery == "whole" else (raw[:17], 0.01, raw[17:60], 0.01, raw[60:])
        # A reader that goes on waiting would turn a bad head into a timeout; the answer must come at once.
        scene.upstream.script = [Answer(pieces, close=b"\r\n\r\n" not in raw)]
        opened = scene.upstream.connections
        reply = scene.ask(deadline_s=6.0)
        scene.must_be_refused(reply, 502, code="upstream_invalid", closed=False)
        assert b"fine" not in reply.raw
        assert b"forged" not in reply.raw
        used = scene.upstream.connections
        assert used <= opened + 1, "the request was sent twice"
        follower = scene.ask("http", "/after")
        assert (follower.status, follower.body) == (200, b"ok"), follower.raw
        assert scene.upstream.connections == used + 1, "the connection was not dropped"

    each(BAD_HEADS, check)


@pytest.mark.parametrize("delivery", ["whole", "in pieces"])
def test_B18_upstream_smuggles_in_the_chunks(scene: Scene, delivery: str) -> None:
    """The head may be on its way to the client: then the answer breaks off and is not complete."""

    def check(_: str, body: bytes) -> None:
        raw = CHUNKED + body + FORGED
        at = len(CHUNKED)
        pieces = (raw,) if delivery == "whole" else (raw[:at], 0.02, raw[at : at + 3], 0.02, raw[at + 3 :])
        scene.upstream.script = [Answer(pieces)]
        reply = scene.ask(deadline_s=6.0)
        assert b"forged" not in reply.raw
        if reply.complete:
            scene.must_be_refused(reply, 502, closed=False)
        else:
            assert reply.closed
            scene.must_be_recorded(reply)
        used = scene.upstream.connections
        follower = scene.ask("http", "/after")
        assert (follower.status, follower.body) == (200, b"ok"), follower.raw
        assert scene.upstream.connections == used + 1, "the connection was not dropped"

    each(BAD_BODIES, check)


def test_B18_upstream_ends_before_the_body_does(scene: Scene) -> None:
    """A cut body is never passed on as a whole one."""
    cases = {
        "length": OK + b"Content-Length: 10\r\n\r\nfine",
        "chunk": CHUNKED + b"a\r\nfine",
        "between chunks": CHUNKED + b"4\r\nfine\r\n",
        "before the last line": CHUNKED + b"4\r\nfine\r\n0\r\n",
        "in a size": CHUNKED + b"4\r\nfine\r\n1",
        "gzip": OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    }

    def check(_: str, raw: bytes) -> None:
        for how in ({"close": True}, {"reset": True}):
            scene.upstream.script = [Answer((raw, 0.05), **how)]
            reply = scene.ask()
            assert not reply.complete or reply.status == 502, reply.raw
            assert reply.closed or reply.status == 502

    each(cases, check)


def test_B18_valid_oddities_still_pass(scene: Scene) -> None:
    """Strictness must not cost what real servers send."""
    cases = {
        "no reason": b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nfine",
        "empty reason": b"HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\nfine",
        "high bytes in the reason": b"HTTP/1.1 200 \xc3\xb6\r\nContent-Length: 4\r\n\r\nfine",
        "HTTP/1.0 with length": b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine",
        "empty value": OK + b"X:\r\nContent-Length: 4\r\n\r\nfine",
        "no space": OK + b"X:y\r\nContent-Length:4\r\n\r\nfine",
        "spaces around": OK + b"X: \t y \t \r\nContent-Length: 4  \r\n\r\nfine",
        "chunk extension": CHUNKED + b'4;a=b;c="d"\r\nfine\r\n0\r\n\r\n',
        "upper hex": CHUNKED + b"A\r\nfine fine \r\n0\r\n\r\n",
        "zero-padded size": CHUNKED + b"0004\r\nfine\r\n000\r\n\r\n",
        "trailers": CHUNKED + b"4\r\nfine\r\n0\r\nX: y\r\n\r\n",
        "Chunked in capitals": OK + b"Transfer-Encoding: Chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
    }

    def check(_: str, raw: bytes) -> None:
        scene.upstream.script = [Answer((raw,))]
        reply = scene.ask()
        assert reply.status == 200, reply.raw
        assert reply.complete
        assert reply.body.startswith(b"fine")

    each(cases, check)
    scene.upstream.script = [Answer((OK + b"\r\nfine",), close=True)]
    reply = scene.ask()
    assert (reply.body, reply.complete) == (b"fine", True)


def test_B18_an_old_client_gets_an_answer_it_can_read(scene: Scene) -> None:
    """HTTP/1.0 knows no chunks: the body arrives plain and ends with the connection."""
    raw = scene.raw().replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n")
    for upstream_sends in (CHUNKED + b"4\r\nfine\r\n0\r\n\r\n", OK + b"Content-Length: 4\r\n\r\nfine"):
        scene.upstream.script = [Answer((upstream_sends,))]
        with scene.client() as client:
            client.send(raw)
            data, closed = client.until_close(5.0)
        head, _, body = data.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower(), head
        assert body == b"fine"
        assert closed


def test_B18_codings_without_a_body_are_no_error(scene: Scene) -> None:
    cases = {
        "HEAD": ("HEAD", OK + b"Content-Encoding: gzip\r\nContent-Length: 400\r\n\r\n", 200),
        "304": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\n\r\n", 304),
        "204": ("GET", b"HTTP/1.1 204 No Content\r\nContent-Encoding: br\r\n\r\n", 204),
    }

    def check(_: str, case: tuple[str, bytes, int]) -> None:
        method, raw, status = case
        scene.upstream.script = [Answer((raw,))]
        reply = scene.ask(method=method)
        assert (reply.status, reply.body, reply.complete) == (status, b"", True), reply.raw
        assert scene.ask("http", "/after").body == b"ok"

    each(cases, check)
