"""Finding an injected credential, or a telling part of it, on its way back, in bodies that stream and in whole header
values.

The output of a stream depends on its bytes and not on how they were cut. After each piece, `h` is the first position
from which the rest is a match or could still become one. A match that begins before `h` can grow no further, so it is
decided; everything from `h` on is held back and looked at again together with the next piece. Some parts count only
behind certain text: so much of what was let go is remembered.
"""

import sys
from collections.abc import Sequence

from ostiary.masking.echoes import (
    ENDING_MOST_BYTES,
    Ending,
    beginnings,
    continuations,
    first_stretch,
    has_parts,
    is_long,
    plain_stretches,
)
from ostiary.masking.encodings import TELLING_BYTES
from ostiary.masking.fillers import BEFORE_BYTES
from ostiary.masking.pieces import in_turn, literal
from ostiary.masking.programs import NOWHERE, Program, Span
from ostiary.masking.stretches import distinct, open_ends, stretches_of
from ostiary.model.connection import AuthForm
from ostiary.model.errors import OperatorError
from ostiary.model.finding import Finding
from ostiary.model.secret import Secret

DETECTOR = "injected-secret"
PARTIAL_DETECTOR = "partial_echo"
"""For a part of a credential."""
MARK = b"[masked:injected-secret]"
_WIDE_MARK = b"\0".join(MARK[at : at + 1] for at in range(len(MARK)))
"""The mark in UTF-16, from the first character's byte to the last one's, as the match was."""
_ESCAPES = b"\\%&"
_SMALL_BYTES = 512
"""So much is kept of a stream rather than cut to what is needed."""


