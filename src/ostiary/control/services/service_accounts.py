"""Service accounts, and the keys that open the gateway for them."""

from collections.abc import Sequence

from ostiary.control.caller import Caller
from ostiary.control.services.tokens import NewToken
from ostiary.model.person import ServiceAccount
from ostiary.model.token import TokenRecord


class ServiceAccountService:
    async def list(self, caller: Caller) -> list[ServiceAccount]:
        """By name."""
        raise NotImplementedError

    async def create(
        self,
        caller: Caller,
        *,
        name: str,
        groups: Sequence[str] = (),
        connections: Sequence[str] | None = None,
        description: str = "",
    ) -> ServiceAccount:
        """Raises `CallerError` for a name that is taken."""
        raise NotImplementedError

    async def disable(self, caller: Caller, name: str) -> ServiceAccount:
        """All its keys end now, for good. Raises `NotFoundError`."""
        raise NotImplementedError

    async def enable(self, caller: Caller, name: str) -> ServiceAccount:
        """It can have keys again. Raises `NotFoundError`."""
        raise NotImplementedError

    async def keys(self, caller: Caller, name: str) -> Sequence[TokenRecord]:
        raise NotImplementedError

    async def make_key(
        self, caller: Caller, name: str, *, ttl_s: float | None = None, certificate: str | None = None
    ) -> NewToken:
        """Raises `NotFoundError`, and `CallerError` where the account is disabled."""
        raise NotImplementedError

    async def revoke_key(self, caller: Caller, name: str, key_id: str) -> None:
        """Raises `NotFoundError` for a key of another account too."""
        raise NotImplementedError
