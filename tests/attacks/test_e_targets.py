"""E01-E04: what is judged is byte for byte what is sent."""

import pytest

from support.cases import each
from support.raw_client import request
from support.raw_upstream import RawUpstream
from support.scene import Scene

TRICKS = [
    "/ok/../admin", "/ok/%2e%2e/admin", "/ok/%2E%2E/admin", "/ok/.%2e/admin", "/ok/%2e./admin", "/../admin", "/..",
    "/.",
    "/ok/.", "/ok/./admin", "/ok/%2e/admin", "/ok//admin", "//admin", "///admin", "/ok/admin//", "/ok\\admin",
    "/ok\\..\\admin",
    "/ok%5cadmin", "/ok%5C..%5cadmin", "/ok%2fadmin", "/ok%2Fadmin", "/ok%2f..%2fadmin", "/ok/%00", "/ok%00/admin",
    "/ok/admin%00.json", "/ok/%0a", "/ok/%09admin", "/ok/%7f", "/ok/%", "/ok/%2", "/ok/%zz", "/ok/%u002e",
    "/ok/%c0%ae%c0%ae/admin",
    "/ok/%c0%afadmin", "/ok/%e0%80%af", "/ok/%f0%80%80%af", "/ok/..%00/admin", "/ok/..;/admin", "/ok;/../admin",
    "/ok/..%3b/admin",
    "/ok#/../admin", "/ok|admin", "/ok^admin", "/ok`admin", '/ok"admin', "/ok<admin>", "/ok{admin}",
    "/ok/%252e%252e/admin",
    "/ok/%25%32%65%25%32%65/admin", "/ok%252fadmin", "/ok/\u2025/admin".encode().decode("latin-1"),
    "/ok/\uff0e\uff0e/admin".encode().decode("latin-1"),
]  # fmt: skip


def test_E01_ambiguous_paths_are_400(scene: Scene) -> None:
    base = scene.also("based", upstream=f"http://127.0.0.1:{scene.upstream.port}/team/one")

    def check(_: str, path: str) -> None:
        for connection in (scene.connection["http"], base):
            scene.upstream.forget()
            reply = scene.say(request("GET", f"/{connection}{path}", [scene.bearer]))
            if reply.status == 200:
                (sent,) = scene.upstream.requests
                prefix = b"/team/one" if connection == base else b""
                assert sent.target.lower() == prefix + path.encode("latin-1").lower(), sent.line
                for word in (b"..", b"//", b"\\", b"%2f", b"%5c", b"%00", b"%2e", b"#", b"/./"):
                    assert word not in sent.target.lower(), sent.line
                assert b"%25" not in sent.target, "double encoding went through"
            else:
                scene.must_be_refused(reply, 400)
                assert scene.upstream.requests == []

    each({path: path for path in TRICKS}, check)


def test_E01_no_path_leaves_its_connection(scene: Scene) -> None:
    """The first segment is the connection, however it is written; no trick leads to another's upstream."""
    other = RawUpstream()
    try:
        secret_one = scene.also("forbidden", upstream=f"http://127.0.0.1:{other.port}")
        other_actor = scene.installation.token(f"second-{scene.name}")
        mine = scene.connection["http"]
        upper, percent = secret_one.upper(), "".join(f"%{ord(letter):02x}" for letter in secret_one)
        targets = [
            f"/{mine}/../{secret_one}/a", f"/{mine}/%2e%2e/{secret_one}/a", f"/{mine}%2f..%2f{secret_one}/a",
            f"//{secret_one}/a",
            f"/./{secret_one}/a", f"/{mine}\\..\\{secret_one}/a", f"/{secret_one};x/a", f"/{secret_one}%00/a",
            f"/{secret_one}%20/a",
            f"/{secret_one}./a", f"/{upper}/a", f"/{percent}/a", f"/%2f{secret_one}/a", f"/{secret_one}%2fa",
            f"/{secret_one}/a",
            f"/{secret_one}", f"/{secret_one}/", f"/{secret_one}?x", f"/{secret_one}:80/a", f"/@{secret_one}/a",
        ]  # fmt: skip

        def check(_: str, target: str) -> None:
            reply = scene.say(request("GET", target, [f"Authorization: Bearer {other_actor}"]))
            scene.must_be_refused(reply, 400, 403, 404, closed=False)
            assert other.connections == 0
            scene.nothing_reached_upstream()

        each({target: target for target in targets}, check)
        unknown = scene.say(request("GET", "/no-such/a", [f"Authorization: Bearer {other_actor}"]))
        hidden = scene.say(request("GET", f"/{secret_one}/a", [f"Authorization: Bearer {other_actor}"]))
        scene.must_be_refused(unknown, 404, code="unknown_connection", closed=False)
        scene.must_be_refused(hidden, 404, code="unknown_connection", closed=False)
        assert unknown.body.replace(b"no-such", b"") == hidden.body.replace(secret_one.encode(), b"")
    finally:
        other.close()


