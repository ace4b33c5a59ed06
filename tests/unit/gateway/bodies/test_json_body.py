"""JSON bodies: what is found in decoded strings is replaced, and every other byte stays."""

import gc
import json
import time
import tracemalloc

import pytest

from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.masking.engine import MaskingEngine
from ostiary.model.masking import MaskingRule, Where

EVERYWHERE = frozenset(Where)
ENGINE = MaskingEngine(
    [
        MaskingRule("key", EVERYWHERE, pattern="sk-[a-z0-9]{8}"),
        MaskingRule("pair", EVERYWHERE, pattern='a"b/c\n\u00e9\U0001f600d'),
        MaskingRule("password", EVERYWHERE, pattern=r'"pass"\s{0,3}:\s{0,3}"?(?P<value>[a-z0-9/]{4,20})'),
        MaskingRule("card", EVERYWHERE, detectors=("payment-card",)),
        MaskingRule("mail", EVERYWHERE, detectors=("email",)),
    ],
    b"k" * 32,
)
PREFIXED = MaskingEngine(ENGINE.rules[:2], b"k" * 32)
"""What these find has a fixed beginning, so ordinary words are not held back."""
KEY = b"sk-abcd1234"


def masked(data: bytes, size: int = 0) -> bytes:
    body = JsonBody(ENGINE.masker())
    pieces = [data[at : at + size] for at in range(0, len(data), size)] if size else [data]
    return b"".join([*map(body.feed, pieces), body.finish()])


@pytest.mark.parametrize(
    ("document", "output"),
    [
        (rb'{"a":"x sk-abcd1234 y"}', rb'{"a":"x [masked:key] y"}'),
        (rb'{"sk-abcd1234": 1, "b":"sk-abcd1234"}', rb'{"[masked:key]": 1, "b":"[masked:key]"}'),
        (rb'["\u0073k-abcd123\u0034\u00e9"]', rb'["[masked:key]\u00e9"]'),
        (rb'["a\"b\/c\n\u00E9\uD83D\uDE00d"]', rb'["[masked:pair]"]'),
        ('["a\\"b/c\\u000aé😀d"]'.encode(), b'["[masked:pair]"]'),
        (rb'{"pass" : "\/etc\/p"}', rb'{"pass" : "[masked:password]"}'),
        (rb'{"p\u0061ss":"hunter22","pass2":"hunter22"}', rb'{"p\u0061ss":"[masked:password]","pass2":"hunter22"}'),
        (b'\xef\xbb\xbf{"a":"sk-abcd1234"}', b'\xef\xbb\xbf{"a":"[masked:key]"}'),
        (
            b'{"a":1e400,"a":[ 1.0 , -0 ],\t"a":"sk-abcd1234"}\r\n',
            b'{"a":1e400,"a":[ 1.0 , -0 ],\t"a":"[masked:key]"}\r\n',
        ),
        (rb'["\ud83d sk-abcd1234 \uDE00\/\u0041"]', rb'["\ud83d [masked:key] \uDE00\/\u0041"]'),
        (b'["\xff\xfe sk-abcd1234 \xc3"]', b'["\xff\xfe [masked:key] \xc3"]'),
        (b'["\0sk-abcd1234\0"]', b'["\0[masked:key]\0"]'),
        (b'{"a":"sk-abcd1234"}\n{"b":"sk-abcd1234"}{}', b'{"a":"[masked:key]"}\n{"b":"[masked:key]"}{}'),
    ],
)
def test_what_is_found_is_replaced_and_all_else_stays(document: bytes, output: bytes) -> None:
    assert masked(document) == output
    for size in (1, 2, 5, 11):
        assert masked(document, size) == output


