"""Events that differ from the last one in a piece of text, and in what every event says anew, need no reading."""

import re
from collections.abc import Callable
from typing import NamedTuple

from ostiary.gateway.bodies.sse_channels import SMALL_EVENT_BYTES, OpenChannel, Sent
from ostiary.protocols.channel_paths import Hit
from ostiary.protocols.json_text import decode_string, encode_string

_STRING_CONTENT = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_VARYING = re.compile(
    rb'"(?:sequence_number|created|created_at)":(?P<number>[0-9]{1,11})(?=[,}])|'
    rb'"(?:obfuscation|p)":"(?P<padding>[A-Za-z0-9]{0,64})(?=")'
)
"""Members that differ from event to event and tell neither channels nor events apart. So short numbers are nothing that
is masked; what pads events is looked at."""

_NUMBER = re.compile(rb"[0-9]{1,11}(?=[,}])")
_PADDING = re.compile(rb'[A-Za-z0-9]{0,64}(?=")')


_ELSEWHERE = (-1, -1)


class _Varying(NamedTuple):
    """Something that varies, and what stands before it."""

    literal: bytes
    pattern: re.Pattern[bytes]


class Frame:
    """What stands around the text in an event in which nothing else can be found."""

    __slots__ = (
        "_after", "_before", "_channel", "_fixed_bytes", "_hits", "_key", "_prefix", "_prefix_end", "_suffix",
        "_suffix_end", "_suspects",
    )  # fmt: skip

    def __init__(
        self, prefix: bytes, suffix: bytes, channel: OpenChannel, hits: list[Hit], suspects: Callable[[bytes], bool]
    ) -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._fixed_bytes = len(prefix) + len(suffix)
        self._before, self._prefix_end = _varying_in(prefix)
        self._after, self._suffix_end = _varying_in(suffix)
        self._channel = channel
        self._key = channel.key
        self._hits = hits
        self._suspects = suspects

    def pass_on(self, block: bytes) -> bytes | None:
        """The event as it goes out, None when something else around its text is another."""
        size = len(block)
        if block.startswith(self._prefix) and block.endswith(self._suffix) and size >= self._fixed_bytes:
            start, end = len(self._prefix), size - len(self._suffix)
            if _STRING_CONTENT.fullmatch(block, start, end) is None:
                return None
        else:
            start, end = self._text_in(block)
            if start < 0:
                return None
        channel = self._channel
        if channel.key is not self._key or channel.kept or size > SMALL_EVENT_BYTES:
            return None
        written = block[start:end]
        text = written if b"\\" not in written else decode_string(written)
        passed = channel.feed(text)
        if passed is not text:
            block = block[:start] + encode_string(passed) + block[end:]
        channel.last = Sent(block, self._hits)
        return block

    def _text_in(self, block: bytes) -> tuple[int, int]:
        """Where the text stands, when nothing around it has varied but what may."""
        start = self._behind(block, 0, self._before, self._prefix_end)
        if start < 0:
            return _ELSEWHERE
        content = _STRING_CONTENT.match(block, start)
        end = content.end() if content is not None else start
        return (start, end) if self._behind(block, end, self._after, self._suffix_end) == len(block) else _ELSEWHERE

    def _behind(self, block: bytes, at: int, steps: tuple[_Varying, ...], rest: bytes) -> int:
        """Where all that ends, below 0 when something else stands there."""
        for literal, pattern in steps:
            if not block.startswith(literal, at):
                return -1
            varying = pattern.match(block, at + len(literal))
            if varying is None:
                return -1
            at = varying.end()
            if pattern is _PADDING and self._suspects(b'"p":"%b"' % varying[0]):
                return -1
        return at + len(rest) if block.startswith(rest, at) else -1


def _varying_in(fixed: bytes) -> tuple[tuple[_Varying, ...], bytes]:
    """What varies in a stretch of an event, and what follows the last of it."""
    steps = []
    start = 0
    for varying in _VARYING.finditer(fixed):
        group = varying.lastgroup or ""
        steps.append(_Varying(fixed[start : varying.start(group)], _NUMBER if group == "number" else _PADDING))
        start = varying.end(group)
    return tuple(steps), fixed[start:]
