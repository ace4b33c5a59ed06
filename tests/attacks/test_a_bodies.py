"""A01-A06: the injected key comes back in a body, plain or compressed."""

import gzip
import json
import zlib

import brotli
import pytest
import zstandard

from support.cases import each
from support.expectations import composite, must_be_blocked, must_be_masked
from support.raw_upstream import Answer, answer, chunked
from support.scene import KINDS, MARK, Scene

MIXED = b"event: x\ndata: hello %s and goodbye\n\n"


@pytest.mark.parametrize("kind", KINDS)
def test_A01_error_body_repeats_the_key(scene: Scene, kind: str) -> None:
    echo = json.dumps({"error": {"message": f"Bad header Authorization: Bearer {scene.key}, sorry"}}).encode()
    validators = [
        b'ETag: "0123456789abcdef"',
        b"Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
        b"Digest: SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
        b"Content-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        b"Repr-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    ]
    for status in (b"200 OK", b"400 Bad Request", b"404 Not Found", b"422 No", b"500 Oops", b"503 Busy"):
        scene.upstream.script = [answer(echo, *validators, status=status, content_type=b"application/json")]
        reply = scene.ask(kind)
        assert reply.status == int(status[:3]), reply.raw
        assert reply.complete
        assert reply.json()["error"]["message"] == "Bad header Authorization: Bearer " + MARK.decode() + ", sorry"
        for name in ("etag", "content-md5", "digest", "content-digest", "repr-digest"):
            assert reply.header(name) == [], name


@pytest.mark.parametrize("kind", KINDS)
def test_A01_every_way_the_key_was_sent_is_masked_when_repeated(scene: Scene, kind: str) -> None:
    """The upstream answers with the very head it got."""

    def repeat(request) -> list[bytes]:
        body = request.raw
        return [
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body),
            body,
        ]

    scene.upstream.always = Answer(repeat)
    reply = scene.ask(kind)
    must_be_masked(reply, b"HTTP/1.1\r\n")
    sent = scene.upstream.requests[0].raw
    assert scene.key.encode() in sent or composite(scene.key).encode() in sent


def test_A01_masked_answer_of_a_kept_connection_does_not_shift_the_next(scene: Scene) -> None:
    scene.upstream.script = [
        answer(b"%s %s" % (scene.key.encode(), scene.key.encode())),
        answer(b"second"),
        answer(b"", b"X-A: b"),
    ]
    with scene.client() as client:
        for expected in (MARK + b" " + MARK, b"second", b""):
            client.send(scene.raw())
            reply = client.reply()
            assert (reply.body, reply.complete, reply.extra) == (expected, True, b"")


ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def stored_gzip(data: bytes) -> bytes:
    return gzip.compress(data, 0)


@pytest.mark.parametrize("coding", ENCODERS)
def test_A02_compressed_body_with_the_key_across_three_chunks(scene: Scene, coding: str) -> None:
    data = MIXED % scene.key.encode() + b"tail " * 40
    packed = ENCODERS[coding](data)
    third = len(packed) // 3
    pieces = [packed[:third], packed[third : 2 * third], packed[2 * third :]]
    scene.upstream.script = [
        chunked(pieces, b"Content-Encoding: " + coding.encode()),
        chunked([bytes([byte]) for byte in packed], b"Content-Encoding: " + coding.encode()),
        answer(packed, b"Content-Encoding: " + coding.upper().encode()),
    ]
    for _ in range(3):
        reply = scene.ask("http", None, "Accept-Encoding: gzip, br, zstd, deflate")
        must_be_masked(reply, b"hello ", b" and goodbye", b"tail " * 40)
        assert reply.body == data.replace(scene.key.encode(), MARK)


def test_A02_key_in_plain_sight_inside_stored_blocks(scene: Scene) -> None:
    """Compression level 0 keeps the text readable; a raw deflate stream has no header."""
    data = b"x" * 70_000 + scene.key.encode() + b"y" * 70_000
    packed = stored_gzip(data)
    at = packed.index(scene.key.encode())
    scene.upstream.script = [
        chunked([packed[: at + 10], packed[at + 10 : at + 30], packed[at + 30 :]], b"Content-Encoding: gzip"),
        answer(raw_deflate(data), b"Content-Encoding: deflate"),
    ]
    must_be_masked(scene.ask(), b"x" * 70_000, b"y" * 70_000)
    reply = scene.ask()
    if reply.complete and reply.status == 200:
        must_be_masked(reply, b"x" * 70_000, b"y" * 70_000)
    else:
        must_be_blocked(reply)


