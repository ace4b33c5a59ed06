"""Sessions at identity providers that are over: what the provider made in one until then opens nothing here."""

from ostiary.control.identity_ports import OneTime
from ostiary.control.services.handles import handle_hash

KEPT_S = 86_400.0
"""Longer than ID tokens live."""

_PURPOSE = "ended-session"


class EndedSessions:
    """`session` is the provider's `sid`. Methods may touch the disk."""

    def __init__(self, one_time: OneTime) -> None:
        self._one_time = one_time

    def end(self, issuer: str, session: str, at: float, now: float) -> None:
        """Tokens of the session that were made `at` this moment or before are over. The session itself may go on."""
        name, document = _hash(issuer, session), {"at": at}
        if self._one_time.put(_PURPOSE, name, document, now + KEPT_S):
            return
        if not self._one_time.replace(_PURPOSE, name, document, now):
            self._one_time.drop_expired(now)
            self._one_time.put(_PURPOSE, name, document, now + KEPT_S)

    def is_over(self, issuer: str, session: str, issued_at: float, now: float) -> bool:
        ended = self._one_time.peek(_PURPOSE, _hash(issuer, session), now)
        return ended is not None and issued_at <= float(ended["at"])


def _hash(issuer: str, session: str) -> bytes:
    return handle_hash(f"{issuer} {session}")
