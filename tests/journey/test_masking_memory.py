"""Masking keeps a bounded amount of a body, however long it is, and little of each of many that wait."""

import gc
import json
import resource
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from ostiary.catalog import load_catalog
from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.gateway.bodies.text_body import TextBody
from ostiary.masking.engine import Masker, MaskingEngine, detector_names
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.masking import MaskingRule, Where
from ostiary.model.secret import Secret
from ostiary.startup import give_memory_back
from support.endurance import KEY, MIB, SIZE

PIECE = 64 * 1024
SLACK = min(8 * MIB, SIZE.masked_bytes // 2)
"""Less than what passes: a body that is kept is noticed at any size."""
"""What the allocator keeps; a body itself keeps no more than one piece and what it holds back."""
EACH_MAX = 48 * 1024
TOKEN = "ghp" + "_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
JWT = b"eyJ" + b"hbGciOiJIUzI1NiJ9.eyJ" + b"zdWIiOiIxMjM0NTY3ODkwIn0."
CHANNELS = load_catalog()["openai"].text_channels
WORDS = "The doorkeeper asks who is there, looks into the book, writes 2 lines and opens to whom he may let in. "
TEXT = WORDS * 9 + "So a.guest@example.org came in. "


@cache
def engine() -> MaskingEngine:
    rule = MaskingRule("all", frozenset(Where), detectors=detector_names())
    return MaskingEngine((rule,), b"k" * 32)


@cache
def injected() -> InjectedSecretMatcher:
    return InjectedSecretMatcher([Secret("key", 1, KEY.encode())], [AuthForm(AuthScheme.BEARER)])


def masker() -> Masker:
    return engine().masker(injected=injected())


def event(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    document = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1764000000, "choices": [choice]}
    return b"data: %b\n\n" % json.dumps(document).encode()


MAKERS: dict[str, Callable[[], Body]] = {
    "sse": lambda: SseBody(masker(), CHANNELS),
    "json": lambda: JsonBody(masker()),
    "text": lambda: TextBody(masker()),
}
RECORD = json.dumps({"id": "msg_1", "created": 1764000000, "text": TEXT * 2, "score": 0.25}).encode() + b",\n"
BODIES = {
    "events": ("sse", b"", b"".join(event(" " + word) for word in TEXT.split())),
    "one list": ("json", b"[", RECORD),
    "one string without end": ("json", b'{"text": "', TEXT.encode()),
    "prose": ("text", b"", TEXT.encode() + b"\n"),
    "one token without end": ("text", JWT, b"dBjftJeZ4CVPmB92"),
}  # fmt: skip
BEGUN: dict[str, Callable[[int], bytes]] = {
    "sse": lambda number: event(f"{number} {TOKEN[:20]}"),
    "json": lambda number: b'{"n": %d, "text": "see %b' % (number, TOKEN[:20].encode()),
    "text": lambda number: b"%d %b" % (number, TOKEN[:20].encode()),
}


def resident_bytes() -> int:
    """What compiling left free would hide what is measured, so the system gets it back first."""
    gc.collect()
    give_memory_back()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def pieces(start: bytes, again: bytes, size: int) -> Iterator[bytes]:
    """Cut at places that differ each time."""
    yield start
    block = again * (PIECE // len(again) + 2)
    at = 0
    for _ in range(size // PIECE):
        yield block[at : at + PIECE]
        at = (at + PIECE) % len(again)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_any_length_takes_the_same_memory(name: str) -> None:
    make, start, again = BODIES[name]
    body = MAKERS[make]()
    passed = before = most = 0
    for number, piece in enumerate(pieces(start, again, SIZE.masked_bytes)):
        body.feed(piece)
        passed += len(piece)
        if before == 0 and passed >= MIB:
            before = resident_bytes()
        elif before and number % (SIZE.masked_bytes // PIECE // 16) == 0:
            most = max(most, resident_bytes() - before)
    body.finish()
    assert before
    assert max(most, resident_bytes() - before) < SLACK


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", BEGUN)
def test_streams_that_wait_in_the_middle_of_a_match_take_little_memory(kind: str) -> None:
    make, begin = MAKERS[kind], BEGUN[kind]
    make().feed(begin(0))
    before = resident_bytes()
    bodies = [make() for _ in range(SIZE.half_matches)]
    for number, body in enumerate(bodies):
        assert TOKEN[:20].encode() not in body.feed(begin(number)), "the beginning of a token went out"
    assert (resident_bytes() - before) / SIZE.half_matches < EACH_MAX
