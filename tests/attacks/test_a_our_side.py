"""A24-A27 and A32: the key in our own words, objects, logs and memory."""

import copy
import json
import logging
import pickle
import traceback

import pytest

from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.secret import Secret
from ostiary.vault.injection import injected_fields, injected_query
from support.cases import each
from support.certificates import server_context
from support.fixtures import Traps
from support.installation import Installation, running
from support.oracle import LeakOracle
from support.raw_client import Reply, request
from support.raw_upstream import Answer, RawUpstream, answer, chunked
from support.scene import MARK, Scene, error_of

TELLTALES = (
    b"Errno", b"errno", b"Traceback", b"Exception", b"SSL", b"CERTIFICATE", b"certificate verify", b"refused",
    b".py", b"getaddrinfo", b"gaierror", b"asyncio", b"uvloop", b"/some/path", b"0x", b"Error(",
)  # fmt: skip


def test_A24_our_error_text_is_fixed_sentences(scene: Scene, closed_port: int, tmp_path) -> None:
    good = scene.upstream
    tls = RawUpstream(server_context(None, tmp_path))
    query_auth = {"auth": {"query": "api_key"}}
    try:
        unreachable = {
            "closed port": scene.also("closed", upstream=f"http://127.0.0.1:{closed_port}", **query_auth),
            "bad certificate": scene.also("badtls", upstream=f"https://127.0.0.1:{tls.port}", **query_auth),
            "no such name": scene.also("noname", upstream="https://no-such-host.invalid", **query_auth),
        }

        def check(_: str, connection: str) -> None:
            reply = scene.say(request("GET", f"/{connection}/some/path?token_of_mine=1", [scene.bearer]))
            scene.must_be_refused(reply, 502, code="upstream_unreachable", closed=False)
            for word in (*TELLTALES, str(good.port).encode(), b"127.0.0.1", b"token_of_mine", b"no-such-host"):
                assert word not in reply.body, reply.body
            sentence = error_of(reply)["message"]
            assert not any(letter.isdigit() for letter in sentence), sentence
            assert connection not in sentence

        each(unreachable, check)

        broken = {
            "closes at once": (Answer((), close=True), {502}),
            "resets": (Answer((), reset=True), {502}),
            "garbage": (answer(b"").__class__((b"\x00\x01garbage\r\n\r\n",), close=True), {502}),
            "cut head": (Answer((b"HTTP/1.1 200 OK\r\nX-A: ",), close=True), {502}),
            "silence": (Answer((4.0,)), {504}),
            "cut head, then silence": (Answer((b"HTTP/1.1 200 OK\r\nX-A: ", 4.0)), {504}),
            "echo of the key, then garbage": (Answer((b"NOPE " + scene.key.encode() + b"\r\n\r\n",)), {502}),
        }

        def check_broken(_: str, case: tuple[Answer, set[int]]) -> None:
            scene.upstream.script = [case[0]]
            reply = scene.ask("http", "/some/path?token_of_mine=1", method="POST", body=b"x")
            scene.must_be_refused(reply, *case[1], closed=False)
            expected = "upstream_timeout" if reply.status == 504 else None
            assert expected is None or error_of(reply)["code"] == expected
            for word in (*TELLTALES, str(good.port).encode(), b"token_of_mine", b"NOPE", b"garbage"):
                assert word not in reply.body, reply.body

        each(broken, check_broken)
    finally:
        tls.close()


def test_A25_a_secret_object_has_no_readable_form() -> None:
    value = b"crsr_0123456789abcdefghijABCDEFGHIJ0123456789"
    secret = Secret("some name", 3, value)
    oracle = LeakOracle(value)
    attempts = {
        "repr": lambda: repr(secret),
        "repr of a container": lambda: repr({"a": [secret], "b": (secret,)}),
        "str": lambda: str(secret),
        "format": lambda: f"{secret}",
        "format with a width": lambda: f"{secret:>80}",
        "percent": lambda: "%s" % secret,  # noqa: UP031
        "percent repr": lambda: "%r %a" % (secret, secret),  # noqa: UP031
        "bytes": lambda: bytes(secret),
        "bytes join": lambda: b"".join([secret]),
        "iteration": lambda: list(secret),
        "length": lambda: len(secret),
        "index": lambda: secret[0],
        "json": lambda: json.dumps(secret),
        "json with default": lambda: json.dumps(secret, default=repr),
        "json with default vars": lambda: json.dumps(secret, default=vars),
        "copy": lambda: copy.copy(secret),
        "deep copy": lambda: copy.deepcopy({"a": secret}),
        "hash": lambda: {secret},
        "equality": lambda: secret == Secret("other", 1, value),
        "vars": lambda: vars(secret),
        "public attributes": lambda: [getattr(secret, name) for name in dir(secret) if name[:1] != "_"],
        "state": lambda: secret.__getstate__(),
        **{f"pickle {number}": lambda number=number: pickle.dumps(secret, number) for number in range(6)},
    }  # fmt: skip
    for name, attempt in attempts.items():
        try:
            shown = attempt()
        except (TypeError, AttributeError) as error:
            shown = repr(error) + "".join(traceback.format_exception(error))
        assert not oracle.search(name, repr(shown).encode()), name
        assert shown is not secret, f"{name} gave the secret itself out"


