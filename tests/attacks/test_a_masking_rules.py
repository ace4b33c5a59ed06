"""Family A with masking rules: secrets and personal data in requests, answers and recordings, and nowhere after."""

import gzip
import json
import random
import string
import time
import zlib
from collections.abc import Iterator
from typing import Any

import brotli
import pytest
import zstandard

from support.cases import each
from support.oracle import LeakOracle
from support.raw_client import Reply, request
from support.raw_upstream import Answer, answer, chunked, wait_until
from support.scene import MARK, Scene

ALPHABET = string.ascii_letters + string.digits
BUILT_IN = ["secrets", "email", "phone", "payment-card", "iban", "us-ssn"]
"""All of these take a second to compile; most tests do with `hide`."""
SSE = b"text/event-stream"
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
PARTS = "Content-Type: multipart/form-data; boundary=b"


class Values:
    """One of each kind that nobody else has."""

    def __init__(self, source: random.Random) -> None:
        self.email = "".join(source.choices(string.ascii_lowercase, k=12)) + "@" + self._word(source) + ".io"
        self.token = "gho_" + "".join(source.choices(ALPHABET, k=36))
        self.card = _with_luhn("4539" + "".join(source.choices(string.digits, k=11)))
        self.all = [self.email, self.token, self.card]

    @staticmethod
    def _word(source: random.Random) -> str:
        return "".join(source.choices("bcdfghjklmnpqrstvwz", k=10))


