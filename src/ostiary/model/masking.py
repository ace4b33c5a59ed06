"""What a masking rule says."""

from dataclasses import dataclass, field
from enum import StrEnum

from ostiary.model.rule import Who


class Where(StrEnum):
    REQUEST = "request"
    RESPONSE = "response"
    RECORDING = "recording"


class Action(StrEnum):
    """What happens to what was found, the strictest first."""

    BLOCK = "block"
    SEAL = "seal"
    REPLACE = "replace"
    PLACEHOLDER = "placeholder"
    HASH = "hash"
    PARTIAL = "partial"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Exemption:
    """What a masking rule leaves alone, why, and until when (seconds since the epoch; None means for good).

    All that is given must hold: `matching` is a pattern for the whole of what was found, `who` the actors and `on`
    the connections it is meant for.
    """

    reason: str
    expires_at: float | None = None
    matching: str | None = None
    who: Who = field(default_factory=Who)
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MaskingRule:
    """Exactly one of `detectors`, `pattern`, `words` and `fields` is given.

    `detectors` are names of built-in detectors, `pattern` is a regular expression in linear-time syntax, `words` are
    literal texts, `fields` JSON pointers (`/user/ssn`, `*` for any key or element) or bare key names. `on` holds
    connection names or globs; empty means every connection that does not list its masking itself. `ignore_case` is
    for `pattern` and `words`. `archives` blocks answers whose content is an archive that masking cannot rewrite.
    """

    name: str
    where: frozenset[Where]
    action: Action = Action.REPLACE
    detectors: tuple[str, ...] = ()
    pattern: str | None = None
    words: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    ignore_case: bool = False
    on: tuple[str, ...] = ()
    who: Who = field(default_factory=Who)
    exemptions: tuple[Exemption, ...] = ()
    archives: bool = False
