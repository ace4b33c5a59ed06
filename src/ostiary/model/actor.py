"""Who asks."""

import math
from collections.abc import Hashable
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
    `expires_at` is seconds since the epoch. `user_id` is the signed-in person's, None where a token was made by hand or
    by an issuer. `bound_to` is what the sender must prove to hold: `jkt:` and the thumbprint of a DPoP key (RFC 9449),
    or `x5t:` and that of a client certificate (RFC 8705).

    `issuer` is the name of the issuer that signed the token, None for one made here. Of a foreign one, `let_in_by` is
    what of the configuration has it taken, equal as long as that stands; `issued_at` is when a person's was made, 0
    where it does not say. After `sure_until` the token has to be looked at again.
    """

    kind: ActorKind
    name: str
    groups: frozenset[str]
    token_id: str
    expires_at: float
    agent: str | None = None
    connections: frozenset[str] | None = None
    user_id: str | None = None
    bound_to: str | None = None
    issuer: str | None = None
    let_in_by: Hashable = None
    issued_at: float = 0.0
    sure_until: float = math.inf

    @property
    def is_foreign(self) -> bool:
        """Whether the token is another issuer's (a JWT), and not one that was made here."""
        return self.issuer is not None

    @property
    def standing(self) -> tuple[str, str, frozenset[str]]:
        """What may be remembered of this token under: the same token has other groups and another name tomorrow."""
        return self.token_id, self.name, self.groups

    @property
    def key(self) -> str:
        """Tells this actor from every other, whatever tokens they hold."""
        return f"{self.kind.value}:{self.name}:{self.agent or ''}"
