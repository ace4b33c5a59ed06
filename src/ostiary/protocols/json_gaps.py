"""What stands between the strings of JSON text: signs, spaces, numbers and words, and what does not belong there."""

import re

import re2

from ostiary.protocols.json_text import view

CONTEXT_BYTES = 80
START = b"\n"
"""The context at the beginning of a text."""
TOKEN_MAX_BYTES = 1200
"""No number or word of JSON is taken to be longer."""

_SIGNS = b" \t\r\n{}[],:\x1e"
_SIGN = rb"(?:[ \t\r\n{}\[\],:\x1e]|\xef\xbb\xbf)"  # with what separates JSON sequences, and the byte order mark
_NUMBER = rb"-?[0-9]{1,600}(?:\.[0-9]{1,400})?(?:[eE][-+]?[0-9]{1,40})?"
_WORD = rb"(?:%b|true|false|null|NaN|-?Infinity)" % _NUMBER
STARTS_ANEW = (b",", b"{", b"}", b"[", b"]")
"""What ends the context of whatever stands before it."""


def _longest(pattern: bytes) -> "re2._Regexp[bytes]":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.longest_match = True
    return re2.compile(pattern, options)


_REGULAR = _longest(rb"%b*(?:%b%b+)*" % (_SIGN, _WORD, _SIGN))
_WHOLLY_REGULAR = _longest(rb"%b*(?:%b%b+)*%b?" % (_SIGN, _WORD, _SIGN, _WORD))
_ANY_SIGN = re.compile(_SIGN)
LONG_NUMBER = re.compile(rb"(?<![-+.0-9eE])-?[0-9]{12,600}(?:\.[0-9]{1,400})?(?:[eE][-+]?[0-9]{1,40})?")
"""In a regular gap: a number whose whole part is long enough to be that of a card or a telephone."""


def regular_length(gap: bytes) -> int:
    """Up to where `gap` is JSON for certain, whatever follows on it. A number or word at the end may go on."""
    if not gap.strip(_SIGNS):
        return len(gap)
    return _end(_REGULAR.match(gap))


def stray_from(gap: bytes) -> int:
    """Where in a whole gap something begins that JSON does not have between strings, or the length."""
    if not gap.strip(_SIGNS):
        return len(gap)
    end = _end(_WHOLLY_REGULAR.match(gap))
    return end if end == len(gap) else _end(_REGULAR.match(gap))


def is_stray(rest: bytes) -> bool:
    """Whether what follows on the regular part of a gap cannot become a number or a word any more."""
    return len(rest) > TOKEN_MAX_BYTES or _ANY_SIGN.search(rest) is not None


def _end(found: "re2._Match[bytes] | None") -> int:
    return 0 if found is None else found.end()


def following(context: bytes, gap: bytes) -> bytes:
    """The context behind `gap`: the last bytes since the last string began, or since the last sign that begins a
    member, whichever came later. So a value has its key in its context, and a key has nothing."""
    begin = _starts_anew(gap)
    if begin >= 0:
        return view(gap[begin:])[-CONTEXT_BYTES:]
    return (context + view(gap))[-CONTEXT_BYTES:]


def _starts_anew(gap: bytes) -> int:
    """Where its last sign is that begins a member, or -1."""
    end = gap.rstrip(b" \t\r\n:")
    if not end:
        return -1
    return len(end) - 1 if end[-1:] in STARTS_ANEW else max(map(gap.rfind, STARTS_ANEW))


def context_behind(context: bytes, raw: bytes, flat: bytes) -> bytes:
    """The context behind a stretch of whole strings and gaps. `flat` is its `blanked` text."""
    close = flat.rfind(b'"')
    if close < 0:
        return following(context, raw)
    gap = raw[close + 1 :]
    if _starts_anew(gap) >= 0:
        return following(b"", gap)
    return following(view(raw[flat.rfind(b'"', 0, close) : close + 1])[-CONTEXT_BYTES:], gap)
