"""A07-A12 and A29-A31: the key in every encoding and cut that an upstream can give it."""

import base64
import html
import itertools
import json
import random
import urllib.parse

import pytest

from support.cases import each
from support.expectations import composite, must_be_masked
from support.raw_upstream import Answer, answer, chunked
from support.scene import KINDS, MARK, Scene

FORMS = {
    "raw": lambda key: key,
    "json": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "percent": lambda key: "".join(f"%{ord(letter):02X}" for letter in key),
    "double percent": lambda key: "".join(f"%25{ord(letter):02x}" for letter in key),
    "html": lambda key: "".join(f"&#x{ord(letter):x};" for letter in key),
    "hex": lambda key: key.encode().hex(),
    "base64": lambda key: base64.b64encode(f"u:{key}!".encode()).decode(),
    "basic": composite,
}


@pytest.mark.parametrize("form", FORMS)
def test_A07_any_split_gives_the_same_output(scene: Scene, form: str) -> None:
    written = FORMS[form](scene.key)
    data = f"start {written} middle {written}{written} {scene.key[:7]} {written} end".encode()
    chooser = random.Random(f"{scene.seed} {form}")
    splits = [[data], [bytes([byte]) for byte in data]]
    for _ in range(8):
        cuts = sorted(chooser.sample(range(1, len(data)), min(len(data) - 1, chooser.randrange(1, 24))))
        edges = [0, *cuts, len(data)]
        splits.append([data[start:end] for start, end in itertools.pairwise(edges)])
    scene.upstream.script = [chunked(pieces) for pieces in splits]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data)
    scene.upstream.script.append(Answer((head, *(bytes([byte]) for byte in data))))
    slowly = [piece for at in range(0, len(data), 40) for piece in (data[at : at + 40], 0.005)]
    scene.upstream.script.append(Answer((head, *slowly)))
    outputs = []
    with scene.client() as client:
        for _ in range(len(splits) + 2):
            client.send(scene.raw())
            reply = scene.saw(client.reply())
            assert reply.complete, reply.raw
            outputs.append(reply.body)
    assert outputs[0].count(MARK) >= 3, outputs[0]
    assert outputs[0].startswith(b"start ")
    assert b" middle " in outputs[0]
    for number, output in enumerate(outputs):
        assert output == outputs[0], f"seed {scene.seed}, split {number}: {output!r} is not {outputs[0]!r}"


@pytest.mark.parametrize("kind", KINDS)
def test_A07_key_split_inside_one_event_of_a_stream(scene: Scene, kind: str) -> None:
    """One SSE event, delivered byte by byte, passes masked and the events around it unchanged."""
    key = scene.key.encode()
    stream = b"event: a\ndata: one\n\n" + b'data: {"text":"' + key + b'"}\n\n' + b"data: [DONE]\n\n"
    scene.upstream.script = [chunked([bytes([byte]) for byte in stream], content_type=b"text/event-stream")]
    reply = scene.ask(kind)
    assert reply.body == stream.replace(key, MARK)


ESCAPED = {
    "first letter": lambda key: f"\\u{ord(key[0]):04x}" + key[1:],
    "one in the middle": lambda key: key[:9] + f"\\u{ord(key[9]):04X}" + key[10:],
    "last letter": lambda key: key[:-1] + f"\\u{ord(key[-1]):04x}",
    "every letter, lower": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "every letter, upper": lambda key: "".join(f"\\u{ord(letter):04X}" for letter in key),
    "every second letter": lambda key: "".join(
        f"\\u{ord(letter):04x}" if at % 2 else letter for at, letter in enumerate(key)
    ),
    "mixed hex case": lambda key: "".join(
        f"\\u{ord(letter):04x}" if at % 2 else f"\\u{ord(letter):04X}" for at, letter in enumerate(key)
    ),
    "JSON in JSON": lambda key: json.dumps(json.dumps(key))[3:-3],
    "escapes in JSON in JSON": lambda key: "".join(f"\\\\u{ord(letter):04x}" for letter in key),
}


