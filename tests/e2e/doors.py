"""How tests reach an upstream, and what is said there."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tap import Tap

HAIKU = "Doors open for those who are known, and every visit is written down before it begins."
HELD_BACK_CHARACTERS = 3
"""So much at the end of a delta may look like the beginning of a key; it follows in the next one."""


def each_arrives_before_the_next(arrivals: Sequence[tuple[str, float]], sent: Sequence[tuple[str, float]]) -> None:
    """Before a delta is sent, the client has what came before, but for a few characters at its end."""
    total = 0
    for (text, _), (_, later) in pairwise(sent):
        total += len(text)
        arrived = sum(len(text) for text, at in arrivals if at < later)
        assert total - HELD_BACK_CHARACTERS <= arrived <= total


SLOW_WORDS = ["first|", "second|", "third|", "fourth|", "fifth|", "sixth|"]


@dataclass(frozen=True, slots=True)
class Door:
    """A base URL and a key point a client at an upstream, nothing else. `back` is the upstream's own wire."""

    url: str
    key: str
    back: Tap


@dataclass(frozen=True, slots=True)
class Wires:
    """The taps right before each upstream."""

    openai: Tap
    anthropic: Tap
    cursor: Tap

    def all(self) -> tuple[Tap, ...]:
        return (self.openai, self.anthropic, self.cursor)


def say(text: str) -> list[dict[str, str]]:
    """One message of a user, in the words of both OpenAI and Anthropic."""
    return [{"role": "user", "content": text}]