class InjectedSecretMatcher:
    """Knows how the given Secrets look in every spelling of `encodings`, in the Basic credentials of `forms`, and in
    the parts of `echoes`.

    A Secret longer than a window is found in stretches, so a whole stretch of it is masked even without the rest.
    Compiling takes 40 ms and 6 MB for a credential of 24 characters, 0.2 s and 27 MB for one of 164, 1.9 s and 217 MB
    for 4,096: make it beside the event loop and keep it until a Secret changes.
    """

    __slots__ = (
        "_continuing",
        "_ending_codes",
        "_endings",
        "_first",
        "_least",
        "_long_least",
        "_long_stretches",
        "_parts",
        "_plain_ends",
        "_sign_least",
        "_signs",
        "_stretches",
        "_telling",
        "_wanted",
        "hold_back_max_bytes",
    )

    def __init__(self, secrets: Sequence[Secret], forms: Sequence[AuthForm]) -> None:
        """Raises `OperatorError` for an empty Secret or one that cannot be compiled."""
        if any(len(secret.reveal_for_injection()) == 0 for secret in secrets):
            raise OperatorError("An empty secret cannot be masked.", "Give it a value of at least 8 characters.")
        known = list(distinct(secrets))
        shown = [secret for secret in known if has_parts(secret)]
        written = stretches_of(known, forms)
        parts = [part for secret in shown for part in beginnings(secret)]
        longer = [part for secret in shown for part in continuations(secret)]
        self._endings = tuple(Ending(secret) for secret in shown)
        self._wanted = Program(
            [
                *(in_turn(stretch.units).full for stretch in written),
                *(part.full for part in [*parts, *longer]),
                *(literal(ending.sign).full for ending in self._endings),
            ],
            [*open_ends(written), *(part.beginnings for part in [*parts, *longer])],
        )
        plain = [stretch for stretch in written if stretch.plain]
        self._plain_ends = Program(
            [],
            [
                *(in_turn(stretch.units).full for stretch in plain),
                *open_ends(plain),
                *(part.beginnings for part in [*parts, *longer]),
            ],
        )
        self._telling = Program([stretch.beginning(stretch.spelling.telling_units) for stretch in written])
        self._first = Program([first_stretch(secret).full for secret in shown])
        self._continuing = Program([stretch.beginning(1) for stretch in written if stretch.continues])
        long = [secret for secret in shown if is_long(secret)]
        self._stretches = Program([stretch for secret in shown for stretch in plain_stretches(secret)])
        self._long_stretches = Program([stretch for secret in long for stretch in plain_stretches(secret)])
        self._least = min((len(secret.reveal_for_injection()) for secret in known), default=0)
        self._long_least = min((len(secret.reveal_for_injection()) for secret in long), default=0)
        self._parts = Program([part.full for part in parts])
        self._ending_codes = frozenset({code for ending in self._endings for code in ending.codes})
        self._sign_least = min((len(ending.sign) for ending in self._endings), default=0)
        self._signs = tuple(ending.sign for ending in self._endings)
        self.hold_back_max_bytes = max(
            [*(stretch.longest for stretch in written), *(part.longest for part in [*parts, *longer])], default=0
        )
        """A stream never holds back more than this."""
        if not all(self._wanted.finds(secret) for secret in secrets):
            raise OperatorError("A secret cannot be masked.", "Replace it by another one.")

    def mask(self, data: bytes, place: str) -> tuple[bytes, tuple[Finding, ...]]:
        """`data`, the same object when it is clean, and what was found. For whole bodies and header values."""
        if self.candidate(data, 0)[0] < 0:
            return data, ()
        stream = self.stream(place)
        masked = stream.feed(data) + stream.finish()
        findings = stream.findings()
        return (masked if findings else data), findings

    def stream(self, place: str) -> "InjectedSecretStream":
        return InjectedSecretStream(self, place)

    # -- for those who look for other things in the same text

    def suspects(self, text: bytes) -> bool:
        """Whether anything could be found in this text, or begin in it, whatever stands before it."""
        return self._wanted.find(text, 0)[0] >= 0 or self._may_be_cut(text)

    def candidate(self, data: bytes, start: int, covered: int = 0) -> Span:
        """The leftmost match or possible beginning of one at or after `start`; `(-1, -1)` when there is none.

        An end equal to `len(data)` means that more could belong to it: nothing from its start on is decided while more
        may come. Any other is a match that grows no further. What was decided before must stand in front, at least the
        last `BEFORE_BYTES` of it. What ends at or before `covered` may be left out.
        """
        return self._candidate(data, start, covered, self._wanted.find(data, start), self._may_be_cut(data))

    def in_words(self, data: bytes, start: int) -> Span:
        """Like `candidate`, for a text of words that is put together from pieces, each of which was looked at before: a
        code of the credential (hex, base64, UTF-16) does not begin at its end within a word. Most words end in a digit
        of some code, and would be held back for it. At least one byte stands before `start`."""
        begin, end = self.candidate(data, start)
        while (
            begin >= 0
            and end == len(data)
            and data[begin - 1 : begin].isalnum()
            and not self._plain_ends.begins(data, begin)
            and not any(ending.cut(data, begin, begin + 1)[0] == begin for ending in self._endings)
        ):
            begin, end = self.candidate(data, begin + 1)
        return begin, end

    def _may_be_cut(self, text: bytes) -> bool:
        """Whether the text may end within an ending."""
        if text:
            for ending in self._endings:
                if text[-1] in ending.codes and ending.may_be_cut(text):
                    return True
        return False

    def _candidate(self, data: bytes, start: int, covered: int, found: Span, may_be_cut: bool) -> Span:
        """`found` is the first thing wanted from `start` on: a sign of an ending too, which is nothing by itself."""
        length = len(data)
        begin, end = found
        while 0 <= begin <= length - self._sign_least:
            first, last = self._ending(data, start, covered, begin)
            if first >= 0:
                begin, end = first, max(last, end) if first == begin else last
                break
            if end == length or not (data.startswith(self._signs, begin) and data[begin:end] in self._signs):
                break
            begin, end = self._wanted.find(data, begin + 1)
        if may_be_cut:
            for ending in self._endings:
                place, _ = ending.cut(data, start, begin if begin >= 0 else length)
                if place >= 0:
                    begin, end = place, length
        return begin, end

    def _ending(self, data: bytes, start: int, covered: int, upto: int) -> Span:
        """The leftmost ending that begins from `start` to `upto`, when no sign of one stands before `upto`."""
        found = NOWHERE
        for ending in self._endings:
            size = len(ending.sign)
            at = data.find(ending.sign, max(upto, covered + 1 - size), upto + size + ending.longest)
            while at >= 0:
                span = ending.at(data, start, at, upto if found[0] < 0 else found[0])
                if span[0] >= 0:
                    found = span if span[0] != found[0] else (span[0], max(span[1], found[1]))
                    break
                at = data.find(ending.sign, at + 1, upto + size + ending.longest)
        return found

    def final_end(self, data: bytes, start: int, follows_mark: bool) -> int:
        """Where a candidate that reaches the end of a text that is over ends, if it is to be masked: because it is a
        match, or enough of one; else -1. `follows_mark`: what stands right before it was masked for the secret."""
        if follows_mark and self._continuing.begins(data, start):
            return len(data)
        if self._telling.begins(data, start):
            shown = self._first.end_at(data, start)
            if not (start + TELLING_BYTES <= shown < len(data)) or data[shown] in _ESCAPES:
                return len(data)
            # Only a filler that could have hidden the rest goes on to the end.
        ends = [self._stretches.end_at(data, start), self._parts.end_at(data, start)]
        return max(ends + [ending.final_end(data, start) for ending in self._endings])

    def is_telling(self, data: bytes, start: int, follows_mark: bool) -> bool:
        """Whether there is such an end."""
        return self.final_end(data, start, follows_mark) >= 0

    def detector_of(self, data: bytes, start: int, end: int) -> str:
        """`partial_echo` when the candidate is a part of a credential, `injected-secret` when it is a whole one or a
        stretch of a long one, or was cut off by the end of the text before it became a part that tells by itself."""
        return PARTIAL_DETECTOR if self._is_part(data, start, end) else DETECTOR

    def whole_bytes(self, data: bytes, start: int, end: int) -> int | None:
        """From how many bytes on a mark is one for a whole credential, with this candidate in it; None: it is not."""
        if self._long_stretches.begins(data, start):
            return self._long_least
        return None if self._is_part(data, start, end) else self._least

    def _is_part(self, data: bytes, start: int, end: int) -> bool:
        if self._stretches.begins(data, start):
            return False
        return self._parts.end_at(data, start) == end or any(
            ending.covers(data, start, end) for ending in self._endings
        )

    def __repr__(self) -> str:
        return "<InjectedSecretMatcher>"


