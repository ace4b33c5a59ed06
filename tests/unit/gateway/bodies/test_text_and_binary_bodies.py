"""Plain text in any width, and bodies that are never rewritten."""

import gc
import tracemalloc

import pytest

from ostiary.gateway.bodies.binary_body import BinaryBody
from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.text_body import TextBody
from ostiary.gateway.bodies.utf16_body import AnyWidthBody, utf16_order
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingFailedError
from ostiary.model.masking import Action, MaskingRule, Where

EVERYWHERE = frozenset(Where)
ENGINE = MaskingEngine(
    [
        MaskingRule("key", EVERYWHERE, pattern="sk-[a-z0-9]{8}"),
        MaskingRule("seen", EVERYWHERE, action=Action.REPORT, pattern="seen"),
    ],
    b"k" * 32,
)
TEXT = "Grüße: sk-abcd1234 – 😀\n"


def masked(data: bytes, content_type: bytes, size: int) -> bytes:
    body = TextBody(ENGINE.masker(), content_type)
    return b"".join([*(body.feed(data[at : at + size]) for at in range(0, len(data), size)), body.finish()])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("codec", "content_type"),
    [
        ("utf-8", b"text/plain; charset=utf-8"),
        ("utf-8", b""),
        ("latin-1", b'text/html; charset="ISO-8859-1"'),
        ("utf-16", b"text/plain; charset=utf-16"),
        ("utf-16-le", b'text/plain; charset="UTF-16LE"'),
        ("utf-16-be", b"text/plain; charset=utf-16be; x=y"),
        ("utf-16-le", b"text/plain; charset=utf-16"),
        ("utf-16-be", b"text/plain; charset=utf-16"),
        ("utf-16-be", b"text/plain"),
        ("utf-16", b"text/plain; charset=utf-8"),
    ],
)
def test_text_is_masked_in_the_width_it_has(codec: str, content_type: bytes, size: int) -> None:
    text = TEXT.encode("latin-1", "ignore").decode("latin-1") if codec == "latin-1" else TEXT
    expected = text.replace("sk-abcd1234", "[masked:key]").encode(codec)
    assert masked(text.encode(codec), content_type, size) == expected


def test_bytes_that_are_no_text_stay() -> None:
    odd = b"\xff\xfe" + "a".encode("utf-16-le") + b"\x00\xd8" + "b".encode("utf-16-le") + b"\x00\xdc\x3d\xd8\x07"
    for size in (1, 2, 5, 100):
        assert masked(odd, b"text/plain; charset=utf-16", size) == odd
        assert masked(b"\xff\x00\xc3\xe2\x82", b"text/plain", size) == b"\xff\x00\xc3\xe2\x82"
        assert masked(b"\xfe", b"text/plain; charset=utf-16", size) == b"\xfe"


def test_what_says_it_is_utf16_and_is_not_does_not_pass() -> None:
    with pytest.raises(MaskingFailedError):
        masked(b"the key is sk-abcd1234 ", b"text/plain; charset=utf-16", 1000)
    with pytest.raises(MaskingFailedError):
        masked(b"\xff\xfethe key is sk-abcd1234", b"text/plain", 3)


def test_clean_pieces_in_utf16_go_out_as_they_are() -> None:
    body = TextBody(ENGINE.masker(), b"text/plain; charset=utf-16le")
    for piece in ("nothing here ".encode("utf-16-le"), "nor here 😀 ".encode("utf-16-le")):
        assert body.feed(piece) is piece
    assert body.finish() == b""


def test_json_in_utf16_is_masked_as_json() -> None:
    document = '{"a":"\\u0073k-abcd1234","é":1}'
    masker = ENGINE.masker()
    body = AnyWidthBody(lambda: JsonBody(masker), masker, b"application/json")
    output = body.feed(document.encode("utf-16")) + body.finish()
    assert output.decode("utf-16") == '{"a":"[masked:key]","é":1}'


@pytest.mark.parametrize(
    ("content_type", "beginning", "order"),
    [
        (b"text/plain", b"ab", None),
        (b"text/plain", b"", None),
        (b"text/plain; charset=utf-8", b"\xff\xfe", "utf-16-le"),
        (b"text/plain; charset=utf-16le", b"\xfe\xff", "utf-16-be"),
        (b"text/plain", b"a\0", "utf-16-le"),
        (b"text/plain", b"\0a", "utf-16-be"),
        (b"text/plain", b"\0\0", None),
        (b"text/plain;charset=UTF16", b"\x12\x34", "utf-16-le"),
        (b'text/plain; charset = "utf-16BE"', b"\x12\x34", "utf-16-be"),
        (b"text/plain; charset=utf-16x", b"\x12\x34", None),
    ],
)
def test_the_order_of_bytes_is_told_by_the_beginning_before_what_is_declared(
    content_type: bytes, beginning: bytes, order: str | None
) -> None:
    assert utf16_order(content_type, beginning) == order


def test_a_binary_body_passes_as_it_is() -> None:
    body = BinaryBody(ENGINE.masker())
    piece = b"\x89PNG\r\n\x00\xff seen."
    assert body.feed(piece) is piece
    assert body.feed(b"sk-abc") == b""
    assert body.feed(b"!") == b"sk-abc!"
    assert body.finish() == b""


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_binary_body_stops_before_what_would_have_to_be_replaced(size: int) -> None:
    data = b"\x00\x01 before sk-abcd1234 after"
    body = BinaryBody(ENGINE.masker())
    passed = b""
    with pytest.raises(MaskingFailedError):  # noqa: PT012 - what passed before counts, too
        for at in range(0, len(data), size):
            passed += body.feed(data[at : at + size])
        passed += body.finish()
    assert b"\x00\x01 before ".startswith(passed)


@pytest.mark.parametrize("content_type", [b"text/plain", b"text/plain; charset=utf-16le"])
def test_memory_does_not_grow(content_type: bytes) -> None:
    body = TextBody(ENGINE.masker(), content_type)
    piece = ("some text sk-abcd1234 sk-" * 200).encode("utf-16-le" if b"16" in content_type else "utf-8")
    body.feed(piece)
    tracemalloc.start()
    try:
        body.feed(piece)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(12):
            body.feed(piece)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 32 * 1024
    finally:
        tracemalloc.stop()
