"""Parts of a credential that an answer shows: `sk-ab***wxyz`, its first half, its last four characters.

They are looked for in credentials of at least `LEAST_BYTES`, as text and in their own case:

- the beginning, from eight bytes on and three beyond what the vendor puts in front (`sk-proj-`), whatever follows;
- a shorter beginning of at least three bytes, a filler, and an ending of at least two bytes that ends a word;
- an ending of at least eight bytes at the start of a word;
- an ending of at least four bytes that ends a word, behind a filler or words such as `"last4": "`.

A credential made of words (`correct-horse-battery-staple`) must not make ordinary text suspicious: of it only a
beginning or ending of half its length counts, and of at least sixteen bytes.
"""

import re
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import pairwise

from ostiary.masking.encodings import DETAIL_UP_TO_BYTES, plain_character, window_starts
from ostiary.masking.fillers import (
    BREAK,
    ESCAPE_BYTES,
    FILLER,
    FILLER_SIGNS,
    SPACE,
    ends_word,
    follows_filler,
    follows_telling_words,
    may_start_word,
    places_to_begin,
    starts_word,
)
from ostiary.masking.pieces import Piece, in_turn, loosely_in_turn, one_of, optional
from ostiary.masking.programs import NOWHERE, Program, Span
from ostiary.model.secret import Secret

LEAST_BYTES = 16
"""Shorter credentials have no parts that could be told from other text."""

_BEGINNING_LEAST = 8
_BEYOND_PREFIX = 3
_SHORT_BEGINNING_LEAST = 3
_SHORT_ENDING_LEAST = 2
_ENDING_LEAST = 4
_LONE_ENDING_LEAST = 8
_WORDY_LEAST = 16
ENDING_MOST_BYTES = 128
_PREFIX_WITHIN = 16
_PAIRS = 509
"""Neighbours in a credential are remembered as numbers below this."""
_SEGMENTS = re.compile(rb"(?:(?:[A-Z]?[a-z]+|[A-Z]+)[0-9]*[-_])*")
"""The vendor's part: names, perhaps numbered, each with a hyphen or underscore behind it."""
_NOT_WORDS = re.compile(rb"[0-9][A-Za-z]|[a-z][A-Z]|[A-Za-z0-9]{16}")
_SHOWN = re.compile(rb"[^%b]" % re.escape(FILLER_SIGNS))


def has_parts(secret: Secret) -> bool:
    """Whether parts of the credential are looked for."""
    return len(secret.reveal_for_injection()) >= LEAST_BYTES


def is_long(secret: Secret) -> bool:
    """Whether it is looked for in stretches."""
    return len(window_starts(len(secret.reveal_for_injection()))) > 1


def beginnings(secret: Secret) -> Iterator[Piece]:
    """Beginnings of the credential shorter than the first stretch that is looked for whole."""
    length = len(secret.reveal_for_injection())
    least = _beginning_least(secret)
    units = _units(secret, 0, min(length - 1, (*window_starts(length), length)[1]))
    wordy = _is_wordy(secret)
    if least <= len(units):
        yield in_turn([*units[:least], *_further(units[least:])])
    short = _short_beginning_least(secret)
    if not wordy and short <= len(units):
        beginning = in_turn([*units[:short], *_further(units[short:])])
        yield loosely_in_turn([beginning, SPACE, FILLER, SPACE, _short_ending(secret)])


def first_stretch(secret: Secret) -> Piece:
    """As much of the beginning of the credential as there is, in any case."""
    length = len(secret.reveal_for_injection())
    return _run(
        [
            plain_character(bytes((code,)).lower() + bytes((code,)).upper())
            for code in secret.reveal_for_injection()[: (*window_starts(length), length)[1]]
        ]
    )


