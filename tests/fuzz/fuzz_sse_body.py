"""Event streams: never fails, the same output at every cut, every event kept, no plain secret in it."""

import random

from engine import cut, fuzz

from ostiary.catalog import load_catalog
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingFailedError
from ostiary.model.masking import MaskingRule, Where
from support.event_streams import read_events

RULES = [
    MaskingRule("key", frozenset(Where), pattern="sk-[a-z0-9]{8}"),
    MaskingRule("found", frozenset(Where), detectors=("email",)),
]
NAMED = [MaskingRule("names", frozenset(Where), fields=("ssn", "/user/id"))]
ENGINES = (MaskingEngine(RULES, b"k" * 32), MaskingEngine(RULES + NAMED, b"k" * 32))
CHANNELS = load_catalog()["http"].text_channels
CHAT = (
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%b"},"logprobs":null,"finish_reason":%b}],"ssn":1}\n\n'
)
BLOCK = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"%b"}}\n\n'
)
STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
DELTA = (
    b"id: 7\nevent: response.function_call_arguments.delta\n"
    b'data: {"type":"response.function_call_arguments.delta","item_id":"i","output_index":0,"delta":"%b"}\n\n'
)
TOOL = (
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"%b","function":{"arguments":"%b"}}]}}]}\n\n'
)
CORPUS = [
    b"", b"data: [DONE]\n\n", b": ping\n\n", b"data: sk-ab\n\ndata: cd1234 \n\n",
    b"\xef\xbb\xbfdata: x\r\n\r\nretry: 1\r\r",
    CHAT % (b"sk-ab", b"null") + CHAT % (b"cd1234", b'"stop"') + b"data: [DONE]\n\n",
    CHAT % (b"joe@exam", b"null") * 3 + CHAT % (b"ple.com \\n\\ud83d\\ude00 \\ud83d", b"null"),
    BLOCK % b"sk-" + BLOCK % b"abcd1234" + STOP + BLOCK % b"more",
    DELTA % b'{\\"a\\":\\"\\\\nsk-ab' + DELTA % b'cd1234\\"}' + b"event: response.completed\ndata: {}\n\n",
    TOOL % (b"a", b"sk-ab") + TOOL % (b"b", b"cd1234") + TOOL % (b"", b"x"),
    b'data: {"text":"sk-ab","token":"x"}\n\ndata: {"text":"cd1234 "}\n\nevent: end\ndata: 1\n\n',
    b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"sk-abcd1234","content":"joe@"}}]}\n\ndata: "a"\n\n',
    b"data: 17\n\ndata: 4\n\n",
]  # fmt: skip


def masked(engine: MaskingEngine, pieces: list[bytes]) -> bytes | None:
    body = SseBody(engine.masker(), CHANNELS)
    try:
        return b"".join([*map(body.feed, pieces), body.finish()])
    except MaskingFailedError:
        return None


def target(data: bytes, chance: random.Random) -> None:
    engine = chance.choice(ENGINES)
    whole = masked(engine, [data])
    assert masked(engine, cut(data, chance)) == whole
    assert whole is not None
    ids = [event.id for event in read_events(data) if event.id]
    if b"sk-" not in b"".join(map(str.encode, ids)) and b"@" not in b"".join(map(str.encode, ids)):
        assert [event.id for event in read_events(whole) if event.id] == ids
    assert b'"sk-abcd1234"' not in whole


if __name__ == "__main__":
    fuzz("sse_body", CORPUS, target)
