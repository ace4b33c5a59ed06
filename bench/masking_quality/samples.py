"""What the finders are tried on, and what they say."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Span(NamedTuple):
    """The characters from `start` to `end` of a text."""

    start: int
    end: int
    label: str
    """The detector, plugin or entity."""
    format: str = ""


class Planted(NamedTuple):
    """What must be found in a text."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Sample:
    """`covered` says whether the finder of the gateway claims to know what is planted."""

    source: str
    text: str
    planted: tuple[Planted, ...]
    covered: bool = True
    path: str = ""
    tags: tuple[str, ...] = field(default=())


MASKED_SHARE_MIN = 0.5
"""Of what is planted so much must be masked: the half that tells nothing, such as the host of a webhook, may stay."""


def masked_share(planted: Planted, spans: list[Span]) -> float:
    """How much of it is in one of the spans."""
    covered: set[int] = set()
    for span in spans:
        covered.update(range(max(span.start, planted.start), min(span.end, planted.end)))
    return len(covered) / (planted.end - planted.start)


def is_touched(planted: Planted, spans: list[Span]) -> bool:
    return any(span.start < planted.end and planted.start < span.end for span in spans)


def planted_in(text: str, values: list[str], kind: str) -> tuple[Planted, ...]:
    """Each value where it first stands."""
    places = [(text.find(value), value) for value in dict.fromkeys(values) if value]
    return tuple(Planted(at, at + len(value), kind) for at, value in places if at >= 0)