def test_A03_only_readable_codings_are_asked_for(scene: Scene) -> None:
    wishes = [
        "zstd, br, dcb",
        "dcz",
        "*",
        "compress, x-gzip",
        "gzip;q=0, identity;q=0",
        "gzip, unknown;q=1.0",
        "",
    ]
    wishes += ["identity;q=0, *;q=1", "GZIP, BR", "aes128gcm, exi, pack200-gzip"]

    def check(name: str, wish: list[str]) -> None:
        scene.upstream.forget()
        assert scene.ask("http", None, *wish).status == 200
        asked = scene.upstream.requests[-1].header(b"accept-encoding")
        codings = {part.split(b";")[0].strip() for line in asked for part in line.split(b",") if part.strip()}
        assert codings <= {b"gzip", b"deflate", b"br", b"zstd", b"identity"}, asked

    each({wish: [f"Accept-Encoding: {wish}"] for wish in wishes}, check)
    each({"none": [], "two": ["Accept-Encoding: dcb", "Accept-Encoding: dcz"]}, check)


def test_A04_unknown_or_stacked_coding(scene: Scene) -> None:
    key = scene.key.encode()
    data = b"before " + key + b" after"
    blocked = {
        "compress": (key, [b"Content-Encoding: compress"]),
        "dcb": (brotli.compress(data), [b"Content-Encoding: dcb"]),
        "unknown": (data, [b"Content-Encoding: rot13"]),
        "known then unknown": (gzip.compress(data), [b"Content-Encoding: gzip, rot13"]),
        "unknown then known": (gzip.compress(data), [b"Content-Encoding: rot13, gzip"]),
        "wildcard": (data, [b"Content-Encoding: *"]),
        "aes": (data, [b"Content-Encoding: aes128gcm"]),
        "garbled": (data, [b"Content-Encoding: gzip;q=1"]),
        "many layers": (data, [b"Content-Encoding: " + b"gzip, " * 200 + b"gzip"]),
    }

    def check_blocked(_: str, case: tuple[bytes, list[bytes]]) -> None:
        scene.upstream.script = [answer(case[0], *case[1])]
        reply = scene.ask()
        assert reply.status == 502, reply.raw[:500]
        scene.must_be_refused(reply, 502, closed=False)

    each(blocked, check_blocked)

    decoded = {
        "gzip, br": (brotli.compress(gzip.compress(data)), [b"Content-Encoding: gzip, br"]),
        "gzip, gzip": (gzip.compress(gzip.compress(data)), [b"Content-Encoding: gzip, gzip"]),
        "two lines": (
            zstandard.compress(zlib.compress(data)),
            [b"Content-Encoding: deflate", b"content-encoding: zstd"],
        ),
        "identity, gzip": (gzip.compress(data), [b"Content-Encoding: identity, gzip"]),
        "identity": (data, [b"Content-Encoding: identity"]),
        "empty": (data, [b"Content-Encoding:"]),
        "x-gzip": (gzip.compress(data), [b"Content-Encoding: x-gzip"]),
        "list with empty members": (gzip.compress(data), [b"Content-Encoding: , gzip ,"]),
    }

    def check_decoded(_: str, case: tuple[bytes, list[bytes]]) -> None:
        scene.upstream.script = [answer(case[0], *case[1])]
        reply = scene.ask()
        if reply.status == 502:
            scene.must_be_refused(reply, 502, closed=False)
        else:
            must_be_masked(reply)
            assert reply.body == b"before " + MARK + b" after"

    each(decoded, check_decoded)


def test_A04_coding_in_the_transfer_encoding(scene: Scene) -> None:
    packed = gzip.compress(scene.key.encode() * 2)
    for value in (b"gzip, chunked", b"gzip", b"deflate, chunked", b"identity", b"chunked, gzip"):
        scene.upstream.script = [
            Answer(
                (
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                    % (value, len(packed), packed),
                ),
                close=True,
            )
        ]
        reply = scene.ask()
        scene.must_be_refused(reply, 502, closed=False)