def _with_luhn(digits: str) -> str:
    total = sum(sum(divmod(int(digit) * (2 - number % 2), 10)) for number, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


class Masked:
    """A scene with masking rules. At the end no value was kept, and none is where `must_be_hidden` looked."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.values = Values(scene.random)
        for value in self.values.all:
            scene.must_not_be_kept(value)
        self._oracle = LeakOracle(self.values.all[0].encode(), 10, also=[each.encode() for each in self.values.all[1:]])

    def rules(self, *rules: dict[str, Any]) -> None:
        named = [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules)]
        self.scene.installation.apply({"masking": named})

    def hide(self, *where: str, **how: Any) -> None:
        """Rules for all three values at these places."""
        self.rules(
            {"detectors": ["email", "payment-card"], "where": [*where], **how},
            {"name": "secrets", "pattern": "gho_[A-Za-z0-9]{36}", "where": [*where], **how},
        )

    def must_be_hidden(self, *places: bytes) -> None:
        for place in places:
            leaks = self._oracle.search("here", place)
            assert not leaks, [str(leak) for leak in leaks[:3]]

    def ask(self, answered: Answer, kind: str = "http", path: str | None = None, *headers: str, **how: Any) -> Reply:
        """An exchange in whose answer none of the values stands."""
        self.scene.upstream.script = [answered]
        reply = self.scene.ask(kind, path, *headers, **how)
        self.must_be_hidden(reply.raw, reply.body)
        return reply

    def send(self, body: bytes, *headers: str, kind: str = "http", path: str = "/post") -> Reply:
        """An exchange whose request reaches the upstream with none of the values in it."""
        self.scene.upstream.forget()
        reply = self.scene.ask(kind, path, *headers, method="POST", body=body)
        self.must_be_hidden(*self.scene.upstream.received)
        return reply

    def entry(self, reply: Reply) -> dict[str, Any]:
        return self.scene.must_be_recorded(reply)


@pytest.fixture
def masked(scene: Scene) -> Masked:
    return Masked(scene)


def allowing(scene: Scene, actor: str) -> dict[str, Any]:
    """The rule that lets another actor use the scene's connections."""
    return {**scene.allowing(*scene.connection.values()), "name": "friend", "who": {"users": [actor]}}


def said(stream: bytes) -> str:
    """The text of the events' deltas, one after the other."""
    return "".join(json.loads(line[6:])["delta"]["text"] for line in stream.splitlines() if line.startswith(b"data: "))


def marked(content: bytes) -> bool:
    return b"[masked:" in content


# -- answers


def test_A_rules_hide_values_in_every_kind_of_answer(masked: Masked) -> None:
    masked.rules({"detectors": BUILT_IN, "where": ["response"]})
    email, token, card = masked.values.all
    document = {"note": f"mail {email}", "deep": [{"key": token}, int(card)], email: 1}
    text = json.dumps(document)
    spelled = text.replace(token, "".join(f"\\u{ord(letter):04x}" for letter in token)).replace("/", "\\/")
    lines = f'{{"a": "{email}"}}\n{{"b": {{"c": "{token}"}}}}\n{card}\n'
    form = f"user={email.replace('@', '%40')}&token={token}&n={card}"
    multipart = (
        f'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n{email}\r\n--b\r\nContent-Type: application/json'
        f'\r\n\r\n{spelled}\r\n--b\r\nContent-Disposition: form-data; name="{email}"\r\n\r\nx\r\n--b--\r\n{card}'
    )
    plain = f"mail {email}, token={token} card {card}."
    bodies: dict[str, tuple[bytes, bytes]] = {
        "json": (text.encode(), b"application/json"),
        "problem": (text.encode(), b"application/problem+json; charset=utf-8"),
        "escaped json": (spelled.encode(), b"application/json"),
        "json with a mark": (b"\xef\xbb\xbf" + text.encode(), b"application/json"),
        "json in utf-16": (text.encode("utf-16"), b"application/json"),
        "json in utf-16 big": (text.encode("utf-16-be"), b"application/json; charset=utf-16be"),
        "json in utf-32": (text.encode("utf-32-le"), b"application/json"),
        "json in utf-32 with mark": (text.encode("utf-32"), b"application/json"),
        "json in utf-32 big": (text.encode("utf-32-be"), b"application/json"),
        "lines": (lines.encode(), b"application/x-ndjson"),
        "sequence": (b"\x1e" + spelled.encode() + b"\n\x1e" + text.encode() + b"\n", b"application/json-seq"),
        "text": (plain.encode(), b"text/plain"),
        "text in utf-16": (plain.encode("utf-16"), b"text/plain; charset=utf-16"),
        "html": (f"<a href='mailto:{email}'>{token}</a> {card}".encode(), b"text/html"),
        "xml": (f'<a b="{email}"><![CDATA[{token}]]>{card}</a>'.encode(), b"application/xml"),
        "csv": (f"{email},{token},{card}\r\n".encode(), b"text/csv"),
        "form": (form.encode(), b"application/x-www-form-urlencoded"),
        "multipart": (multipart.encode(), b"multipart/form-data; boundary=b"),
        "no type": (plain.encode(), b""),
        "json without type": (spelled.encode(), b""),
        "events": (f"data: {text}\n\nid: {token}\ndata: {email}\n\n: {card}\n\n".encode(), SSE),
        "events, called json": (f"data: {spelled}\n\n".encode(), b"application/json"),
        "json, called events": (spelled.encode(), SSE),
        "json, called text": (spelled.encode(), b"text/plain"),
        "json, called html": (spelled.encode(), b"text/html"),
        "json with space in front": (b"\n  " + spelled.encode(), b"text/plain"),
    }
    may_be_blocked = {name for name in bodies if "utf-32" in name}

    def check(name: str, case: tuple[bytes, bytes]) -> None:
        body, content_type = case
        for shape in (
            answer(body, content_type=content_type),
            chunked([bytes([code]) for code in body], content_type=content_type),
            answer(gzip.compress(body), b"Content-Encoding: gzip", content_type=content_type),
        ):
            reply = masked.ask(shape)
            if name in may_be_blocked and not (reply.complete and reply.status == 200):
                continue
            assert reply.status == 200, reply.raw[:400]
            assert reply.complete
            assert b"[masked:" in reply.body.replace(b"\0", b"") or b"%5Bmasked" in reply.body, reply.body
            if "json" in name and content_type.startswith(b"application/json") and body[:1] == b"{":
                assert reply.json()["deep"][0]["key"] == "[masked:secrets]"

    each(bodies, check)


def test_A_rules_hold_inside_codings_and_over_chunks(masked: Masked) -> None:
    masked.hide("response")
    text = json.dumps({"a": "x" * 3000, "b": masked.values.all, "c": "y" * 3000}).encode()
    encoders = {
        "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress,
        "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
    }  # fmt: skip

    def check(coding: str, pack: Any) -> None:
        packed = pack(text)
        for shape in (
            answer(packed, f"Content-Encoding: {coding}".encode(), content_type=b"application/json"),
            chunked([packed[at : at + 5] for at in range(0, len(packed), 5)], f"Content-Encoding: {coding}".encode(),
                    content_type=b"application/json"),
        ):  # fmt: skip
            reply = masked.ask(shape, "http", None, f"Accept-Encoding: {coding}")
            assert reply.json()["b"] == ["[masked:email]", "[masked:secrets]", "[masked:payment-card]"]

    each(encoders, check)


def test_A_rules_hold_in_heads_of_answers(masked: Masked) -> None:
    masked.hide("response")
    email, token, card = masked.values.all
    lines = [
        f"X-Owner: {email}", f"Location: https://x.example/?mail={email.replace('@', '%40')}&t={token}",
        f"Link: <https://x.example/{token}>; rel=next", f'ETag: "{token}"', f"X-Card: {card}",
        f"{token}: in the name", f'WWW-Authenticate: Bearer realm="{email}"', f"Content-Location: /{email}",
        f'Content-Disposition: attachment; filename="{email}.txt"',
    ]  # fmt: skip
    body = b"fine"
    for shape, how in (
        (answer(body, *[line.encode() for line in lines]), {}),
        (chunked([body], *[line.encode() for line in lines]), {}),
        (Answer((b"HTTP/1.1 204 No Content\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n",)), {}),
        (answer(b"", *[line.encode() for line in lines], length=4), {"method": "HEAD"}),
        (answer(gzip.compress(body), b"Content-Encoding: gzip", *[line.encode() for line in lines]), {}),
    ):
        reply = masked.ask(shape, **how)
        assert reply.status in {200, 204}
        assert reply.header("x-owner") == [b"[masked:email]"], reply.raw[:600]
    trailing = b"4\r\nfine\r\n0\r\nX-Owner: " + email.encode() + b"\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Owner\r\n\r\n"
    assert masked.ask(Answer((head + trailing,))).body == b"fine"
    assert masked.ask(Answer((head, trailing[:14], trailing[14:]))).body == b"fine"


def test_A_rules_block_what_cannot_be_rewritten(masked: Masked) -> None:
    masked.hide("request", "response")
    email = masked.values.email.encode()
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
    held = {
        "image": b"image/png",
        "octets": b"application/octet-stream",
        "pdf": b"application/pdf",
        "grpc": b"application/grpc",
    }

    def check(_: str, content_type: bytes) -> None:
        body = png + b" " + email + b" " + bytes(range(256)) * 40
        reply = masked.ask(answer(body, content_type=content_type))
        masked.scene.must_be_refused(reply, 502, code="masking_failed", closed=False)
        reply = masked.ask(chunked([body[at : at + 999] for at in range(0, len(body), 999)], content_type=content_type))
        assert not reply.complete or reply.status == 502
        assert reply.status == 502 or body.startswith(reply.body)
        assert masked.ask(answer(png, content_type=content_type)).body == png
        reply = masked.send(body, "Content-Type: " + content_type.decode())
        masked.scene.must_be_refused(reply, 502, code="masking_failed", closed=False)
        masked.scene.nothing_reached_upstream()

    each(held, check)


ARCHIVES = {
    "zip": b"PK\x03\x04" + b"z" * 60, "gzip": gzip.compress(b"z" * 60), "zstd": zstandard.compress(b"z" * 60),
    "7z": b"7z\xbc\xaf\x27\x1c" + b"z" * 60, "xz": b"\xfd7zXZ\x00" + b"z" * 60, "rar": b"Rar!\x1a\x07" + b"z" * 60,
}  # fmt: skip


def test_A_archives_are_blocked_by_their_bytes_and_by_their_name(masked: Masked) -> None:
    masked.rules({"detectors": ["email"], "where": ["response"], "archives": "block"})

    def check(name: str, archive: bytes) -> None:
        for content_type in (b"application/octet-stream", f"application/{name}".encode(), b"image/png", b""):
            for shape in (
                answer(archive, content_type=content_type),
                chunked([archive[:2], archive[2:]], content_type=content_type),
            ):
                reply = masked.ask(shape)
                assert not reply.complete or reply.status == 502, reply.raw[:300]
                assert archive[12:] not in reply.raw

    # What is compressed as text is sent decoded instead, and looked at.
    each({name: data for name, data in ARCHIVES.items() if name not in {"gzip", "zstd"}}, check)
    for name in ("gzip", "zstd"):
        reply = masked.ask(answer(ARCHIVES[name], content_type=b"application/octet-stream"))
        assert reply.status == 502, reply.raw[:300]
    part = b"--b\r\nContent-Type: application/zip\r\n\r\n" + ARCHIVES["zip"] + b"\r\n--b--\r\n"
    assert masked.ask(answer(part, content_type=b"multipart/mixed; boundary=b")).status == 502


def test_A_a_block_ends_a_stream_where_it_is(masked: Masked) -> None:
    masked.hide("response", "request", action="block")
    token = masked.values.token
    events = [
        f"data: {json.dumps({'delta': {'text': piece}})}\n\n".encode()
        for piece in ("one ", "two ", token[:20], token[20:], " three")
    ]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    reply = masked.ask(Answer((head, *chunks[:2], 0.1, *chunks[2:], b"0\r\n\r\n")))
    assert reply.status == 200
    assert not reply.complete, "the client must be able to tell that the answer is not whole"
    assert b"two" in reply.body
    assert b"three" not in reply.body
    assert masked.entry(reply)["end"] == "cut"
    assert any(found["action"] == "block" for found in masked.entry(reply)["findings"])
    whole = masked.ask(answer(json.dumps({"a": token}).encode(), content_type=b"application/json"))
    masked.scene.must_be_refused(whole, 502, code="masking_failed", closed=False)
    masked.scene.must_be_refused(masked.send(token.encode()), 403, code="denied", closed=False)
    masked.scene.nothing_reached_upstream()


@pytest.mark.parametrize("action", ["block", "replace", "hash", "partial"])
def test_A_actions_hold_in_heads_of_answers(masked: Masked, action: str) -> None:
    masked.rules({"detectors": ["email"], "where": ["response"], "action": action})
    line = f"X-Owner: {masked.values.email}".encode()
    shapes = {
        "short": answer(b"fine", line),
        "empty": answer(b"", line),
        "chunked": chunked([b"fine"], line),
        "events": chunked([b"data: x\n\n"], line, content_type=SSE),
        "late": Answer((b"HTTP/1.1 200 OK\r\n" + line + b"\r\nContent-Length: 4\r\n\r\n", 0.05, b"fine")),
        "no content": Answer((b"HTTP/1.1 204 No Content\r\n" + line + b"\r\n\r\n",)),
        "encoded": answer(gzip.compress(b"fine"), b"Content-Encoding: gzip", line),
    }

    def check(name: str, shape: Answer) -> None:
        reply = masked.ask(shape)
        if action == "block":
            masked.scene.must_be_refused(reply, 502, code="masking_failed", closed=False)
            return
        assert reply.complete, reply.raw
        (shown,) = reply.header("x-owner")
        assert shown.startswith(b"[masked:email")

    each(shapes, check)
    assert masked.ask(answer(b"fine")).body == b"fine"


def test_A_hash_and_partial_tell_no_more_than_they_say(masked: Masked) -> None:
    values = masked.values
    masked.rules(
        {"name": "secrets", "pattern": "gho_[A-Za-z0-9]{36}", "where": ["response", "request"], "action": "hash"},
        {"detectors": ["email", "payment-card"], "where": ["response", "request", "recording"], "action": "partial"},
    )
    text = f"{values.token} {values.email} {values.card} {values.token}"
    reply = masked.ask(answer(text.encode()))
    first, mail, card, again = reply.body.split(b" ")
    assert first == again
    assert len(first) == len(b"[masked:secrets:00000000]")
    assert mail == b"[masked:email:...%b]" % values.email[-4:].encode()
    assert card == b"[masked:payment-card:...%b]" % values.card[-4:].encode()
    masked.send(json.dumps({"a": text}).encode(), JSON)
    assert masked.scene.upstream.requests[-1].body == json.dumps({"a": reply.body.decode()}).encode()


def test_A_report_changes_nothing_and_tells_of_it(masked: Masked, scene: Scene) -> None:
    scene._kept_nowhere.clear()  # a dry run lets the values through
    masked.hide("response", "request", action="report")
    body = json.dumps(masked.values.all).encode()
    scene.upstream.always = answer(body, content_type=b"application/json")
    reply = scene.ask("http", "/x", JSON, method="POST", body=body)
    assert reply.body == body
    assert scene.upstream.requests[-1].body == body
    found = masked.entry(reply)["findings"]
    assert {each["detector"] for each in found} == {"email", "secrets", "payment-card"}
    assert {each["action"] for each in found} == {"report"}
    assert not LeakOracle(masked.values.token.encode()).search("entry", json.dumps(masked.entry(reply)).encode())


# -- requests


def test_A_rules_hide_values_in_every_kind_of_request(masked: Masked) -> None:
    masked.hide("request")
    email, token, card = masked.values.all
    text = json.dumps({"messages": [{"role": "user", "content": f"{email} {token}"}], "n": int(card)})
    spelled = text.replace(token, "".join(f"\\u{ord(letter):04x}" for letter in token))
    multipart = f'--b\r\nContent-Disposition: form-data; name="a"; filename="{email}"\r\n\r\n{token}\r\n--b--\r\n'
    coded = multipart.replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1)
    folded = multipart.replace("\r\n\r\n", "\r\nContent-Transfer-Encoding:\r\n base64\r\n\r\n", 1)
    b64 = "Z2hv" + zlib.crc32(b"x").to_bytes(4, "big").hex()
    bodies: dict[str, tuple[bytes, str]] = {
        "json": (text.encode(), JSON),
        "escaped": (spelled.encode(), JSON),
        "escaped, no type": (spelled.encode(), "X-A: b"),
        "escaped, called text": (spelled.encode(), "Content-Type: text/plain;charset=UTF-8"),
        "utf-16": (text.encode("utf-16"), JSON),
        "utf-32": (text.encode("utf-32-le"), JSON),
        "utf-32 big": (text.encode("utf-32-be"), JSON + "; charset=utf-32"),
        "utf-7": (text.replace("@", "+AEA-").encode(), JSON + "; charset=utf-7"),
        "ebcdic": (text.encode("cp037"), "Content-Type: text/plain; charset=cp037"),
        "form": (f"a={email}&b={token}".encode(), FORM),
        "form, coded": (f"a={email.replace('@', '%40')}&b=%67{token[1:]}".encode(), FORM),
        "multipart": (multipart.encode(), PARTS),
        "multipart without boundary": (multipart.encode(), "Content-Type: multipart/form-data"),
        "part in base64": (coded.replace(token, b64).encode(), PARTS),
        "part in base64, folded": (folded.replace(token, b64).encode(), PARTS),
        "text": (f"{email}\n{token}".encode(), "Content-Type: text/markdown"),
        "events": (f"data: {email}\n\n".encode(), "Content-Type: text/event-stream"),
        "cut json": (spelled[:-20].encode(), JSON),
        "deep": (b"[" * 100_000 + text.encode(), JSON),
    }  # fmt: skip
    refused = {"multipart without boundary", "part in base64", "part in base64, folded", "utf-7", "ebcdic"}

    def check(name: str, case: tuple[bytes, str]) -> None:
        body, header = case
        reply = masked.send(body, header)
        if name in refused or ("utf-32" in name and reply.status != 200):
            assert 400 <= reply.status < 600, "it was sent"
            masked.scene.nothing_reached_upstream()
            return
        assert reply.status == 200, reply.raw[:400]
        (sent,) = masked.scene.upstream.requests
        assert b"[masked:" in sent.body.replace(b"\0", b"") or b"%5Bmasked" in sent.body, sent.body[:300]
        assert sent.header(b"content-length") == [b"%d" % len(sent.body)]

    each(bodies, check)
    for coding, pack in (("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstandard.compress)):
        reply = masked.send(pack(text.encode()), JSON, f"Content-Encoding: {coding}")
        if reply.status == 200:
            assert marked(masked.scene.upstream.requests[-1].body)
        else:
            masked.scene.must_be_refused(reply, 415, closed=False)


def test_A_a_chunked_request_is_masked_as_a_whole(masked: Masked) -> None:
    masked.hide("request")
    scene = masked.scene
    body = json.dumps({"a": masked.values.all}).encode()
    pieces = (
        b"".join(b"1\r\n%c\r\n" % code for code in body)
        + b"0\r\nX-Owner: "
        + masked.values.email.encode()
        + b"\r\n\r\n"
    )
    reply = scene.say(
        scene.raw("http", "/up", "Transfer-Encoding: chunked", JSON, method="POST") + pieces, method="POST"
    )
    assert reply.status == 200, reply.raw
    masked.must_be_hidden(*scene.upstream.received)
    assert scene.upstream.requests[-1].body.count(b"[masked:") == 3


# -- recordings


def recorded(scene: Scene) -> bytes:
    wait_until(scene._all_ended, 2.0, 0.02)
    return b"\n".join(data for _, data in scene.installation.recordings(actor=scene.actor))


def test_A_recordings_alone(masked: Masked) -> None:
    """The exchange goes on as it is; what is kept of it is masked: heads, bodies, streams, in any coding."""
    scene, values = masked.scene, masked.values
    masked.hide("recording")
    text = json.dumps({"a": values.all, "b": "kept"}).encode()
    pieces = ["key ", *values.token, " kept"]
    events = [f"data: {json.dumps({'delta': {'text': piece}})}\n\n".encode() for piece in pieces]
    shapes = [
        answer(text, content_type=b"application/json"),
        chunked([bytes([code]) for code in text], content_type=b"application/json"),
        answer(gzip.compress(text), b"Content-Encoding: gzip", content_type=b"application/json"),
        answer(b"kept", f"X-Owner: {values.email}".encode(), f"Location: /?t={values.token}".encode()),
    ]
    for shape in shapes:
        scene.upstream.script = [shape]
        reply = scene.ask("http", "/x", JSON, f"X-Owner: {values.email}", method="POST", body=text)
        assert reply.body == text or reply.header("x-owner") == [values.email.encode()]
        assert scene.upstream.requests[-1].body == text
    scene.upstream.script = [chunked(events, content_type=SSE)]
    assert said(scene.ask().body) == "".join(pieces)
    kept = recorded(scene)
    assert kept.count(b"kept") >= 2 * len(shapes)
    assert b"[masked:secrets]" in kept


def test_A_values_in_the_address_are_in_no_recording(masked: Masked) -> None:
    scene, values = masked.scene, masked.values
    scene._kept_nowhere.clear()  # the log of what was asked names the path
    masked.hide("recording")
    coded = values.email.replace("@", "%40")
    for path in (f"/users/{coded}/posts", f"/x?mail={coded}&t={values.token}", f"/x?q={values.card}"):
        assert scene.ask("http", path).status == 200
    wait_until(scene._all_ended, 2.0, 0.02)
    shown = [data for name, data in scene.installation.recordings(actor=scene.actor) if name.startswith("recording")]
    assert len(shown) == 3
    masked.must_be_hidden(*shown)


# -- who, and when


def test_A_actors_with_different_rules_on_one_connection(masked: Masked) -> None:
    """One kept connection, two tokens in turn: each gets the rules that speak of them."""
    scene, email = masked.scene, masked.values.email
    scene._kept_nowhere.clear()
    other = f"friend-{scene.name}"
    scene.installation.apply({"rules": [allowing(scene, other)]})
    tokens = {scene.actor: scene.token, other: scene.installation.token(other)}
    masked.rules({"detectors": ["email"], "where": ["response", "request"], "who": {"users": [scene.actor]}})
    body = json.dumps({"to": email}).encode()
    scene.upstream.always = answer(body, content_type=b"application/json")
    with scene.client() as client:
        for actor in (scene.actor, other, other, scene.actor, other, scene.actor):
            scene.upstream.forget()
            client.send(
                request("POST", scene.target("http", "/x"), [f"Authorization: Bearer {tokens[actor]}", JSON], body)
            )
            reply = client.reply("POST")
            hidden = actor == scene.actor
            assert (email.encode() in reply.raw) is not hidden, actor
            assert (email.encode() in scene.upstream.requests[-1].raw) is not hidden, actor


def test_A_an_exception_that_ends(masked: Masked) -> None:
    """It holds for what it says, and not a moment longer, on a kept connection too."""
    scene, email = masked.scene, masked.values.email
    scene._kept_nowhere.clear()
    ends = time.time() + 1.2
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends + 1))
    ends = float(int(ends + 1))
    exception = {"reason": "a test", "expires": stamp, "matching": email.replace(".", r"\.")}
    masked.rules({"detectors": ["email"], "where": ["response"], "exceptions": [exception]})
    body = f"{email} and other@widgetworks.io".encode()
    scene.upstream.always = answer(body)
    with scene.client() as client:
        seen = []
        while time.time() < ends + 0.3:
            asked_at = time.time()
            client.send(scene.raw())
            reply = client.reply()
            assert b"other@" not in reply.body
            if email.encode() in reply.body:
                assert asked_at < ends
            seen.append(email.encode() in reply.body)
            time.sleep(0.1)
    assert seen[0] is True
    assert seen[-1] is False


