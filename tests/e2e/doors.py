"""How tests reach an upstream, and what is said there."""

from dataclasses import dataclass

from tap import Tap

HAIKU = "Doors open for those who are known, and every visit is written down before it begins."
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