@pytest.mark.parametrize(
    ("document", "output"),
    [
        (b'{"n": 4111111111111111}', b'{"n": "[masked:payment-card]"}'),
        (b"[4111111111111111,-4111111111111112, 17]", b'["[masked:payment-card]",-4111111111111112, 17]'),
        (b'{"pass": 123456789012, "n": 123456789012}', b'{"pass": "[masked:password]", "n": 123456789012}'),
        (b"4111111111111111", b'"[masked:payment-card]"'),
        (b"[0.4111111111111111, 4.111111111111111e15]", b"[0.4111111111111111, 4.111111111111111e15]"),
    ],
)
def test_a_number_becomes_a_string_where_it_is_masked(document: bytes, output: bytes) -> None:
    assert masked(document) == output
    assert masked(document, 1) == output
    json.loads(output)


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (b"error: sk-abcd1234 is bad", b"error: [masked:key] is bad"),
        (b')]}\',\n{"a":"\\u0073k-abcd1234"}', b')]}\',\n{"a":"[masked:key]"}'),
        (b'callback({"a":"sk-abcd1234"});', b'callback({"a":"[masked:key]"});'),
        (b'{"a":1} // sk-abcd1234\n{"b":"sk-abcd1234"}', b'{"a":1} // [masked:key]\n{"b":"[masked:key]"}'),
        (b"{'a': 'sk-abcd1234', 4111 1111 1111 1111}", b"{'a': '[masked:key]', [masked:payment-card]}"),
        (b'5" disk sk-abcd1234', b'5" disk [masked:key]'),
        (b'"sk-abcd1234', b'"[masked:key]'),
        (b'"a\\"sk-abcd1234\\', b'"a\\"[masked:key]\\'),
        (b'pass"pass": sk-abcd1234 "sk-abcd1234"x', b'pass"pass": [masked:key] "[masked:key]"x'),
        (b"\\u0073k-abcd1234", b"[masked:key]"),
        (b"", b""),
        (b"\0", b"\0"),
        (b'"', b'"'),
        (b"\\", b"\\"),
    ],
)
def test_what_is_no_json_is_looked_at_all_the_same(body: bytes, output: bytes) -> None:
    assert masked(body) == output
    for size in (1, 3, 7):
        assert masked(body, size) == output


def test_clean_pieces_go_out_as_they_are() -> None:
    body = JsonBody(PREFIXED.masker())
    for piece in (
        b'{"a": "bc", "d": [1.5, ',
        b', "an open str',
        b"ing that goes ",
        rb"on \u00e9\n",
        b'and ends", "b":true}',
    ):
        assert body.feed(piece) is piece
    assert body.finish() == b""


def test_text_that_is_decided_is_let_go_and_the_rest_comes_with_what_follows() -> None:
    body = JsonBody(PREFIXED.masker())
    assert body.feed(b'{"a":"say sk-abc') == b'{"a":"say '
    assert body.feed(b"d12") == b""
    assert body.feed(b"34, or sk-") == b"[masked:key], or "
    assert body.feed(b"no.\\u00") == b"sk-no."
    assert body.feed(b'e9"}') == b'\\u00e9"}'


def test_what_follows_on_a_string_is_looked_at_after_a_border() -> None:
    body = JsonBody(ENGINE.masker())
    output = [body.feed(piece) for piece in (b'{"pass"', b"  :", b'"', b"hunter22", b'"}')]
    assert b"".join(output) == b'{"pass"  :"[masked:password]"}'


def test_depth_and_long_keys_do_no_harm() -> None:
    deep = b'{"a":[' * 10_000 + b'"sk-abcd1234"' + b"]}" * 10_000
    assert masked(deep) == deep.replace(KEY, b"[masked:key]")
    long = b'{"' + b"k" * 1_000_000 + b'sk-abcd1234":"v sk-abcd1234"}'
    assert masked(long, 65_536) == long.replace(KEY, b"[masked:key]")
    spaced = b'{"pass"' + b" " * 1_000_000 + b': "sk-abcd1234"}'
    assert masked(spaced, 65_536) == spaced.replace(KEY, b"[masked:key]")


@pytest.mark.parametrize(
    "piece",
    [
        b"text without an end sk-abcd1234 \\n\\\\ " * 100,
        b'{"a":"sk-abcd1234","b":[1,2,3.5]}\n' * 100,
        b"[" * 65_536,
        b"1234567890" * 6500,
        b'"' * 65_536,
        b"\\" * 65_535,
        b" " * 65_536,
    ],
    ids=["string", "lines", "brackets", "digits", "quotes", "backslashes", "spaces"],
)
def test_memory_does_not_grow(piece: bytes) -> None:
    body = JsonBody(ENGINE.masker())
    body.feed(b'["' if piece.startswith(b"text") else b"[")
    body.feed(piece)
    tracemalloc.start()
    try:
        for _ in range(4):
            body.feed(piece)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(12):
            body.feed(piece)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 32 * 1024
    finally:
        tracemalloc.stop()


def test_looking_ahead_costs_little() -> None:
    record = {"id": 17, "name": "Ada", "role": "member", "city": "London", "score": 1.5, "note": "lorem ipsum " * 6}
    piece = json.dumps([record] * 400).encode()[: 64 * 1024]
    body = JsonBody(ENGINE.masker())
    body.feed(piece)
    best = min(_seconds(body, piece) for _ in range(30))
    assert len(piece) / best > 50e6  # many times as fast on a machine that does nothing else


def _seconds(body: JsonBody, piece: bytes) -> float:
    start = time.perf_counter()
    body.feed(piece)
    return time.perf_counter() - start
