"""B08-B17: targets, hosts, pipelines, expectations and answers that come too early."""

import json
import time

import pytest

from support.cases import each
from support.doubtful_requests import Attack, all_refused
from support.raw_client import Reply, request
from support.raw_upstream import Answer, answer, wait_until
from support.scene import KINDS, Scene


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
