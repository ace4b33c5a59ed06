"""Finding an injected credential on its way back, in bodies that stream and in whole header values.

The output of a stream depends on its bytes and not on how they were cut. After each piece, `h` is the first position
from which the rest is a match or could still become one. A match that begins before `h` can grow no further, so it is
decided; everything from `h` on is held back and looked at again together with the next piece.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ostiary.masking.encodings import (
    Spelling,
    base64_spelling,
    hex_spelling,
    text_spelling,
    utf16_base64_spelling,
    utf16_spelling,
)
from ostiary.masking.pieces import Piece, in_turn
from ostiary.masking.programs import Program
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.errors import OperatorError
from ostiary.model.finding import Finding
from ostiary.model.secret import Secret

DETECTOR = "injected-secret"
MARK = b"[masked:injected-secret]"
_WIDE_MARK = b"\0".join(MARK[at : at + 1] for at in range(len(MARK)))
"""The mark in UTF-16, from the first character's byte to the last one's, as the match was."""
_STRETCHES_TOGETHER = 16


class InjectedSecretMatcher:
    """Knows how the given Secrets look in every spelling of `encodings`, and in the Basic credentials of `forms`.

    A Secret longer than a window is found in stretches, so a whole stretch of it is masked even without the rest.
    Compiling takes 20 ms and 4 MB for a credential of 24 characters, 0.2 s and 20 MB for one of 164, 1.5 s and 130 MB
    for 4,096: make it beside the event loop and keep it until a Secret changes.
    """

    __slots__ = ("_continuing", "_telling", "_wanted", "hold_back_max_bytes")

    def __init__(self, secrets: Sequence[Secret], forms: Sequence[AuthForm]) -> None:
        """Raises `OperatorError` for an empty Secret or one that cannot be compiled."""
        if any(len(secret.reveal_for_injection()) == 0 for secret in secrets):
            raise OperatorError("An empty secret cannot be masked.", "Give it a value of at least 8 characters.")
        stretches = [
            _Stretch(units, spelling, continues=number > 0)
            for secret in _distinct(secrets)
            for spelling in _spellings(secret, forms)
            for number, units in enumerate(spelling.windows())
        ]
        self._wanted = Program([in_turn(stretch.units).full for stretch in stretches], _beginnings(stretches))
        self._telling = Program([stretch.beginning(stretch.spelling.telling_units) for stretch in stretches])
        self._continuing = Program([stretch.beginning(1) for stretch in stretches if stretch.continues])
        self.hold_back_max_bytes = max((stretch.longest for stretch in stretches), default=0)
        """A stream never holds back more than this."""
        if not all(self._wanted.finds(secret) for secret in secrets):
            raise OperatorError("A secret cannot be masked.", "Replace it by another one.")

    def mask(self, data: bytes, place: str) -> tuple[bytes, tuple[Finding, ...]]:
        """`data`, the same object when it is clean, and what was found. For whole bodies and header values."""
        if self._wanted.find(data, 0)[0] < 0:
            return data, ()
        stream = self.stream(place)
        masked = stream.feed(data) + stream.finish()
        findings = stream.findings()
        return (masked if findings else data), findings

    def stream(self, place: str) -> "InjectedSecretStream":
        return InjectedSecretStream(self, place)

    def __repr__(self) -> str:
        return "<InjectedSecretMatcher>"


class InjectedSecretStream:
    """Masks one body or one text channel. Feed every piece, then `finish`, whether the end was clean or a cut."""

    __slots__ = ("_after_mark", "_count", "_covered", "_held", "_length", "_matcher", "_place", "_wanted", "_written")

    def __init__(self, matcher: InjectedSecretMatcher, place: str) -> None:
        self._matcher = matcher
        self._wanted = matcher._wanted
        self._place = place
        self._held = b""
        self._covered = 0  # so many of the held bytes are already behind a mark
        self._written = 0  # where in the bytes under work the output has come to
        self._after_mark = False
        self._count = 0
        self._length = 0

    def feed(self, data: bytes) -> bytes:
        """What can be let go: `data` itself, without a copy, when nothing is held back and nothing found."""
        if self._held:
            data = self._held + data
        found = self._wanted.find(data, 0)
        if found[0] < 0 and not self._held:
            if data:
                self._after_mark = False
            return data
        pieces: list[bytes] = []
        self._written = self._covered
        start, end = found
        while start >= 0 and end < len(data):
            self._mark(data, start, end, pieces)
            start, end = self._wanted.find(data, start + 1)
        if start < 0:
            start = len(data)
        self._let_go(data, start, pieces)
        self._held = data[start:]
        self._covered = self._written - start
        return b"".join(pieces)

    def finish(self) -> bytes:
        """The rest. A beginning of a credential at the end is masked when it is long enough to tell."""
        data, self._held = self._held, b""
        self._written, self._covered = self._covered, 0
        pieces: list[bytes] = []
        start, end = self._wanted.find(data, 0)
        while start >= 0 and self._written < len(data):
            if end < len(data) or self._is_telling(data, start):
                self._mark(data, start, end, pieces)
            start, end = self._wanted.find(data, start + 1)
        self._let_go(data, len(data), pieces)
        return b"".join(pieces)

    @property
    def held_bytes(self) -> int:
        """How much is held back; at most the matcher's `hold_back_max_bytes`."""
        return len(self._held)

    def findings(self) -> tuple[Finding, ...]:
        """One Finding for all that was masked so far, or none."""
        if self._count == 0:
            return ()
        return (Finding(DETECTOR, self._place, self._length, self._count),)

    def _is_telling(self, data: bytes, start: int) -> bool:
        """Whether the beginning of a credential at the end of the stream is long enough, or goes on from a mark."""
        follows_mark = self._after_mark and start == self._written
        return self._matcher._telling.begins(data, start) or (
            follows_mark and self._matcher._continuing.begins(data, start)
        )

    def _let_go(self, data: bytes, end: int, pieces: list[bytes]) -> None:
        if self._written < end:
            pieces.append(data[self._written : end])
            self._written = end
            self._after_mark = False

    def _mark(self, data: bytes, start: int, end: int, pieces: list[bytes]) -> None:
        """One mark stands for all matches that touch or overlap: the stretches of a long credential, or two Secrets
        with a part in common."""
        self._let_go(data, start, pieces)
        if end <= self._written:
            return
        self._length += end - self._written
        self._written = end
        if not self._after_mark:
            pieces.append(_WIDE_MARK if data[start + 1 : start + 2] == b"\0" else MARK)
            self._after_mark = True
            self._count += 1


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A window of one spelling. `continues`: another stretch of the same credential stands before it."""

    units: tuple[Piece, ...]
    spelling: Spelling
    continues: bool

    @property
    def longest(self) -> int:
        return in_turn(self.units).longest + self.spelling.partial.longest

    def beginning(self, units: int) -> bytes:
        return in_turn(self.units[:units]).full

    def first_and_following(self) -> bytes:
        """Matches the first unit and as many of the following as there are."""
        following = b""
        for unit in reversed(self.units[1:-1]):
            following = b"(?:%b%b)?" % (unit.full, following)
        return self.units[0].full + following


def _beginnings(stretches: Sequence[_Stretch]) -> Iterator[bytes]:
    """Patterns for everything a stretch can begin with, short of the whole of it."""
    by_partial: dict[bytes, list[_Stretch]] = {}
    for stretch in stretches:
        yield stretch.units[0].beginnings
        by_partial.setdefault(stretch.spelling.partial.beginnings, []).append(stretch)
    for partial, group in by_partial.items():
        # Not all in one: the engine's compiler is slow where very many ways lead to one place.
        for start in range(0, len(group), _STRETCHES_TOGETHER):
            together = b"|".join(each.first_and_following() for each in group[start : start + _STRETCHES_TOGETHER])
            yield b"(?:%b)(?:%b)?" % (together, partial)


def _distinct(secrets: Sequence[Secret]) -> Iterator[Secret]:
    for index, secret in enumerate(secrets):
        if not any(earlier.reveal_for_injection() == secret.reveal_for_injection() for earlier in secrets[:index]):
            yield secret


def _spellings(secret: Secret, forms: Sequence[AuthForm]) -> Iterator[Spelling]:
    yield text_spelling(secret)
    yield hex_spelling(secret)
    yield utf16_spelling(secret)
    for lead_bytes in range(3):
        yield base64_spelling(secret, lead_bytes)
        yield utf16_base64_spelling(secret, lead_bytes)
    # The base64 of the credential alone covers its part; these cover the user name or colon joined to it as well.
    if any(form.scheme is AuthScheme.BASIC_USERNAME for form in forms):
        yield base64_spelling(secret, after=b":")
    for name in sorted({form.name for form in forms if form.scheme is AuthScheme.BASIC_PASSWORD}):
        yield base64_spelling(secret, before=name.encode() + b":")
