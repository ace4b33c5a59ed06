"""base64url and JSON as signed things use them: one spelling for one value, nothing said twice."""

import base64
import binascii
import json
import re
from typing import NoReturn

import orjson

DEPTH_MAX = 32
"""Objects and arrays within each other; nothing that is signed has more than a handful."""


def base64url(data: bytes) -> str:
    """Without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Raises `ValueError` for padding, other alphabets, and last bits that are not zero: one value has one spelling."""
    padding = b"==="[: -len(text) % 4]
    try:
        data = binascii.a2b_base64(text.encode("ascii").translate(_TO_STANDARD) + padding, strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64url") from None
    # Whole groups of four have one spelling each; the rest may have others, which differ in the last bits.
    if base64url(data[len(data) // 3 * 3 :]) != text[len(text) // 4 * 4 :]:
        raise ValueError("not the one spelling of base64url")
    return data


def read_object(data: bytes) -> dict[str, object]:
    """A JSON object. Raises `ValueError` for anything else: a member given twice at any depth, NaN, a lone surrogate,
    bytes that are not UTF-8, more than `DEPTH_MAX` levels."""
    # orjson is strict about the text; json, which recurses, alone shows a member that was given twice.
    read_hint(data)
    document = _ONCE_ONLY.decode(data.decode("utf-8"))
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def read_hint(data: bytes) -> dict[str, object]:
    """As `read_object`, and quicker: of a member given twice the last. For what nobody believes yet."""
    document = orjson.loads(data)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    if is_too_deep(data):
        raise ValueError("nested too deeply")
    return document


def is_too_deep(data: bytes) -> bool:
    """Whether it has more than `DEPTH_MAX` levels. Ask only of what is JSON. The text is looked at and not what was
    read: of a member given twice only the last is there."""
    if data.count(b"{") + data.count(b"[") <= DEPTH_MAX:
        return False
    depth = 0
    for bracket in _STRING.sub(b"", data).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"{[" else -1
        if depth > DEPTH_MAX:
            return True
    return False


_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/\x00\x00\x00")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)).difference(b"{}[]"))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError("not a JSON number")


_ONCE_ONLY = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
