"""A41 for what is not our key: other people's secrets pass through and stay in no recording, entry or log."""

import base64
import json
from collections.abc import Callable

import pytest

from support.cases import each
from support.raw_client import request
from support.raw_upstream import answer, chunked
from support.scene import ALPHABET, Scene

VALUE = "passthrough-Zq8Rm3Xw7Kd2Vt9Lb4Nc"
"""A secret of the client's or the upstream's own."""


def agent(value: str) -> dict:
    """A request of Cursor's whose documented fields carry secrets."""
    return {
        "prompt": {"text": "do it"},
        "envVars": {"TOKEN": value, "OTHER": f"x{value}"},
        "runEnvVars": {"A": value},
        "mcpServers": [
            {
                "name": "m",
                "headers": {"Authorization": f"Bearer {value}"},
                "env": {"K": value},
                "auth": {"secret": value},
            }
        ],
    }


def in_escapes(text: str) -> bytes:
    return "".join(f"\\u{ord(letter):04x}" for letter in text).encode()


SPELLINGS: dict[str, Callable[[bytes, str], bytes]] = {
    "plain": lambda plain, value: plain,
    "indented": lambda plain, value: json.dumps(json.loads(plain), indent=4).encode(),
    "escaped keys": lambda plain, value: plain.replace(b'"envVars"', b'"\\u0065nvVars"').replace(
        b'"headers"', b'"head\\u0065rs"'
    ),
    "escaped values": lambda plain, value: plain.replace(value.encode(), in_escapes(value)),
    "duplicate key": lambda plain, value: plain[:-1] + b',"envVars":{"TOKEN":"' + value.encode() + b'"}}',
    "harmless duplicate first": lambda plain, value: plain.replace(b'"envVars":', b'"envVars":{},"envVars":', 1),
    "byte order mark": lambda plain, value: b"\xef\xbb\xbf" + plain,
    "UTF-16": lambda plain, value: plain.decode().encode("utf-16"),
    "trailing garbage": lambda plain, value: plain + b" garbage",
    "leading garbage": lambda plain, value: b"//" + plain,
    "two documents": lambda plain, value: plain + b"\n" + plain,
    "in a list": lambda plain, value: b"[" + plain + b"]",
    "cut": lambda plain, value: plain[:-1],
    "NaN": lambda plain, value: plain[:-1] + b',"n":NaN}',
    "comment": lambda plain, value: plain[:-1] + b"/* */}",
    "single quotes": lambda plain, value: plain.replace(b'"', b"'"),
    "deep": lambda plain, value: b'{"a":' * 3000 + plain + b"}" * 3000,
    "other case": lambda plain, value: plain.replace(b'"envVars"', b'"ENVVARS"').replace(
        b'"mcpServers"', b'"McpServers"'
    ),
    "value under a list": lambda plain, value: plain.replace(b'{"TOKEN"', b'[{"TOKEN"', 1).replace(
        b'"}, "runEnvVars"', b'"}], "runEnvVars"'
    ),
    "value in place of the map": lambda plain, value: b'{"prompt":{"text":"x"},"envVars":"' + value.encode() + b'"}',
    "number": lambda plain, value: b'{"envVars":{"A":' + b"8" * 40 + b"}}",
    "huge": lambda plain, value: plain[:-1] + b',"pad":"' + b"p" * 300_000 + b'"}',
    "huge in front": lambda plain, value: b'{"pad":"' + b"p" * 300_000 + b'",' + plain[1:],
}
"""Spellings that some reader accepts and a redactor may miss."""


@pytest.mark.parametrize("content_type", ["application/json", ""])
def test_A41_secret_request_fields_are_not_kept(scene: Scene, content_type: str) -> None:
    def check(name: str, spell: Callable[[bytes, str], bytes]) -> None:
        value = "".join(scene.random.choices(ALPHABET, k=32))
        scene.must_not_be_kept("8" * 40 if name == "number" else value)
        body = spell(json.dumps(agent(value)).encode(), value)
        half = len(body) // 2
        headers = [f"Content-Type: {content_type}"] if content_type else []
        for raw in (
            scene.raw("cursor", "/v1/agents", *headers, method="POST", body=body),
            scene.raw("cursor", "/v1/agents", *headers, "Transfer-Encoding: chunked", method="POST")
            + b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (half, body[:half], len(body) - half, body[half:]),
        ):
            before = len(scene.upstream.requests)
            reply = scene.say(raw)
            if reply.status == 200:
                assert scene.upstream.requests[-1].body == body, "what was sent is not what the client wrote"
            else:
                scene.must_be_refused(reply, 400, 413, 415, closed=False)
                assert len(scene.upstream.requests) == before

    each(SPELLINGS, check)


