"""What the use-cases need from outside. `app.py` decides who answers.

Methods that are not `async` may touch the disk; the services call them in worker threads, one exception said.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from ostiary.model.actor import ActorKind
from ostiary.model.approval import Approval, ApprovalState
from ostiary.model.configuration import ConfigurationVersion, SecretVersion
from ostiary.model.session import Session
from ostiary.model.token import TokenRecord, TokenScope
from ostiary.ports import Frame

Note = Callable[[dict[str, Any]], None]
"""Queues an audit entry; called on the event loop."""

Changed = Callable[[], Awaitable[None]]
"""Makes what is stored now the configuration in force. Raises when it cannot; then the old one stays in force."""

SealSecret = Callable[[str, int, bytes], bytes]
"""(name, version, value) → sealed bytes for the store."""

Status = Callable[[], Mapping[str, Any]]
"""`{"ready": bool, "parts": {name: "ok" or a sentence}, …}`; answers at once."""

Revoked = Callable[[str], None]
"""A token id that must stop working now, in caches and in running exchanges; called on the event loop."""


class ConfigurationStore(Protocol):
    def current(self) -> ConfigurationVersion | None: ...

    def add(self, yaml: str, applied_at: float, applied_by: str, filename: str) -> int: ...

    def take_back(self, version: int) -> None: ...


class SecretStore(Protocol):
    def versions(self) -> list[SecretVersion]: ...

    def put_sealed_secret(self, name: str, version: int, sealed: bytes, at: float) -> None: ...


class TokenStore(Protocol):
    """Reads take microseconds and may be made on the event loop."""

    def add(self, token_hash: bytes, record: TokenRecord) -> None: ...

    def newest(self, limit: int, now: float | None = None) -> list[TokenRecord]:
        """With `now`, without those of sign-ins that expired by themselves: there is a new one every few minutes."""
        ...

    def of_actor(
        self, user_id: str | None, names: frozenset[str], limit: int, now: float | None = None
    ) -> list[TokenRecord]:
        """The newest of a person and their agents: made for this user, or by hand for one of these names."""
        ...

    def of_service(self, name: str, limit: int) -> list[TokenRecord]: ...

    def count_live(self, user_id: str, now: float) -> int:
        """How many tokens of this user and their agents are valid."""
        ...

    def live_of(self, kind: ActorKind, name: str, agent: str | None, now: float) -> bool:
        """Whether this very actor can still ask for something."""
        ...

    def get(self, token_id: str) -> TokenRecord | None: ...

    def of_hash(self, token_hash: bytes) -> TokenRecord | None:
        """Whatever it opens, revoked or not."""
        ...

    def live(self, token_hash: bytes, scope: TokenScope, now: float) -> TokenRecord | None:
        """One of exactly this scope that is neither revoked nor expired; the same time for none of any kind."""
        ...

    def used(self, token_id: str, at: float, network: str) -> None: ...

    def revoke(self, token_id: str, at: float) -> bool: ...

    def flush(self) -> None: ...

    def drop_old(self, before: float) -> None:
        """Forget tokens of sign-ins that expired before this."""
        ...


class DecisionDesk(Protocol):
    """The approvers' side of the desk. What is not `async` is quick enough for the event loop."""

    async def decide(
        self, approval_id: str, approve: bool, by: str, reason: str | None, own_names: frozenset[str]
    ) -> Approval: ...

    async def withdraw(self, kind: ActorKind, actor: str, agent: str | None) -> None: ...

    async def sweep(self) -> None: ...

    def get(self, approval_id: str) -> Approval: ...

    def newest(self, state: ApprovalState | None, limit: int) -> list[Approval]: ...

    def clients_waiting(self, approval_id: str) -> int: ...


class History(Protocol):
    """Sessions and exchanges, read from the audit log's index."""

    def sessions(self, limit: int, actor: str | None, connection: str | None) -> Sequence[Session]:
        """The newest first."""
        ...

    def session(self, session_id: str) -> Session | None: ...

    def exchanges(self, session_id: str) -> Sequence[Mapping[str, Any]]:
        """The oldest first; what the intent entry says and, once there is one, what the outcome entry says."""
        ...

    def exchange(self, exchange_id: str) -> Mapping[str, Any] | None: ...

    def frames(self, exchange_id: str) -> Sequence[Frame] | None:
        """The opened recording, or None when there is none. Raises `IntegrityError`."""
        ...


class AuditLog(Protocol):
    def entries(self, after: int, limit: int) -> Sequence[tuple[int, Mapping[str, Any]]]:
        """(index, entry) with an index above `after`, in order."""
        ...

    def checkpoint(self) -> Mapping[str, Any]:
        """`{"size", "root", "note"}`: the signed head; `size` counts every durable entry."""
        ...

    def verify(self) -> Mapping[str, Any]:
        """`{"whole": bool, "sentence", "index", "entries", …}`; takes as long as the log is."""
        ...

    async def wait_beyond(self, after: int, timeout_s: float) -> None:
        """Returns when an entry with an index above `after` is durable, or after `timeout_s`."""
        ...
