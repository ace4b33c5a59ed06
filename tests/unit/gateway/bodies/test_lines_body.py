import json
import random

import pytest

from ostiary.gateway.bodies.choosing import body_for
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingFailedError
from ostiary.model.masking import MaskingRule, Where
from ostiary.protocols.sse import EVENT_MAX_BYTES

ENGINE = MaskingEngine([MaskingRule("id", frozenset({Where.RESPONSE}), pattern="ACME-[0-9]{8}")], b"k" * 32)
TYPE = b"application/x-ndjson"


def masked(*pieces: bytes) -> bytes:
    body = body_for(TYPE, ENGINE.masker(), [])
    return b"".join([body.feed(piece) for piece in pieces]) + body.finish()


def lines(*texts: str, end: str = "\n") -> bytes:
    return "".join(json.dumps({"response": text, "done": False}) + end for text in texts).encode()


def said(stream: bytes) -> str:
    return "".join(json.loads(line).get("response", "") for line in stream.splitlines() if line.strip())


def test_a_value_in_pieces_is_found() -> None:
    for end in ("\n", "\r\n"):
        stream = lines(*"see ACME-12345678 there", end=end) + b'{"done": true}'
        assert said(masked(stream)) == "see [masked:id] there"
        assert masked(stream).endswith(b'{"done": true}')


def test_what_is_clean_stays_byte_for_byte() -> None:
    stream = b'\n{"a": 1e3,  "response":"x"}\r\n\n[1]\n"text"\nnot json\n{"response": "half'
    assert masked(stream) == stream


def test_every_cut_gives_the_same() -> None:
    stream = (
        lines(*"an ACME-12345678 and ACME-1234", end="\r\n")
        + b'\n{"x": "ACME-87654321"}\nplain ACME-11112222\n{"done":true}'
    )
    whole = masked(stream)
    assert b"ACME-8765" not in whole
    chance = random.Random(5)
    for _ in range(60):
        cuts = sorted(chance.sample(range(len(stream)), 6))
        assert masked(*[stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]) == whole
    assert masked(*[bytes([code]) for code in stream]) == whole


def test_a_line_goes_out_when_it_is_there() -> None:
    body = body_for(TYPE, ENGINE.masker(), [])
    assert body.feed(lines("one ")) == lines("one ")
    assert body.feed(lines("two ACME-12")) == lines("two ")
    assert said(body.feed(lines("x")) + body.finish()) == "ACME-12x"


def test_a_line_without_end_is_refused() -> None:
    body = body_for(TYPE, ENGINE.masker(), [])
    body.feed(b'{"response": "')
    piece = b"e" * 65536
    for _ in range(EVENT_MAX_BYTES // len(piece) - 1):
        body.feed(piece)
    with pytest.raises(MaskingFailedError):
        body.feed(piece * 2)
