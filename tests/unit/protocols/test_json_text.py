"""Decoding JSON strings with a way back, encoding them, and finding values by path in what was written."""

import json

import pytest

from ostiary.protocols.json_text import (
    Offsets,
    blanked,
    decode_string,
    encode_string,
    splice,
    unfinished,
    view,
)

WRITTEN = {
    rb"plain": b"plain",
    rb"\u0073k-\/x": b"sk-/x",
    rb"a\nb\tc\r\b\f\"\\d": b'a\nb\tc\r\b\f"\\d',
    rb"caf\u00E9 \u00e9": "café é".encode(),
    rb"\uD83D\uDE00!": "😀!".encode(),
    rb"\ud83d\ud83d\ude00": b"\xed\xa0\xbd" + "😀".encode(),
    rb"\ude00\ud83d": b"\xed\xb8\x80\xed\xa0\xbd",
    rb"\\u0041\u0041": b"\\u0041A",
    rb"\b\\\"\f": b'\b\\"\f',
    rb"\u0008\u000C\u007f\\": b"\b\f\x7f\\",
    b"\b\f\x7f\\n": b"\b\f\x7f\n",
    rb"\\\\\n": b"\\\\\n",
    rb"\u005cn\u005c": b"\\n\\",
    b"raw\nline\\n": b"raw\nline\n",
    b"\xff\xfe\\u0041": b"\xff\xfeA",
    rb"\x41\u12\u00g0\'": rb"\x41\u12\u00g0\'",
    b"\xc3\xa9\\u00e9\xe2\x82\xac": "éé€".encode(),
    b"end\\": b"end\\",
    b"\\u0000\x00": b"\x00\x00",
    b"\x00a\x00b\\n": b"\x00a\x00b\n",
}


@pytest.mark.parametrize(("raw", "text"), WRITTEN.items())
def test_a_string_is_decoded_as_parsers_do_and_what_they_refuse_stays(raw: bytes, text: bytes) -> None:
    assert decode_string(raw) == text
    document = b'["' + raw + b' ",\n{"k":"\\\\\\""}]'
    assert view(document) == b'["' + text + b' ",\n{"k":"\\""}]'
    assert view(document, blanked(document)) == view(document)


@pytest.mark.parametrize(("raw", "text"), WRITTEN.items())
def test_every_decoded_byte_is_found_where_it_was_written(raw: bytes, text: bytes) -> None:
    offsets = Offsets(raw)
    assert offsets.before(0) == 0
    assert (offsets.before(len(text)), offsets.behind(len(text))) == (len(raw), len(raw))
    for start in range(len(text)):
        begin, end = offsets.before(start), offsets.behind(start + 1)
        assert text[start : start + 1] in decode_string(raw[begin:end])
        assert offsets.before(start) <= offsets.behind(start)


def test_places_far_into_a_long_text_are_found() -> None:
    for unit, plain in WRITTEN.items():
        for lead in range(12):
            raw = b"x" * (2040 + lead) + (unit + b"y") * 300
            offsets = Offsets(raw)
            for number in (0, 1, 2, 150, 299):
                at = 2040 + lead + number * (len(plain) + 1)
                assert offsets.before(at) == 2040 + lead + number * (len(unit) + 1)
                assert offsets.behind(at + len(plain) + 1) == 2040 + lead + (number + 1) * (len(unit) + 1)


@pytest.mark.parametrize("text", ["", "plain", 'q"\\/\b\f\n\r\t\x00\x1f\x7f', "é€😀", "\ud83d x", "\ude00\ud83d"])
def test_an_encoded_string_parses_to_the_text(text: str) -> None:
    raw = encode_string(text.encode("utf-8", "surrogatepass"))
    assert json.loads(b'"' + raw + b'"') == text
    assert decode_string(raw) == text.encode("utf-8", "surrogatepass")


def test_encoding_escapes_nothing_without_need() -> None:
    assert encode_string("é/😀‹email:1›".encode()) == "é/😀‹email:1›".encode()
    assert encode_string(b'a"b\\c\nd\x01') == rb"a\"b\\c\nd\u0001"


def test_blanked_text_has_the_borders_of_strings_and_nothing_else() -> None:
    raw = rb'{"a\\":"b\"c\\\"d\\\\","e":"\n"}'
    flat = blanked(raw)
    assert len(flat) == len(raw)
    assert flat.count(b'"') == 8
    assert blanked(b'{"a":1}') == b'{"a":1}'


@pytest.mark.parametrize(
    ("raw", "waits"),
    [
        (b"abc", b""),
        (b"abc\\", b"\\"),
        (b"abc\\\\", b""),
        (b"abc\\\\\\", b"\\"),
        (rb"abc\u", rb"\u"),
        (rb"abc\u00e", rb"\u00e"),
        (rb"abc\\u00e", b""),
        (rb"abc\u00e9", b""),
        (rb"abc\ud83d", rb"\ud83d"),
        (b"abc\\ud83d\\", b"\\ud83d\\"),
        (rb"abc\ud83d\uDE0", rb"\ud83d\uDE0"),
        (rb"abc\ud83d\uDE00", b""),
        (rb"abc\ud83d\u00", rb"\u00"),
        (rb"abc\ud83d\\", b""),
        ("€".encode()[:1], b"\xe2"),
        ("x😀".encode()[:4], b"\xf0\x9f\x98"),
        ("x😀".encode(), b""),
        (b"x\xff\x80", b""),
    ],
)
def test_what_the_border_cuts_off_waits(raw: bytes, waits: bytes) -> None:
    assert raw[unfinished(blanked(raw)) :] == waits


def test_splicing_replaces_the_stretches() -> None:
    assert splice(b"abcdef", [(1, 2, b"XX"), (2, 4, b""), (6, 6, b"!")]) == b"aXXef!"
    assert splice(b"abc", []) == b"abc"
