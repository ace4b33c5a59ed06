"""Who calls a use-case, and what they may do."""

import pwd
from dataclasses import dataclass

from ostiary.model.actor import ActorKind
from ostiary.model.errors import RefusedError
from ostiary.model.permission import STEP_UP, Permission
from ostiary.model.person import name_key

__all__ = ["Caller", "Permission", "StepUpRequiredError", "local_owner"]


class StepUpRequiredError(RefusedError):
    """Permitted, but the sign-in is too long ago."""

    code = "step_up_required"


@dataclass(frozen=True, slots=True)
class Caller:
    """`label` goes on record; `names` are those that tokens made by hand may call them, `aliases` are all that may be
    theirs: enough to refuse them something, not enough to show them anything. `known_since` is when they became known
    here: what happened before under their name was somebody else's.

    `is_fresh`: they proved a moment ago who they are. `user_id` and `sign_in` are None for the local owner, who needs
    neither; `groups` are those a token may be made with by its own person.
    """

    label: str
    permissions: frozenset[Permission]
    names: frozenset[str] = frozenset()
    aliases: frozenset[str] = frozenset()
    known_since: float = 0.0
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

    @property
    def all_names(self) -> frozenset[str]:
        return self.names | self.aliases

    def is_own(self, kind: str, name: str, user_id: str | None, at: float) -> bool:
        """Whether what this actor did `at` a time is the caller's own. A person is known by id, a token made by hand by
        its name only. A service account of the same name is somebody else."""
        if user_id is not None:
            return user_id == self.user_id
        return kind != ActorKind.SERVICE and at >= self.known_since and name_key(name) in map(name_key, self.names)

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
