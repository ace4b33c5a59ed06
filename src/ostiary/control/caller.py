"""Who calls a use-case, and what they may do."""

import pwd
from dataclasses import dataclass

from ostiary.model.actor import ActorKind
from ostiary.model.errors import RefusedError
from ostiary.model.permission import STEP_UP, Permission

__all__ = ["Caller", "Permission", "StepUpRequiredError", "local_owner"]


class StepUpRequiredError(RefusedError):
    """Permitted, but the sign-in is too long ago."""

    code = "step_up_required"


@dataclass(frozen=True, slots=True)
class Caller:
    """`label` goes on record; `names` are those under which the caller may also have asked for approvals.

    `is_fresh`: they proved a moment ago who they are. `user_id` and `sign_in` are None for the local owner, who needs
    neither; `groups` are those a token may be made with by its own person.
    """

    label: str
    permissions: frozenset[Permission]
    names: frozenset[str] = frozenset()
    is_fresh: bool = True
    user_id: str | None = None
    sign_in: str | None = None
    groups: frozenset[str] = frozenset()

    def require(self, permission: Permission) -> None:
        """Raises `RefusedError` without the permission, `StepUpRequiredError` where a recent sign-in is missing."""
        if permission not in self.permissions:
            raise RefusedError(f"This needs the permission '{permission}'.", "Ask an owner of this installation.")
        if permission in STEP_UP:
            self.require_fresh()

    def require_fresh(self) -> None:
        """Raises `StepUpRequiredError` where the sign-in is too long ago."""
        if not self.is_fresh:
            raise StepUpRequiredError(
                "This needs a sign-in within the last few minutes.",
                "Sign in again in the console, or with `ostiary login`, and repeat it.",
            )

    def is_own(self, kind: str, name: str) -> bool:
        """Whether what this actor did is the caller's own. A service account of the same name is not."""
        return kind != ActorKind.SERVICE and name.lower() in {own.lower() for own in self.names}

    def may(self, permission: Permission) -> bool:
        """For what is shown in part to some: their own, or everybody's."""
        return permission in self.permissions


def local_owner(uid: int) -> Caller:
    """Whoever reaches HOME/admin.sock: the user who runs the server, or root."""
    try:
        names = frozenset({pwd.getpwuid(uid).pw_name})
    except KeyError:
        names = frozenset()
    return Caller(f"local owner (uid {uid})", frozenset(Permission), names)
