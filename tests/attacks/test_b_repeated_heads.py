"""What was said of a head before must not let a later one in that differs (B01, E23, G21)."""

from support.scene import Scene


def post(scene: Scene, *lines: bytes, body: bytes = b"", token: str | None = None) -> bytes:
    head = [
        b"POST /%s/some/path HTTP/1.1" % scene.connection["http"].encode(),
        b"Host: localhost",
        b"Authorization: Bearer " + (token or scene.token).encode(),
        *lines,
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def test_B01_a_length_beside_a_chunked_head_of_before(scene: Scene) -> None:
    for _ in range(2):
        assert scene.say(post(scene, b"Transfer-Encoding: chunked", body=b"2\r\nab\r\n0\r\n\r\n")).status == 200
    scene.upstream.forget()
    for lines in (
        (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    ):
        scene.must_be_refused(scene.say(post(scene, *lines, body=b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n")), 400)
    scene.nothing_reached_upstream()


def test_B02_a_second_length_beside_one_of_before(scene: Scene) -> None:
    for length in (2, 5, 0):
        assert scene.say(post(scene, b"Content-Length: %d" % length, body=b"x" * length)).status == 200
    scene.upstream.forget()
    for second in (b"Content-Length: 2", b"content-length: 3", b"Content-Length : 2", b"CONTENT-LENGTH: 2"):
        scene.must_be_refused(scene.say(post(scene, b"Content-Length: 2", second, body=b"xx")), 400)
    scene.nothing_reached_upstream()


def test_B02_each_repeated_head_has_its_own_length(scene: Scene) -> None:
    for length in (3, 0, 7, 1):
        scene.upstream.forget()
        assert scene.say(post(scene, b"Content-Length: %d" % length, body=b"y" * length)).status == 200
        assert scene.upstream.requests[-1].body == b"y" * length


def test_E23_a_revoked_token_is_not_remembered(scene: Scene) -> None:
    minted = scene.installation.mint(scene.actor)
    request = post(scene, b"Content-Length: 1", body=b"z", token=minted["token"])
    for _ in range(3):
        assert scene.say(request).status == 200
    scene.installation.api("DELETE", f"/tokens/{minted['id']}")
    scene.upstream.forget()
    assert scene.say(request).status == 401
    scene.nothing_reached_upstream()


def test_E23_a_changed_rule_is_not_remembered(scene: Scene) -> None:
    request = post(scene, b"Content-Length: 1", body=b"z")
    for _ in range(3):
        assert scene.say(request).status == 200
    rule = {"name": f"stop-{scene.name}", "on": [scene.connection["http"]], "operations": ["post"], "effect": "deny"}
    scene.installation.apply({"version": 1, "rules": [rule]})
    scene.upstream.forget()
    assert scene.say(request).status == 403
    scene.nothing_reached_upstream()