def test_A25_a_traceback_with_local_variables_shows_no_value(caplog: pytest.LogCaptureFixture) -> None:
    """Injection fails in the middle; what a tool such as Sentry would show of every frame holds no key."""
    value = b"crsr_0123456789abcdefghijABCDEFGHIJ0123456789"
    secret = Secret("some name", 3, value)
    oracle = LeakOracle(value)
    broken = Secret("other", 1, None)  # type: ignore[arg-type]
    forms = (
        AuthForm(AuthScheme.BEARER),
        AuthForm(AuthScheme.BASIC_USERNAME),
        AuthForm(AuthScheme.BASIC_PASSWORD, "user"),
        AuthForm(AuthScheme.HEADER, "x-key"),
        AuthForm(AuthScheme.QUERY, "key"),
        AuthForm(AuthScheme.HEADER, "x-broken", secret="broken"),
        AuthForm(AuthScheme.QUERY, "broken", secret="broken"),
    )
    shown = 0
    for function in (injected_fields, injected_query):
        for first in range(len(forms)):
            try:
                function(forms[first:], {"broken": broken}, secret)
            except Exception as error:
                with caplog.at_level(1):
                    logging.getLogger("any").exception("failed", exc_info=error)
                # Only frames below this test: its own locals hold the key on purpose.
                below = error.__traceback__.tb_next
                text = "".join(traceback.TracebackException(type(error), error, below, capture_locals=True).format())
                assert not oracle.search("traceback", text.encode()), text
                shown += 1
    assert shown >= 2, "nothing failed, so nothing was shown"
    assert not oracle.search("log", caplog.text.encode())