@pytest.mark.parametrize("kind", KINDS)
def test_A10_json_escapes(scene: Scene, kind: str) -> None:
    def check(_: str, escape) -> None:
        body = f'{{"before":"a\\nb","echo":"<{escape(scene.key)}>","after":1}}'.encode()
        for reply_with in (
            answer(body, content_type=b"application/json"),
            chunked([bytes([byte]) for byte in body], content_type=b"application/json"),
            answer(b"data: " + body + b"\n\n", content_type=b"text/event-stream"),
            answer(body, content_type=b"text/plain"),
        ):
            scene.upstream.script = [reply_with]
            reply = scene.ask(kind)
            assert reply.status == 200, reply.raw[:300]
            document = json.loads(reply.body.removeprefix(b"data: "))
            assert document == {"before": "a\nb", "echo": f"<{MARK.decode()}>", "after": 1}

    each(ESCAPED, check)


def test_A10_key_with_characters_that_json_escapes(scene: Scene) -> None:
    key = 'sk/a"b\\c/' + scene.key[5:30]
    scene.rotate(key)
    forms = {
        "minimal": json.dumps(key),
        "escaped slashes": json.dumps(key).replace("/", "\\/"),
        "escaped quotes": json.dumps(key).replace('\\"', "\\u0022").replace("\\\\", "\\u005C"),
        "everything": '"' + "".join(f"\\u{ord(letter):04x}" for letter in key) + '"',
    }

    def check(_: str, text: str) -> None:
        scene.upstream.script = [answer(f'{{"echo":{text}}}'.encode(), content_type=b"application/json")]
        reply = scene.ask()
        assert reply.json() == {"echo": MARK.decode()}

    each(forms, check)


def test_A11_base64_at_every_offset_alphabet_and_wrapping(scene: Scene) -> None:
    key = scene.key.encode()
    cases = {}
    for offset in range(6):
        for after in range(3):
            plain = b"~?>\xff\xfe\xfb"[:offset] + key + b"\xff?>"[:after]
            for alphabet, encode in (("std", base64.b64encode), ("url", base64.urlsafe_b64encode)):
                cases[f"{alphabet} offset {offset} after {after}"] = encode(plain)
                cases[f"{alphabet} unpadded offset {offset} after {after}"] = encode(plain).rstrip(b"=")
    for before in (0, 10, 33, 57, 76, 101):
        wrapped = base64.encodebytes(b"w" * before + key + b"w" * 30)
        cases[f"MIME {before}"] = wrapped
        cases[f"MIME CRLF {before}"] = wrapped.replace(b"\n", b"\r\n")
        cases[f"JSON of MIME {before}"] = json.dumps(wrapped.decode()).encode()[1:-1]
        cases[f"JSON of CRLF {before}"] = json.dumps(wrapped.replace(b"\n", b"\r\n").decode()).encode()[1:-1]
    cases["percent-encoded base64"] = urllib.parse.quote(base64.b64encode(b"xx" + key), safe="").encode()

    def check(_: str, written: bytes) -> None:
        scene.upstream.script = [
            answer(b"<" + written + b">"),
            chunked([b"<", *(bytes([byte]) for byte in written), b">"]),
        ]
        first, second = scene.ask(), scene.ask()
        assert first.body == second.body, (first.body, second.body)
        assert MARK in first.body, first.body
        assert not scene.oracle.search("body", first.body), first.body

    each(cases, check)


def test_A11_basic_composite_and_its_part(scene: Scene) -> None:
    key = scene.key
    cases = {
        "user": f"{key}:",
        "password": f":{key}",
        "both": f"{key}:{key}",
        "with a user": f"someone@example.com:{key}",
        "with a password": f"{key}:x-oauth-basic",
        "bare": key,
        "twice": f"{key}{key}",
        "twice with a letter between": f"{key}x{key}",
        "twice with two letters between": f"{key}xy{key}",
        "three times": f"{key}:{key}:{key}",
    }

    def check(_: str, text: str) -> None:
        encoded = base64.b64encode(text.encode()).decode()
        body = f"Authorization: Basic {encoded}\r\nand {encoded.rstrip('=')}".encode()
        scene.upstream.script = [answer(body)]
        for kind in ("cursor", "http"):
            scene.upstream.script = [answer(body)]
            reply = scene.ask(kind)
            assert reply.body.count(MARK) >= 2, reply.body
            assert not scene.oracle.search("body", reply.body), reply.body

    each(cases, check)


