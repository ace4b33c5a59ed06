"""What masking saw; never the value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`place` is `header`, `body` or a text channel's name; `length` counts the masked bytes, `count` how often."""

    detector: str
    place: str
    length: int
    count: int = 1
