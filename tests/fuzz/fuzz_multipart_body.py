"""Multipart bodies: never anything but a refusal, the same output at every cut, and no plain secret in it."""

import random

from engine import cut, fuzz

from ostiary.gateway.bodies.choosing import body_for
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingFailedError
from ostiary.model.masking import MaskingRule, Where

ENGINE = MaskingEngine(
    [
        MaskingRule("key", frozenset(Where), pattern="sk-[a-z0-9]{8}"),
        MaskingRule("names", frozenset(Where), fields=("ssn",)),
    ],
    b"k" * 32,
)
TYPE = b"multipart/form-data; boundary=xY"
HEAD = b'--xY\r\nContent-Disposition: form-data; name="a"'
CORPUS = [
    b"", b"--xY--", HEAD + b"\r\n\r\nsk-abcd1234\r\n--xY--\r\n",
    b"preamble\r\n" + HEAD + b'\r\nContent-Type: application/json\r\n\r\n'
    b'{"ssn":"sk-abcd1234","b":["\\u0073k-abcd1234"]}\r\n--xY--',
    HEAD + b'; filename="f.bin"\r\nContent-Type: image/png\r\n\r\n\x89PNG\x00\r\n'
    + HEAD + b"\r\n\r\n\r\n--xY--\r\nepilogue",
    b"--xY\nContent-Type: multipart/mixed; boundary=zz\n\n--zz\n\nsk-abcd1234\n--zz--\n--xY--",
    b"--xY\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--xY--",
    b"--xY\r\nContent-Type:\r\n text/event-stream\r\n\r\ndata: a\n\n",
    HEAD.replace(b'"a"', b'"ssn"') + b"\r\n\r\n123\r\n--xY--", b"--xY \t\r\n\r\n\xff\r\n--xY-",
]  # fmt: skip


def masked(pieces: list[bytes]) -> bytes | None:
    body = body_for(TYPE, ENGINE.masker(), ())
    try:
        return b"".join([*map(body.feed, pieces), body.finish()])
    except MaskingFailedError:
        return None


def target(data: bytes, chance: random.Random) -> None:
    whole = masked([data])
    assert masked(cut(data, chance)) == whole
    assert whole is None or b" sk-abcd1234 " not in whole


if __name__ == "__main__":
    fuzz("multipart_body", CORPUS, target)
