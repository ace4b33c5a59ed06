"""C01-C06: header fields that steer, steal or smuggle."""

import base64
from collections.abc import Sequence

import pytest

from support.cases import each
from support.raw_client import request
from support.raw_upstream import Request
from support.scene import KINDS, Scene

CREDENTIAL_FIELDS = (
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"x-goog-api-key",
    b"cookie",
    b"proxy-authorization",
)


def composite(value: str) -> bytes:
    return base64.b64encode(f"{value}:".encode())


def injected(scene: Scene, sent: Request) -> list[bytes]:
    """The values of credential fields that carry the scene's key."""
    values = [value for name in CREDENTIAL_FIELDS for value in sent.header(name)]
    return [value for value in values if scene.key.encode() in value or composite(scene.key) in value]


def one_key_and_nothing_of_the_client(scene: Scene, sent: Request, *foreign: bytes) -> None:
    carried = [value for name in CREDENTIAL_FIELDS for value in sent.header(name)]
    assert len(injected(scene, sent)) == 1, sent.raw
    assert carried == injected(scene, sent), sent.raw
    assert scene.token.encode() not in sent.raw
    assert composite(scene.token) not in sent.raw
    for word in foreign:
        assert word.lower() not in sent.raw.lower(), sent.raw


@pytest.mark.parametrize("kind", KINDS)
def test_C01_connection_field_cannot_remove_what_we_inject(scene: Scene, kind: str) -> None:
    nominated = [
        "Authorization, X-Api-Key",
        "authorization",
        "x-api-key",
        "close, Authorization",
        "keep-alive, x-api-key, api-key, host",
        "Host, Content-Length, Transfer-Encoding",
        "Authorization,,X-Api-Key",
        "anthropic-version",
        ", ,",
        '"Authorization"',
    ]

    def check(_: str, value: str) -> None:
        for headers in (
            [f"Connection: {value}"],
            ["Connection: x", f"connection: {value}"],
            [f"Proxy-Connection: {value}"],
        ):
            scene.upstream.forget()
            reply = scene.ask(kind, None, *headers)
            if reply.status != 200:
                scene.must_be_refused(reply, 400, closed=False)
                continue
            sent = scene.upstream.requests[-1]
            one_key_and_nothing_of_the_client(scene, sent)
            assert sent.header(b"host") == [b"127.0.0.1:%d" % scene.upstream.port]
            assert all(b"uthorization" not in value for value in sent.header(b"connection")), sent.raw

    each({value: value for value in nominated}, check)


def test_C01_fields_nominated_by_the_client_do_not_travel(scene: Scene) -> None:
    assert scene.ask("http", None, "Connection: X-Hop, close", "X-Hop: secret hop", "X-Kept: yes").status == 200
    sent = scene.upstream.requests[-1]
    assert sent.header(b"x-hop") == []
    assert sent.header(b"x-kept") == [b"yes"]


OWN = [
    "Authorization: Bearer sk-own-key-of-the-client",
    "authorization: bearer sk-own-key-of-the-client",
    "AUTHORIZATION: Digest username=sk-own-key-of-the-client",
    "x-api-key: sk-own-key-of-the-client",
    "X-API-KEY: sk-own-key-of-the-client",
    "X_API_KEY: sk-own-key-of-the-client",
    "x_api-key: sk-own-key-of-the-client",
    "X.Api.Key: sk-own-key-of-the-client",
    "api-key: sk-own-key-of-the-client",
    "API_KEY: sk-own-key-of-the-client",
    "x-goog-api-key: sk-own-key-of-the-client",
    "Authorization_: sk-own-key-of-the-client",
    "Proxy-Authorization: Bearer sk-own-key-of-the-client",
    "Proxy_Authorization: Bearer sk-own-key-of-the-client",
    "Cookie: key=sk-own-key-of-the-client",
    "X-Auth-Token: sk-own-key-of-the-client",
]


