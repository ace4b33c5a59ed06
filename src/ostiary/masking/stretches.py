"""The stretches in which a credential is looked for whole, in every spelling."""

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
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.secret import Secret

_STRETCHES_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class Stretch:
    """A window of one spelling. `continues`: another stretch of the same credential stands before it. `plain`: it is
    the text of the credential, escaped at most."""

    units: tuple[Piece, ...]
    spelling: Spelling
    continues: bool
    plain: bool

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


def open_ends(stretches: Sequence[Stretch]) -> Iterator[bytes]:
    """Patterns for everything a stretch can begin with, short of the whole of it."""
    by_partial: dict[bytes, list[Stretch]] = {}
    for stretch in stretches:
        yield stretch.units[0].beginnings
        by_partial.setdefault(stretch.spelling.partial.beginnings, []).append(stretch)
    for partial, group in by_partial.items():
        # Not all in one: the engine's compiler is slow where very many ways lead to one place.
        for start in range(0, len(group), _STRETCHES_TOGETHER):
            together = b"|".join(each.first_and_following() for each in group[start : start + _STRETCHES_TOGETHER])
            yield b"(?:%b)(?:%b)?" % (together, partial)


def stretches_of(secrets: Sequence[Secret], forms: Sequence[AuthForm]) -> list[Stretch]:
    return [
        Stretch(units, spelling, continues=number > 0, plain=plain)
        for secret in secrets
        for spelling, plain in [(text_spelling(secret), True), *((each, False) for each in _codes(secret, forms))]
        for number, units in enumerate(spelling.windows())
    ]


def distinct(secrets: Sequence[Secret]) -> Iterator[Secret]:
    for index, secret in enumerate(secrets):
        if not any(earlier.reveal_for_injection() == secret.reveal_for_injection() for earlier in secrets[:index]):
            yield secret


def _codes(secret: Secret, forms: Sequence[AuthForm]) -> Iterator[Spelling]:
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