def test_A_an_exception_is_made_for_whom_it_is_meant_in_heads_too(masked: Masked) -> None:
    """A line that was let through for one actor is looked at again for the next."""
    scene, email = masked.scene, masked.values.email
    scene._kept_nowhere.clear()
    other = f"friend-{scene.name}"
    scene.installation.apply({"rules": [allowing(scene, other)]})
    tokens = {scene.actor: scene.token, other: scene.installation.token(other)}
    exception = {"reason": "a test", "expires": "never", "who": {"users": [other]}}
    masked.rules({"detectors": ["email"], "where": ["response"], "exceptions": [exception]})
    scene.upstream.always = answer(b"fine", f"X-Owner: {email}".encode())
    for actor in (other, scene.actor, other, scene.actor):
        bearer = f"Authorization: Bearer {tokens[actor]}"
        reply = scene.say(request("GET", scene.target(), [bearer]))
        assert reply.header("x-owner") == [b"[masked:email]" if actor == scene.actor else email.encode()], actor


def test_A_rules_that_change_while_a_stream_runs(masked: Masked) -> None:
    """Within five seconds no stream goes on under rules that hold no more."""
    scene, email = masked.scene, masked.values.email
    scene._kept_nowhere.clear()

    def stream(_: object) -> Iterator[bytes | float]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        for number in range(80):
            yield f"data: {number} {email} \n\n".encode()
            yield 0.1

    scene.upstream.script = [Answer(stream, close=True)]
    with scene.client() as client:
        client.send(scene.raw())
        first = client.some(3.0) + client.some(3.0)
        assert email.encode() in first + client.some(3.0)
        masked.rules({"detectors": ["email"], "where": ["response"]})
        changed = time.monotonic()
        last_seen = changed
        while time.monotonic() - changed < 6.5:
            piece = client.some(0.5)
            if email.encode() in piece:
                last_seen = time.monotonic()
            if not piece:
                break
        assert last_seen - changed < 5.0, "the stream went on under the old rules"