def continuations(secret: Secret) -> Iterator[Piece]:
    """Each stretch of a long credential that is looked for whole, and as much of the next one as there is."""
    length = len(secret.reveal_for_injection())
    starts = (*window_starts(length), length)
    for start, end, last in zip(starts, starts[1:], starts[2:], strict=False):
        yield in_turn([*_units(secret, start, end), _run(_units(secret, end, last - 1))])


def plain_stretches(secret: Secret) -> Iterator[bytes]:
    """Expressions for the whole credential, or each stretch of a long one."""
    length = len(secret.reveal_for_injection())
    starts = (*window_starts(length), length)
    for start, end in pairwise(starts):
        yield b"".join(unit.full for unit in _units(secret, start, end))


class Ending:
    """Looks for the end of one credential, standing alone: where `sign`, its last bytes, was found, and at the end of a
    text."""

    __slots__ = ("_cut_gate", "_full", "_inside", "_lone_least", "_pairs", "_short", "codes", "longest", "sign")

    def __init__(self, secret: Secret) -> None:
        wordy = _is_wordy(secret)
        most = min(len(secret.reveal_for_injection()) - 1, ENDING_MOST_BYTES)
        least = _half(secret) if wordy else _ending_least(secret)
        self._short = not wordy
        self._lone_least = max(least, _LONE_ENDING_LEAST)
        self.sign = secret.reveal_for_injection()[-min(least, 8) :]
        self.codes = bytes(set(secret.reveal_for_injection()[-most:]))
        self._pairs = frozenset(
            (one * 31 + other) % _PAIRS for one, other in pairwise(secret.reveal_for_injection()[-most:])
        )
        self._full = Program([_endings(secret.reveal_for_injection()[-most:], least)])
        self._inside = Program([], [_anything_in(secret.reveal_for_injection()[-most:])])
        self._cut_gate = Program([], [BREAK + _anything_in(secret.reveal_for_injection()[-most:])])
        self.longest = most

    def may_be_cut(self, text: bytes) -> bool:
        """Whether the text, which ends with one of `codes`, may end within an ending."""
        if not may_start_word(text) and (text[-2] * 31 + text[-1]) % _PAIRS not in self._pairs:
            return False
        return self._cut_gate.find(text, max(0, len(text) - self.longest - ESCAPE_BYTES))[0] >= 0

    def at(self, text: bytes, start: int, sign_at: int, upto: int) -> Span:
        """The longest ending that counts, with this sign in it, and that begins from `start` to `upto`."""
        size = len(self.sign)
        first, _ = self._full.find_within(
            text, max(start, sign_at + size - self.longest), sign_at + size + self.longest
        )
        last = min(sign_at, upto)
        if 0 <= first <= last:
            for place in places_to_begin(text, first, last):
                end = self._end_at(text, place)
                if end >= 0:
                    return place, end
        return NOWHERE

    def cut(self, text: bytes, start: int, upto: int) -> Span:
        """From where the text ends within an ending."""
        length = len(text)
        first, _ = self._inside.find(text, max(start, length - self.longest))
        last = min(upto, length - 1)
        if 0 <= first <= last:
            for place in places_to_begin(text, first, last):
                if self._stands_alone(text, place):
                    return place, length
        return NOWHERE

    def final_end(self, text: bytes, place: int) -> int:
        """Where the ending, or so much of one at the end of the text that it tells, ends; -1 when there is none."""
        length = len(text)
        if length - place >= self._lone_least and self._inside.begins(text, place) and self._stands_alone(text, place):
            return length
        return self._end_at(text, place)

    def covers(self, text: bytes, start: int, end: int) -> bool:
        """Whether this span is an ending, or at the end of the text a part of one."""
        return self._full.end_at(text, start) == end or (end == len(text) and self._inside.begins(text, start))

    def _end_at(self, text: bytes, place: int) -> int:
        """Where the ending that counts and begins here ends; -1 when there is none."""
        if not self._stands_alone(text, place):
            return -1
        end = self._full.end_at(text, place)
        if end - place >= self._lone_least:
            return end
        if end < 0 or not self._short or not ends_word(text, end):
            return -1
        return end if follows_filler(text, place) or follows_telling_words(text, place) else -1

    def _stands_alone(self, text: bytes, place: int) -> bool:
        return starts_word(text, place) or (self._short and follows_filler(text, place))

    def __repr__(self) -> str:
        return "<Ending>"


