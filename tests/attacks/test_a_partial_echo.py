"""A14: the upstream shows a part of the injected key: the part is masked, and recorded as a partial echo."""

import json
from collections.abc import Mapping

import pytest

from support.cases import each
from support.oracle import LeakOracle
from support.raw_client import Reply
from support.raw_upstream import Answer, answer, chunked
from support.scene import ALPHABET, KINDS, MARK, Scene

FILLERS = {
    "stars": "***",
    "many stars": "*" * 40,
    "dots": "...",
    "ellipsis": "…",
    "bullets": "••••••••",
    "x": "xxxx",
    "hashes": "####",
    "redacted": "[redacted]",
    "hidden": "<hidden>",
    "JSON ellipsis": "\\u2026",
    "JSON bullets": "\\u2022" * 8,
    "HTML": "&hellip;",
    "percent": "%2A%2A%2A",
}


@pytest.fixture
def key(scene: Scene) -> str:
    """A key of the scene without the letter that fillers are made of, so that what must stay is known exactly."""
    if "x" not in scene.key.lower():
        return scene.key
    value = "crsr_" + "".join(scene.random.choices(ALPHABET.translate({ord("x"): None, ord("X"): None}), k=40))
    scene.rotate(value)
    return value


def findings_of(scene: Scene, reply: Reply) -> dict[str, tuple[str, int]]:
    """From the audit entry: detector → (place, count)."""
    recorded = scene.must_be_recorded(reply)["findings"]
    return {each["detector"]: (each["place"], each["count"]) for each in recorded}


