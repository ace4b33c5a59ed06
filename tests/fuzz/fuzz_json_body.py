"""JSON and what is nearly JSON: never fails, the same output at every cut, JSON stays JSON, no plain secret in it."""

import json
import random

from engine import cut, fuzz

from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingFailedError
from ostiary.model.masking import MaskingRule, Where

RULES = [
    MaskingRule("key", frozenset(Where), pattern="sk-[a-z0-9]{8}"),
    MaskingRule("pass", frozenset(Where), pattern=r'"pass"\s{0,3}:\s{0,3}"(?P<value>[a-z0-9]{4,12})'),
    MaskingRule("found", frozenset(Where), detectors=("email", "payment-card")),
]
NAMED = [MaskingRule("names", frozenset(Where), fields=("ssn", "/user/*/id"))]
ENGINES = (MaskingEngine(RULES, b"k" * 32), MaskingEngine(RULES + NAMED, b"k" * 32))
CORPUS = [
    b"", b"{}", b'{"a":"sk-abcd1234 joe@example.com","pass" : "hunter22"}', b'["\\u0073k-abcd1234","\\ud83d\\ude00"]',
    b'{"user":{"1":{"id":[1,{"a":"sk-abcd1234"}]}},"ssn":123}',
    b"4111111111111111", b'{"n":4111111111111111.5e3,"t":true}',
    b'{"a":"b\\\\"}\n{"a":"\\"sk-abcd1234\\""}\r\n\x1e{"ssn":"x', b'\xef\xbb\xbf{"\xff":"\xed\xa0\x80"} sk-abcd1234',
    b'"' + b"a" * 5000 + b'"', b"[" * 200 + b'"sk-abcd1234"' + b"]" * 200,
]  # fmt: skip


def masked(engine: MaskingEngine, pieces: list[bytes]) -> bytes | None:
    body = JsonBody(engine.masker())
    try:
        return b"".join([*map(body.feed, pieces), body.finish()])
    except MaskingFailedError:
        return None


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def target(data: bytes, chance: random.Random) -> None:
    engine = chance.choice(ENGINES)
    whole = masked(engine, [data])
    assert masked(engine, cut(data, chance)) == whole
    assert whole is not None
    assert b'"sk-abcd1234"' not in whole
    if is_json(data):
        assert is_json(whole)


if __name__ == "__main__":
    fuzz("json_body", CORPUS, target)