def _half(secret: Secret) -> int:
    return max(_WORDY_LEAST, (len(secret.reveal_for_injection()) + 1) // 2)


def _is_wordy(secret: Secret) -> bool:
    """Words and numbers, each with something between: no letter follows on a digit, no capital on a small letter."""
    return _NOT_WORDS.search(secret.reveal_for_injection()) is None


def _prefix_bytes(secret: Secret) -> int:
    found = _SEGMENTS.match(secret.reveal_for_injection()[:_PREFIX_WITHIN])
    return 0 if found is None else found.end()


def _beginning_least(secret: Secret) -> int:
    least = max(_BEGINNING_LEAST, _prefix_bytes(secret) + _BEYOND_PREFIX)
    return max(least, _half(secret)) if _is_wordy(secret) else least


def _short_beginning_least(secret: Secret) -> int:
    """Long enough that it does not consist of what fillers are made of."""
    found = _SHOWN.search(secret.reveal_for_injection())
    return max(_SHORT_BEGINNING_LEAST, len(secret.reveal_for_injection()) if found is None else found.end())


def _ending_least(secret: Secret, least: int = _ENDING_LEAST) -> int:
    found = _SHOWN.search(secret.reveal_for_injection()[::-1])
    return max(least, len(secret.reveal_for_injection()) - 1 if found is None else found.end())


def _units(secret: Secret, start: int, end: int) -> Sequence[Piece]:
    """Of long credentials only as they are: escaped ways to write them would take too much."""
    write = plain_character if len(secret.reveal_for_injection()) <= DETAIL_UP_TO_BYTES else one_of
    return [write(bytes((code,))) for code in secret.reveal_for_injection()[start:end]]


def _run(units: Sequence[Piece]) -> Piece:
    """The first unit and as many of the following as there are."""
    return reduce(lambda rest, unit: in_turn([unit, optional(rest)]), reversed(units))


def _further(units: Sequence[Piece]) -> Sequence[Piece]:
    """As many of the units as there are."""
    return [optional(_run(units))] if units else []


def _short_ending(secret: Secret) -> Piece:
    most = min(len(secret.reveal_for_injection()) - 1, 64)
    least = min(_ending_least(secret, _SHORT_ENDING_LEAST), most)
    return Piece(
        _endings(secret.reveal_for_injection()[-most:], least)
        + (rb"\b" if secret.reveal_for_injection()[-1:].isalnum() else b""),
        _anything_in(secret.reveal_for_injection()[-most:]),
        most,
    )


def _endings(codes: bytes, least: int) -> bytes:
    """An expression for every ending of at least so many bytes."""
    always = b"".join(one_of((code,)).full for code in codes[len(codes) - least :])
    return b"(?:%b)?%b" % (_suffixes(codes[: len(codes) - least]), always) if least < len(codes) else always


def _suffixes(codes: bytes) -> bytes:
    return reduce(lambda before, code: b"(?:%b)?%b" % (before, one_of((code,)).full), codes[1:], one_of(codes[:1]).full)


def _prefixes(codes: bytes) -> bytes:
    return reduce(
        lambda after, code: b"%b(?:%b)?" % (one_of((code,)).full, after), codes[-2::-1], one_of(codes[-1:]).full
    )


def _anything_in(codes: bytes) -> bytes:
    """An expression for every part of at least one byte: it lies in one half, or across the middle."""
    if len(codes) == 1:
        return one_of(codes).full
    left, right = codes[: len(codes) // 2], codes[len(codes) // 2 :]
    return b"(?:%b%b|%b|%b)" % (_suffixes(left), _prefixes(right), _anything_in(left), _anything_in(right))