def test_A12_percent_entities_hex_and_utf_16(scene: Scene) -> None:
    key = scene.key
    octets = key.encode()
    cases = {
        "percent": "".join(f"%{byte:02x}" for byte in octets).encode(),
        "percent upper": "".join(f"%{byte:02X}" for byte in octets).encode(),
        "percent here and there": key.replace("_", "%5F").replace("s", "%73").encode(),
        "double percent": "".join(f"%25{byte:02X}" for byte in octets).encode(),
        "double percent of one": key.replace("_", "%255f").encode(),
        "decimal entities": "".join(f"&#{byte};" for byte in octets).encode(),
        "padded entities": "".join(f"&#0{byte};" for byte in octets).encode(),
        "hex entities": "".join(f"&#x{byte:x};" for byte in octets).encode(),
        "hex entities upper": "".join(f"&#X{byte:X};" for byte in octets).encode(),
        "entities here and there": key.replace("_", "&#95;").replace("r", "&#x72;").encode(),
        "named entity": key.replace("_", "&lowbar;").encode(),
        "hex": octets.hex().encode(),
        "hex upper": octets.hex().upper().encode(),
        "UTF-16 LE": key.encode("utf-16-le"),
        "UTF-16 BE": key.encode("utf-16-be"),
        "form": urllib.parse.urlencode({"a b": key}).encode(),
        "html attribute": html.escape(f'<a title="{key}">').encode(),
    }

    def check(_: str, written: bytes) -> None:
        scene.upstream.script = [
            answer(b"[ " + written + b" ]"),
            chunked([b"[ ", *(bytes([byte]) for byte in written), b" ]"]),
        ]
        first, second = scene.ask(), scene.ask()
        assert first.body == second.body, (first.body, second.body)
        leaks = scene.oracle.search("body", first.body)
        assert not leaks, [str(leak) for leak in leaks]
        assert b"masked:injected-secret" in first.body.replace(b"\0", b""), first.body

    each(cases, check)


def test_A12_space_as_plus(scene: Scene) -> None:
    key = "two words and+plus/" + scene.key[5:20]
    scene.rotate(key)
    for written in (urllib.parse.quote_plus(key), urllib.parse.quote(key, safe=""), key):
        scene.upstream.script = [answer(f"q={written}&r=1".encode())]
        assert scene.ask().body == b"q=" + MARK + b"&r=1", written


def test_A12_unsupported_charset_is_blocked(scene: Scene) -> None:
    key = scene.key
    seven = b"+" + base64.b64encode(key.encode("utf-16-be")).rstrip(b"=") + b"-"
    cases = {
        "utf-7": (seven, "utf-7"),
        "utf-32": (key.encode("utf-32-le"), "utf-32"),
        "utf-32be": (key.encode("utf-32-be"), "UTF-32BE"),
        "ebcdic": (key.encode("cp037"), "cp037"),
        "ebcdic by IBM's name": (key.encode("cp500"), "IBM500"),
        "unknown": (key.encode(), "x-no-such-charset"),
        "quoted": (key.encode("cp037"), '"ibm037"'),
    }

    def check(_: str, case: tuple[bytes, str]) -> None:
        body, charset = case
        scene.upstream.script = [answer(body, content_type=f"text/plain; charset={charset}".encode())]
        reply = scene.ask()
        assert body not in reply.raw
        scene.must_be_refused(reply, 502, closed=False)

    each(cases, check)

    supported = ("utf-8", "UTF8", '"utf-8"', "us-ascii", "iso-8859-1", "windows-1252")

    def check_supported(name: str, _: None) -> None:
        scene.upstream.script = [answer(key.encode(), content_type=f"text/plain; charset={name}".encode())]
        must_be_masked(scene.ask())

    each(dict.fromkeys(supported), check_supported)


def test_A29_the_previous_key_is_masked_after_a_rotation(scene: Scene) -> None:
    old, new = scene.key, scene.key[:5] + scene.key[:4:-1]
    scene.rotate(new)
    scene.upstream.always = answer(f"{old} {new}".encode())
    reply = scene.ask()
    assert reply.body == MARK + b" " + MARK
    assert new.encode() in scene.upstream.requests[-1].raw
    assert old.encode() not in scene.upstream.requests[-1].raw


