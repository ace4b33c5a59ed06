"""What stages 1 to 5 said of a head, kept for the next request with the same one.

Tools repeat themselves: but for Content-Length most heads of a tool are equal. A verdict is dropped when the
configuration changes, a token is revoked or an issuer's keys change, and is not used after its token expired or has to
be looked at again.
"""

from dataclasses import dataclass, field

from ostiary.gateway.route import Armed, Route, Snapshot
from ostiary.gateway.state import Entry
from ostiary.model.actor import Actor
from ostiary.model.decision import Decision
from ostiary.model.operation import Operation
from ostiary.protocols.heads import RequestHead
from ostiary.protocols.targets import Target

_REMEMBERED = 4096
_REMEMBERED_HEAD_BYTES = 4096


@dataclass(slots=True)
class Judged:
    """`entry` has the parts of the intent entry that are the same every time. `forwarded` and `recorded` are the head
    as it goes upstream up to framing and secret, made for `armed`."""

    head: RequestHead
    snapshot: Snapshot
    target: Target
    actor: Actor
    route: Route
    operation: Operation
    decision: Decision
    tool_session: str | None
    entry: Entry | None = None
    armed: Armed | None = None
    forwarded: bytes = b""
    recorded: bytes = field(default=b"")


class Verdicts:
    """Verdicts by the head's bytes without Content-Length; forgets everything when full."""

    def __init__(self) -> None:
        self._known: dict[bytes, Judged] = {}

    def recall(self, key: bytes, snapshot: Snapshot, now: float) -> Judged | None:
        """`now` is seconds since the epoch."""
        judged = self._known.get(key)
        if judged is None or judged.snapshot is not snapshot:
            return None
        return judged if judged.actor.expires_at > now and judged.actor.sure_until > now else None

    def remember(self, key: bytes, judged: Judged) -> None:
        if len(key) <= _REMEMBERED_HEAD_BYTES:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = judged

    def forget(self) -> None:
        self._known.clear()
