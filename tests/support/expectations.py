"""What an answer must look like after an attack, whatever the case."""

import base64

from support.raw_client import Reply
from support.scene import MARK


def must_be_masked(reply: Reply, *kept: bytes) -> None:
    """A complete answer with the mark, the surrounding text, an honest length and no coding."""
    assert reply.status == 200, reply.raw[:600]
    assert reply.complete, reply.raw[:600]
    assert MARK in reply.body, reply.body[:600]
    for text in kept:
        assert text in reply.body, reply.body[:600]
    assert reply.header("content-encoding") in ([], [b"identity"])


def must_be_blocked(reply: Reply) -> None:
    """502 in our words, or a broken-off answer when the head was already on its way."""
    if reply.complete:
        assert reply.status == 502, reply.raw[:600]
        assert reply.header("x-ostiary-exchange"), reply.raw[:600]


def composite(key: str) -> str:
    return base64.b64encode(f"{key}:".encode()).decode()
