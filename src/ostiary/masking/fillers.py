"""What stands for the part of a credential that is not shown: stars, dots, bullets, an ellipsis, a bracketed word."""

from collections.abc import Iterator, Sequence

from ostiary.masking.pieces import (
    Piece,
    any_case,
    either,
    in_turn,
    literal,
    one_of,
    optional,
    repeated,
)
from ostiary.masking.programs import Program

BEFORE_BYTES = 48
"""So far before an ending is looked for what makes it one: a filler, or words such as `ending in`."""

_SIGNS = "\u2022\u25cf\u00b7\u2219\u2588"
_ELLIPSES = "\u2026\u22ef\u2025"
_HTML_SIGNS = (b"bull;", b"middot;")
_HTML_ELLIPSES = (b"hellip;",)
FILLER_SIGNS = b"#*+,-._xX"
_FILLER_BYTE = rb"[#*-._xX\x80-\xff]"
"""Few ranges keep the program small. Whatever else could be written with these bytes between two parts of one
credential is a filler as well."""
_IN_ESCAPES = rb"[#-&0-;A-\\a-x]"
_IN_BRACKETS = rb"[ !*-;A-Z^-z\x80-\xff]"

SPACE = optional(literal(b" "))


def _escaped(characters: str, html_names: Sequence[bytes]) -> Piece:
    """One of the characters as JSON, HTML or a query writes it."""
    json_codes = [any_case(b"%04x" % ord(each)) for each in characters]
    html_codes = [literal(b"#%d;" % ord(each)) for each in characters]
    html_codes += [any_case(b"#x%x;" % ord(each)) for each in characters]
    percents = [any_case(b"".join(b"%%%02x" % code for code in each.encode())) for each in characters]
    return either(
        [
            in_turn([repeated(literal(b"\\"), 1, 4), literal(b"u"), either(json_codes)]),
            in_turn([literal(b"&"), either([literal(name) for name in html_names] + html_codes)]),
            *percents,
        ]
    )


_ESCAPED_ELLIPSIS = _escaped(_ELLIPSES[0], _HTML_ELLIPSES)
_ESCAPED_SIGN = _escaped("\u2022*", _HTML_SIGNS)
_BRACKETED = in_turn(
    [
        either([one_of(b"[<({"), literal(b"&lt;"), any_case(b"\\u003c"), any_case(b"%5b"), any_case(b"%3c")]),
        repeated(Piece(_IN_BRACKETS, _IN_BRACKETS, 1), 1, 40),
        either([one_of(b"]>)}"), literal(b"&gt;"), any_case(b"\\u003e"), any_case(b"%5d"), any_case(b"%3e")]),
    ]
)
FILLER = either(
    [
        repeated(Piece(_FILLER_BYTE, _FILLER_BYTE, 1), 2, 192),
        in_turn([either([_ESCAPED_ELLIPSIS, _ESCAPED_SIGN]), repeated(Piece(_IN_ESCAPES, _IN_ESCAPES, 1), 0, 250)]),
        _BRACKETED,
    ]
)
"""At least two of the signs, up to 64 of those that take three bytes; or the same in escapes; or one bracketed word."""

_LONG_FILLER = either(
    [
        either([repeated(literal(sign.encode()), 3, 3) for sign in "*.xX" + _SIGNS]),
        repeated(_ESCAPED_SIGN, 3, 3),
        either([literal(sign.encode()) for sign in _ELLIPSES]),
        _ESCAPED_ELLIPSIS,
        _BRACKETED,
    ]
)
_AFTER_FILLER = Program([], [in_turn([_LONG_FILLER, SPACE]).full])
_QUOTE = rb"(?:\\{0,3}[\"'`(])?"
_TELLING_WORDS = rb"(?i:last|end|ends|ending|suffix|tail|hint|final)[A-Za-z0-9_ -]{0,16}"
_AFTER_WORDS = Program([], [_TELLING_WORDS + _QUOTE + rb" {0,2}[:=]? {0,2}" + _QUOTE])
_ENDS = rb"\\[nrtbf]|%[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|[^0-9A-Za-z_]|[xX]"
BREAK = rb"(?:\A(?:[nrtbf]|u?[0-9a-fA-F]{0,4})|" + _ENDS + rb")"
"""What stands before a place at which a word starts or a filler may have ended; an escape may have begun before the
text."""
ESCAPE_BYTES = 6
_BREAK = Program([_ENDS])
WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_BACKSLASH = 0x5C
_PERCENT = 0x25
_ENDS_ESCAPE = frozenset(b"nrtbf")
_LETTERS_OF_ESCAPES = frozenset(bytes((code,)) for code in b"nrtbfuxU")
_X = frozenset(b"xX")


def starts_word(text: bytes, place: int) -> bool:
    """Whether no word goes on at this place. An escape such as `\\n`, `%20` and `\\u0022` belongs to no word and is not
    taken apart."""
    if place == 0:
        return True
    code = text[place - 1]
    if code in WORD:
        return _follows_escape(text, place, code)
    if code == _BACKSLASH:
        return text[place : place + 1] not in _LETTERS_OF_ESCAPES
    return code != _PERCENT or not _is_hex(text, place, place + 2)


def _follows_escape(text: bytes, place: int, code: int) -> bool:
    if code in _ENDS_ESCAPE and place >= 2 and text[place - 2] == _BACKSLASH:
        return True
    return code in _HEX and (
        (place >= 3 and text[place - 3] == _PERCENT and _is_hex(text, place - 2, place))
        or (place >= 6 and text[place - 6 : place - 4] == b"\\u" and _is_hex(text, place - 4, place))
    )


def _is_hex(text: bytes, start: int, end: int) -> bool:
    return end <= len(text) and all(code in _HEX for code in text[start:end])


def may_start_word(text: bytes) -> bool:
    """Whether a word may start at the last byte, whatever stands before the text."""
    if len(text) == 1:
        return True
    before = text[-2]
    if before not in WORD or before in _X:
        return True
    if before not in _HEX and before not in _ENDS_ESCAPE:
        return False
    return len(text) == 2 or text[-3] == _BACKSLASH or text[-3] in _HEX


def places_to_begin(text: bytes, first: int, last: int) -> Iterator[int]:
    """`first`, and the places up to `last` at which a word starts or a filler may have ended."""
    yield first
    places: set[int] = set()
    begin, end = _BREAK.find_within(text, max(0, first - ESCAPE_BYTES), last)
    while begin >= 0:
        places.update((begin + 1, end))
        begin, end = _BREAK.find_within(text, begin + 1, last)
    yield from sorted(place for place in places if first < place <= last)


def ends_word(text: bytes, place: int) -> bool:
    """Whether no word goes on behind this place, as far as can be seen."""
    return place == len(text) or text[place] not in WORD or text[place - 1] not in WORD


def follows_filler(text: bytes, place: int) -> bool:
    """Whether at least three signs, an ellipsis or a bracketed word stand right before this place."""
    return (
        place > 0
        and (text[place - 1] in _X or starts_word(text, place))
        and _AFTER_FILLER.find(text[max(0, place - BEFORE_BYTES) : place], 0)[0] >= 0
    )


def follows_telling_words(text: bytes, place: int) -> bool:
    """Whether `"last4":"`, `ending in` or the like stands right before this place."""
    return (
        place > 0
        and text[place - 1] not in WORD
        and _AFTER_WORDS.find(text[max(0, place - BEFORE_BYTES) : place], 0)[0] >= 0
    )