@pytest.mark.parametrize("kind", KINDS)
def test_C03_clients_own_credentials_are_removed(scene: Scene, kind: str) -> None:
    """Beside our token, in any spelling, once or twice: exactly one value upstream, and it is ours."""

    def check(_: str, lines: Sequence[str]) -> None:
        scene.upstream.forget()
        reply = scene.ask(kind, None, *lines)
        if reply.status != 200:
            scene.must_be_refused(reply, 400, 401, closed=False)
            scene.nothing_reached_upstream()
            return
        sent = scene.upstream.requests[-1]
        assert len(injected(scene, sent)) == 1, sent.raw
        allowed = {b"authorization_"} if "Authorization_" in lines[0] else set()
        if not allowed:
            assert b"sk-own-key" not in sent.raw, sent.raw
        one_key_and_nothing_of_the_client(scene, sent)

    cases: dict[str, Sequence[str]] = {line: [line] for line in OWN}
    cases |= {f"twice {line}": [line, line] for line in OWN}
    cases["all but authorization"] = [line for line in OWN if not line.lower().startswith("authorization:")]
    each(cases, check)


@pytest.mark.parametrize("kind", KINDS)
def test_C04_the_token_in_each_of_its_places_never_travels(scene: Scene, kind: str) -> None:
    token = scene.token
    basic = base64.b64encode(f"{token}:".encode()).decode()
    places = {
        "bearer": [f"Authorization: Bearer {token}"],
        "bearer in lower case": [f"authorization: bearer {token}"],
        "basic": [f"Authorization: Basic {basic}"],
        "x-api-key": [f"x-api-key: {token}"],
        "api-key": [f"api-key: {token}"],
        "x-goog-api-key": [f"x-goog-api-key: {token}"],
        "two places": [f"Authorization: Bearer {token}", f"x-api-key: {token}"],
        "all places": [
            f"Authorization: Bearer {token}",
            f"x-api-key: {token}",
            f"api-key: {token}",
            f"x-goog-api-key: {token}",
        ],
        "with cookies": [f"Authorization: Bearer {token}", f"Cookie: token={token}; a=b", "Cookie2: $Version=1"],
        "with proxy authorization": [f"x-api-key: {token}", f"Proxy-Authorization: Bearer {token}"],
    }

    def check(_: str, lines: list[str]) -> None:
        scene.upstream.forget()
        method = "POST" if kind == "http" else "GET"
        reply = scene.say(request(method, scene.target(kind), lines, b"" if method == "POST" else None))
        assert reply.status == 200, reply.raw
        one_key_and_nothing_of_the_client(scene, scene.upstream.requests[-1], b"cookie", b"$version")

    each(places, check)


def test_C04_token_in_the_query_or_two_tokens_are_refused(scene: Scene) -> None:
    token, other = scene.token, scene.installation.token(scene.actor)
    cases = {
        "query beside a header": ([scene.bearer], f"/some/path?key={token}"),
        "query alone": ([], f"/some/path?access_token={token}"),
        "query, percent": ([scene.bearer], f"/some/path?key=%6fst_{token[4:]}"),
        "query, the name": ([scene.bearer], f"/some/path?{token}"),
        "two tokens": ([scene.bearer, f"x-api-key: {other}"], "/some/path"),
        "two authorizations": ([scene.bearer, f"Authorization: Bearer {other}"], "/some/path"),
        "bearer and basic": (
            [scene.bearer, "Authorization: Basic " + base64.b64encode(f"{other}:".encode()).decode()],
            "/some/path",
        ),
    }

    def check(_: str, case: tuple[list[str], str]) -> None:
        reply = scene.say(request("GET", scene.target("http", case[1]), case[0]))
        scene.must_be_refused(reply, 400, 401, closed=False)
        scene.nothing_reached_upstream()

    each(cases, check)


