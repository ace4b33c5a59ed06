"""A15-A20 and A34-A39: the key, or something harmful, comes back outside the body."""

import base64
import json
import time

import pytest

from support.cases import each
from support.raw_client import request
from support.raw_upstream import Answer, RawUpstream, answer
from support.scene import KINDS, MARK, Scene

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@pytest.mark.parametrize("kind", KINDS)
def test_A15_echo_in_header_fields(scene: Scene, kind: str) -> None:
    key = scene.key
    basic = base64.b64encode(f"{key}:".encode()).decode()
    fields = {
        "Location": f"https://example.com/?key={key}",
        "Content-Location": f"/x?key={key}",
        "WWW-Authenticate": f'Bearer realm="x", error_description="bad token {key}"',
        "ETag": f'"{key}"',
        "Link": f'<https://example.com/{key}>; rel="next"',
        "X-Echo": key,
        "X-Echo-Bearer": f"Bearer {key}",
        "X-Echo-Basic": f"Basic {basic}",
        "X-Echo-Hex": key.encode().hex(),
        "X-Echo-Percent": "".join(f"%{ord(letter):02x}" for letter in key),
        "X-Echo-Json": '{"k":"' + "".join(f"\\u{ord(letter):04x}" for letter in key) + '"}',
        "X-Echo-Entities": "".join(f"&#{ord(letter)};" for letter in key),
        "X-Echo-Twice": f"{key},{key}",
        "X-Echo-Basic-Unpadded": basic.rstrip("="),
        "X-Echo-Url": base64.urlsafe_b64encode(f"??{key}".encode()).decode(),
        "X-Request-Id": f"req_{key}",
        "Content-Type": f"text/plain; note={key}",
        "Content-Disposition": f'attachment; filename="{key}.txt"',
        "Content-Language": key,
        "Last-Modified": key,
        "Server": key,
        "Via": f"1.1 {key}",
        "Date": key,
        "Warning": f'199 - "{key}"',
        "Retry-After": key,
        "Allow": key,
        "Vary": key,
        "X-RateLimit-Remaining": key,
        "Authorization": f"Bearer {key}",
        "X-Api-Key": key,
        "Authentication-Info": f'nextnonce="{key}"',
        "Server-Timing": f'x;desc="{key}"',
    }

    def check(name: str, value: str) -> None:
        kind_of_body = b"text/plain" if name != "Content-Type" else value.encode()
        headers = [] if name == "Content-Type" else [f"{name}: {value}".encode()]
        scene.upstream.script = [answer(b"fine", *headers, content_type=kind_of_body)]
        reply = scene.ask(kind)
        leaks = scene.oracle.search("raw", reply.raw)
        assert not leaks, [str(leak) for leak in leaks]
        assert reply.status == 200, reply.raw
        assert reply.body == b"fine"
        for value_seen in reply.header(name):
            if name not in {"Date", "Server", "Via", "Vary", "Content-Type"}:
                assert MARK in value_seen, (name, value_seen)

    each(fields, check)
    scene.upstream.script = [answer(b"fine", f"X-Request-Id: a {key} b".encode())]
    assert scene.ask(kind).header("x-request-id") == [b"a " + MARK + b" b"]


def test_A15_set_cookie_is_dropped_with_and_without_the_key(scene: Scene) -> None:
    for value in (f"session={scene.key}; Path=/", "session=harmless", "a=b; Secure; HttpOnly"):
        scene.upstream.script = [answer(b"fine", f"Set-Cookie: {value}".encode(), f"set-cookie2: {value}".encode())]
        reply = scene.ask()
        assert reply.status == 200
        assert reply.header("set-cookie") == []
        assert reply.header("set-cookie2") == []


def test_A15_key_in_a_field_name_or_the_reason_phrase(scene: Scene) -> None:
    key = scene.key
    cases = {
        "name": (b"200 OK", [f"X-{key}: 1".encode()]),
        "lower-case name": (b"200 OK", [f"x-{key.lower()}: 1".encode()]),
        "hex name": (b"200 OK", [f"x-{key.encode().hex()}: 1".encode()]),
        "base64 name": (b"200 OK", [base64.urlsafe_b64encode(key.encode()).rstrip(b"=") + b": 1"]),
        "reason": (f"200 {key}".encode(), []),
        "reason of an error": (f"404 Not {key}".encode(), []),
        "encoded reason": (f"200 {key.encode().hex()}".encode(), []),
        "unknown status": (f"299 {key}".encode(), []),
    }

    def check(_: str, case: tuple[bytes, list[bytes]]) -> None:
        status, headers = case
        scene.upstream.script = [answer(b"fine", *headers, status=status)]
        reply = scene.ask()
        leaks = scene.oracle.search("raw", reply.raw)
        assert not leaks, [str(leak) for leak in leaks]
        assert reply.status in {int(status[:3]), 502}
        assert reply.complete

    each(cases, check)


