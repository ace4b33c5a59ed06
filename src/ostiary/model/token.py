"""A gateway token as it is listed; the token itself is nowhere."""

from dataclasses import dataclass
from enum import StrEnum

from ostiary.model.actor import Actor


class TokenScope(StrEnum):
    """What a token opens; each opens one thing only, so that what a tool holds decides nothing."""

    GATEWAY = "gateway"
    API = "api"
    SCIM = "scim"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """Times are seconds since the epoch; `network` is where it was last used from. `sign_in` is the id of the sign-in
    it lives and ends with."""

    actor: Actor
    created_at: float
    created_by: str
    revoked_at: float | None = None
    last_used_at: float | None = None
    network: str | None = None
    scope: TokenScope = TokenScope.GATEWAY
    sign_in: str | None = None

    @property
    def id(self) -> str:
        return self.actor.token_id
