"""Checks for credentials: is it random enough to be one, or a placeholder, a name, a path or an expression?

All are pure and look at no more than the value and what stands in front of it. "Not sure" is answered differently by
the shape: a vendor's own prefix is believed unless the rest is filler, a mere `token = …` must look generated.
"""

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping

Check = Callable[[bytes, bytes], int]

_FILLER = re.compile(rb"[xX*#.?_-]{5,}|0{12,}|[<>{}]|\$[({A-Za-z_]")
_PLACEHOLDER_WORDS = re.compile(
    rb"(?i)your[_.-]?|example|sample|place[_.-]?holder|change[_.-]?(?:me|it|this)|replace|redacted|masked|dummy|fake|"
    rb"insert|foo[_.-]?ba[rz]|foobar|lorem|todo|fixme|hidden|removed|secret[_.-]?here|goes[_.-]?here|[_.-]here$|"
    rb"my[_.-]?(?:api|secret|token|pass|key|client|access|super)|super[_.-]?secret|not[_.-]?a[_.-]?|some[_.-]?(?:api|secret|token|pass|key)|"
    rb"test[_.-]?(?:api|secret|token|pass|key)|(?:api|secret|access|token|pass)[_.-]?(?:key|token|word)|abcdef|"
    rb"1234567|deadbeef|qwerty|none|null|undefined|xxxx|\.\.\.|password|passw0rd|mysecret"
)
_EXPRESSION = re.compile(
    rb"[(){}<>\[\]]|\$\{|\{\{|%\(|%[sdrv](?![A-Za-z0-9])|://|^[$%@&*./~!-]|^\\|\\[nrtux]|"
    rb"^(?:self|this|os|process|env|settings|config|request|req|ctx|args|opts|options|params|data|file|secrets?|vars?)\."
)
_WORD = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_VOWELS = frozenset(b"aeiouyAEIOUY")
_HEX = re.compile(rb"[0-9a-f]+|[0-9A-F]+")
_UUID = re.compile(rb"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_BARE_END = re.compile(rb"[&;,?](?:[A-Za-z_][\w.-]{0,40}[=:]|$)|[.,;:!?]+$|[|;&].*$")
_KEY = re.compile(rb"([A-Za-z0-9_.$-]{1,64})[^A-Za-z0-9_.$-]{0,40}$")


def entropy_bits(value: bytes) -> float:
    """Shannon's entropy of one byte of `value`, by how often each stands in it."""
    length = len(value)
    return -sum(count / length * math.log2(count / length) for count in Counter(value).values()) if length else 0.0


def _whole_if(good: bool, value: bytes) -> int:
    return len(value) if good else 0