@pytest.mark.parametrize(
    "key",
    [
        r".*+?(a|b)[c-d]{2}^$\Q\E\1(?i)",
        "completion",
        "password",
        "ABCDefgh",
        'x"y<z>&{}#%41',
        "8 spaces        inside",
    ],
)
def test_A30_odd_keys_are_matched_literally(scene: Scene, key: str) -> None:
    scene.installation.set_secret(scene.secret, key)
    near = "axb completio passwor ABCDefgH completi0n"
    scene.upstream.always = answer(f"{near} [{key}]".encode())
    reply = scene.ask()
    assert reply.body == f"{near} [".encode() + MARK + b"]"
    assert key.encode() in scene.upstream.requests[-1].raw


def test_A30_illegal_keys_are_refused_when_saved(scene: Scene) -> None:
    from support.installation import Refused

    illegal = {
        "CRLF": "abcdefgh\r\nX-Evil: 1",
        "LF": "abcdefgh\nijk",
        "CR": "abcdefgh\rijk",
        "NUL": "abcdefgh\0ijk",
        "tab": "abcdefgh\tijk",
        "escape": "abcdefgh\x1bijk",
        "DEL": "abcdefgh\x7fijk",
        "short": "abcdefg",
        "one": "a",
        "empty": "",
        "non-ASCII": "abcdefgh\u00e9\u20ac",
        "huge": "a" * 5000,
    }

    def check(_: str, value: str) -> None:
        with pytest.raises(Refused) as refusal:
            scene.installation.set_secret(scene.secret, value)
        assert refusal.value.status in {400, 422}
        assert value not in str(refusal.value.problem) or len(value) < 8
        assert scene.ask().status == 200
        assert scene.upstream.requests[-1].raw.count(scene.key.encode()) == 1

    each(illegal, check)
    for value in (b"abcdefgh\0ijk", b"short", b"\xff\xfe12345678"):
        ended = scene.installation.cli("secret", "set", scene.secret, stdin=value)
        assert ended.returncode in {1, 2}, ended
        assert value not in ended.stdout + ended.stderr or len(value) < 8


HALVES = {
    "raw": lambda key: key,
    "json": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "hex": lambda key: key.encode().hex(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "percent": lambda key: "".join(f"%{ord(letter):02X}" for letter in key),
}


@pytest.mark.parametrize("form", HALVES)
def test_A31_upstream_goes_away_with_half_a_key(scene: Scene, form: str) -> None:
    written = HALVES[form](scene.key)
    cases = {}
    for share in (0.4, 0.6, 0.95):
        half = written[: int(len(written) * share)].encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        lengthy = head + b"Content-Length: 5000\r\n\r\nhello "
        chunk = head + b"Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n%x\r\n%s\r\n" % (len(half), half)
        cases[f"FIN, length, {share}"] = Answer((lengthy, 0.02, half, 0.05), close=True)
        cases[f"RST, length, {share}"] = Answer((lengthy, 0.02, half, 0.05), reset=True)
        cases[f"FIN, chunked, {share}"] = Answer((chunk, 0.05), close=True)
        cases[f"until close, {share}"] = Answer((head + b"\r\nhello ", 0.02, half), close=True)
        cases[f"whole body, {share}"] = answer(b"hello " + half)

    def check(_: str, reply_with: Answer) -> None:
        scene.upstream.script = [reply_with]
        reply = scene.ask()
        leaks = scene.oracle.search("raw", reply.raw)
        assert not leaks, [str(leak) for leak in leaks]
        if reply.status == 200:
            assert reply.body.startswith(b"hello ") or not reply.complete, reply.raw

    each(cases, check)


def test_A31_upstream_falls_silent_with_half_a_key(scene: Scene) -> None:
    half = scene.key[:30].encode()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    scene.upstream.script = [Answer((head + b"%x\r\n%s\r\n" % (len(half), half), 4.0))]
    reply = scene.ask()
    assert not reply.complete or reply.status == 504
    assert not scene.oracle.search("raw", reply.raw)


def test_A31_client_goes_away_with_half_a_key_in_the_window(scene: Scene) -> None:
    """The recording of what the client got holds no half either (the oracle looks into it)."""
    half = scene.key[:30].encode()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    scene.upstream.script = [Answer((head + b"6\r\nhello \r\n%x\r\n%s\r\n" % (len(half), half), 1.0))]
    with scene.client() as client:
        client.send(scene.raw())
        assert b"200" in client.some()
    assert scene.upstream.wait_for_close(1, 3.0)
