"""Who asks."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    USER = "user"
    SERVICE = "service"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a service account, or a person's agent (then `name` is the person and `agent` the tool instance).

    `connections` names the only connections the token may use; `None` leaves that to the rules.
    `expires_at` is seconds since the epoch.
    """

    kind: ActorKind
    name: str
    groups: frozenset[str]
    token_id: str
    expires_at: float
    agent: str | None = None
    connections: frozenset[str] | None = None

    @property
    def key(self) -> str:
        """Tells this actor from every other, whatever tokens they hold."""
        return f"{self.kind.value}:{self.name}:{self.agent or ''}"