class InjectedSecretStream:
    """Masks one body or one text channel. Feed every piece, then `finish`, whether the end was clean or a cut."""

    __slots__ = (
        "_after_mark",
        "_before",
        "_codes",
        "_covered",
        "_held",
        "_mark_is_whole",
        "_mark_length",
        "_mark_whole_bytes",
        "_matcher",
        "_place",
        "_sums",
        "_wanted",
        "_written",
    )

    def __init__(self, matcher: InjectedSecretMatcher, place: str) -> None:
        self._matcher = matcher
        self._wanted = matcher._wanted
        self._codes = matcher._ending_codes
        self._place = place
        self._before = b""  # the last of what is decided
        self._held = b""
        self._covered = 0  # so many of the held bytes are already behind a mark
        self._written = 0  # where in the bytes under work the output has come to
        self._after_mark = False
        self._mark_whole_bytes: int | None = None  # from this length on the last mark is one for a whole credential
        self._mark_is_whole = False
        self._mark_length = 0
        self._sums = {DETECTOR: [0, 0], PARTIAL_DETECTOR: [0, 0]}  # how many bytes, how many marks

    def feed(self, data: bytes) -> bytes:
        """What can be let go: `data` itself, without a copy, when nothing is held back and nothing found."""
        if not data:
            return data
        origin, text = 0, data
        if self._held:
            origin = len(self._before)
            text = self._before + self._held + data
            found = self._wanted.find(text, origin)
            may_be_cut = self._matcher._may_be_cut(text)
        else:
            found = self._wanted.find(data, 0)
            may_be_cut = data[-1] in self._codes and self._matcher._may_be_cut(data)
            if found[0] < 0 and not may_be_cut:
                self._pass(data)
                return data
            if (found[0] if found[0] >= 0 else len(data)) < ENDING_MOST_BYTES + BEFORE_BYTES:
                origin = len(self._before)
                text = self._before + data
                found = (found[0] + origin, found[1] + origin) if found[0] >= 0 else found
        start, end = self._matcher._candidate(text, origin, 0, found, may_be_cut)
        if start < 0 and not self._held:
            self._pass(data)
            return data
        pieces: list[bytes] = []
        self._written = origin + self._covered
        while start >= 0 and end < len(text):
            self._mark(text, start, end, pieces)
            found = self._wanted.find(text, start + 1)
            start, end = self._matcher._candidate(text, start + 1, self._written, found, may_be_cut)
        if start < 0:
            start = len(text)
        self._let_go(text, start, pieces)
        self._before = text[max(0, start - BEFORE_BYTES) : start]
        self._held = text[start:]
        self._covered = self._written - start
        return b"".join(pieces)

    def _pass(self, data: bytes) -> None:
        """Nothing is in it and nothing can begin in it."""
        self._after_mark = False
        if len(data) < BEFORE_BYTES:
            self._before = (self._before + data)[-BEFORE_BYTES:]
        else:
            self._before = data if len(data) <= _SMALL_BYTES else data[-BEFORE_BYTES:]

    def finish(self) -> bytes:
        """The rest. A beginning of a credential at the end is masked when it is long enough to tell."""
        text = self._before + self._held
        start = len(self._before)
        self._written, self._covered, self._held = start + self._covered, 0, b""
        pieces: list[bytes] = []
        start, end = self._matcher.candidate(text, start)
        while start >= 0 and self._written < len(text):
            if end == len(text):
                end = self._matcher.final_end(text, start, self._after_mark and start == self._written)
            if end >= 0:
                self._mark(text, start, end, pieces)
            start, end = self._matcher.candidate(text, start + 1, self._written)
        self._let_go(text, len(text), pieces)
        return b"".join(pieces)

    @property
    def held_bytes(self) -> int:
        """How much is held back; at most the matcher's `hold_back_max_bytes`."""
        return len(self._held)

    def findings(self) -> tuple[Finding, ...]:
        """One Finding for all whole credentials that were masked so far, one for all parts."""
        return tuple(
            Finding(detector, self._place, length, count)
            for detector, (length, count) in self._sums.items()
            if count > 0
        )

    def _let_go(self, text: bytes, end: int, pieces: list[bytes]) -> None:
        if self._written < end:
            pieces.append(text[self._written : end])
            self._written = end
            self._after_mark = False

    def _mark(self, text: bytes, start: int, end: int, pieces: list[bytes]) -> None:
        """One mark stands for all matches that touch or overlap: the stretches of a long credential, or two Secrets
        with a part in common. It counts as a part while it stands for nothing but parts, or less than a whole one."""
        self._let_go(text, start, pieces)
        if not self._after_mark:
            pieces.append(_WIDE_MARK if text[start + 1 : start + 2] == b"\0" else MARK)
            self._after_mark = True
            self._mark_whole_bytes = None
            self._mark_is_whole = False
            self._mark_length = 0
            self._add(PARTIAL_DETECTOR, 0, 1)
        if not self._mark_is_whole:
            self._mark_whole_bytes = self._matcher.whole_bytes(text, start, end) or self._mark_whole_bytes
        if end > self._written:
            self._mark_length += end - self._written
            self._add(DETECTOR if self._mark_is_whole else PARTIAL_DETECTOR, end - self._written, 0)
            self._written = end
        if not self._mark_is_whole and self._mark_length >= (self._mark_whole_bytes or sys.maxsize):
            self._mark_is_whole = True
            self._add(PARTIAL_DETECTOR, -self._mark_length, -1)
            self._add(DETECTOR, self._mark_length, 1)

    def _add(self, detector: str, length: int, count: int) -> None:
        sums = self._sums[detector]
        sums[0] += length
        sums[1] += count