# -- credentials that an upstream mints


MINTED = {
    "cursor": ("POST", "/v1/sub-tokens", "accessToken"),
    "openai": ("POST", "/v1/realtime/client_secrets", "value"),
}


@pytest.mark.parametrize("action", ["block", "seal", "replace"])
def test_A_minted_credentials_do_not_come_through(masked: Masked, action: str) -> None:
    scene = masked.scene
    masked.rules({"detectors": ["minted-credential"], "where": ["response"], "action": action})
    credential = "".join(scene.random.choices(ALPHABET, k=40))
    scene.must_not_be_kept(credential)
    oracle = LeakOracle(credential.encode())

    def check(_: str, case: tuple[str, str, str]) -> None:
        kind = next(name for name, row in MINTED.items() if row == case)
        method, path, member = case
        text = json.dumps({member: credential, "expiresIn": 3600})
        escaped = text.replace(credential, "".join(f"\\u{ord(letter):04x}" for letter in credential))
        spelled = f"\\u{ord(member[0]):04x}{member[1:]}"
        shapes = {
            "json": answer(text.encode(), content_type=b"application/json"),
            "escaped": answer(escaped.encode(), content_type=b"application/json"),
            "escaped name": answer(text.replace(member, spelled).encode(), content_type=b"application/json"),
            "chunked": chunked([bytes([code]) for code in text.encode()], content_type=b"application/json"),
            "gzip": answer(gzip.compress(text.encode()), b"Content-Encoding: gzip", content_type=b"application/json"),
            "called text": answer(text.encode(), content_type=b"text/plain"),
            "called html": answer(text.encode(), content_type=b"text/html; charset=utf-8"),
            "called an image": answer(text.encode(), content_type=b"image/png"),
            "called events": answer(text.encode(), content_type=SSE),
            "no type": answer(text.encode(), content_type=b""),
            "space in front": answer(b"\r\n \t" + text.encode(), content_type=b"text/plain"),
            "mark in front": answer(b"\xef\xbb\xbf" + text.encode(), content_type=b"text/plain"),
            "utf-16": answer(text.encode("utf-16"), content_type=b"application/json"),
            "created": answer(text.encode(), status=b"201 Created", content_type=b"application/json"),
            "with an error": answer(text.encode(), status=b"500 Oops", content_type=b"application/json"),
            "twice": answer(f'{{"{member}": "other", {text[1:]}'.encode(), content_type=b"application/json"),
            "cut": answer(text[: text.index(credential) + 30].encode(), content_type=b"application/json"),
            "lines": answer(b"{}\n" + text.encode(), content_type=b"application/json"),
            "form": answer(f"{member}={credential}&n=1".encode(), content_type=b"application/x-www-form-urlencoded"),
            "event": answer(f"data: {text}\n\n".encode(), content_type=SSE),
        }  # fmt: skip

        def one(_: str, shape: Answer) -> None:
            scene.upstream.script = [shape]
            reply = scene.ask(kind, path, JSON, method=method, body=b"{}")
            leaks = oracle.search("reply", reply.raw) + oracle.search("body", reply.body)
            assert not leaks, str(leaks[0])

        each(shapes, one)

    each(MINTED, check)