def test_A16_trailers_and_chunk_extensions_are_dropped(scene: Scene) -> None:
    key = scene.key.encode()
    head = OK_HEAD + b"Trailer: X-Echo\r\nTransfer-Encoding: chunked\r\n\r\n"
    cases = {
        "trailer": (b"4\r\nfine\r\n0\r\nX-Echo: %s\r\n\r\n" % key),
        "trailer name": (b"4\r\nfine\r\n0\r\nX-%s: 1\r\n\r\n" % key),
        "framing trailers": b"4\r\nfine\r\n0\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\nTransfer-Encoding: x\r\n\r\n",
        "extension": (b"4;echo=%s\r\nfine\r\n0\r\n\r\n" % key),
        "quoted extension": (b'4;echo="%s"\r\nfine\r\n0;last=%s\r\n\r\n' % (key, key)),
        "many trailers": b"4\r\nfine\r\n0\r\n" + b"".join(b"X-%d: %s\r\n" % (n, key) for n in range(50)) + b"\r\n",
    }

    def check(_: str, body: bytes) -> None:
        scene.upstream.script = [
            Answer((head + body,)),
            Answer((head, *(bytes([byte]) for byte in body))),
        ]
        for _repeat in range(2):
            reply = scene.ask("http", None, "TE: trailers")
            assert not scene.oracle.search("raw", reply.raw)
            assert reply.header("trailer") == []
            assert reply.trailers == b"", reply.trailers
            if reply.status == 200 and reply.complete:
                assert reply.body == b"fine"
        assert scene.ask().body == b"ok"

    each(cases, check)


def test_A17_interim_responses_are_not_relayed(scene: Scene) -> None:
    key = scene.key.encode()
    interim = {
        "100": b"HTTP/1.1 100 Continue\r\nX-Echo: %s\r\n\r\n" % key,
        "102": b"HTTP/1.1 102 Processing\r\nX-Echo: %s\r\n\r\n" % key,
        "103": b"HTTP/1.1 103 Early Hints\r\nLink: </%s>; rel=preload\r\n\r\n" % key,
        "199": b"HTTP/1.1 199 %s\r\n\r\n" % key,
        "three of them": b"HTTP/1.1 103 Hints\r\nA: %s\r\n\r\n" % key * 3,
    }

    def check(_: str, head: bytes) -> None:
        scene.upstream.script = [
            Answer((head + OK_HEAD + b"Content-Length: 4\r\n\r\nfine",)),
            Answer((head, 0.05, OK_HEAD + b"Content-Length: 4\r\n\r\nfine")),
        ]
        for _repeat in range(2):
            reply = scene.ask()
            assert reply.interim == []
            assert (reply.status, reply.body) == (200, b"fine"), reply.raw
            assert not scene.oracle.search("raw", reply.raw)

    each(interim, check)


