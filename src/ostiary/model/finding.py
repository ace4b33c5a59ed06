"""What masking saw; never the value."""

from dataclasses import dataclass


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
