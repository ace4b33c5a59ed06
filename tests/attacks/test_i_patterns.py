"""I07: patterns and texts that make a matcher slow, and files that make a reader run something."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from support.cases import each
from support.installation import Refused
from support.raw_client import RawClient
from support.raw_upstream import Answer, answer
from support.scene import Scene

SSE = b"text/event-stream"
EVERYTHING = [
    "secrets", "email", "phone", "payment-card", "iban", "us-ssn", "br-cpf", "national-id", "ip-address",
]  # fmt: skip
FINISHES_IN_S = 20.0
"""Ample for a linear search on a busy machine, and out of reach for any other."""

BACKTRACKERS = {
    "(a+)+": "(?:a{1,40}){1,40}!", "(a|a)*": "(?:a|a){1,1000}!", "(a|aa)+": "(?:a|aa){1,900}!",
    "(a*)*": "(?:a{0,30}a){1,40}!", "(.*a){20}": r"(?:[^\n]{0,20}a){20}!", "nested": "(?:(?:x{1,9}x{1,9}){1,9}y){1,9}z",
    "email": r"[a-z0-9](?:[-._]?[a-z0-9]{1,9}){1,90}@[a-z0-9]{1,40}\.[a-z]{2,3}", "spaces": r"(?:\s{1,30}){1,30}!",
    "words": r"(?:\w{1,4}\s?){1,60}!", "two dots": "[^\n]{0,200}=[^\n]{0,200}=[^\n]{0,99}x", "quadratic": "a*a*a*a*a*b",
    "alternation": "(?:" + "|".join("a" * length for length in range(1, 40)) + "){1,40}!",
}  # fmt: skip
"""What blows up a matcher that tries one way after the other."""

NOT_LINEAR = {
    "back reference": r"(a+)\1", "named reference": "(?P<a>x+)(?P=a)", "look-ahead": "a(?=b)", "look-behind": "(?<=a)b",
    "negative look-ahead": "a(?!b)c", "negative look-behind": "a(?<!a)b", "conditional": "(a)?(?(1)b|c)",
    "huge count": "a{100000}", "huge range": "[ab]{1,99999}", "nested counts": "((a{100}){100}){100}",
    "nested ranges": "(((a{1,50}){1,50}){1,50}){1,50}", "counted star": "(a{0,1000}b){0,1000}",
    "empty": "a*", "empty choice": "(?:|a)", "only an anchor": "^$", "word border": r"a\bb", "open": "(a",
    "range": "[z-a]",
    "recursion": "(?R)", "call-out": "(?C1)a", "code": "(?{ print 1 })a", "possessive and more": "(?>a+)b(?=c)",
    "many counts": "a{500}" * 200,
}  # fmt: skip
"""What no linear matcher can do, and what would be too large."""


EXCEPTION = {"reason": "a test", "expires": "never"}


def rule(text: str, name: str = "attack") -> dict[str, Any]:
    return {"name": name, "pattern": text, "where": ["response", "request"]}


def said_of(scene: Scene, what: str, *rules: dict[str, Any]) -> tuple[int, Any]:
    """The status, and what is said of these rules when they are planned or applied."""
    document = {"yaml": json.dumps({"version": 1, "masking": list(rules)}), "filename": "attack.yaml", "prune": False}
    try:
        return 200, scene.installation.api("POST", f"/configuration/{what}", document)
    except Refused as refusal:
        return refusal.status, refusal.problem


def asked(scene: Scene, body: bytes, content_type: bytes, **how: Any) -> bytes:
    """What comes of an answer, in time."""
    scene.upstream.script = [answer(body, content_type=content_type)]
    reply = scene.ask(deadline_s=FINISHES_IN_S, **how)
    assert reply.complete, f"did not finish: {reply.raw[:100]!r}"
    scene.evidence[:] = [row for row in scene.evidence if len(row[1]) < 100_000]  # no key was near them
    return reply.body if reply.status == 200 else b""


def drain(client: RawClient) -> None:
    """Read a chunked answer to its end, or to where it is cut."""
    end, tail = time.monotonic() + FINISHES_IN_S, b""
    while not tail.endswith(b"\r\n0\r\n\r\n") and (piece := client.some(5.0)):
        tail = (tail + piece)[-16:]
        assert time.monotonic() < end, "did not finish"


def test_I07_patterns_that_are_not_linear_are_refused_with_a_reason(scene: Scene) -> None:
    def check(_: str, pattern: str) -> None:
        for document in (
            rule(pattern),
            {
                "name": "attack",
                "detectors": ["email"],
                "where": ["response"],
                "exceptions": [{**EXCEPTION, "matching": pattern}],
            },
        ):
            status, problem = said_of(scene, "apply", document)
            assert status == 422, f"{status}: {problem}"
            assert len(problem["detail"]) > 40, problem
            assert "Traceback" not in str(problem)

    each(NOT_LINEAR, check)
    # The installation goes on with what it had.
    assert scene.ask().status == 200


def test_I07_patterns_that_make_others_slow_do_not_here(scene: Scene) -> None:
    """All of them at once: each is refused, or searches any text in linear time."""
    taken = []
    for name, pattern in BACKTRACKERS.items():
        status, problem = said_of(scene, "plan", rule(pattern, name))
        assert status in {200, 422}, problem
        if status == 200:
            taken.append(rule(pattern, name))
    assert len(taken) > len(BACKTRACKERS) // 2, taken
    assert said_of(scene, "apply", *taken)[0] == 200
    texts = [b"a" * 20_000, b"x" * 20_000, b" " * 20_000, b"a " * 10_000, b"a-" * 10_000, b"=" * 20_000]
    for text in texts:
        asked(scene, text, b"text/plain")
        asked(scene, json.dumps({"a": text.decode()}).encode(), b"application/json")


MEGABYTE = 1_000_000
ADVERSARIAL = {
    "digits": b"4" * MEGABYTE, "digits of a card": b"4539148803436467" * 60_000, "at": b"@" * MEGABYTE,
    "letters and at": b"a@" * 500_000, "address without end": b"a" * 500_000 + b"@" + b"b." * 250_000,
    "jwt starts": b"eyJ" * 330_000, "jwt without end": b"eyJhbGciOiJIUzI1NiJ9." + b"A" * MEGABYTE,
    "many jwt": b"eyJhbGci." * 110_000, "braces": b"{" * MEGABYTE, "brackets": b"[" * MEGABYTE,
    "quotes": b'"' * MEGABYTE,
    "backslashes": b"\\" * MEGABYTE, "escaped quotes": b'"' + b'\\"' * 500_000, "keys": b'{"a":' * 200_000,
    "private keys begin": b"-----BEGIN PRIVATE KEY-----\n" * 35_000,
    "private key without end": b"-----BEGIN RSA PRIVATE KEY-----\n" + b"A" * MEGABYTE,
    "dashes": b"-" * MEGABYTE, "key starts": b"sk-ant-" * 140_000, "key without end": b"ghp_" + b"a" * MEGABYTE,
    "assignments": b"password=" * 110_000, "json assignments": b'"password": "' * 75_000,
    "urls": b"https://a:" * 100_000,
    "url with a long user": b"https://" + b"a" * MEGABYTE, "phones": b"+1 " * 330_000, "dots": b"1." * 500_000,
    "colons": b"2001:" * 200_000, "spaces": b" " * MEGABYTE, "line ends": b"\n" * MEGABYTE, "ibans": b"DE89" * 250_000,
    "high bytes": b"\xff" * MEGABYTE, "half characters": b"\xe2\x80" * 500_000, "surrogates": b"\\ud83d" * 166_000,
    "percent": b"%25" * 330_000, "entities": b"&amp;" * 200_000, "unicode escapes": b"\\u0061" * 166_000,
    "kelvin": "\u212a".encode() * 330_000, "placeholders": "‹email:1›".encode() * 80_000,
    "half of them": "‹email:".encode() * 110_000,
}  # fmt: skip


WHOLE = frozenset({"at", "braces", "quotes", "dashes", "high bytes", "percent"})
"""Of these the whole megabyte is sent."""


def test_I07_texts_made_against_the_built_in_patterns_finish(scene: Scene) -> None:
    scene.installation.apply({"masking": [{"name": "all", "detectors": EVERYTHING, "where": ["response"]}]})

    def check(name: str, text: bytes) -> None:
        part = text[:20_000]
        asked(scene, text if name in WHOLE else part, b"text/plain")
        asked(scene, part, b"application/json")
        asked(scene, b"data: " + part + b"\n\n", SSE)

    each(ADVERSARIAL, check)


def test_I07_others_are_served_while_a_hard_text_is_searched(scene: Scene) -> None:
    """Whatever takes long takes it in pieces, or beside the loop."""
    scene.installation.apply(
        {"masking": [{"name": "all", "detectors": ["email", "phone", "iban"], "where": ["request", "response"]}]}
    )
    body = b"".join(ADVERSARIAL[name][:20_000] for name in ("digits", "at", "ibans", "phones"))
    waits = []

    def send() -> None:
        scene.ask("http", "/x", method="POST", body=body, deadline_s=FINISHES_IN_S)

    sender = threading.Thread(target=send)
    sender.start()
    while sender.is_alive():
        begun = time.monotonic()
        assert scene.installation.ops("/readyz")[0] == 200
        waits.append(time.monotonic() - begun)
        time.sleep(0.02)
    sender.join()
    scene.evidence[:] = [row for row in scene.evidence if len(row[1]) < 100_000]
    assert max(waits) < 5.0, sorted(waits)[-3:]


def test_I07_depth(scene: Scene) -> None:
    masking = [
        {"name": "all", "detectors": ["email", "phone", "iban"], "where": ["response", "request"]},
        {"name": "fields", "fields": ["ssn", "/a/*/b"], "where": ["response", "request"]},
    ]
    scene.installation.apply({"masking": masking})
    for depth in (500, 2_000, 20_000):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"), (b'{"ssn":', b"}")):
            text = opening * depth + b'"someone@widgetworks.io"' + closing * depth
            for body, content_type in ((text, b"application/json"), (b"data: " + text + b"\n\n", SSE)):
                assert b"someone@" not in asked(scene, body, content_type)
            reply = scene.ask("http", "/x", "Content-Type: application/json", method="POST", body=text)
            assert reply.status in {200, 502}
            assert b"someone@" not in b"".join(scene.upstream.received)


def test_I07_an_event_without_end_is_not_kept(scene: Scene) -> None:
    scene.ask()
    before = scene.installation.settled_bytes()
    sent = 0

    def endless(_: object) -> Iterator[bytes]:
        nonlocal sent
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\ndata: "
        for _number in range(96):
            yield b"e" * (1 << 20)
            sent += 1

    scene.upstream.script = [Answer(endless, close=True)]
    with scene.client() as client:
        client._witness = None
        client.send(scene.raw())
        while client.some(5.0):
            pass
    assert sent < 64, "it was taken for as long as it came"
    grown = scene.installation.resident_bytes() - before
    assert grown < 56 << 20, f"grew by {grown >> 20} MiB"
    assert scene.ask().status == 200


def test_I07_many_texts_at_once_in_one_stream(scene: Scene) -> None:
    """10,000 texts with half a value each, and as many ends of texts that never began."""
    scene.installation.apply(
        {"masking": [{"name": "all", "detectors": ["email", "phone", "iban"], "where": ["response"]}]}
    )
    scene.ask()
    before = scene.installation.settled_bytes()

    def event(index: object, text: str, **more: object) -> bytes:
        choice = {"index": index, "delta": {"content": text}, **more}
        return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()

    half = "and gho_" + "a1B2" * 6

    def stream(_: object) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        for start in range(0, 10_000, 100):
            yield b"".join(event(number, half) for number in range(start, start + 100))
        for start in range(0, 10_000, 100):
            yield b"".join(event(-number, "", finish_reason="stop") for number in range(start, start + 100))
        for start in range(0, 2_000, 100):
            yield b"".join(event(str(number) * 300, half) for number in range(start, start + 100))

    scene.upstream.script = [Answer(stream, close=True)]
    with scene.client() as client:
        client._witness = None
        client.send(scene.raw("openai", "/v1/chat/completions", "Content-Length: 2", method="POST") + b"{}")
        drain(client)
    grown = scene.installation.resident_bytes() - before
    assert grown < 24 << 20, f"grew by {grown >> 20} MiB"
    assert scene.ask().status == 200


def test_I07_large_events_of_many_texts_are_not_all_kept(scene: Scene) -> None:
    scene.ask()
    before = scene.installation.settled_bytes()
    padding = "p" * 500_000

    def stream(_: object) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        for number in range(150):
            choice = {"index": number, "delta": {"content": "x"}}
            yield f"data: {json.dumps({'padding': padding, 'choices': [choice]})}\n\n".encode()

    scene.upstream.script = [Answer(stream, close=True)]
    with scene.client() as client:
        client._witness = None
        client.send(scene.raw("openai", "/v1/chat/completions", "Content-Length: 2", method="POST") + b"{}")
        drain(client)
    grown = scene.installation.resident_bytes() - before
    assert grown < 32 << 20, f"grew by {grown >> 20} MiB"


YAML = {
    "python object": "masking: !!python/object/apply:os.system ['touch {mark}']",
    "python name": "masking: [!!python/name:os.system '']",
    "python tuple": "masking: !!python/tuple [a]",
    "python module": "masking: [{{name: !!python/module:os ''}}]",
    "new object": "masking: !!python/object/new:subprocess.Popen [[touch, '{mark}']]",
    "own tag": "masking: !include /etc/passwd",
    "binary": "masking: [{{name: !!binary aGVsbG8=, pattern: abcd, where: [response]}}]",
    "set": "masking: !!set {{a, b}}",
    "merge": "masking: [{{<<: {{name: a, pattern: abcd}}, where: [response]}}]",
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\nmasking: *f",
    "depth": "masking: " + "[" * 20_000,
    "template": "masking: [{{name: '{{{{7*7}}}}', pattern: '{{{{ cycler.__init__ }}}}', where: [nowhere]}}]",
    "doubled keys": "masking: []\nmasking: []",
    "two documents": "masking: []\n---\nmasking: []",
}


def test_I07_a_file_of_masking_rules_is_data(scene: Scene, tmp_path: Any) -> None:
    mark = tmp_path / "run"

    def check(_: str, text: str) -> None:
        document = {"yaml": "version: 1\n" + text.format(mark=mark), "filename": "attack.yaml", "prune": False}
        for path in ("plan", "apply"):
            try:
                said = scene.installation.api("POST", f"/configuration/{path}", document)
            except Refused as refusal:
                assert 400 <= refusal.status < 500, refusal  # noqa: PT017 - what was not refused fails below
            else:
                raise AssertionError(said)
        assert not mark.exists()

    each(YAML, check)
    assert scene.ask().status == 200