def test_A17_too_many_interim_responses_are_502(scene: Scene) -> None:
    for number in (1_000, 100_000):
        flood = (b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" for _ in range(number))
        scene.upstream.script = [Answer((b"".join(flood) + OK_HEAD + b"Content-Length: 2\r\n\r\nok",), close=True)]
        reply = scene.ask(deadline_s=8.0)
        scene.must_be_refused(reply, 502, code="upstream_invalid", closed=False)
    assert scene.ask().body == b"ok"


def test_A18_range_is_stripped_and_an_unasked_206_is_blocked(scene: Scene) -> None:
    key = scene.key.encode()
    reply = scene.ask("http", None, "Range: bytes=0-9", 'If-Range: "x"', "Request-Range: bytes=3-4")
    assert reply.status == 200
    sent = scene.upstream.requests[-1]
    for name in (b"range", b"if-range", b"request-range"):
        assert sent.header(name) == [], sent.raw
    cases = {
        "single": [b"Content-Range: bytes 0-9/45"],
        "without Content-Range": [],
        "multipart": [b"Content-Type: multipart/byteranges; boundary=x"],
    }

    def check(_: str, headers: list[bytes]) -> None:
        for ranged in ([], ["Range: bytes=0-9"]):
            scene.upstream.script = [answer(key[:10], *headers, status=b"206 Partial Content")]
            scene.must_be_refused(scene.ask("http", None, *ranged), 502, closed=False)

    each(cases, check)
    scene.upstream.script = [answer(b"fine", b"Accept-Ranges: bytes", b"Content-Range: bytes 0-3/9")]
    reply = scene.ask()
    assert reply.header("content-range") == [] or reply.status == 502


def test_A18_key_cannot_be_read_in_slices(scene: Scene) -> None:
    """Sixteen requests for a byte each, as an upstream that honours Range would answer them."""
    key = scene.key.encode()

    def slice_of(sent) -> list[bytes]:
        wanted = sent.header(b"range")
        if not wanted:
            return list(answer(b"whole: " + key).segments)
        start = int(wanted[0].split(b"=")[1].split(b"-")[0])
        return list(answer(key[start : start + 1], status=b"206 Partial Content").segments)

    scene.upstream.always = Answer(slice_of)
    collected = b""
    for at in range(16):
        reply = scene.ask("http", None, f"Range: bytes={at}-{at}")
        collected += reply.body if reply.status == 206 else b""
        assert reply.body == b"whole: " + MARK
    assert collected == b""


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
def test_A19_redirects_are_handed_back_and_never_followed(scene: Scene, status: int) -> None:
    other = RawUpstream()
    try:
        key, here, there = scene.key, scene.upstream.port, other.port
        targets = {
            "same host, other port": f"http://127.0.0.1:{there}/steal",
            "other host": f"http://localhost:{there}/steal",
            "other scheme": f"https://127.0.0.1:{here}/steal",
            "same origin": f"http://127.0.0.1:{here}/steal",
            "relative": "/steal",
            "scheme-relative": f"//127.0.0.1:{there}/steal",
            "with the key": f"http://127.0.0.1:{there}/steal?k={key}",
            "key as user": f"http://{key}@127.0.0.1:{there}/",
            "file": "file:///etc/passwd",
        }

        def check(_: str, location: str) -> None:
            before = len(scene.upstream.requests)
            for method, body in (("GET", None), ("POST", b"x=1")):
                scene.upstream.script = [
                    answer(b"moved", f"Location: {location}".encode(), status=b"%d Moved" % status)
                ]
                reply = scene.ask("http", "/from", method=method, body=body)
                assert reply.status == status, reply.raw
                assert reply.header("location") == [location.replace(key, MARK.decode()).encode()]
                assert reply.body == b"moved"
            assert len(scene.upstream.requests) == before + 2
            assert other.connections == 0

        each(targets, check)
    finally:
        other.close()


@pytest.mark.parametrize("kind", KINDS)
def test_A20_trace_and_its_kin_are_refused_here(scene: Scene, kind: str) -> None:
    target = scene.target(kind)
    cases = {
        "TRACE": request("TRACE", target, [scene.bearer]),
        "TRACK": request("TRACK", target, [scene.bearer]),
        "DEBUG": request("DEBUG", target, [scene.bearer]),
        "trace": request("trace", target, [scene.bearer]),
        "OPTIONS *": request("OPTIONS", "*", [scene.bearer]),
        "GET *": request("GET", "*", [scene.bearer]),
        "CONNECT": request("CONNECT", "127.0.0.1:80", [scene.bearer]),
        "CONNECT a path": request("CONNECT", target, [scene.bearer]),
        "OPTIONS with Max-Forwards": request("OPTIONS", target, [scene.bearer, "Max-Forwards: 0"]),
        "TRACE with a body": request("TRACE", target, [scene.bearer], b"x"),
        "TRACE without a token": request("TRACE", target),
    }

    def check(_: str, raw: bytes) -> None:
        reply = scene.say(raw)
        assert reply.status in {400, 401, 403, 405, 501}, reply.raw
        scene.must_be_refused(reply, closed=False)
        scene.nothing_reached_upstream()

    each(cases, check)
    reply = scene.say(request("TRACE", target, [scene.bearer]))
    scene.must_be_refused(reply, 405, code="not_allowed_here", closed=False)
    assert scene.bearer.encode() not in reply.raw


def test_A20_max_forwards_never_travels(scene: Scene) -> None:
    reply = scene.ask("http", None, "Max-Forwards: 3")
    assert b"max-forwards" not in b"".join(scene.upstream.received).lower()
    assert reply.status in {200, 400}


def test_A34_bodies_that_must_not_be_there(scene: Scene) -> None:
    key = scene.key.encode()
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged" + key
    cases = {
        "HEAD with a body": ("HEAD", OK_HEAD + b"Content-Length: 4\r\n\r\n" + key, 200, b""),
        "HEAD with a response as body": ("HEAD", OK_HEAD + b"Content-Length: 4\r\n\r\n" + body, 200, b""),
        "HEAD chunked": ("HEAD", OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n", 200, b""),
        "204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n" + body, 204, b""),
        "204 with a length": ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 45\r\n\r\n" + key, 204, b""),
        "304": ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n' + body, 304, b""),
        "304 with a length": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 45\r\n\r\n" + key, 304, b""),
        "bytes after the length": ("GET", OK_HEAD + b"Content-Length: 4\r\n\r\nfine" + key, 200, b"fine"),
        "a second response": ("GET", OK_HEAD + b"Content-Length: 4\r\n\r\nfine" + body, 200, b"fine"),
        "bytes after the last chunk": (
            "GET",
            OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n" + body,
            200,
            b"fine",
        ),
    }

    def check(_: str, case: tuple[str, bytes, int, bytes]) -> None:
        method, raw, status, expected = case
        for segments in ((raw,), (raw[:-30], 0.05, raw[-30:])):
            scene.upstream.script = [Answer(segments)]
            with scene.client() as client:
                client.send(scene.raw(method=method))
                reply = scene.saw(client.reply(method))
            assert not scene.oracle.search("raw", reply.raw + reply.extra)
            if reply.status == 502:
                assert method == "HEAD" or status in {204, 304}, reply.raw
            else:
                assert (reply.status, reply.body) == (status, expected), reply.raw
            assert reply.extra == b"", reply.extra
            time.sleep(0.15 * (len(segments) - 1) / 2)
            poisoned = scene.upstream.connections
            follower = scene.ask()
            assert (follower.status, follower.body) == (200, b"ok"), follower.raw
            assert scene.upstream.connections == poisoned + 1, "the poisoned connection was used again"

    each(cases, check)


def test_A34_unasked_response_on_an_idle_connection(scene: Scene) -> None:
    """An upstream answers before it is asked: the next request must not take that answer for its own."""
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    scene.upstream.script = [
        Answer((OK_HEAD + b"Content-Length: 4\r\n\r\nfine", 0.2, forged)),
    ]
    with scene.client() as client:
        client.send(scene.raw())
        assert client.reply().body == b"fine"
        client.send(0.5, scene.raw("http", "/second"))
        reply = client.reply()
    assert reply.body == b"ok", reply.raw
    assert scene.upstream.connections == 2


def test_A35_harmful_fields_are_stripped(scene: Scene) -> None:
    fields = {
        "Alt-Svc": 'h3=":443"; ma=86400',
        "NEL": '{"report_to":"x","max_age":1}',
        "Report-To": '{"endpoints":[{"url":"https://evil.example"}]}',
        "Reporting-Endpoints": 'x="https://evil.example"',
        "SourceMap": "https://evil.example/x.map",
        "X-SourceMap": "https://evil.example/x.map",
        "Refresh": "0; url=https://evil.example",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
        "Public-Key-Pins": 'pin-sha256="x"',
        "Clear-Site-Data": '"*"',
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "Keep-Alive": "timeout=500",
        "Proxy-Authenticate": "Basic",
        "Proxy-Connection": "keep-alive",
        "Upgrade": "h2c",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Credentials": "true",
        "Service-Worker-Allowed": "/",
    }
    for name_case in (str.title, str.lower, str.upper):
        lines = [f"{name_case(name)}: {value}".encode() for name, value in fields.items()]
        scene.upstream.script = [answer(b"fine", *lines, b"X-Kept: yes")]
        reply = scene.ask()
        assert reply.body == b"fine", reply.raw
        assert reply.header("x-kept") == [b"yes"]
        left = {
            name: reply.header(name)
            for name in fields
            if reply.header(name) and name not in {"Connection", "Keep-Alive"}
        }
        assert left == {}
        assert b"X-Hop" not in b"".join(reply.header("connection"))
        assert reply.header("keep-alive") != [b"timeout=500"]


@pytest.mark.parametrize("kind", KINDS)
def test_A36_407_is_502_and_a_refused_key_is_not_a_refused_token(scene: Scene, kind: str) -> None:
    challenge = f'Basic realm="{scene.key}"'.encode()
    scene.upstream.script = [
        answer(b"p", b"Proxy-Authenticate: " + challenge, status=b"407 Proxy Authentication Required"),
        answer(b"p", b"WWW-Authenticate: " + challenge, status=b"401 Unauthorized"),
        answer(b"p", status=b"403 Forbidden"),
    ]
    scene.must_be_refused(scene.ask(kind), 502, closed=False)
    for _ in range(2):
        reply = scene.ask(kind)
        assert reply.header("www-authenticate") == []
        scene.must_be_refused(reply, 502, code="upstream_refused_key", closed=False)


def test_A38_cacheable_answers_become_no_store(scene: Scene) -> None:
    cases = {
        "public": [b"Cache-Control: public, max-age=900"],
        "two lines": [b"Cache-Control: public", b"cache-control: immutable"],
        "none": [],
        "private": [b"Cache-Control: private"],
        "surrogates": [b"Surrogate-Control: max-age=9", b"CDN-Cache-Control: public", b"Cache-Control: public"],
        "expires": [b"Expires: Thu, 01 Dec 2099 16:00:00 GMT", b"Pragma: cache", b"Cache-Control: max-age=9"],
    }

    def check(_: str, headers: list[bytes]) -> None:
        scene.upstream.script = [answer(b"fine", *headers)]
        reply = scene.ask()
        assert reply.header("cache-control") == [b"no-store"]
        for name in ("surrogate-control", "cdn-cache-control", "expires"):
            assert reply.header(name) == [], name

    each(cases, check)
    refused = scene.say(request("GET", scene.target()))
    assert refused.header("cache-control") == [b"no-store"]


def test_A39_two_actors_share_nothing_but_the_socket(scene: Scene) -> None:
    second = scene.installation.token(scene.actor, kind="agent", agent="another tool")
    scene.upstream.script = [
        answer(b"one", b"Set-Cookie: who=first", b"X-Session: first", b'ETag: "first"'),
        answer(b"two"),
        answer(b"ntlm", b"WWW-Authenticate: NTLM", b"Persistent-Auth: true", status=b"401 Unauthorized"),
    ]
    first_headers = ["Cookie: mine=1", "X-Own: first", "X-Session-Id: s-1"]
    assert scene.ask("http", "/a", *first_headers).body == b"one"
    reply = scene.say(request("GET", scene.target("http", "/b"), [f"Authorization: Bearer {second}"]))
    assert reply.body == b"two"
    sent = scene.upstream.requests
    assert sent[0].connection == sent[1].connection, "the pool was not shared: the case proves nothing"
    for word in (b"mine=1", b"who=first", b"X-Own", b"s-1"):
        assert word not in sent[1].raw, word
    assert b"cookie" not in sent[0].raw.lower()
    scene.must_be_refused(scene.ask("http", "/c"), 502, closed=False)
    assert scene.ask("http", "/d").body == b"ok"
    assert scene.upstream.requests[-1].connection != sent[0].connection, "a socket with bound auth was reused"


@pytest.mark.parametrize("kind", KINDS)
def test_A41_what_is_replayed_is_what_the_client_got(scene: Scene, kind: str) -> None:
    """Only masked data is stored, and it is stored whole. Through the command line this time."""
    scene.upstream.always = answer(b"before " + scene.key.encode() + b" after", b"X-Echo: " + scene.key.encode())
    assert scene.ask(kind).body == b"before " + MARK + b" after"
    listed = scene.installation.cli("sessions", "list", "--json")
    assert listed.returncode == 0, listed
    sessions = json.loads(listed.stdout)
    rows = sessions["sessions"] if isinstance(sessions, dict) else sessions
    mine = [row["id"] for row in rows if row["connection"] == scene.connection[kind]]
    assert len(mine) == 1
    for extra in (["--json"], []):
        shown = scene.installation.cli("sessions", "replay", mine[0], *extra)
        assert shown.returncode == 0, shown
        assert b"before [masked:injected-secret] after" in shown.stdout, shown.stdout
        assert not scene.oracle.search("replay", shown.stdout + shown.stderr)
    for command in (["export"], ["sessions", "show", mine[0], "--json"], ["audit", "verify"]):
        ended = scene.installation.cli(*command)
        assert ended.returncode == 0, ended
        assert not scene.oracle.search(" ".join(command), ended.stdout + ended.stderr)
