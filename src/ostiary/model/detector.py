"""A service beside Ostiary that finds what no pattern can: names, places."""

from dataclasses import dataclass

from ostiary.model.connection import Upstream


@dataclass(frozen=True, slots=True)
class DetectorService:
    """Microsoft Presidio's analyzer at `endpoint`.

    `entities` are pairs of what it calls an entity and what masking rules call it (`PERSON`, `person-name`). What it is
    less sure of than `min_score` (0 to 1) is left alone. One body waits for it at most `timeout_s`. `allow_private`,
    `allow_plaintext` and `ca_file` are those of a `Connection`.
    """

    name: str
    endpoint: Upstream
    language: str
    entities: tuple[tuple[str, str], ...]
    min_score: float
    timeout_s: float
    allow_private: bool = False
    allow_plaintext: bool = False
    ca_file: str | None = None

    @property
    def labels(self) -> frozenset[str]:
        """What rules may name."""
        return frozenset(label for _, label in self.entities)
