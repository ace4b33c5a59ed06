"""What a check found, and what checks ask."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

from ostiary.control.identity_ports import IdentityProviders
from ostiary.identity.keys import KeyBook
from ostiary.model.errors import OstiaryError
from ostiary.model.issuer import Issuer, OidcIssuer

CLOCK_WARN_S = 60.0
"""As much is allowed for when the times of a token are judged."""
CLOCK_FAIL_S = 300.0


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`next_step` says what to do about it, and may be empty."""

    level: Level
    sentence: str
    next_step: str = ""


def ok(sentence: str, next_step: str = "") -> Finding:
    return Finding(Level.OK, sentence, next_step)


def warn(sentence: str, next_step: str = "") -> Finding:
    return Finding(Level.WARN, sentence, next_step)


def fail(sentence: str, next_step: str = "") -> Finding:
    return Finding(Level.FAIL, sentence, next_step)


def failed(failure: OstiaryError) -> Finding:
    return Finding(Level.FAIL, failure.sentence, failure.next_step)


class ExaminedProviders(IdentityProviders, Protocol):
    def apart(self) -> Self:
        """Others that know nothing yet, and ask anew."""
        ...

    def clock_difference_s(self, issuer: Issuer) -> float | None:
        """By how much the provider's clock is ahead of ours, once it was asked."""
        ...

    async def check_secret(self, issuer: OidcIssuer) -> None:
        """Raises `OperatorError` when the client secret cannot be had."""
        ...


def clock_findings(difference_s: float | None) -> Iterator[Finding]:
    if difference_s is None:
        return
    seconds = abs(difference_s)
    if seconds <= CLOCK_WARN_S:
        yield ok("Its clock and this machine's agree.")
        return
    direction = "ahead of" if difference_s > 0 else "behind"
    yield Finding(
        Level.FAIL if seconds > CLOCK_FAIL_S else Level.WARN,
        f"Its clock is {seconds:,.0f} seconds {direction} this machine's; tokens are refused beyond {CLOCK_WARN_S:g}.",
        "Let this machine's clock be set by NTP.",
    )


def key_findings(book: KeyBook, algorithms: tuple[str, ...]) -> Iterator[Finding]:
    """Whether tokens of one of the allowed algorithms can be verified."""
    usable = [key for key in book.keys if not key.algorithms.isdisjoint(algorithms)]
    left_out = f" Left out: {'; '.join(book.ignored[:5])}." if book.ignored else ""
    if usable:
        count = f"{len(usable)} keys" if len(usable) > 1 else "a key"
        yield ok(f"Its key set has {count} for {' or '.join(algorithms)}.{left_out}")
    else:
        yield fail(
            f"Its key set has no key for {' or '.join(algorithms)}.{left_out}",
            "Set `algorithms` to what the provider signs with, or let it sign with one of these.",
        )