SITE = """
import logging
logging.basicConfig(level=1, format="%(asctime)s %(name)s %(levelname)s %(pathname)s %(message)s")
logging.root.setLevel(1)
"""


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory, traps: Traps):
    """A server in which every library logs everything it can."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(SITE)
    environment = {
        **traps.environment(),
        "OSTIARY_LOG_LEVEL": "debug",
        "PYTHONASYNCIODEBUG": "1",
        "PYTHONDEVMODE": "1",
        "PYTHONWARNINGS": "default",
        "PYTHONPATH": str(site),
        "UVICORN_LOG_LEVEL": "trace",
    }
    with running(tmp_path_factory.mktemp("talkative") / "home", environment) as server:
        yield server


@pytest.fixture
def talkative_scene(talkative: Installation, request: pytest.FixtureRequest):
    from support.fixtures import make_scene

    yield from make_scene(talkative, request)


def test_A26_debug_logging_of_every_library_is_silent_about_keys(talkative_scene: Scene, closed_port: int) -> None:
    scene = talkative_scene
    key = scene.key.encode()
    query = scene.also("query", auth={"query": "key"})
    closed = scene.also("closed", upstream=f"http://127.0.0.1:{closed_port}", auth={"query": "key"})
    scene.upstream.script = [
        answer(key, b"X-Echo: " + key),
        chunked([key[:9], key[9:]]),
        answer(b"x", b"Set-Cookie: " + key, status=b"500 " + key),
        Answer((b"HTTP/1.1 " + key + b"\r\n\r\n",)),
        Answer((b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + key,), reset=True),
        Answer((b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 45\r\n\r\n" + key,)),
    ]
    for _ in range(6):
        scene.ask("openai", "/v1/chat/completions", method="POST", body=b'{"model":"x","messages":[]}')
    for name in (query, closed):
        scene.say(request("GET", f"/{name}/some/path?a=b", [scene.bearer]))
    scene.say(
        b"GET /x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nBad Header\r\n\r\n" % scene.token.encode()
    )
    scene.say(request("GET", scene.target(), [f"Authorization: Bearer {scene.token}x"]))
    scene.installation.cli("secret", "set", scene.secret, stdin=key)
    scene.installation.cli("token", "create", "--actor", scene.actor)
    assert scene.installation.output, "the log is empty: nothing was switched on"


def test_A27_key_in_a_query_parameter(scene: Scene) -> None:
    name = scene.also("query", auth={"query": "key"})
    key = scene.key

    def check(case: str, target: str) -> None:
        scene.upstream.script = [
            answer(
                f"you asked for /?key={key}".encode(),
                f"Location: /next?key={key}&page=2".encode(),
                f'Link: </next?page=2&key={key}>; rel="next"'.encode(),
                f"Content-Location: /?key={key}".encode(),
            )
        ]
        reply = scene.say(request("GET", f"/{name}{target}", [scene.bearer]))
        assert reply.body == b"you asked for /?key=" + MARK, reply.raw
        sent = scene.upstream.requests[-1]
        assert sent.target.count(b"key=" + key.encode()) == 1, sent.target
        assert sent.header(b"authorization") == []
        assert sent.header(b"referer") == []
        assert b"mine" not in sent.target, sent.target

    each(
        {
            "plain": "/a",
            "with a query": "/a?b=c",
            "with an empty query": "/a?",
            "client's own": "/a?key=mine",
            "client's own, twice": "/a?key=mine&b=c&key=mine",
            "client's own, percent": "/a?%6bey=mine&k%65y=mine",
            "client's own, other case": "/a?KEY=mine&Key=mine",
        },
        check,
    )
    scene.upstream.always = Answer((), close=True)
    scene.must_be_refused(
        scene.say(request("GET", f"/{name}/a?b=c", [scene.bearer, "Referer: https://x/?key=y"])),
        502,
        closed=False,
    )
    shown = json.dumps(scene.installation.entries(scene.first_index)).encode()
    assert not scene.oracle.search("audit entries", shown)


MEGABYTE = b"0123456789abcde\n" * 65_536


def drained(scene: Scene, raw: bytes, limit_bytes: int) -> tuple[bytes, int]:
    """(head and first bytes, how many bytes came) of an answer that is read and thrown away."""
    count, first = 0, b""
    with scene.client() as client:
        scene.evidence[-1][1].clear()
        client._witness = None
        client.send(raw)
        while data := client.some(5.0):
            first = first or data
            count += len(data)
            if count >= limit_bytes:
                break
    return first, count


def test_A32_endless_body_is_streamed_in_flat_memory(scene: Scene) -> None:
    megabytes = 160
    scene.ask()
    before = scene.installation.settled_bytes()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"

    def endless(_) -> object:
        yield head
        for _number in range(megabytes * 4):
            yield MEGABYTE

    scene.upstream.script = [Answer(endless, close=True)]
    first, count = drained(scene, scene.raw(), megabytes << 20)
    after = scene.installation.resident_bytes()
    assert first.startswith(b"HTTP/1.1 200"), first[:200]
    assert count >= megabytes << 20, count
    assert after - before < 48 << 20, f"grew by {(after - before) >> 20} MiB"
    assert scene.ask().body == b"ok"


def test_A32_huge_upload_is_streamed_in_flat_memory(scene: Scene) -> None:
    megabytes = 96
    scene.ask()
    before = scene.installation.settled_bytes()
    peak = before
    reply: Reply
    with scene.client() as client:
        client.send(scene.raw("http", "/up", f"Content-Length: {megabytes << 20}", method="POST"))
        for number in range(megabytes):
            assert client.send(MEGABYTE)
            if number % 16 == 15:
                peak = max(peak, scene.installation.resident_bytes())
        reply = client.reply("POST")
    assert reply.status == 200
    assert len(scene.upstream.requests[-1].body) == megabytes << 20
    assert peak - before < 48 << 20, f"grew by {(peak - before) >> 20} MiB"


def test_A32_endless_head_is_cut_off(scene: Scene) -> None:
    def endless(_) -> object:
        yield b"HTTP/1.1 200 OK\r\n"
        for number in range(200_000):
            yield b"X-%d: %s\r\n" % (number, b"y" * 200)

    cases = {
        "many fields": Answer(endless, close=True),
        "one long field": Answer((b"HTTP/1.1 200 OK\r\nX: ", *([b"y" * 65_536] * 64)), close=True),
        "long reason": Answer((b"HTTP/1.1 200 ", *([b"y" * 65_536] * 64)), close=True),
        "long chunk line": Answer(
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", *([b"y" * 65_536] * 64)), close=True
        ),
        "endless trailers": Answer(
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
                *([b"X: " + b"y" * 1000 + b"\r\n"] * 4000),
            ),
            close=True,
        ),
    }

    def check(name: str, reply_with: Answer) -> None:
        scene.upstream.script = [reply_with]
        reply = scene.ask()
        if name in {"many fields", "one long field", "long reason"}:
            scene.must_be_refused(reply, 502, code="upstream_invalid", closed=False)
        else:
            assert len(reply.raw) < 65_536
            assert not reply.complete or reply.status == 502 or reply.body == b""

    each(cases, check)
    assert scene.ask().body == b"ok"
