"""What masking saw; never the value."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Finding:
    """`place` is `header`, `body` or a text channel's name; `length` counts the bytes found, `count` how often.

    `rule` names the masking rule that was followed (empty for the injected secret), `format` what exactly the
    detector recognised (`github-token`), `action` what was done.
    """

    detector: str
    place: str
    length: int
    count: int = 1
    rule: str = ""
    format: str = ""
    action: str = "replace"


class RemoteSpan(NamedTuple):
    """What a remote detector found in a text: bytes from `start` to `end`, the detector's name that masking rules use,
    and how sure it is (0 to 1)."""

    start: int
    end: int
    label: str
    score: float