def test_A_a_sealed_credential_works_for_who_got_it_and_is_not_kept(masked: Masked) -> None:
    """The tool has what stands for it, which works upstream; for anybody else it stands for nothing."""
    scene = masked.scene
    masked.rules({"detectors": ["minted-credential"], "where": ["response"], "action": "seal"})
    credential = "".join(scene.random.choices(ALPHABET, k=40))
    scene.must_not_be_kept(credential)
    other = f"friend-{scene.name}"
    scene.installation.apply({"rules": [allowing(scene, other)]})
    stranger = scene.installation.token(other)
    scene.upstream.script = [answer(json.dumps({"accessToken": credential}).encode(), content_type=b"application/json")]
    sealed = scene.ask("cursor", "/v1/sub-tokens", JSON, method="POST", body=b"{}").json()["accessToken"]
    body = json.dumps({"prompt": {"text": f"use {sealed}"}}).encode()
    for token, works in ((stranger, False), (scene.token, True), (stranger, False)):
        scene.upstream.forget()
        scene.upstream.always = answer(body, content_type=b"application/json")
        bearer = f"Authorization: Bearer {token}"
        reply = scene.say(request("POST", scene.target("cursor", "/v1/agents"), [bearer, JSON], body), method="POST")
        assert (credential.encode() in scene.upstream.requests[-1].body) is works
        # An upstream that repeats the seal does not hand over what is under it.
        assert credential.encode() not in reply.raw


