"""C07-C12: ways around the token, tunnels, web pages and oversized heads."""

import http.client
import time

from support.cases import each
from support.raw_client import request
from support.raw_upstream import Answer, answer
from support.scene import KINDS, Scene

CREDENTIAL_FIELDS = (
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"x-goog-api-key",
    b"cookie",
    b"proxy-authorization",
)


def test_C07_no_health_path_or_user_agent_skips_authentication(scene: Scene) -> None:
    paths = [
        "/", "/healthz", "/readyz", "/livez", "/health", "/ping", "/status", "/metrics", "/favicon.ico",
        "/robots.txt",
        "/api/v1/status", "/api/v1/tokens", "/docs", "/openapi.json", "/api/v1/openapi.json", "/login", "/console",
        "/.well-known/openid-configuration", "/.well-known/oauth-protected-resource", "/debug/pprof/",
        "/server-status",
        "/v1/models", "/admin", "/static/x.js", scene.target(), scene.target("http", "/healthz"),
    ]  # fmt: skip
    agents = ["kube-probe/1.30", "ELB-HealthChecker/2.0", "Prometheus/2.5"]

    def check(_: str, path: str) -> None:
        for agent in agents:
            for method in ("GET", "HEAD", "OPTIONS"):
                reply = scene.say(request(method, path, [f"User-Agent: {agent}"]), method=method)
                assert reply.status in {401, 404, 405}, reply.raw
                assert reply.header("x-ostiary-exchange")
                if method == "GET":
                    scene.must_be_refused(reply, 401, 404, closed=False, recorded=False)
        scene.nothing_reached_upstream()
        if scene.connection["http"] not in path:
            with_token = scene.say(request("GET", path, [scene.bearer]))
            scene.must_be_refused(with_token, 404, closed=False, code="unknown_connection", recorded=False)

    each({path: path for path in paths}, check)
    time.sleep(1.1)  # more than 200 refusals a second are counted, not listed: let that second pass


def test_C08_no_tunnel_through_upgrades(scene: Scene) -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    spoken = b"\x81\x05hello" + scene.key.encode()
    asked = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
    ]

    def check_switching(_: str, kind: str) -> None:
        scene.upstream.forget()
        scene.upstream.script = [Answer((switching + spoken, 0.3))]
        reply = scene.ask(kind)
        assert reply.status != 101
        assert b"hello" not in reply.raw
        scene.must_be_refused(reply, 502, closed=False)

        scene.upstream.script = []
        scene.upstream.forget()
        reply = scene.ask(kind, None, *asked)
        assert reply.status != 101
        if reply.status == 200:
            assert b"websocket" not in scene.upstream.requests[-1].raw.lower()
        else:
            scene.must_be_refused(reply, 400, 426, closed=False)

    each({kind: kind for kind in KINDS}, check_switching)
    for upgrade in (b"Upgrade: h2c", b"Upgrade: websocket\r\nConnection: Upgrade"):
        scene.upstream.script = [answer(b"fine", upgrade)]
        reply = scene.ask()
        assert (reply.status, reply.body) in {(200, b"fine")} or reply.status == 502
        assert reply.header("upgrade") == []
        assert b"pgrade" not in b"".join(reply.header("connection"))
    for status in (b"426 Upgrade Required", b"200 Connection established"):
        scene.upstream.script = [answer(b"x", b"Upgrade: h2c", status=status)]
        assert scene.ask().header("upgrade") == []


def test_C08_websocket_asked_is_426_where_the_kind_has_none(scene: Scene) -> None:
    """Codex falls back to POST on exactly this status."""
    reply = scene.ask(
        "openai",
        "/v1/responses",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
    )
    scene.must_be_refused(reply, 426, code="not_allowed_here", closed=False)
    scene.nothing_reached_upstream()


