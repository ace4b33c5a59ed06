"""How the bytes of a credential may be written on their way back.

Every function gives a *spelling*: one Piece per byte (or base64 digit) of the credential, each of which matches
every way to write it that is listed here, so that any mixture of them is found too. Spellings are made straight
from `Secret.reveal_for_injection()` inside expressions; no whole credential ever gets a name.
"""

from base64 import b64encode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ostiary.masking.pieces import Piece, any_case, either, in_turn, literal, one_of, optional, repeated
from ostiary.model.secret import Secret

CASE_BLIND_FROM_BYTES = 16
"""Credentials of this length are found in any ASCII case: an upstream may lower-case them in a header's name.
Shorter ones keep their case, or common words would be masked."""

DETAIL_UP_TO_BYTES = 192
"""Longer credentials (signed documents) are looked for in what encoders really write: letters and digits are not
escaped in unusual ways, and base64 lines are wrapped after whole groups of four only. It keeps them affordable."""

TELLING_BYTES = 6
"""So much of a credential's beginning (or half of it, when that is less) at the end of a stream is masked."""

WINDOW_UNITS = 64
"""Longest stretch of a credential that is looked for in one piece."""

_BASE64_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_SAFE = {ord("+"): b"+-", ord("/"): b"/_"}
_HTML_NAMES = {
    ord("&"): b"amp", ord("<"): b"lt", ord(">"): b"gt", ord('"'): b"quot", ord("'"): b"apos",
    ord("!"): b"excl", ord("#"): b"num", ord("$"): b"dollar", ord("%"): b"percnt", ord("("): b"lpar",
    ord(")"): b"rpar", ord("*"): b"ast", ord("+"): b"plus", ord(","): b"comma", ord("."): b"period",
    ord("/"): b"sol", ord(":"): b"colon", ord(";"): b"semi", ord("="): b"equals", ord("?"): b"quest",
    ord("@"): b"commat", ord("["): b"lsqb", ord("\\"): b"bsol", ord("]"): b"rsqb", ord("^"): b"Hat",
    ord("_"): b"lowbar", ord("`"): b"grave", ord("{"): b"lcub", ord("|"): b"vert", ord("}"): b"rcub",
    ord("-"): b"hyphen", ord("~"): b"tilde",
}  # fmt: skip
_NUL = literal(b"\0")
_PERCENT_SIGN = in_turn([literal(b"%"), repeated(literal(b"25"), 0, 3)])
_BACKSLASHES = repeated(literal(b"\\"), 1, 4)
_AMPERSAND = in_turn([literal(b"&"), repeated(literal(b"amp;"), 0, 2)])
_ENTITY_END = optional(literal(b";"))
_ZEROES = repeated(literal(b"0"), 0, 5)
_BETWEEN_HEX = optional(
    either(
        [
            one_of(b" :-.,;_|\n"),
            literal(b", "),
            in_turn([optional(literal(b",")), optional(literal(b" ")), any_case(b"0x")]),
        ]
    )
)
_LINE_WRAP = optional(
    either(
        [
            repeated(one_of(b"\r\n\t ="), 1, 3),
            repeated(in_turn([repeated(literal(b"\\"), 1, 2), one_of(b"rn")]), 1, 2),
            repeated(in_turn([literal(b"%0"), one_of(b"aAdD")]), 1, 2),
        ]
    )
)
_ANY_HEX_DIGIT = one_of(b"0123456789abcdefABCDEF")
_ANY_HEX = in_turn([_ANY_HEX_DIGIT, _ANY_HEX_DIGIT])
_ANY_LETTER = one_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ANY_ESCAPE = either(
    [
        in_turn([_PERCENT_SIGN, _ANY_HEX]),
        in_turn(
            [
                _BACKSLASHES,
                either(
                    [
                        in_turn([one_of(b"uU"), repeated(_ANY_HEX_DIGIT, 4, 8)]),
                        in_turn([one_of(b"uU"), literal(b"{"), repeated(_ANY_HEX_DIGIT, 2, 8), literal(b"}")]),
                        in_turn([literal(b"x"), _ANY_HEX]),
                        repeated(one_of(b"01234567"), 3, 3),
                    ]
                ),
            ]
        ),
        in_turn(
            [
                _AMPERSAND,
                either(
                    [
                        in_turn([literal(b"#"), repeated(one_of(b"0123456789"), 2, 9)]),
                        in_turn([literal(b"#"), one_of(b"xX"), repeated(_ANY_HEX_DIGIT, 2, 8)]),
                        repeated(_ANY_LETTER, 2, 6),
                    ]
                ),
            ]
        ),
    ]
)
_ANY_WRAPPED_ESCAPE = in_turn([_LINE_WRAP, _ANY_ESCAPE])