# -- placeholders


def test_A_placeholders_of_others_stand_for_nothing(masked: Masked) -> None:
    """The upstream that guesses, another actor, another session of the same one: none gets the original."""
    scene, email = masked.scene, masked.values.email
    other = f"friend-{scene.name}"
    scene.installation.apply({"rules": [allowing(scene, other)]})
    stranger = scene.installation.token(other)
    masked.rules({"detectors": ["email"], "where": ["request"], "action": "placeholder"})
    guesses = [f"‹email:{number}›" for number in (1, 2, 3, 10, 999_999_999_999)] + [
        "‹email:01›",
        "‹EMAIL:1›",
        "‹email:1",
    ]
    text = json.dumps({"say": guesses}, ensure_ascii=False)
    shapes = [
        answer(text.encode(), content_type=b"application/json"),
        answer(json.dumps({"say": guesses}).encode(), content_type=b"application/json"),
        chunked(
            [f"data: {json.dumps({'delta': {'text': letter}})}\n\n".encode() for letter in "".join(guesses)],
            content_type=SSE,
        ),
        answer("".join(guesses).encode(), "X-Mail: ‹email:1›".encode()),
    ]
    body = json.dumps({"to": email}).encode()
    # Mine first: an original comes back to the one who sent it, in the body and not in the head.
    for shape in shapes:
        scene.upstream.script = [shape]
        reply = scene.ask("anthropic", "/v1/messages", JSON, method="POST", body=body)
        masked.must_be_hidden(*scene.upstream.received)
        assert email.encode() not in reply.raw.partition(b"\r\n\r\n")[0]
    # Then others, who sent nothing, or something else.
    for bearer, headers, sent in (
        (stranger, [], b"{}"),
        (stranger, [], json.dumps({"to": "somebody.else@widgetworks.io"}).encode()),
        (scene.token, ["x-claude-code-session-id: another"], b"{}"),
    ):
        for shape in shapes:
            scene.upstream.script = [shape]
            raw = request(
                "POST",
                scene.target("anthropic", "/v1/messages"),
                [f"Authorization: Bearer {bearer}", JSON, *headers],
                sent,
            )
            masked.must_be_hidden(scene.say(raw, method="POST").raw)


