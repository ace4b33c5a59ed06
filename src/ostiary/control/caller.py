"""Who calls a use-case, and what they may do."""

import pwd
from dataclasses import dataclass
from enum import StrEnum

from ostiary.model.errors import RefusedError


class Permission(StrEnum):
    STATUS_READ = "status.read"
    CONFIGURATION_READ = "configuration.read"
    CONFIGURATION_APPLY = "configuration.apply"
    SECRETS_READ = "secrets.read"
    """Names, places and versions; there is no permission to read a value."""
    SECRETS_SET = "secrets.set"
    TOKENS_READ = "tokens.read"
    TOKENS_CREATE = "tokens.create"
    TOKENS_REVOKE = "tokens.revoke"
    SESSIONS_READ = "sessions.read"
    RECORDINGS_READ = "recordings.read"
    AUDIT_READ = "audit.read"
    APPROVALS_READ = "approvals.read"
    APPROVALS_DECIDE = "approvals.decide"


@dataclass(frozen=True, slots=True)
class Caller:
    """`label` goes on record; `names` are those under which the caller may also have asked for approvals."""

    label: str
    permissions: frozenset[Permission]
    names: frozenset[str] = frozenset()

    def require(self, permission: Permission) -> None:
        """Raises `RefusedError` without the permission."""
        if permission not in self.permissions:
            raise RefusedError(f"This needs the permission '{permission}'.", "Ask an owner of this installation.")


def local_owner(uid: int) -> Caller:
    """Whoever reaches HOME/admin.sock: the user who runs the server, or root."""
    try:
        names = frozenset({pwd.getpwuid(uid).pw_name})
    except KeyError:
        names = frozenset()
    return Caller(f"local owner (uid {uid})", frozenset(Permission), names)
