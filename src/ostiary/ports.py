"""What the rules and the gateway need from outside, as small Protocols. `app.py` decides who answers them."""

from asyncio import Future, StreamReader, StreamWriter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ostiary.masking.placeholders import Placeholders
from ostiary.model.actor import Actor
from ostiary.model.approval import Approval
from ostiary.model.connection import Upstream
from ostiary.model.finding import RemoteSpan
from ostiary.model.secret import Secret

REQUEST = 0
"""Frame direction: from the tool to the upstream."""
RESPONSE = 1
"""Frame direction: from the upstream to the tool, as the tool received it."""
HEAD = 2
"""Added to a direction: this frame is a message head, not body bytes."""

Frame = tuple[int, int, bytes]
"""(microseconds since the exchange began, direction, bytes)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an entry is durable. `index` is its position in the audit log, counted from 0."""

    index: int


class Chronicle(Protocol):
    """The audit log and the recordings, written by threads of their own. Methods are called on the event loop."""

    def intend(self, entry: dict[str, Any]) -> "Future[Receipt]":
        """Resolves when the entry is on disk; raises `StorageUnavailableError` when it cannot be."""
        ...

    def note(self, entry: dict[str, Any]) -> None:
        """Queue an entry nobody waits for. Never lost while the process lives; durable with the next group."""
        ...

    def record(self, exchange: str, frames: Sequence[Frame]) -> None:
        """Seal frames of a running exchange, in order. Used for long exchanges; short ones only `conclude`."""
        ...

    def conclude(self, exchange: str, frames: Sequence[Frame], outcome: dict[str, Any]) -> None:
        """Seal the last frames, add the recording's root hash to `outcome` and append it as an entry."""
        ...

    @property
    def backlog_bytes(self) -> int:
        """Frame bytes accepted and not yet written: above `recording_queue_bytes` streams must pause."""
        ...

    @property
    def healthy(self) -> bool:
        """False from the first failed write until one succeeds again (tried every second)."""
        ...

    def on_health(self, callback: Callable[[bool], None]) -> None:
        """Call back on the event loop when `healthy` changes."""
        ...


@dataclass(frozen=True, slots=True)
class OpenedSecret:
    """`current` is injected; `masked` holds it and those still in their grace period."""

    current: Secret
    masked: tuple[Secret, ...]


class SecretKeeper(Protocol):
    """Secrets by name, cached for a bounded time."""

    def peek(self, name: str) -> OpenedSecret | None:
        """What is cached and fresh, without waiting."""
        ...

    async def open(self, name: str) -> OpenedSecret:
        """Fetch through the secret's provider. Raises `SecretUnavailableError`."""
        ...


class TokenBook(Protocol):
    """Gateway tokens by the SHA-256 of their text."""

    def find(self, token_hash: bytes) -> Actor | None:
        """The actor of a token that was issued and not revoked; expiry is the caller's to judge."""
        ...

    def again(self, actor: Actor) -> Actor | None:
        """The same actor as they are now, with the groups they have now; None when the token is revoked or the person
        may no longer come in. Expiry does not count: it ends no exchange that runs."""
        ...

    def used(self, token_id: str, at: float, network: str) -> None:
        """Remember the last use; may be written late."""
        ...


class ForeignTokens(Protocol):
    """Tokens that trusted issuers signed (JWT), taken on the gateway as they are."""

    def find(self, token: bytes, now: float) -> Actor | None:
        """Whose it is; None for nobody's, whatever is wrong with it. Raises `KeysWantedError` when its issuer's keys
        must be fetched before that can be said, and `NobodyYetError`."""
        ...

    async def learn(self, token: bytes) -> None:
        """Fetch them, as often as is allowed; nothing is said of how it went: `find` again."""
        ...

    def again(self, actor: Actor) -> Actor | None:
        """As `TokenBook.again`."""
        ...


class PlaceholderBook(Protocol):
    """The placeholders of each actor and session. They are forgotten when the session is over."""

    def peek(self, actor_key: str, session: str) -> Placeholders | None:
        """The mapping if it is in memory. None does not say that there is none."""
        ...

    async def open(self, actor_key: str, session: str) -> Placeholders:
        """The mapping, an empty one where there is none; the same object for all who use it at the same time.
        Raises `IntegrityError` when what was stored is not what was written, and `StorageUnavailableError`."""
        ...

    async def keep(self, actor_key: str, session: str, placeholders: Placeholders) -> None:
        """Returns when all values there are now are durable: text with a new placeholder is passed on only after it.
        Cheap when nothing changed. Raises `StorageUnavailableError`."""
        ...

    async def drop_expired(self) -> None:
        """Forget what was not used for too long. Called now and then. Raises `StorageUnavailableError`."""
        ...


class RemoteDetector(Protocol):
    """A service that finds what no pattern can."""

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> frozenset[str]:
        """What it finds, by the names that masking rules use."""
        ...

    async def analyze(self, texts: Sequence[bytes]) -> list[list[RemoteSpan]]:
        """The spans of each text, within its bounds. Raises `DetectorFailedError`."""
        ...


class Dialler(Protocol):
    """Opens connections of our own: the resolved address is judged and dialled, certificates are verified, and proxies
    in our environment are not used."""

    async def __call__(
        self, to: Upstream, *, allow_private: bool, ca_file: str | None
    ) -> tuple[StreamReader, StreamWriter]:
        """Raises `OperatorError`."""
        ...


class ApprovalDesk(Protocol):
    """Where a request waits for a person. Decisions are durable before they take effect."""

    async def ask(self, approval: Approval) -> Approval:
        """Open an approval, or return the open or granted one of the same fingerprint and actor.
        Raises `RefusedError` when the actor has too many open ones."""
        ...

    async def wait(self, approval_id: str, timeout_s: float) -> Approval:
        """The approval as soon as it is decided, or as it stands after `timeout_s`."""
        ...

    async def use(self, approval_id: str) -> bool:
        """Spend the grant. True exactly once for a grant that is neither used, expired nor revoked."""
        ...

    async def leave(self, approval_id: str) -> None:
        """The waiting client went away: a grant given from now on is used only by the same request sent again."""
        ...

    async def retract(self, approval_id: str) -> None:
        """The waiting client lost its access: close it, unless another client waits for it too."""
        ...
