"""E21 and E23 as far as they go today: what was taken back ends at once, also on a kept connection."""

import time

from support.raw_client import request
from support.raw_upstream import Answer, RawUpstream, answer, wait_until
from support.scene import Scene


def test_E23_a_revoked_token_ends_on_a_kept_connection(scene: Scene) -> None:
    minted = scene.installation.mint(scene.actor)
    raw = request("GET", scene.target(), [f"Authorization: Bearer {minted['token']}"])
    with scene.client() as client:
        for _ in range(3):
            client.send(raw)
            assert client.reply().status == 200
        scene.installation.api("DELETE", f"/tokens/{minted['id']}")
        client.send(raw)
        scene.must_be_refused(client.reply(), 401, closed=False)
    assert len(scene.upstream.requests) == 3


def test_E23_an_expired_token_ends_on_a_kept_connection(scene: Scene) -> None:
    minted = scene.installation.mint(scene.actor, ttl_s=1.5)
    raw = request("GET", scene.target(), [f"Authorization: Bearer {minted['token']}"])
    with scene.client() as client:
        client.send(raw)
        assert client.reply().status == 200
        client.send(1.6, raw)
        scene.must_be_refused(client.reply(), 401, code="token_expired", closed=False)
    assert len(scene.upstream.requests) == 1


def test_E23_a_changed_rule_holds_for_the_next_request_of_a_kept_connection(scene: Scene) -> None:
    with scene.client() as client:
        client.send(scene.raw())
        assert client.reply().status == 200
        rule = {**scene.allowing(*scene.connection.values()), "effect": "deny", "message": "Not any more."}
        scene.installation.apply({"rules": [rule]})
        client.send(scene.raw())
        reply = client.reply()
    scene.must_be_refused(reply, 403, code="denied", closed=False)
    assert b"Not any more." in reply.body
    assert len(scene.upstream.requests) == 1


def test_E23_a_removed_connection_is_unknown_and_its_sockets_are_closed(scene: Scene) -> None:
    other = RawUpstream()
    try:
        name = scene.also("moving")
        raw = request("GET", f"/{name}/a", [scene.bearer])
        with scene.client() as client:
            client.send(raw)
            assert client.reply().status == 200
            scene.also("moving", upstream=f"http://127.0.0.1:{other.port}")
            before = len(scene.upstream.requests)
            client.send(raw)
            assert client.reply().status == 200
        assert len(scene.upstream.requests) == before, "the old address was used once more"
        assert len(other.requests) == 1
        assert other.requests[0].header(b"host") == [f"127.0.0.1:{other.port}".encode()]
    finally:
        other.close()


def test_E23_a_rotated_secret_is_used_at_once(scene: Scene) -> None:
    with scene.client() as client:
        client.send(scene.raw())
        assert client.reply().status == 200
        fresh = scene.key[:5] + scene.key[:4:-1]
        scene.rotate(fresh)
        client.send(scene.raw())
        assert client.reply().status == 200
    assert scene.upstream.requests[-1].header(b"authorization") == [f"Bearer {fresh}".encode()]


def test_E23_a_long_stream_of_a_revoked_token_is_closed(scene: Scene) -> None:
    minted = scene.installation.mint(scene.actor)

    def paced(_) -> object:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        for number in range(120):
            yield b"data: %d\n\n" % number
            yield 0.1

    scene.upstream.script = [Answer(paced, close=True)]
    with scene.client() as client:
        client.send(request("GET", scene.target(), [f"Authorization: Bearer {minted['token']}"]))
        assert client.some()
        scene.installation.api("DELETE", f"/tokens/{minted['id']}")
        start = time.monotonic()
        _, closed = client.until_close(9.0)
    assert closed
    assert time.monotonic() - start < 5.5


def test_E21_a_token_bound_to_a_connection_knows_no_other(scene: Scene) -> None:
    bound = scene.installation.token(scene.actor, connections=[scene.connection["openai"]])
    bearer = [f"Authorization: Bearer {bound}"]
    assert scene.say(request("GET", scene.target("openai"), bearer)).status == 200
    hidden = scene.say(request("GET", scene.target("http"), bearer))
    scene.must_be_refused(hidden, 404, code="unknown_connection", closed=False)
    unknown = scene.say(request("GET", "/no-such/some/path", bearer))
    assert unknown.body.replace(b"no-such", b"") == hidden.body.replace(scene.connection["http"].encode(), b"")


def test_E24_an_unsafe_request_is_never_sent_twice(scene: Scene) -> None:
    """The upstream takes the request and goes away: on a fresh and on a kept connection."""
    for warm in (False, True):
        for how in ({"close": True}, {"reset": True}):
            if warm:
                scene.upstream.script = [answer(b"warm")]
                assert scene.ask("http", "/warm").body == b"warm"
            before = len(scene.upstream.requests)
            scene.upstream.script = [Answer((), **how)]
            reply = scene.ask("http", "/once", method="POST", body=b"pay")
            scene.must_be_refused(reply, 502, closed=False)
            sent = [row for row in scene.upstream.requests[before:] if row.target == b"/once"]
            assert len(sent) == 1, (warm, how)


def test_E24_a_socket_that_died_while_idle_costs_no_request(scene: Scene) -> None:
    """The upstream closes its kept connection; the next request goes out on a new one, once."""
    for method, body in (("GET", None), ("POST", b"pay")):
        scene.upstream.script = [answer(b"one", close=True)]
        assert scene.ask("http", "/first").body == b"one"
        time.sleep(0.1)
        before = len(scene.upstream.requests)
        assert scene.ask("http", "/second", method=method, body=body).body == b"ok"
        assert len(scene.upstream.requests) == before + 1


def test_E27_nothing_configured_nothing_forwarded(scene: Scene) -> None:
    """A connection without a secret gets no key, and a rule without a connection opens nothing."""
    bare = scene.also("bare", secret=None, auth=None)
    assert scene.say(request("GET", f"/{bare}/a", [scene.bearer])).status == 200
    sent = scene.upstream.requests[-1]
    assert scene.key.encode() not in sent.raw
    assert sent.header(b"authorization") == []
    assert wait_until(lambda: scene.upstream.connections >= 1)
    scene.must_be_refused(scene.say(request("GET", "/", [scene.bearer])), 404, closed=False)
