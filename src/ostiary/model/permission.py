"""What somebody may do in the console, over the API and with the command line. What tools may send, rules say."""

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    STATUS_READ = "status.read"
    CONFIGURATION_READ = "configuration.read"
    CONFIGURATION_APPLY = "configuration.apply"
    """What decides over people or over where secrets and texts go takes one of the next two as well."""
    IDENTITY_APPLY = "identity.apply"
    """Issuers, groups, roles, their assignments, SCIM: whoever may change them may become anybody."""
    DESTINATIONS_APPLY = "destinations.apply"
    """A new place that a secret, or what people write, is sent to."""
    SECRETS_READ = "secrets.read"
    """Names, places and versions; there is no permission to read a value."""
    SECRETS_SET = "secrets.set"
    TOKENS_READ = "tokens.read"
    TOKENS_CREATE = "tokens.create"
    """For anybody; everybody makes tokens for themselves by signing in."""
    TOKENS_REVOKE = "tokens.revoke"
    SESSIONS_READ = "sessions.read"
    RECORDINGS_READ = "recordings.read"
    AUDIT_READ = "audit.read"
    APPROVALS_READ = "approvals.read"
    APPROVALS_DECIDE = "approvals.decide"
    PEOPLE_READ = "people.read"
    PEOPLE_MANAGE = "people.manage"
    """Deactivate people, end their sign-ins, make service accounts and their keys."""


STEP_UP = frozenset(
    {
        Permission.CONFIGURATION_APPLY,
        Permission.IDENTITY_APPLY,
        Permission.DESTINATIONS_APPLY,
        Permission.SECRETS_SET,
        Permission.TOKENS_CREATE,
        Permission.RECORDINGS_READ,
        Permission.APPROVALS_DECIDE,
        Permission.PEOPLE_MANAGE,
    }
)
"""What takes a recent sign-in, not only a valid one."""

OWN = frozenset({Permission.STATUS_READ})
"""What everybody who is signed in may do; with it come their own exchanges, approvals, tokens and sign-ins."""

_READS = frozenset(permission for permission in Permission if permission.value.endswith(".read"))

BUILT_IN_ROLES: dict[str, frozenset[Permission]] = {
    "owner": frozenset(Permission),
    "admin": frozenset(Permission)
    - {
        Permission.RECORDINGS_READ,
        Permission.APPROVALS_DECIDE,
        Permission.IDENTITY_APPLY,
        Permission.DESTINATIONS_APPLY,
    },
    "approver": OWN | {Permission.APPROVALS_READ, Permission.APPROVALS_DECIDE, Permission.CONFIGURATION_READ},
    "auditor": OWN | _READS,
    "member": OWN,
}
"""An admin runs the installation; that does not include seeing what people wrote, agreeing to it, deciding who may, or
sending secrets elsewhere."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the installation's own. Its name is none of the built-in ones."""

    name: str
    permissions: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who has a role: people by name, and everybody in a group."""

    role: str
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """A role is assigned in one place."""
        return self.role
