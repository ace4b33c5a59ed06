"""Sign-ins, refused ones and ended ones as audit entries. A flood of refusals is counted, not written out."""

from collections.abc import Mapping

from ostiary.control.caller import Caller
from ostiary.control.services.admin_log import AdminLog
from ostiary.control.services.reference import REFERENCE
from ostiary.model.person import User

REFUSALS_A_MINUTE = 10
"""Entries per reason; how many there were beyond is told by the first one of a later minute."""

NOBODY = Caller("nobody signed in", frozenset())


class SignInLog:
    def __init__(self, log: AdminLog) -> None:
        self._log = log
        self._refusals: dict[str, tuple[float, int]] = {}

    def now(self) -> float:
        return self._log.now()

    def signed_in(self, user: User, issuer: str | None, kind: str, network: str, groups_missing: str = "") -> None:
        """`kind` is `console` or `tool`; `issuer` None is the local owner. `groups_missing` as in `Profile`."""
        detail = {"user": user.name, "issuer": issuer, "kind": kind, "network": network}
        if groups_missing:
            detail["groups_missing"] = groups_missing
        self._log.write("admin.sign-in", _by(user.name), detail)

    def refused(self, issuer: str | None, reason: str, network: str) -> None:
        """`reason` is one word of our own, never anything that was presented."""
        minute = self._log.now() // 60
        began, written = self._refusals.get(reason, (minute, 0))
        unwritten = 0
        if began != minute:
            unwritten = max(0, written - REFUSALS_A_MINUTE)
            written = 0
        self._refusals[reason] = (minute, written + 1)
        if written >= REFUSALS_A_MINUTE:
            return
        detail: dict[str, object] = {"issuer": issuer, "reason": reason, "network": network}
        if REFERENCE.get():
            detail["reference"] = REFERENCE.get()
        if unwritten:
            detail["unwritten"] = unwritten
        self._log.write("admin.sign-in.refused", NOBODY, detail)

    def ended(self, user: str, why: str) -> None:
        self._log.write("admin.sign-in.ended", _by(user), {"user": user, "why": why})

    def write(self, entry_type: str, caller: Caller, detail: Mapping[str, object]) -> None:
        self._log.write(entry_type, caller, detail)

    def changed(self, entry_type: str, user: User, detail: dict[str, object]) -> None:
        """What signing in changed about a person; `by` them."""
        self._log.write(entry_type, _by(user.name), {"user": user.name, **detail})


def _by(name: str) -> Caller:
    return Caller(name, frozenset())
