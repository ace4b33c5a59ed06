"""B01-B17: requests whose borders two servers could see in different places."""

import json
import time
from collections.abc import Mapping

import pytest

from support.cases import each
from support.raw_client import Reply, request
from support.raw_upstream import Answer, answer, wait_until
from support.scene import KINDS, Scene

FORGED = b"GET /%s/forged HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"


class Attack:
    """Builds requests around a scene's connection and token."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.name = scene.connection["http"].encode()
        self.token = scene.token.encode()
        self.forged = FORGED % (self.name, self.token)

    def post(self, *lines: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
        """A POST with our token, the given lines, and exactly this body."""
        head = [
            b"POST /%s/some/path HTTP/%s" % (self.name, version),
            b"Host: localhost",
            b"Authorization: Bearer " + self.token,
            *lines,
        ]
        return b"\r\n".join(head) + b"\r\n\r\n" + body

    def chunks(self, body: bytes) -> bytes:
        return self.post(b"Transfer-Encoding: chunked", body=body)


def all_refused(scene: Scene, cases: Mapping[str, bytes], *statuses: int) -> None:
    """Each in one piece and byte by byte around its first line ends: refused, closed, recorded, not forwarded."""

    scene.upstream.forget()

    def check(_: str, raw: bytes) -> None:
        for segments in ((raw,), (raw[:40], 0.01, raw[40:])):
            reply = scene.say(*segments)
            scene.must_be_refused(reply, *statuses)
            scene.nothing_reached_upstream()

    each(cases, check)
    assert scene.ask("http", "/still/alive").status == 200


def test_B01_content_length_with_transfer_encoding(scene: Scene) -> None:
    make = Attack(scene)
    body = b"0\r\n\r\n" + make.forged
    all_refused(
        scene,
        {
            "CL first": make.post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=body),
            "TE first": make.post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=body),
            "CL 0": make.post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=body),
            "CL of everything": make.post(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked", body=body),
            "other case": make.post(b"content-length: 5", b"TRANSFER-ENCODING: Chunked", body=body),
            "TE identity": make.post(b"Content-Length: 5", b"Transfer-Encoding: identity", body=body),
            "TE empty": make.post(b"Content-Length: 5", b"Transfer-Encoding:", body=body),
        },
        400,
        501,
    )


def test_B02_two_content_lengths(scene: Scene) -> None:
    make = Attack(scene)
    body = b"12345" + make.forged
    all_refused(
        scene,
        {
            "different": make.post(b"Content-Length: 5", b"Content-Length: 6", body=body),
            "equal": make.post(b"Content-Length: 5", b"Content-Length: 5", body=body),
            "equal, other case": make.post(b"Content-Length: 5", b"content-length: 5", body=body),
            "list, different": make.post(b"Content-Length: 5, 6", body=body),
            "list, equal": make.post(b"Content-Length: 5, 5", body=body),
            "list with empty": make.post(b"Content-Length: 5,", body=body),
            "zero and five": make.post(b"Content-Length: 0", b"Content-Length: 5", body=body),
            "three": make.post(*[b"Content-Length: 5"] * 3, body=body),
        },
        400,
    )


def test_B03_content_length_that_is_not_plain_digits(scene: Scene) -> None:
    make = Attack(scene)
    values = [
        b"+5", b"-1", b"-0", b"5_0", b"0x5", b"5.0", b"5e0", b"0o5", b"5 5", b"5;", b'"5"', b"five", b"", b" ",
        "٥".encode(), "５".encode(), b"\xb2", b"NaN", b"1" * 20, b"1" * 5000, b"99999999999999999999999",
        b"18446744073709551621", b"00000000000000000000005", b"5\t6", b"\x0b5", b"5\x0c", b"5\xa0",
    ]  # fmt: skip
    cases = {repr(value[:30]): make.post(b"Content-Length: " + value, body=b"12345") for value in values}
    all_refused(scene, cases, 400, 413, 431)


def test_B03_lengths_beyond_64_bits_never_wrap(scene: Scene) -> None:
    """A length that no counter holds is refused, or waited for in vain; it is never taken for a small one."""
    make = Attack(scene)
    end = b"12345\r\n0\r\n\r\n"
    cases = {
        "19 nines": make.post(b"Content-Length: " + b"9" * 19, body=b"12345"),
        "2^63 + 5": make.post(b"Content-Length: 9223372036854775813", body=b"12345"),
        "2^32 + 5": make.post(b"Content-Length: 4294967301", body=b"12345"),
        "chunk of 2^64 - 1": make.chunks(b"FFFFFFFFFFFFFFFF\r\n" + end),
        "chunk of 2^63 + 5": make.chunks(b"8000000000000005\r\n" + end),
        "chunk of 2^32 + 5": make.chunks(b"100000005\r\n" + end),
    }

    def check(_: str, raw: bytes) -> None:
        with scene.client() as client:
            client.send(raw)
            data, closed = client.until_close(5.0)
        assert closed
        assert not data or data.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 ", b"HTTP/1.1 413 ")), data

    each(cases, check, at_once=len(cases))
    assert scene.upstream.requests == []


def test_B04_field_lines_that_are_no_fields(scene: Scene) -> None:
    make = Attack(scene)
    lines = {
        "space before colon": [b"X-Test : 1"],
        "tab before colon": [b"X-Test\t: 1"],
        "CL with space before colon": [b"Content-Length : 5"],
        "TE with space before colon": [b"Transfer-Encoding : chunked"],
        "leading space": [b" X-Test: 1"],
        "leading tab": [b"\tX-Test: 1"],
        "obs-fold": [b"X-Test: a", b" b"],
        "obs-fold with tab": [b"X-Test: a", b"\tTransfer-Encoding: chunked"],
        "no colon": [b"X-Test"],
        "empty name": [b": 1"],
        "only a colon": [b":"],
        "space in name": [b"X Test: 1"],
        "brackets in name": [b"X[Test]: 1"],
        "slash in name": [b"X/Test: 1"],
        "at in name": [b"X@Test: 1"],
        "quoted name": [b'"X": 1'],
        "fold after TE": [b"Transfer-Encoding:", b" chunked"],
        "fold after CL": [b"Content-Length:", b" 5"],
        "request line again": [b"GET / HTTP/1.1"],
    }
    all_refused(scene, {name: make.post(*case, body=b"12345") for name, case in lines.items()}, 400)
    first = b"GET /%s/a HTTP/1.1\r\n X: 1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"
    all_refused(scene, {"first line folded": first % (make.name, make.token)}, 400)


def test_B04_request_lines_that_are_none(scene: Scene) -> None:
    make = Attack(scene)
    rest = b"\r\nHost: localhost\r\nAuthorization: Bearer " + make.token + b"\r\n\r\n"
    path = b"/" + make.name + b"/a"
    lines = {
        "HTTP/0.9": b"GET " + path,
        "no target": b"GET HTTP/1.1",
        "two spaces": b"GET  " + path + b" HTTP/1.1",
        "space at the end": b"GET " + path + b" HTTP/1.1 ",
        "space in front": b" GET " + path + b" HTTP/1.1",
        "tabs": b"GET\t" + path + b"\tHTTP/1.1",
        "HTTP/1.2": b"GET " + path + b" HTTP/1.2",
        "HTTP/2.0": b"GET " + path + b" HTTP/2.0",
        "HTTP/1.10": b"GET " + path + b" HTTP/1.10",
        "HTTP/01.1": b"GET " + path + b" HTTP/01.1",
        "http/1.1": b"GET " + path + b" http/1.1",
        "ICE/1.0": b"GET " + path + b" ICE/1.0",
        "RTSP/1.0": b"GET " + path + b" RTSP/1.0",
        "HTTP/1.1 twice": b"GET " + path + b" HTTP/1.1 HTTP/1.1",
        "space in target": b"GET " + path + b" x HTTP/1.1",
        "empty method": b" " + path + b" HTTP/1.1",
        "method with a colon": b"GET: " + path + b" HTTP/1.1",
        "NUL": b"GET " + path + b"\0 HTTP/1.1",
        "high byte": b"GET " + path + b"\xe9 HTTP/1.1",
        "tab in target": b"GET " + path + b"\tx HTTP/1.1",
        "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "empty line first": b"\r\nGET " + path + b" HTTP/1.1",
        "many empty lines first": b"\r\n" * 500 + b"GET " + path + b" HTTP/1.1",
        "LF first": b"\nGET " + path + b" HTTP/1.1",
        "only line ends": b"\r\n\r\n",
    }
    all_refused(scene, {name: line + rest for name, line in lines.items()}, 400, 405, 414, 505)


def test_B05_transfer_encodings_that_are_not_chunked(scene: Scene) -> None:
    make = Attack(scene)
    body = b"5\r\n12345\r\n0\r\n\r\n"
    values = [
        b"xchunked", b"chunked, identity", b"identity, chunked", b"\x0bchunked", b"chunked\x0b", b"chunked;q=1",
        b"chunked; a=b", b"gzip, chunked", b"chunked, gzip", b"gzip", b"identity", b"", b"chunked, chunked",
        b"chunked,",
        b",chunked", b'"chunked"', b"chunked chunked", b"chunke", b"\x00chunked", b"chunk\xc5\xbfed", b"cow",
        b"chun ked",
        b"chunked\xa0", b"'chunked'",
    ]  # fmt: skip
    cases = {repr(value): make.post(b"Transfer-Encoding: " + value, body=body) for value in values}
    cases["twice"] = make.post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=body)
    cases["twice, different"] = make.post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: cow", body=body)
    cases["twice, other order"] = make.post(b"Transfer-Encoding: cow", b"Transfer-Encoding: chunked", body=body)
    cases["on HTTP/1.0"] = make.post(b"Transfer-Encoding: chunked", body=body, version=b"1.0")
    cases["underscore twin"] = make.post(b"Transfer_Encoding: chunked", b"Transfer-Encoding: x", body=body)
    all_refused(scene, cases, 400, 501)


def test_B05_twin_names_do_not_frame(scene: Scene) -> None:
    """A field that only looks like a framing field neither frames here nor travels on."""
    make = Attack(scene)
    cases = {
        "Transfer_Encoding": make.post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"12345"),
        "Content_Length": make.post(b"Content_Length: 500", b"Content-Length: 5", body=b"12345"),
        "Content.Length": make.post(b"Content.Length: 500", b"Content-Length: 5", body=b"12345"),
        "X-Content-Length": make.post(b"Transfer-Encodin: chunked", b"Content-Length: 5", body=b"12345"),
    }

    def check(name: str, raw: bytes) -> None:
        scene.upstream.forget()
        reply = scene.say(raw)
        if reply.status == 200:
            sent = scene.upstream.requests[-1]
            assert sent.body == b"12345"
            assert name.lower().encode() not in sent.raw.lower() or name.startswith("X-"), sent.raw
        else:
            scene.must_be_refused(reply, 400)

    each(cases, check)


def test_B06_chunk_sizes_and_line_ends(scene: Scene) -> None:
    make = Attack(scene)
    end = b"0\r\n\r\n"
    bodies = {
        "underscore": b"0_2\r\nab\r\n" + end,
        "plus": b"+2\r\nab\r\n" + end,
        "minus": b"-2\r\nab\r\n" + end,
        "0x": b"0x2\r\nab\r\n" + end,
        "0X0": b"2\r\nab\r\n0x0\r\n\r\n",
        "17 digits": b"00000000000000002\r\nab\r\n" + end,
        "17 high digits": b"10000000000000002\r\nab\r\n" + end,
        "wraps 68 bits": b"F0000000000000002\r\nab\r\n" + end,
        "bare LF in extension": b"2;a=\nab\r\n" + end,
        "LF after size": b"2\nab\r\n" + end,
        "CR after size": b"2\rab\r\n" + end,
        "space before size": b" 2\r\nab\r\n" + end,
        "space after size": b"2 \r\nab\r\n" + end,
        "tab after size": b"2\t\r\nab\r\n" + end,
        "empty size": b"\r\nab\r\n" + end,
        "only extension": b";a=b\r\nab\r\n" + end,
        "letter": b"g\r\nab\r\n" + end,
        "Arabic digit": "٢".encode() + b"\r\nab\r\n" + end,
        "comma": b"2,\r\nab\r\n" + end,
        "missing CRLF after data": b"2\r\nab" + end,
        "data longer": b"2\r\nabc\r\n" + end,
        "LF after data": b"2\r\nab\n" + end,
        "CR after data": b"2\r\nab\r" + end,
        "spaces for CRLF": b"2\r\nab  " + end,
        "NUL in size": b"2\0\r\nab\r\n" + end,
        "CR in extension": b"2;a=\rb\r\nab\r\n" + end,
        "NUL in extension": b"2;a=\0\r\nab\r\n" + end,
        "LF at the end": b"2\r\nab\r\n0\n\n",
        "CR LF LF": b"2\r\nab\r\n0\r\n\n",
        "CR CR LF": b"2\r\r\nab\r\n" + end,
        "trailer without colon": b"2\r\nab\r\n0\r\nfoo\r\n\r\n",
        "folded trailer": b"2\r\nab\r\n0\r\nA: b\r\n c\r\n\r\n",
        "trailer with bare LF": b"2\r\nab\r\n0\r\nA: b\nC: d\r\n\r\n",
        "trailer with NUL": b"2\r\nab\r\n0\r\nA: \0\r\n\r\n",
        "space before trailer colon": b"2\r\nab\r\n0\r\nA : b\r\n\r\n",
        "huge extension": b"2;" + b"a" * 70_000 + b"\r\nab\r\n" + end,
        "huge trailers": b"2\r\nab\r\n0\r\n" + b"A: " + b"b" * 100_000 + b"\r\n\r\n",
    }

    def check(_: str, body: bytes) -> None:
        # The upstream may have been opened for the good part; it must never hold a complete request.
        raw = make.chunks(body) + make.forged
        for segments in ((raw,), (raw[: -len(make.forged)], 0.02, make.forged)):
            before = len(scene.upstream.requests)
            reply = scene.say(*segments)
            scene.must_be_refused(reply, 400, 413, 431)
            assert len(scene.upstream.requests) == before, scene.upstream.requests[-1].raw
            for received in scene.upstream.received:
                assert b"/forged" not in received
                assert b"0\r\n\r\n" not in received, received

    each(bodies, check)
    reply = scene.ask("http", "/still/alive")
    assert (reply.status, reply.body) == (200, b"ok")


def test_B06_bare_line_ends_in_the_head(scene: Scene) -> None:
    make = Attack(scene)
    head = make.post(b"X-A: 1", b"Content-Length: 5")
    field = b"Authorization: Bearer " + make.token
    all_refused(
        scene,
        {
            "LF everywhere": head.replace(b"\r\n", b"\n") + b"12345",
            "CR everywhere": head.replace(b"\r\n", b"\r") + b"12345\r\n\r\n",
            "LF after the request line": head.replace(b"\r\n", b"\n", 1) + b"12345",
            "LF after a field": head.replace(b"X-A: 1\r\n", b"X-A: 1\n") + b"12345",
            "CR inside a value": head.replace(b"X-A: 1", b"X-A: 1\rX-B: 2") + b"12345",
            "LF inside a value": head.replace(b"X-A: 1", b"X-A: 1\nX-B: 2") + b"12345",
            "CR CR LF": head.replace(b"X-A: 1\r\n", b"X-A: 1\r\r\n") + b"12345",
            "LF CR": head.replace(b"X-A: 1\r\n", b"X-A: 1\n\r") + b"12345\r\n\r\n",
            "end with LF LF": head[:-4] + b"\n\n" + b"12345" + b"\r\n\r\n",
            "end with CR LF LF": head[:-4] + b"\r\n\n" + b"12345" + b"\r\n\r\n",
            "CR in the token": head.replace(field, field + b"\rX-Evil: 1") + b"12345",
        },
        400,
    )


def test_B07_control_and_high_bytes_in_fields(scene: Scene) -> None:
    make = Attack(scene)
    lines = [
        b"X-A: a\0b", b"X-A: \0", b"X\0A: b", b"X-A: a\x01b", b"X-A: \x7f", b"X-A: \x1b[31m", b"X-A\x7f: b",
        b"X-\xc3\xa4: b",
        b"X-A\xa0: b", b"\xefX-A: b", b"X-A: a\x08b", b"X-A: a\x0bb", b"X-A: \x0cb", b"Content-Length\0: 5",
        b"X-A\x0b: b",
    ]  # fmt: skip
    all_refused(scene, {repr(line): make.post(line) for line in lines}, 400)

    def check(_: str, line: bytes) -> None:
        scene.upstream.forget()
        reply = scene.say(make.post(line))
        if reply.status == 200:
            assert line not in scene.upstream.requests[-1].raw
        else:
            scene.must_be_refused(reply, 400)

    each({repr(line): line for line in (b"X-A: \xe4\xf6", b"X-A: \xff\xfe", "X-A: ſ".encode())}, check)


def test_B08_pipelined_requests_are_judged_one_by_one(scene: Scene) -> None:
    other = scene.installation.token("somebody else")
    anonymous = request("GET", scene.target("http", "/second"))
    foreign = request("GET", scene.target("http", "/second"), [f"Authorization: Bearer {other}"])
    unknown = request("GET", "/no-such-connection/second", [scene.bearer])
    malformed = b"GET /second HTTP/1.1\r\nHost: localhost\r\nBad Field\r\n\r\n"
    for name, second, status in (
        ("no token", anonymous, 401),
        ("somebody else's token", foreign, 404),
        ("unknown connection", unknown, 404),
        ("malformed", malformed, 400),
    ):
        for first in (
            scene.raw("http", "/first"),
            scene.raw("http", "/first", method="POST", body=b"x" * 1000),
        ):
            scene.upstream.forget()
            scene.upstream.script = [Answer((0.05, *answer(b"one").segments))]
            with scene.client() as client:
                client.send(first + second + (b"" if status == 400 else scene.raw("http", "/third")))
                one, two = client.reply(), client.reply()
                assert one.body == b"one", (name, one.raw)
                scene.must_be_refused(two, status, closed=False)
                if status != 400:
                    three = client.reply()
                    assert three.status == 200, (name, three.raw)
            targets = [sent.target for sent in scene.upstream.requests]
            assert b"/second" not in targets, name
            assert targets[0] == b"/first"


def test_B08_many_pipelined_requests_are_answered_in_order(scene: Scene) -> None:
    def echo(sent) -> list[bytes]:
        return list(answer(sent.target).segments)

    scene.upstream.always = Answer(echo)
    with scene.client() as client:
        client.send(b"".join(scene.raw("http", f"/n/{number}") for number in range(60)))
        for number in range(60):
            assert client.reply().body == f"/n/{number}".encode()


def test_B10_targets_that_are_no_path_here(scene: Scene) -> None:
    make = Attack(scene)
    name = make.name
    port = b"%d" % scene.installation.gateway_port
    targets = [
        b"http://evil.example/" + name + b"/a", b"https://evil.example/",
        b"http://127.0.0.1:%d/a" % scene.upstream.port,
        b"http://localhost@evil.example/" + name + b"/a", b"http://localhost.evil.example/" + name + b"/a",
        b"ftp://localhost/" + name + b"/a", b"localhost:" + port, b"127.0.0.1", b"*",
        b"evil.example/" + name, name + b"/a",
        b"//evil.example/" + name + b"/a", b"http:/" + name + b"/a", b"http:///" + name + b"/a", b"?a=b", b"#x",
        b"\\\\evil\\x",
        b"http://localhost:1/" + name + b"/a", b"javascript:alert(1)", b"http://[::1]:9/" + name + b"/a", b"",
    ]  # fmt: skip
    line = b"GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"
    all_refused(scene, {repr(target): line % (target, make.token) for target in targets}, 400, 404, 405)


def test_B10_absolute_form_that_names_this_listener(scene: Scene) -> None:
    """Either taken as the path it names, or refused; never sent on as it is."""
    host = f"127.0.0.1:{scene.installation.gateway_port}"
    target = f"http://{host}{scene.target()}"
    reply = scene.say(request("GET", target, [scene.bearer], host=host))
    if reply.status == 200:
        assert scene.upstream.requests[-1].target == b"/some/path"
    else:
        scene.must_be_refused(reply, 400)


def test_B11_host_fields(scene: Scene) -> None:
    make = Attack(scene)
    path = b"/" + make.name + b"/a"
    bearer = b"Authorization: Bearer " + make.token

    def get(*lines: bytes) -> bytes:
        return b"\r\n".join([b"GET " + path + b" HTTP/1.1", *lines, bearer, b"", b""])

    all_refused(
        scene,
        {
            "missing": get(),
            "two": get(b"Host: localhost", b"Host: localhost"),
            "two, different": get(b"Host: localhost", b"Host: evil.example"),
            "two, other case": get(b"Host: localhost", b"hOsT: localhost"),
            "list": get(b"Host: localhost, evil.example"),
            "userinfo": get(b"Host: user@localhost"),
            "userinfo with password": get(b"Host: a:b@localhost"),
            "empty": get(b"Host:"),
            "path": get(b"Host: localhost/x"),
            "scheme": get(b"Host: http://localhost"),
            "query": get(b"Host: localhost?x"),
            "space inside": get(b"Host: local host"),
            "bad port": get(b"Host: localhost:port"),
            "two ports": get(b"Host: localhost:1:2"),
            "huge port": get(b"Host: localhost:99999999"),
            "percent": get(b"Host: loc%61lhost"),
            "folded": get(b"Host: localhost\r\n evil.example"),
            "backslash": get(b"Host: localhost\\evil.example"),
            "comma only": get(b"Host: ,"),
            "star": get(b"Host: *"),
        },
        400,
        403,
        421,
    )


def test_B13_upgrade_to_h2c_is_ignored(scene: Scene) -> None:
    settings = "AAMAAABkAAQCAAAAAAIAAAAA"
    for upgrade in ("h2c", "HTTP/2.0", "TLS/1.0", "IRC/6.9, h2c"):
        scene.upstream.forget()
        reply = scene.ask(
            "http",
            None,
            f"Upgrade: {upgrade}",
            "Connection: Upgrade, HTTP2-Settings",
            f"HTTP2-Settings: {settings}",
        )
        assert reply.status == 200, reply.raw
        assert reply.interim == []
        sent = scene.upstream.requests[-1].raw.lower()
        for word in (b"upgrade", b"http2-settings", settings.lower().encode()):
            assert word not in sent


def test_B15_request_trailers_are_dropped(scene: Scene) -> None:
    make = Attack(scene)
    trailers = [
        b"Authorization: Bearer mine", b"Host: evil.example", b"Content-Length: 500", b"Transfer-Encoding: gzip",
        b"X-Foo: bar",
        b"X-Api-Key: mine", b"Cookie: a=mine", b"Connection: close", b"Content-Type: text/evil",
    ]  # fmt: skip

    def check(_: str, lines: list[bytes]) -> None:
        scene.upstream.forget()
        body = b"2\r\nab\r\n0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
        reply = scene.say(make.post(b"Trailer: X-Foo", b"TE: trailers", b"Transfer-Encoding: chunked", body=body))
        if reply.status != 200:
            scene.must_be_refused(reply, 400)
            return
        sent = scene.upstream.requests[-1]
        assert sent.body == b"ab"
        assert sent.header(b"trailer") == []
        for line in lines:
            assert line not in sent.raw, sent.raw
        assert sent.header(b"host") == [b"127.0.0.1:%d" % scene.upstream.port]
        assert len(sent.header(b"authorization")) == 1

    each({**{repr(line): [line] for line in trailers}, "all": trailers}, check)


def test_B16_expect_continue_after_the_policy(scene: Scene) -> None:
    body = b"x" * 100
    head = "Expect: 100-continue", f"Content-Length: {len(body)}"
    with scene.client() as client:
        client.send(scene.raw("http", "/a", *head, method="POST"))
        first = client.some(3.0)
        assert first.startswith(b"HTTP/1.1 100 "), first
        client.send(body)
        reply = client.reply("POST")
    assert (reply.status, reply.body) == (200, b"ok")
    sent = scene.upstream.requests[-1]
    assert (sent.body, sent.header(b"expect")) == (body, [])

    scene.upstream.forget()
    refused = {
        "no token": request("POST", scene.target(), head),
        "wrong token": request("POST", scene.target(), [f"Authorization: Bearer {scene.token[:-1]}", *head]),
        "unknown connection": request("POST", "/nowhere/a", [scene.bearer, *head]),
        "denied": request("POST", scene.target("openai", "/v1/not-listed"), [scene.bearer, *head]),
        "other expectation": request("POST", scene.target(), [scene.bearer, "Expect: 200-ok", head[1]]),
        "two expectations": request("POST", scene.target(), [scene.bearer, "Expect: 100-continue, x", head[1]]),
    }

    def check(_: str, raw: bytes) -> None:
        reply = scene.say(raw)
        assert reply.interim == [], "told to go on before the policy was asked"
        scene.must_be_refused(reply, 400, 401, 403, 404, 417, closed=False)
        scene.nothing_reached_upstream()

    each(refused, check)


def test_B16_continue_answered_by_the_upstream_too(scene: Scene) -> None:
    """The upstream's own 100 does not reach the client a second time."""
    scene.upstream.script = [
        Answer((b"HTTP/1.1 100 Continue\r\n\r\n", 0.05, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
    ]
    with scene.client() as client:
        client.send(scene.raw("http", "/a", "Expect: 100-continue", "Content-Length: 3", method="POST"))
        assert client.some(3.0) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"abc")
        reply = client.reply("POST")
    assert (reply.interim, reply.body) == ([], b"hi")


def test_B17_answer_before_the_request_body_ended(scene: Scene) -> None:
    early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
    for how in ("length", "chunked"):
        scene.upstream.script = [Answer((early,), at_head=True)]
        opened = scene.upstream.connections
        framing = "Content-Length: 100000" if how == "length" else "Transfer-Encoding: chunked"
        with scene.client() as client:
            client.send(scene.raw("http", "/early", framing, method="POST"))
            client.send(b"5\r\nhello\r\n" if how == "chunked" else b"hello")
            reply = client.reply("POST", 5.0)
            assert (reply.status, reply.body) == (413, b"big"), reply.raw
            # What the client still sends belongs to the refused body, never to a new request.
            client.send(Attack(scene).forged)
            later, _ = client.until_close(1.5)
            assert b"HTTP/1.1 200" not in later
        before = scene.upstream.connections
        assert before <= opened + 1
        follower = scene.ask("http", "/after")
        assert (follower.status, follower.body) == (200, b"ok")
        assert scene.upstream.connections == before + 1, "the half-used upstream connection was used again"
        targets = [sent.target for sent in scene.upstream.requests]
        assert b"/forged" not in targets


@pytest.mark.parametrize("kind", KINDS)
def test_B_errors_have_the_shape_of_the_kind(scene: Scene, kind: str) -> None:
    """A refusal after routing speaks the tool's own language; every answer carries its exchange."""
    shape = {"http": "problem"}.get(kind, kind)
    denied = "BREW" if kind == "http" else "GET"
    reply = scene.say(request(denied, scene.target(kind, "/not/listed"), [scene.bearer]))
    scene.must_be_refused(reply, 403, 405, 501, closed=False, shape=shape)
    scene.upstream.script = [Answer((), close=True), Answer((), close=True)]
    scene.must_be_refused(scene.ask(kind), 502, closed=False, shape=shape)


def test_B_flood_of_malformed_requests_is_recorded(scene: Scene) -> None:
    """H18: each is an entry, or counted in one."""

    def recorded() -> int:
        entries = scene.installation.entries(scene.first_index)
        return sum(int(entry.get("count", 1)) for entry in entries if entry["type"].startswith("exchange.refused"))

    number = 300
    for _ in range(number):
        reply: Reply = scene.say(b"GET / HTTP/1.1\r\nBad\r\n\r\n")
        assert reply.status == 400
    assert wait_until(lambda: recorded() >= number, 8.0, 0.2), f"{recorded()} of {number}"
    assert len(json.dumps(scene.installation.entries(scene.first_index))) < 1_000_000
    time.sleep(1.1)  # more than 200 refusals a second are counted, not listed: let that second pass