# -- A31, A32: ends, and endlessness


def test_A31_half_a_value_when_either_side_goes_away(masked: Masked) -> None:
    scene, token = masked.scene, masked.values.token
    masked.hide("response", "recording")
    half = token[:28]
    oracle = LeakOracle(half.encode(), 12)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
    bodies = {
        "text": (b"text/plain", f"one two {half}".encode()),
        "json": (b"application/json", f'{{"a": "one two {half}'.encode()),
        "events": (SSE, f'data: {{"delta": {{"text": "one two {half}"}}}}\n\n'.encode()),
        "half an event": (SSE, f'data: one two\n\ndata: {{"delta": {{"text": "{half}'.encode()),
    }
    for name, (content_type, body) in bodies.items():
        chunk = b"%x\r\n%b\r\n" % (len(body), body)
        for answered in (
            Answer((head % content_type, chunk, 0.05), close=True),
            Answer((head % content_type, chunk, 0.05), reset=True),
        ):
            scene.upstream.script = [answered]
            reply = scene.ask()
            assert not reply.complete, name
            assert not oracle.search(name, reply.raw), name
        scene.upstream.script = [Answer((head % content_type, chunk, 3.0))]
        with scene.client() as client:
            client.send(scene.raw())
            seen = client.some() + client.some(0.2)
            assert not oracle.search(name, seen), name
    wait_until(scene._all_ended, 3.0, 0.02)
    kept = recorded(scene)
    assert b"one two" in kept
    assert not oracle.search("recording", kept), "the recording has the half that nobody could judge"