def test_A05_lying_content_type_or_coding(scene: Scene) -> None:
    key = scene.key.encode()
    data = b"before " + key + b" after " + b"z" * 64
    cases = {
        "gzip without coding": (gzip.compress(data), b"text/plain", []),
        "gzip as identity": (gzip.compress(data), b"text/plain", [b"Content-Encoding: identity"]),
        "gzip as an image": (gzip.compress(data), b"image/png", []),
        "gzip as a download": (gzip.compress(data), b"application/octet-stream", []),
        "zstd without coding": (zstandard.compress(data), b"application/json", []),
        "zlib without coding": (zlib.compress(data), b"application/json", []),
        "plain as gzip": (data, b"text/plain", [b"Content-Encoding: gzip"]),
        "plain as br": (data, b"text/plain", [b"Content-Encoding: br"]),
        "plain as zstd": (data, b"text/plain", [b"Content-Encoding: zstd"]),
        "plain as deflate": (data, b"text/plain", [b"Content-Encoding: deflate"]),
        "gzip as br": (gzip.compress(data), b"text/plain", [b"Content-Encoding: br"]),
        "text as an image": (data, b"image/png", []),
        "text as video": (data, b"video/mp4", []),
        "text as octets": (data, b"application/octet-stream", []),
        "text without a type": (data, b"", []),
        "text as wasm": (data, b"application/wasm", []),
        "text as grpc": (data, b"application/grpc", []),
        "two types": (data, b"text/plain", [b"Content-Type: image/png"]),
        "utf-16 text as ascii": (data.decode().encode("utf-16-le"), b"text/plain; charset=us-ascii", []),
        "cut gzip": (gzip.compress(data)[:-9], b"text/plain", [b"Content-Encoding: gzip"]),
        "gzip with a bad checksum": (
            gzip.compress(data)[:-8] + b"\0" * 8,
            b"text/plain",
            [b"Content-Encoding: gzip"],
        ),
        "gzip in a gzip, one coding": (
            gzip.compress(gzip.compress(data)),
            b"text/plain",
            [b"Content-Encoding: gzip"],
        ),
    }

    def check(_: str, case: tuple[bytes, bytes, list[bytes]]) -> None:
        body, content_type, headers = case
        scene.upstream.script = [answer(body, *headers, content_type=content_type)]
        reply = scene.ask()
        leaks = scene.oracle.search("body", reply.body) + scene.oracle.search("raw", reply.raw)
        assert not leaks, [str(leak) for leak in leaks]
        if reply.complete and reply.status == 200:
            assert MARK in reply.body.replace(b"\0", b""), reply.body[:300]
        else:
            must_be_blocked(reply)

    each(cases, check)


def test_A06_gzip_members_and_bytes_after_the_trailer(scene: Scene) -> None:
    key = scene.key.encode()
    first, second = gzip.compress(b"first "), gzip.compress(b"second " + key)
    named = bytearray(gzip.compress(b"named"))
    named[3] |= 0x08 | 0x10
    named = named[:10] + key + b"\0" + key + b"\0" + named[10:]
    extra = bytearray(gzip.compress(b"extra"))
    extra[3] |= 0x04
    extra = extra[:10] + len(key).to_bytes(2, "little") + key + extra[10:]
    skippable = b"\x50\x2a\x4d\x18" + len(key).to_bytes(4, "little") + key
    cases = {
        "second member": (b"gzip", first + second, b"first second " + MARK),
        "third member": (b"gzip", first + first + second, b"first first second " + MARK),
        "key over two members": (
            b"gzip",
            gzip.compress(key[:20]) + gzip.compress(key[20:]),
            MARK,
        ),
        "empty member between": (
            b"gzip",
            gzip.compress(key[:9]) + gzip.compress(b"") + gzip.compress(key[9:]),
            MARK,
        ),
        "bytes after the trailer": (b"gzip", first + key, b"first "),
        "zeros after the trailer": (b"gzip", first + bytes(64) + key, b"first "),
        "zeros, then a member": (b"gzip", first + bytes(64) + second, b"first "),
        "file name and comment": (b"gzip", bytes(named), b"named"),
        "extra field": (b"gzip", bytes(extra), b"extra"),
        "bytes after deflate": (b"deflate", zlib.compress(b"one") + key, b"one"),
        "bytes after br": (b"br", brotli.compress(b"one") + key, b"one"),
        "two zstd frames": (
            b"zstd",
            zstandard.compress(b"one ") + zstandard.compress(key),
            b"one " + MARK,
        ),
        "skippable zstd frame": (b"zstd", zstandard.compress(b"one") + skippable, b"one"),
        "bytes after zstd": (b"zstd", zstandard.compress(b"one") + key, b"one"),
    }

    def check(name: str, case: tuple[bytes, bytes, bytes]) -> None:
        coding, body, expected = case
        for reply_with in (
            answer(body, b"Content-Encoding: " + coding),
            chunked([bytes([byte]) for byte in body], b"Content-Encoding: " + coding),
        ):
            scene.upstream.script = [reply_with]
            reply = scene.ask()
            leaks = scene.oracle.search("raw", reply.raw) + scene.oracle.search("body", reply.body)
            assert not leaks, [str(leak) for leak in leaks]
            if reply.complete and reply.status == 200:
                # More than the expected text may come when what follows is decoded as well, never less.
                assert reply.body.startswith(expected), reply.body
            else:
                must_be_blocked(reply)
                assert "member" not in name and "two zstd" not in name, reply.raw[:300]

    each(cases, check)
