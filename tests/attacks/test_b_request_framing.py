"""B01-B07: requests whose borders two servers could see in different places."""

from support.cases import each
from support.doubtful_requests import Attack, all_refused
from support.scene import Scene


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