@dataclass(frozen=True, slots=True)
class Spelling:
    """`units` match the credential one after the other. A window's first unit has no separator in front.

    `partial` matches every beginning of any unit but the first (and a little more, so that one expression serves
    them all): what may stand at the end of what has arrived of a stream after some whole units.
    """

    units: tuple[Piece, ...]
    partial: Piece
    telling_units: int
    """So many units at the end of a stream are taken for the beginning of a credential that was cut off."""

    def windows(self) -> Iterator[tuple[Piece, ...]]:
        """The units in stretches of nearly equal length, each looked for on its own."""
        for start, end in pairwise((*window_starts(len(self.units)), len(self.units))):
            yield self.units[start:end]


def window_starts(units: int) -> tuple[int, ...]:
    """Where each stretch of so many units begins."""
    windows = -(-units // WINDOW_UNITS)
    return tuple(units * number // windows for number in range(windows))


def text_spelling(secret: Secret) -> Spelling:
    """Plain, percent-encoded (up to four times over), JSON- or C-escaped, as HTML character references."""
    write = _character if _in_detail(secret) else plain_character
    return Spelling(tuple(write(codes) for codes in _codes(secret)), _ANY_ESCAPE, _telling_bytes(secret))


def utf16_spelling(secret: Secret) -> Spelling:
    """UTF-16 in either byte order, from the first character's byte to the last one's."""
    return _separated([one_of(codes) for codes in _codes(secret)], _NUL, _NUL, _telling_bytes(secret))


def hex_spelling(secret: Secret) -> Spelling:
    """Hex digits in either case, with or without a separator (` `, `:`, `-`, `, 0x`, …) between the bytes."""
    pairs = [_hex_pair(codes) for codes in _codes(secret)]
    return _separated(pairs, _BETWEEN_HEX, _ANY_HEX, _telling_bytes(secret))


def base64_spelling(secret: Secret, lead_bytes: int = 0, before: bytes = b"", after: bytes = b"") -> Spelling:
    """The base64 digits that carry `before`, credential and `after` with `lead_bytes` unknown bytes in front.

    Either alphabet. A first or last digit that is determined only in part matches whatever else it may hold.
    Digits may be percent-, JSON- or HTML-escaped, and lines may be wrapped between them.
    """
    in_detail = _in_detail(secret)
    text_bytes = lead_bytes + len(before) + len(secret.reveal_for_injection()) + len(after)
    starts = window_starts(_digits_of(text_bytes) - lead_bytes)
    units = []
    for index, codes in enumerate(_base64_digits(secret, lead_bytes, before, after)):
        if in_detail or not codes.isalnum():
            unit = plain_character(codes)
        else:
            unit = one_of(codes)
        may_wrap = index not in starts and (in_detail or (lead_bytes + index) % 4 == 0)
        units.append(in_turn([_LINE_WRAP, unit]) if may_wrap else unit)
    telling = _digits_of(len(before) + _telling_bytes(secret))
    return Spelling(tuple(units), _ANY_WRAPPED_ESCAPE, telling)


def utf16_base64_spelling(secret: Secret, lead_bytes: int = 0) -> Spelling:
    """Plain base64 written in UTF-16."""
    digits = _base64_digits(secret, lead_bytes, b"", b"")
    return _separated([one_of(codes) for codes in digits], _NUL, _NUL, _digits_of(_telling_bytes(secret)))


def _digits_of(text_bytes: int) -> int:
    """How many base64 digits carry so many bytes."""
    return -(-8 * text_bytes // 6)


def _telling_bytes(secret: Secret) -> int:
    return min(TELLING_BYTES, len(secret.reveal_for_injection()) // 2)


def _in_detail(secret: Secret) -> bool:
    return len(secret.reveal_for_injection()) <= DETAIL_UP_TO_BYTES


def _codes(secret: Secret) -> Iterator[bytes]:
    """For each character the codes it may come back as."""
    if len(secret.reveal_for_injection()) < CASE_BLIND_FROM_BYTES:
        yield from (bytes((code,)) for code in secret.reveal_for_injection())
    else:
        yield from (bytes({code, *bytes((code,)).swapcase()}) for code in secret.reveal_for_injection())


def _base64_digits(secret: Secret, lead_bytes: int, before: bytes, after: bytes) -> Iterator[bytes]:
    """For each base64 digit the characters it may be written with, beginning with digit number `lead_bytes`."""
    first_bit = 8 * lead_bytes
    end_bit = first_bit + 8 * (len(before) + len(secret.reveal_for_injection()) + len(after))
    for index, digit in enumerate(
        b64encode(b"%b%b%b%b\0\0" % (bytes(lead_bytes), before, secret.reveal_for_injection(), after))
    ):
        unknown = sum(32 >> bit for bit in range(6) if not first_bit <= 6 * index + bit < end_bit)
        if unknown < 63:
            value = _BASE64_DIGITS.index(digit)
            values = {value | more for more in range(64) if more & ~unknown == 0}
            yield bytes({code for each in values for code in _alphabets(_BASE64_DIGITS[each])})


def _alphabets(digit: int) -> bytes:
    return _URL_SAFE.get(digit, bytes((digit,)))


def _character(codes: bytes) -> Piece:
    return either(
        [
            one_of(codes + b"+" if b" " in codes else codes),
            in_turn([_PERCENT_SIGN, _hex_pair(codes)]),
            in_turn([_BACKSLASHES, either(_after_backslash(codes))]),
            in_turn([_AMPERSAND, either(_after_ampersand(codes)), _ENTITY_END]),
        ]
    )


def plain_character(codes: bytes) -> Piece:
    """Without what no encoder does to letters and digits."""
    if not codes.isalnum():
        return _character(codes)
    pair = _hex_pair(codes)
    return either([one_of(codes), in_turn([literal(b"%"), pair]), in_turn([literal(b"\\u00"), pair])])


def _after_backslash(codes: bytes) -> list[Piece]:
    choices = [_unicode_escape(codes), in_turn([literal(b"x"), _hex_pair(codes)])]
    choices += [literal(b"%03o" % code) for code in codes]
    punctuation = bytes(code for code in codes if not bytes((code,)).isalnum())
    return [*choices, one_of(punctuation)] if punctuation else choices


def _unicode_escape(codes: bytes) -> Piece:
    """`u0073`, `U00000073` or `u{73}`."""
    fixed = in_turn([repeated(literal(b"0000"), 0, 1), literal(b"00"), _hex_pair(codes)])
    braced = in_turn([literal(b"{"), _ZEROES, _hex_pair(codes), literal(b"}")])
    return in_turn([one_of(b"uU"), either([fixed, braced])])


def _after_ampersand(codes: bytes) -> list[Piece]:
    decimal = in_turn([_ZEROES, either([literal(b"%d" % code) for code in codes])])
    hexadecimal = in_turn([one_of(b"xX"), _ZEROES, _hex_pair(codes)])
    names = [literal(_HTML_NAMES[code]) for code in codes if code in _HTML_NAMES]
    return [in_turn([literal(b"#"), either([decimal, hexadecimal])]), *names]


def _hex_pair(codes: Collection[int]) -> Piece:
    """Two hex digits in either case."""
    lows_of: dict[int, list[int]] = {}
    for code in codes:
        lows_of.setdefault(code >> 4, []).append(code & 15)
    return either([in_turn([_hex_digit([high]), _hex_digit(lows)]) for high, lows in sorted(lows_of.items())])


def _hex_digit(values: Collection[int]) -> Piece:
    return one_of(b"".join(b"%x%X" % (value, value) for value in values))


def _separated(pieces: Sequence[Piece], separator: Piece, any_piece: Piece, telling_units: int) -> Spelling:
    starts = window_starts(len(pieces))
    units = tuple(piece if index in starts else in_turn([separator, piece]) for index, piece in enumerate(pieces))
    return Spelling(units, in_turn([separator, any_piece]), telling_units)