def test_C04_bad_tokens_are_401_and_all_alike(scene: Scene) -> None:
    token = scene.token
    minted = scene.installation.mint(scene.actor)
    revoked = minted["token"]
    scene.installation.api("DELETE", f"/tokens/{minted['id']}")
    flipped = token[:-1] + ("a" if token[-1] != "a" else "b")
    cases = {
        "none": [],
        "empty bearer": ["Authorization: Bearer "],
        "bearer only": ["Authorization: Bearer"],
        "flipped": [f"Authorization: Bearer {flipped}"],
        "longer": [f"Authorization: Bearer {token}a"],
        "shorter": [f"Authorization: Bearer {token[:-1]}"],
        "upper case": [f"Authorization: Bearer {token.upper()}"],
        "in quotes": [f'Authorization: Bearer "{token}"'],
        "two words": [f"Authorization: Bearer {token} {token}"],
        "comma": [f"Authorization: Bearer {token}, Basic eDp5"],
        "unknown scheme": [f"Authorization: Token {token}"],
        "bad base64": ["Authorization: Basic %%%"],
        "basic as password": ["Authorization: Basic " + base64.b64encode(f":{flipped}".encode()).decode()],
        "the key itself": [f"Authorization: Bearer {scene.key}"],
        "revoked": [f"Authorization: Bearer {revoked}"],
        "cookie": [f"Cookie: token={token}"],
        "huge": ["Authorization: Bearer " + "a" * 8000],
    }

    def check(_: str, lines: list[str]) -> None:
        reply = scene.say(request("GET", scene.target(), lines))
        scene.must_be_refused(reply, 400, 401, closed=False)
        scene.nothing_reached_upstream()

    # The key as a token is the client's own doing: it stands in no answer and no record either.
    each(cases, check)


def test_C05_forged_origins_are_dropped_or_overwritten(scene: Scene) -> None:
    names = [
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix",
        "X-Forwarded-Server", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Path", "X-Forwarded-Client-Cert",
        "X-Forwarded", "Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL",
        "X-Original-Host", "X-Original-URI", "X-Host", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP",
        "X-Cluster-Client-IP", "Client-IP", "X-Remote-User", "Remote-User", "X-Remote-Addr",
        "X_Forwarded_For", "X-FORWARDED-FOR", "X-Envoy-Original-Path",
    ]  # fmt: skip

    def check(_: str, name: str) -> None:
        reply = scene.ask("http", None, f"{name}: forged-by-the-client")
        if reply.status == 200:
            assert b"forged-by-the-client" not in scene.upstream.requests[-1].raw
        else:
            scene.must_be_refused(reply, 400, closed=False)

    each({name: name for name in names}, check)


def test_C06_method_overrides_are_stripped(scene: Scene) -> None:
    names = [
        "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_Method_Override",
        "x-http-METHOD-override",
        "X-HTTP-Methodoverride", "HTTP-Method-Override", "X-Method", "X-Original-Method",
    ]  # fmt: skip

    def check(_: str, name: str) -> None:
        for method in ("GET", "POST"):
            reply = scene.ask("http", None, f"{name}: DELETE", method=method, body=b"" if method == "POST" else None)
            if reply.status == 200:
                sent = scene.upstream.requests[-1]
                assert b"DELETE" not in sent.raw, sent.raw
                assert sent.method == method.encode()
            else:
                scene.must_be_refused(reply, 400, closed=False)

    each({name: name for name in names}, check)


def test_C_what_tools_need_travels_unchanged(scene: Scene) -> None:
    """Strictness must not cost what real tools send."""
    lines = [
        "anthropic-version: 2023-06-01",
        "anthropic-beta: fine-grained-tool-streaming-2025-05-14,interleaved-thinking-2025-05-14",
        "Idempotency-Key: 7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "x-stainless-lang: python",
        "OpenAI-Organization: org-1",
        "User-Agent: Some Tool/1.0 (x; y)",
        "Accept: text/event-stream",
        "Content-Type: application/json; charset=utf-8",
        "Last-Event-ID: 1713033000000-0",
        "x-cursor-client-type: sdk",
        "mcp-session-id: abc",
        'If-None-Match: W/"abc"',
    ]
    assert scene.ask("http", None, *lines, method="POST", body=b"{}").status == 200
    sent = scene.upstream.requests[-1]
    for line in lines:
        name, _, value = line.partition(": ")
        assert sent.header(name.encode()) == [value.encode()], name
    assert sent.header(b"content-length") == [b"2"]
