"""Which way of masking fits a body."""

import gzip
import json

import pytest

from ostiary.catalog import load_catalog
from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.choosing import body_for, media_type
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingBlockedError, MaskingFailedError
from ostiary.model.masking import MaskingRule, Where

EVERYWHERE = frozenset(Where)
ENGINE = MaskingEngine(
    [
        MaskingRule("key", EVERYWHERE, pattern="sk-[a-z0-9]{8}"),
        MaskingRule("names", EVERYWHERE, fields=("token",)),
    ],
    b"k" * 32,
)
CHANNELS = load_catalog()["openai"].text_channels
TYPES = [
    b"application/json", b"application/vnd.api+json; charset=utf-8", b"application/x-ndjson", b"text/plain",
   b"text/html",
    b"text/yaml", b"application/octet-stream", b"", b"*/*", b"image/png", b"application/pdf", b"audio/mpeg",
    b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"text/event-stream", b"nonsense",
]  # fmt: skip
TEXTUAL = [
    b"text/plain",
    b"TEXT/Plain;x=y",
    b"text/csv",
    b"application/xml",
    b"image/svg+xml",
    b"application/javascript",
    b"",
]


def choose(content_type: bytes, archives_rule: str | None = None) -> Body:
    return body_for(content_type, ENGINE.masker(), CHANNELS, archives_rule)


def through(content_type: bytes, data: bytes, archives_rule: str | None = None) -> bytes:
    """The output, which is the same at every cut."""
    outputs = set()
    for size in (1, 3, 10, 17, len(data) + 1):
        body = choose(content_type, archives_rule)
        outputs.add(b"".join([body.feed(data[at : at + size]) for at in range(0, len(data), size)]) + body.finish())
    (output,) = outputs
    return output


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("before", [b"", b" \n", b"\xef\xbb\xbf", b"\t" * 900])
def test_json_is_masked_as_json_whatever_its_type_says(content_type: bytes, before: bytes) -> None:
    document = before + rb'{"a":"\u0073k-abcd1234", "token" : "x\n", "n":[1]}' + b"\n"
    expected = before + b'{"a":"[masked:key]", "token" : "[masked:names]", "n":[1]}\n'
    assert through(content_type, document) == expected
    assert through(content_type, before + rb'["\u0073k-abcd1234"]') == before + b'["[masked:key]"]'


@pytest.mark.parametrize("content_type", [each for each in TYPES if b"event" not in each])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-16"])
def test_json_in_utf_16_is_masked_as_json(content_type: bytes, codec: str) -> None:
    document = json.dumps({"a": "sk-abcd1234", "token": "é😀"}, ensure_ascii=False).encode(codec)
    expected = '{"a": "[masked:key]", "token": "[masked:names]"}'.encode(codec)
    assert through(content_type, document) == expected


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("codec", ["utf-32-le", "utf-32-be", "utf-32"])
def test_utf_32_is_refused(content_type: bytes, codec: str) -> None:
    with pytest.raises(MaskingFailedError):
        through(content_type, '{"a": "sk-abcd1234"}'.encode(codec))
    with pytest.raises(MaskingFailedError):
        through(b"text/plain; charset=utf-32", b"a\0\0\0b\0\0\0")


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("begin", [b"", b": ping\n\n", b"event: message\n", b"id:1\n", b"retry:5\n\n", b"\xef\xbb\xbf"])
def test_event_streams_are_masked_as_such_whatever_their_type_says(content_type: bytes, begin: bytes) -> None:
    def piece(text: str) -> bytes:
        return b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text.encode()

    stream = begin + piece("sk-ab") + piece("cd1234 x")
    assert through(content_type, stream) == begin + piece("") + piece("[masked:key] x")


def test_a_stream_that_begins_like_json_is_masked_as_both() -> None:
    stream = b'{"token":"a"}\n\ndata: sk-ab\n\ndata: cd1234 x\n\n'
    assert through(b"text/event-stream", stream) == b'{"token":"[masked:names]"}\n\ndata: \n\ndata: [masked:key] x\n\n'


def test_an_event_goes_out_at_once() -> None:
    body = choose(b"text/event-stream; charset=utf-8")
    event = b'data: {"a":1}\n\n'
    assert body.feed(event) == event
    assert body.feed(event) is event


@pytest.mark.parametrize("content_type", TEXTUAL)
def test_text_is_one_text(content_type: bytes) -> None:
    assert (
        through(content_type, b'say "sk-abcd1234" \\u0073k-abcd1234 end') == b'say "[masked:key]" \\u0073k-abcd1234 end'
    )
    assert through(content_type, b"no") == b"no"
    assert through(content_type, b"") == b""


@pytest.mark.parametrize("content_type", [b"image/png", b"application/pdf", b"audio/mpeg", b"nonsense"])
def test_what_cannot_be_rewritten_passes_whole_or_is_refused(content_type: bytes) -> None:
    assert through(content_type, b"\x89PNG\r\n" + b"x" * 50) == b"\x89PNG\r\n" + b"x" * 50
    with pytest.raises(MaskingFailedError):
        through(content_type, b"\x89PNG\r\n sk-abcd1234 ")


def test_an_unnamed_body_is_text_when_it_begins_like_text() -> None:
    assert through(b"application/octet-stream", b"a sk-abcd1234 ") == b"a [masked:key] "
    with pytest.raises(MaskingFailedError):
        through(b"application/octet-stream", b"\x00\x01 a sk-abcd1234 ")
    assert through(b"", b"x" * 16 + b"\x00 sk-abcd1234 ") == b"x" * 16 + b"\x00 [masked:key] "


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        (b"application/zip", b"anything"), (b"application/x-tar", b"anything"), (b"application/gzip; x", b"anything"),
        (b"text/plain", b"PK\x03\x04rest"),
        (b"image/png", gzip.compress(b"x", mtime=0)), (b"", b"7z\xbc\xaf\x27\x1crest"),
    ],
)  # fmt: skip
def test_archives_are_blocked_where_a_rule_says_so(content_type: bytes, data: bytes) -> None:
    with pytest.raises(MaskingBlockedError, match="no-archives"):
        through(content_type, data, "no-archives")
    assert through(content_type, data) == data


@pytest.mark.parametrize("data", [b"PK", b"d", b"da", b"data", b"\xef\xbb", b"  ", b"{", b"7z"])
def test_a_body_of_a_few_bytes_passes(data: bytes) -> None:
    for content_type in TYPES:
        assert through(content_type, data) == data


def test_media_types_are_compared_without_case_and_parameters() -> None:
    assert media_type(b" Text/Event-Stream ; charset=utf-8") == b"text/event-stream"