def spellings(key: str) -> Mapping[str, tuple[str, str]]:
    """What the upstream says and what arrives instead."""
    mark = MARK.decode()
    cases = {}
    for name, filler in FILLERS.items():
        for start in (3, 5, 7, 12):
            for end in (2, 4, 9):
                cases[f"{name} {start} {end}"] = (key[:start] + filler + key[-end:], mark)
        cases[f"{name}, ending alone"] = (filler + key[-4:], None if name == "hashes" else filler + mark)
    cases |= {
        "first eight": (key[:8], mark),
        "first half": (key[: len(key) // 2] + "!", mark + "!"),
        "all but the last": (key[:-1] + "~", mark + "~"),
        "second half": (key[-(len(key) // 2) :], mark),
        "last eight": (key[-8:], mark),
        "first eight and last four": (f"{key[:8]} and ****{key[-4:]}", f"{mark} and ****{mark}"),
        "a sentence": (
            f"Incorrect API key provided: {key[:7]}{'*' * 34}{key[-4:]}. You can find it",
            f"Incorrect API key provided: {mark}. You can find it",
        ),
        "ends with": (f"the key ending in {key[-4:]} is not active", f"the key ending in {mark} is not active"),
    }
    return {name: case for name, case in cases.items() if case[1] is not None}


@pytest.mark.parametrize("kind", KINDS)
def test_A14_error_body_shows_a_part(scene: Scene, key: str, kind: str) -> None:
    def check(name: str, case: tuple[str, str]) -> None:
        said, arrives = case
        body = f'{{"error":{{"message":"<<{said}>> ok","code":401}}}}'.encode()
        scene.upstream.script = [
            answer(body, status=b"400 Bad Request", content_type=b"application/json"),
            chunked([bytes([byte]) for byte in body], content_type=b"application/json"),
        ]
        with scene.client() as client:
            replies = []
            for _ in range(2):
                client.send(scene.raw(kind))
                replies.append(scene.saw(client.reply()))
        expected = f'{{"error":{{"message":"<<{arrives}>> ok","code":401}}}}'.encode()
        assert [reply.body for reply in replies] == [expected, expected]
        seen[name] = replies

    def check_log(name: str, case: tuple[str, str]) -> None:
        for reply in seen[name]:
            assert findings_of(scene, reply) == {"partial_echo": ("body", case[1].count(MARK.decode()))}

    seen: dict[str, list[Reply]] = {}
    each(spellings(key), check)
    each(spellings(key), check_log)


def test_A14_prefix_and_last_four_in_fields_of_their_own(scene: Scene, key: str) -> None:
    documents = {
        "snake case": {"key_prefix": key[:8], "last_four": key[-4:]},
        "short": {"prefix": key[:9], "last4": key[-4:]},
        "camel case": {"keyPrefix": key[:12], "lastFour": key[-4:], "suffix": key[-6:]},
        "hint": {"hint": f"...{key[-4:]}", "start": key[:10]},
        "text": {"error": f"key starting with '{key[:8]}' and ending with '{key[-4:]}' was revoked"},
    }

    def check(_: str, document: dict[str, str]) -> None:
        for text in (json.dumps(document), json.dumps(document, indent=2), json.dumps({"text": json.dumps(document)})):
            scene.upstream.script = [answer(text.encode(), content_type=b"application/json")]
            reply = scene.ask()
            assert key[-4:].encode() not in reply.body, reply.body
            assert reply.body.count(MARK) >= 2, reply.body
            reply.json()
            assert set(findings_of(scene, reply)) == {"partial_echo"}

    each(documents, check)


@pytest.mark.parametrize("kind", KINDS)
def test_A14_header_shows_a_part(scene: Scene, key: str, kind: str) -> None:
    mark = MARK.decode()
    values = {
        "X-Key-Hint": (f"{key[:5]}...{key[-4:]}", mark),
        "X-Key-Start": (key[:8], mark),
        "X-Key-Last4": (f"****{key[-4:]}", f"****{mark}"),
        "X-Key-End": (f"ends in {key[-4:]}", f"ends in {mark}"),
        "WWW-Authenticate": (
            f'Bearer error_description="token {key[:7]}[redacted]{key[-3:]} expired"',
            f'Bearer error_description="token {mark} expired"',
        ),
        "Location": (f"https://example.com/?hint={key[:9]}&x=1", f"https://example.com/?hint={mark}&x=1"),
        "X-Half": (f"{key[:25]}; rest withheld", f"{mark}; rest withheld"),
    }

    def check(name: str, case: tuple[str, str]) -> None:
        said, arrives = case
        scene.upstream.script = [answer(b"fine", f"{name}: {said}".encode())]
        reply = scene.ask(kind)
        assert reply.status == 200
        assert reply.header(name) == [arrives.encode()]
        assert findings_of(scene, reply) == {"partial_echo": ("header", 1)}

    each(values, check)


def test_A14_part_in_a_field_name_or_the_reason_phrase(scene: Scene, key: str) -> None:
    for status, line in ((b"200 OK", f"X-{key[:20]}: 1"), (f"400 Bad {key[:5]}***{key[-4:]}".encode(), "X-A: b")):
        scene.upstream.script = [answer(b"fine", line.encode(), status=status)]
        reply = scene.ask()
        assert reply.status in {int(status[:3]), 502}
        assert key[:9].encode() not in reply.raw
        assert key[-4:].encode() not in reply.raw


def test_A14_the_vendors_part_and_chance_are_left_alone(scene: Scene, key: str) -> None:
    body = (
        f"Keys start with {key[:5]} and look like {key[:5]}xxxxxxxx or {key[:5]}... or {key[:5]}<your key>. "
        f"The word {key[-4:]} alone, **{key[-3:]}**, _{key[-4:]}_ and {key[10:17]} tell nothing; x... y, a --- b."
    ).encode()
    scene.upstream.script = [answer(body), chunked([bytes([byte]) for byte in body])]
    for _ in range(2):
        reply = scene.ask()
        assert reply.body == body
        assert findings_of(scene, reply) == {}


def test_A14_prose_around_passes_without_delay(scene: Scene) -> None:
    """What cannot become a part is not held: the client reads it while the upstream is silent."""
    words = [b"It ends here... ", b"or **there** ", b"x, xx, xxx; ", "and … so on. ".encode(), b"key: "]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    segments: list[bytes | float] = [head]
    for word in words:
        segments += [b"%x\r\n%s\r\n" % (len(word), word), 0.15]
    scene.upstream.script = [Answer((*segments, 3.0, b"0\r\n\r\n"))]
    with scene.client() as client:
        client.send(scene.raw())
        seen = b""
        while b"key: " not in seen:
            more = client.some(2.5)
            assert more, f"held back after {seen!r}"
            seen += more


def events(*texts: str) -> list[bytes]:
    """OpenAI's chat deltas."""
    chunks = [
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
        for text in texts
    ]
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def joined(body: bytes) -> str:
    """The text of the deltas."""
    documents = [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: {")]
    return "".join(document["choices"][0]["delta"].get("content", "") for document in documents)


def test_A14_part_in_and_across_the_deltas_of_a_stream(scene: Scene, key: str) -> None:
    mark = MARK.decode()
    said = {
        "in one delta": (["it is ", f"{key[:5]}***{key[-4:]}", " I think"], f"it is {mark} I think"),
        "filler in between": (["it is ", key[:5], "***", key[-4:], " I think"], f"it is {mark} I think"),
        "letter by letter": ([*f"it is {key[:7]}…{key[-3:]} I think"], f"it is {mark} I think"),
        "beginning": (["it begins ", key[:4], key[4:9], " and goes on"], f"it begins {mark} and goes on"),
        "half": (["take ", *key[:22], ", stop"], f"take {mark}, stop"),
        "ending": (["ends in ", key[-4:], " I think"], f"ends in {mark} I think"),
        "stars, then the ending": (["it is ***", "*", key[-4:-2], key[-2:], "."], f"it is ****{mark}."),
        "the second half": (["the rest is ", *key[-20:], "."], f"the rest is {mark}."),
        "at the very end": (["ends ", key[:8]], f"ends {mark}"),
        "with a full stop at the very end": ([f"is {key[:8]}", "."], f"is {mark}."),
    }

    def check(_: str, case: tuple[list[str], str]) -> None:
        texts, expected = case
        stream = events(*texts)
        for pieces in (stream, [b"".join(stream)]):
            scene.upstream.script = [chunked(pieces, content_type=b"text/event-stream")]
            reply = scene.ask(
                "openai", "/v1/chat/completions", "Content-Type: application/json", method="POST",
                body=b'{"model":"gpt-4o-mini","messages":[],"stream":true}',
            )  # fmt: skip
            assert reply.status == 200, reply.raw[:400]
            assert reply.body.endswith(b"data: [DONE]\n\n")
            assert joined(reply.body) == expected
            assert not LeakOracle(key.encode()).search("text", joined(reply.body).encode())
            assert set(findings_of(scene, reply)) == {"partial_echo"}

    each(said, check)


@pytest.mark.parametrize("length", [24, 40, 68, 120, 164, 300])
def test_A14_keys_of_any_length_show_no_half(scene: Scene, length: int) -> None:
    key = "sk-proj-" + "".join(scene.random.choices(ALPHABET, k=length - 8))
    scene.rotate(key)
    half = length // 2
    said = [key[:half] + "!", f"<{key[-min(half, 128) :]}>", f"{key[:11]}{'*' * min(length, 150)}{key[-4:]};"]
    for text in said:
        scene.upstream.script = [answer(text.encode())]
        reply = scene.ask()
        assert reply.body.replace(MARK, b"") in (b"!", b"<>", b";"), reply.body
        assert set(findings_of(scene, reply)) == {"partial_echo"}


@pytest.mark.parametrize("key", ["correct-horse-battery-staple", "the last word of my key", "p4ssw0rd-12"])
def test_A14_keys_made_of_words_and_short_ones_leave_text_alone(scene: Scene, key: str) -> None:
    scene.installation.set_secret(scene.secret, key)
    body = (
        b"A correct horse... staple; correct-horse: ****staple, the last word... key, my key ending in key, "
        b"p4ssw0rd, p4s***12, ...d-12, last4: d-12 and so on. The first word of it, battery-staple too."
    )
    scene.upstream.always = answer(body)
    reply = scene.ask()
    assert reply.body == body
    assert findings_of(scene, reply) == {}


def test_A14_a_whole_key_beside_a_part_is_told_apart(scene: Scene, key: str) -> None:
    scene.upstream.script = [answer(f"{key} {key.encode().hex()} {key[:5]}...{key[-4:]}".encode())]
    reply = scene.ask()
    assert reply.body == MARK + b" " + MARK + b" " + MARK
    assert findings_of(scene, reply) == {"injected-secret": ("body", 2), "partial_echo": ("body", 1)}
