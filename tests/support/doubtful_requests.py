"""Requests around a scene's connection and token, byte by byte."""

from collections.abc import Mapping

from support.cases import each
from support.scene import Scene

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