def test_A31_half_a_value_in_a_recording_that_breaks_off(masked: Masked) -> None:
    """The same where the tool gets everything and only the recording is masked."""
    scene, token = masked.scene, masked.values.token
    scene._kept_nowhere.clear()
    masked.hide("recording")
    half = token[:28]
    body = f"one two {half}".encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    scene.upstream.script = [Answer((head, b"%x\r\n%b\r\n" % (len(body), body), 0.05), close=True)]
    assert half[:20].encode() in scene.ask().raw
    kept = recorded(scene)
    assert b"one two" in kept
    assert half[:12].encode() not in kept


def test_A31_many_halves_cost_little_and_are_given_back(masked: Masked) -> None:
    scene, token = masked.scene, masked.values.token
    masked.hide("response", "recording")
    event = f'data: {{"delta": {{"text": "and {token[:28]}"}}}}\n\n'.encode()
    number = 120

    def stream(_: object) -> Iterator[bytes | float]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + event
        for _number in range(30):
            yield 0.5
            yield b": still here\n\n"

    scene.upstream.script = [Answer((event,)), *[Answer(stream, close=True) for _ in range(number)]]
    scene.ask()
    before = scene.installation.settled_bytes()
    clients = []
    try:
        scene.upstream.script = [Answer(stream, close=True) for _ in range(number)]
        for _ in range(number):
            client = scene.client()
            clients.append(client)
            client.send(scene.raw())
        for client in clients:
            assert client.some(5.0)
        grown = scene.installation.resident_bytes() - before
        assert grown / number < 64 * 1024, f"{grown // number} bytes a stream"
    finally:
        for client in clients:
            client.close()
    assert scene.upstream.wait_for_close(number, 8.0)
    assert wait_until(scene._all_ended, 5.0, 0.05)


def test_A31_what_a_replaced_configuration_held_is_given_back(masked: Masked) -> None:
    """Rules, and matchers of secrets, as often as they are replaced."""
    scene = masked.scene
    before = 0
    for number in range(5):
        name = scene.also("changing", auth={"header": f"X-Key-{number}"})
        masked.rules(
            {"detectors": ["email"], "where": ["response"]}, {"pattern": f"abcd{number}", "where": ["response"]}
        )
        reply = scene.say(request("GET", f"/{name}/x", [scene.bearer]))
        assert reply.status == 200
        if number == 1:
            before = scene.installation.resident_bytes()
    grown = scene.installation.resident_bytes() - before
    assert grown < 16 << 20, f"grew by {grown >> 20} MiB"


def test_A32_an_endless_body_with_all_rules_on(masked: Masked) -> None:
    scene, token = masked.scene, masked.values.token
    masked.rules({"detectors": BUILT_IN, "where": ["response", "recording"]})
    words = "and some more words to read, none of which says anything to anybody " * 5
    line = json.dumps({"delta": {"text": words}, "usage": 12}).encode() + b"\n"
    found = line.replace(b"anybody", token.encode(), 1)
    kinds = {
        b"text/plain": line * 160 + found,
        b"application/json": line * 160 + found,
        SSE: (b"data: " + line + b"\n") * 160 + b"data: " + found + b"\n",
        b"application/octet-stream": bytes(range(256)) * 240,
    }

    def check(_: str, content_type: bytes) -> None:
        block = kinds[content_type]
        blocks = 200 if content_type == b"application/octet-stream" else 80

        def endless(_: object) -> Iterator[bytes]:
            yield b"HTTP/1.1 200 OK\r\nContent-Type: " + content_type + b"\r\n\r\n"
            for _number in range(blocks):
                yield block

        scene.upstream.script = [answer(block, content_type=content_type)]
        scene.ask()
        before = scene.installation.settled_bytes()
        scene.upstream.script = [Answer(endless, close=True)]
        received, tail = 0, b""
        with scene.client() as client:
            client._witness = None
            client.send(scene.raw())
            while not tail.endswith(b"\r\n0\r\n\r\n") and (piece := client.some(8.0)):
                assert token.encode() not in tail + piece
                tail = (tail + piece)[-100:]
                received += len(piece)
        assert received > 0.9 * len(block) * blocks, received
        grown = scene.installation.resident_bytes() - before
        assert grown < 6 << 20, f"grew by {grown >> 20} MiB"

    each({content_type.decode(): content_type for content_type in kinds}, check)


def test_A_the_injected_key_is_masked_beside_the_rules(masked: Masked) -> None:
    """The rules' own marks do not cut the key in two, nor the other way round."""
    masked.rules(
        {"detectors": ["email"], "where": ["response"]},
        {"pattern": "crsr_[A-Za-z0-9]{10}", "where": ["response"]},
    )
    key, email = masked.scene.key, masked.values.email
    for text in (f"{key} {email}", f"{email}{key}", f"token={key}", f"https://u:{key}@h.example/x", f'"{key}"'):
        reply = masked.ask(answer(json.dumps({"a": text}).encode(), content_type=b"application/json"))
        assert reply.json()
        reply = masked.ask(answer(text.encode()))
        assert MARK in reply.body or b"[masked:" in reply.body