def test_C09_a_web_page_cannot_use_the_listener(scene: Scene) -> None:
    host = f"127.0.0.1:{scene.installation.gateway_port}"
    target = scene.target()

    def check(_: str, case: tuple[str, list[str], str]) -> None:
        method, lines, named = case
        raw = request(method, target, [scene.bearer, *lines], b"" if method == "POST" else None, host=named)
        reply = scene.say(raw)
        scene.must_be_refused(reply, 400, 403, 404, 421, closed=False)
        scene.nothing_reached_upstream()
        assert not [name for name, _ in reply.headers if name.lower().startswith(b"access-control-")]

    each(
        {
            "rebinding": ("GET", [], "evil.example"),
            "rebinding with the port": ("GET", [], f"evil.example:{scene.installation.gateway_port}"),
            "rebinding to a look-alike": ("GET", [], "localhost.evil.example"),
            "rebinding, suffix": ("GET", [], "evillocalhost"),
            "rebinding, trailing dot": ("GET", [], "evil.example."),
            "rebinding, nip.io": ("GET", [], "127.0.0.1.nip.io"),
            "foreign origin": ("GET", ["Origin: https://evil.example"], host),
            "foreign origin, post": ("POST", ["Origin: https://evil.example", "Content-Type: text/plain"], host),
            "opaque origin": ("POST", ["Origin: null"], host),
            "extension": ("POST", ["Origin: chrome-extension://abcdef"], host),
            "origin on another port": ("POST", ["Origin: http://127.0.0.1:1"], host),
            "cross-site fetch": ("GET", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"], host),
            "same-site fetch": ("GET", ["Sec-Fetch-Site: same-site"], host),
            "preflight": (
                "OPTIONS",
                ["Origin: https://evil.example", "Access-Control-Request-Method: POST"],
                host,
            ),
        },
        check,
    )
    unauthorised = scene.say(
        request(
            "OPTIONS",
            target,
            [
                "Origin: https://evil.example",
                "Access-Control-Request-Method: POST",
                "Access-Control-Request-Headers: authorization",
                "Access-Control-Request-Private-Network: true",
            ],
        ),
    )
    scene.must_be_refused(unauthorised, 400, 401, 403, closed=False)
    assert not [name for name, _ in unauthorised.headers if name.lower().startswith(b"access-control-")]
    for name in ("localhost", "LOCALHOST", "127.0.0.1", host, f"localhost:{scene.installation.gateway_port}"):
        assert scene.say(request("GET", target, [scene.bearer], host=name)).status == 200, name


def test_C09_the_upstreams_cors_fields_are_not_passed_on(scene: Scene) -> None:
    lines = [
        b"Access-Control-Allow-Origin: *",
        b"Access-Control-Allow-Credentials: true",
        b"Access-Control-Allow-Headers: authorization",
        b"Access-Control-Allow-Private-Network: true",
        b"Access-Control-Expose-Headers: *",
        b"Timing-Allow-Origin: *",
        b"Cross-Origin-Resource-Policy: cross-origin",
    ]
    scene.upstream.script = [answer(b"fine", *lines)]
    reply = scene.ask()
    assert reply.body == b"fine"
    assert not [name for name, _ in reply.headers if name.lower().startswith(b"access-control-")]


def test_C09_ops_listener_answers_no_web_page(scene: Scene) -> None:
    """DNS rebinding against the listener that has no login."""
    connection = http.client.HTTPConnection("127.0.0.1", scene.installation.ops_port, timeout=5)
    try:
        connection.request("GET", "/metrics", headers={"Origin": "https://evil.example"})
        answered = connection.getresponse()
        answered.read()
        assert answered.getheader("Access-Control-Allow-Origin") is None
    finally:
        connection.close()


def test_C12_too_much_head_is_431(scene: Scene) -> None:
    def lines(number: int, size: int) -> list[str]:
        return [f"X-{index}: {'y' * size}" for index in range(number)]

    cases = {
        "300 of 8 kB": scene.raw("http", None, *lines(300, 8000)),
        "one of 1 MB": scene.raw("http", None, "X-Big: " + "y" * (1 << 20)),
        "one of 1 MB without an end": scene.raw("http", None, "X-Big: " + "y" * (1 << 20))[:-4],
        "1,000 small ones": scene.raw("http", None, *lines(1000, 1)),
        "a long name": scene.raw("http", None, "X" * 100_000 + ": y"),
        "10,000 empty ones": scene.raw("http", None, *["X:"] * 10_000),
    }

    def check(_: str, raw: bytes) -> None:
        scene.must_be_refused(scene.say(raw), 431)
        scene.nothing_reached_upstream()

    each(cases, check)
    long_target = scene.raw("http", "/" + "a" * 30_000)
    scene.must_be_refused(scene.say(long_target), 414, 431)
    endless = scene.raw("http", "/" + "a" * 2_000_000)
    scene.must_be_refused(scene.say(endless), 414, 431)
    scene.nothing_reached_upstream()
    assert scene.ask("http", "/" + "a" * 4000, *lines(60, 400)).status == 200