def test_E01_sent_is_what_was_judged(scene: Scene) -> None:
    """Harmless spellings of an allowed path arrive in the one canonical form, which the entry names as well."""
    spellings = {"/v1/models": "/v1/models", "/v1/%6dodels": "/v1/models", "/%76%31/models": "/v1/models"}

    def check(path: str, canonical: str) -> None:
        scene.upstream.forget()
        reply = scene.ask("openai", path)
        if reply.status == 200:
            assert scene.upstream.requests[-1].target == canonical.encode()
            entry = scene.must_be_recorded(reply)
            intent = [row for row in scene.installation.entries(scene.first_index) if row["type"] == "exchange.intent"]
            (target,) = (row["target"] for row in intent if row["exchange"] == entry["exchange"])
            assert target.endswith(canonical)
        else:
            scene.must_be_refused(reply, 400, 403, closed=False)
            assert scene.upstream.requests == []

    each(spellings, check)


def test_E02_near_misses_match_no_operation(scene: Scene) -> None:
    cases = {
        "openai": [
            "/V1/models", "/v1/Models", "/v1/MODELS", "/v1/models/", "/v1/models.", "/v1/models%20", "/v1/models%09",
            "/v1/model", "/v1/models/a/b", "/v1/modelsx", "/v1", "/v1/", "/", "", "/v2/models", "/v1/models;x",
            "/v1/models%3bx",
            "/v1/chat/completions/", "/v1/Chat/Completions", "/v1/models%e2%80%8b",
            "/v1/m\u00f6dels",
        ],
        "cursor": ["/V1/me", "/v1/me/", "/v1/me.json", "/teams/Members", "/teams/members/", "/v1/agents/a/b/c/d",
        "/v1/subtokens"],
        "anthropic": ["/v1/Messages", "/v1/messages/", "/v1/messages/count_token", "/v1/complete/x", "/v1/message"],
    }  # fmt: skip

    def check(_: str, case: tuple[str, str, str]) -> None:
        kind, method, path = case
        reply = scene.say(
            request(method, scene.target(kind, path), [scene.bearer], b"{}" if method == "POST" else None),
        )
        scene.must_be_refused(reply, 400, 403, 404, closed=False)
        scene.nothing_reached_upstream()

    each(
        {
            f"{method} {kind} {path}": (kind, method, path)
            for kind, paths in cases.items()
            for path in paths
            for method in ("GET", "POST")
        },
        check,
    )


def test_E02_wrong_method_on_a_known_path_is_denied(scene: Scene) -> None:
    cases = [
        ("openai", "PUT", "/v1/models"), ("openai", "DELETE", "/v1/chat/completions"), ("openai", "PATCH",
        "/v1/models"),
        ("openai", "OPTIONS", "/v1/models"), ("openai", "HEAD", "/v1/embeddings"), ("cursor", "DELETE",
        "/v1/me"),
        ("cursor", "POST", "/v1/me"), ("anthropic", "GET", "/v1/messages"), ("anthropic", "PUT", "/v1/messages"),
    ]  # fmt: skip
    for kind, method, path in cases:
        reply = scene.say(request(method, scene.target(kind, path), [scene.bearer]), method=method)
        assert reply.status in {403, 405}, (method, path, reply.raw)
        scene.nothing_reached_upstream()


def test_E03_doubled_parameter_of_an_injected_name(scene: Scene) -> None:
    """All values of the injected name go, in every spelling; other doubled names arrive as they were judged."""
    name = scene.also("query", auth={"query": "key"})
    reply = scene.say(request("GET", f"/{name}/a?key=1&a=1&a=2&key=2&%4bEY=3", [scene.bearer]))
    if reply.status == 200:
        target = scene.upstream.requests[-1].target
        assert target.lower().count(b"key=") == 1, target
        assert b"a=1&a=2" in target
    else:
        scene.must_be_refused(reply, 400, closed=False)


@pytest.mark.parametrize("kind", ["http", "openai", "cursor"])
def test_E04_odd_verbs_are_denied(scene: Scene, kind: str) -> None:
    verbs = [
        "FOO", "get", "Get", "gET", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT",
        "SEARCH",
        "M-SEARCH", "PURGE", "LINK", "UNLINK", "BREW", "QUERY", "GETX", "XGET", "GET_", "PRI", "SOURCE", "A" * 40,
        "post",
        "DELETE%00", "-", "!", "G.E.T", "NULL", "SUBSCRIBE", "NOTIFY", "REBIND", "ACL", "CHECKOUT",
    ]  # fmt: skip

    def check(_: str, verb: str) -> None:
        reply = scene.say(request(verb, scene.target(kind), [scene.bearer]))
        scene.must_be_refused(reply, 400, 403, 405, 501, closed=False)
        scene.nothing_reached_upstream()

    each({verb: verb for verb in verbs}, check)
