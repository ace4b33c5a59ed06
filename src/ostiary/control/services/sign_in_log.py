"""Sign-ins, refused ones and ended ones as audit entries. A flood of refusals is counted, not written out."""

from ostiary.control.services.admin_log import AdminLog
from ostiary.model.person import User

REFUSALS_A_MINUTE = 10
"""Entries per reason; of more their number is told in the first one of a later minute."""


class SignInLog:
    def __init__(self, log: AdminLog) -> None:
        self._log = log

    def now(self) -> float:
        return self._log.now()

    def signed_in(self, user: User, issuer: str | None, kind: str, network: str) -> None:
        """`kind` is `console` or `tool`; `issuer` None is the local owner."""
        raise NotImplementedError

    def refused(self, issuer: str | None, reason: str, network: str) -> None:
        """`reason` is one word of our own, never anything that was presented."""
        raise NotImplementedError

    def ended(self, user: str, why: str) -> None:
        raise NotImplementedError
