"""Events that pass unread are treated as those that are read: a stream gives the same with frames and without."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.catalog import load_catalog
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.masking.engine import MaskingEngine
from ostiary.model.masking import Action, MaskingRule, Where
from support.examples import examples

EVERYWHERE = frozenset(Where)
CHANNELS = load_catalog()["http"].text_channels
ENGINE = MaskingEngine(
    (
        MaskingRule("tulips", EVERYWHERE, words=("tulip-secret", "tulip5")),
        MaskingRule("ids", EVERYWHERE, pattern="ACME-[0-9]{8}"),
        MaskingRule("numbers", EVERYWHERE, pattern="[0-9]{12,16}"),
        MaskingRule("mail", EVERYWHERE, detectors=("email",)),
        MaskingRule("seen", EVERYWHERE, Action.REPORT, words=("notice",)),
    ),
    b"k" * 32,
)
FIELDS = MaskingEngine((*ENGINE.rules, MaskingRule("fields", EVERYWHERE, fields=("obfuscation", "user"))), b"k" * 32)
PIECES = st.sampled_from(
    ["a", " tulip-", "secret", "tulip5", ".", "ACME-", "12345678", "bob@", "acme.com", " notice ", "\n", '"', "\\", "é",
     "😀", "", '"},"x":"', "the", " quick "]
)  # fmt: skip
SHAPES = (
    '{"choices":[{"index":%(index)d,"delta":{"content":%(text)s},"finish_reason":null}],"created":%(number)s%(pad)s}',
    '{"sequence_number":%(number)s,"type":"response.output_text.delta","item_id":"i%(index)d","delta":%(text)s,"logprobs":[]%(pad)s}',
    '{"type":"content_block_delta","index":%(index)d,"delta":{"type":"text_delta","text":%(text)s}%(pad)s}',
)
NUMBERS = st.sampled_from(["1", "2", "17", "1760000000", "123456789012", "1e3", '"3"', "-4", "null"])
PADDINGS = st.sampled_from(
    ["", ',"obfuscation":"aB3"', ',"obfuscation":"x9"', ',"obfuscation":"tulip5"', ',"obfuscation":"123456789012"',
     ',"p":""', ',"p":"a\\u0041"', ',"p":"q","user":"tulip5"', ',"obfuscation":"a-b"']
)  # fmt: skip
ENDS = (
    '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
    '{"type":"content_block_stop","index":0}',
    "[DONE]",
)


@st.composite
def events(draw: st.DrawFn) -> bytes:
    shape = draw(st.sampled_from(SHAPES))
    number, padding, index = draw(NUMBERS), draw(PADDINGS), draw(st.sampled_from([0, 0, 0, 1]))
    out = []
    for piece in draw(st.lists(PIECES, min_size=1, max_size=12)):
        text = json.dumps(piece, ensure_ascii=draw(st.booleans()))
        if draw(st.integers(0, 3)) == 0:
            number, padding = draw(NUMBERS), draw(PADDINGS)
        if draw(st.integers(0, 9)) == 0:
            index = 1 - index
        out.append(shape % {"index": index, "text": text, "number": number, "pad": padding})
        if draw(st.integers(0, 7)) == 0:
            out.append(draw(st.sampled_from(ENDS)))
    name = draw(st.sampled_from(["", "event: x\n", "id: 7\n"]))
    return b"".join(f"{name}data: {data}\n\n".encode() for data in out)


def through(engine: MaskingEngine, stream: bytes, step: int, frames: bool) -> bytes:
    body = SseBody(engine.masker(), CHANNELS)
    if not frames:
        body._frames_to_try = 0
    out = [body.feed(stream[at : at + step]) for at in range(0, len(stream), step)]
    return b"".join([*out, body.finish()])


@settings(deadline=None, max_examples=examples(120, 1_000))
@given(stream=st.lists(events(), min_size=1, max_size=3).map(b"".join), fields=st.booleans())
def test_a_stream_gives_the_same_with_frames_and_without(stream: bytes, fields: bool) -> None:
    engine = FIELDS if fields else ENGINE
    read = through(engine, stream, len(stream), frames=False)
    assert through(engine, stream, len(stream), frames=True) == read
    assert through(engine, stream, 50, frames=True) == read
    whole = [json.loads(text) for text in re.findall(rb"data: (\{.*\})", read)]
    assert len(whole) >= stream.count(b"data: {")
