"""A gateway token as it is listed; the token itself is nowhere."""

from dataclasses import dataclass

from ostiary.model.actor import Actor


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """Times are seconds since the epoch; `network` is where it was last used from."""

    actor: Actor
    created_at: float
    created_by: str
    revoked_at: float | None = None
    last_used_at: float | None = None
    network: str | None = None

    @property
    def id(self) -> str:
        return self.actor.token_id