def test_A41_ordinary_request_bodies_are_kept(scene: Scene) -> None:
    """The control: what is no secret is in the recording, so the tests above look in the right place."""
    body = json.dumps({"prompt": {"text": "a sentence to keep"}, "envVars": {"TOKEN": VALUE}}).encode()
    reply = scene.ask("cursor", "/v1/agents", "Content-Type: application/json", method="POST", body=body)
    scene.must_be_recorded(reply)
    shown = b"".join(data for _, data in scene.installation.recordings(connection=scene.connection["cursor"]))
    assert b"a sentence to keep" in shown
    assert VALUE.encode() not in shown


def test_A41_minted_credentials_are_not_kept(scene: Scene) -> None:
    scene.must_not_be_kept(VALUE)
    documents = {
        "plain": json.dumps({"accessToken": VALUE, "userId": 42}).encode(),
        "escaped key": json.dumps({"accessToken": VALUE}).encode().replace(b"accessToken", b"access\\u0054oken"),
        "escaped value": json.dumps({"accessToken": VALUE}).encode().replace(b"pass", b"\\u0070\\u0061ss"),
        "duplicate": f'{{"accessToken":"x","accessToken":"{VALUE}"}}'.encode(),
        "cut": json.dumps({"accessToken": VALUE}).encode()[:-1],
        "mark": b"\xef\xbb\xbf" + json.dumps({"accessToken": VALUE}).encode(),
        "trailing": json.dumps({"accessToken": VALUE}).encode() + b" x",
    }

    def check(_: str, document: bytes) -> None:
        pieces = [document[:9], document[9:30], document[30:]]
        for reply_with in (
            answer(document, content_type=b"application/json"),
            chunked(pieces, content_type=b"application/json"),
            answer(document, content_type=b"text/html"),
        ):
            scene.upstream.script = [reply_with]
            reply = scene.ask("cursor", "/v1/sub-tokens", method="POST", body=b'{"forUserEmail":"a@example.com"}')
            assert reply.status == 200, reply.raw
            assert reply.body == document, "the client lost what it asked for"

    each(documents, check)


def test_A41_bearer_url_of_an_artifact_is_not_kept(scene: Scene) -> None:
    scene.must_not_be_kept(VALUE)
    document = json.dumps({"url": f"https://bucket.example/x?X-Amz-Signature={VALUE}"}).encode()
    scene.upstream.script = [answer(document, content_type=b"application/json")]
    reply = scene.ask("cursor", "/v1/agents/bc-1/artifacts/download?path=a")
    assert (reply.status, reply.body) == (200, document)


def test_A41_clients_own_credentials_are_not_kept(scene: Scene) -> None:
    """In headers that are removed, in refused requests, and in query parameters that speak of secrets."""
    scene.must_not_be_kept(VALUE)
    basic = base64.b64encode(f"{VALUE}:".encode()).decode()
    lines = [
        f"Authorization: Bearer {VALUE}", f"Authorization: Basic {basic}", f"x-api-key: {VALUE}",
        f"Cookie: s={VALUE}",
        f"Proxy-Authorization: Bearer {VALUE}", f"X_API_KEY: {VALUE}", f"X-Auth-Token: {VALUE}", f"api-key: {VALUE}",
    ]  # fmt: skip
    for line in lines:
        scene.ask("http", None, line)
        scene.say(request("GET", scene.target(), [line]))
        scene.say(request("GET", "/nowhere/a", [line, "Bad Header"]))
    for name in ("api_key", "access_token", "token", "password", "sig", "X-Amz-Signature", "client_secret"):
        scene.ask("http", f"/a?b=1&{name}={VALUE}")
        scene.say(request("GET", scene.target("http", f"/a?{name}={VALUE}")))
        scene.say(request("GET", f"/nowhere/a?{name}={VALUE}", [scene.bearer]))


def test_A41_session_exchange_of_the_sdk_is_answered_here(scene: Scene) -> None:
    """Cursor's SDK asks for a live session first; passing that on would hand one to the tool."""
    reply = scene.ask("cursor", "/auth/exchange_user_api_key", method="POST", body=b"{}")
    scene.must_be_refused(reply, 404, closed=False)
    scene.nothing_reached_upstream()
