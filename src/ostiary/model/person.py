"""People, their sign-ins, and service accounts."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


def name_key(name: str) -> str:
    """The same for names that differ only in case or in how Unicode writes them (`É` in one character or two, letters
    of full width): two people, or two groups, never have the same."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded)


class Origin(StrEnum):
    SIGN_IN = "sign-in"
    SCIM = "scim"
    LOCAL = "local"
    """The owner of the first start; no identity provider knows them."""


@dataclass(frozen=True, slots=True)
class User:
    """A person. `name` is what rules and the audit log call them, unique by `name_key`. At an identity provider
    they are (`issuer`, `subject`), nothing else; both are None until somebody provisioned by SCIM signs in.
    `issuer_identifier` is the provider that `issuer` stood for then: an OpenID issuer's URL, or `saml ` and an entity
    ID; None for people of earlier versions until they sign in again.

    `claims` is what the provider said at last, only what groups are made from: claim → values. Tokens that their issuer
    made at or before `not_before` open nothing.
    Times are seconds since the epoch. `version` counts changes.
    """

    id: str
    name: str
    origin: Origin
    created_at: float
    changed_at: float
    display_name: str = ""
    email: str | None = None
    issuer: str | None = None
    subject: str | None = None
    external_id: str | None = None
    active: bool = True
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seen_at: float | None = None
    version: int = 1
    issuer_identifier: str | None = None
    not_before: float | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What an identity provider says of somebody who just proved to be them. `groups_missing` is why their groups are
    not known whole, empty when they are: then they have none (least privilege). `issuer_identifier` as in `User`."""

    issuer: str
    subject: str
    name: str
    display_name: str = ""
    email: str | None = None
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups_missing: str = ""
    issuer_identifier: str | None = None


class SignInKind(StrEnum):
    CONSOLE = "console"
    TOOL = "tool"
    """`ostiary login`: its handle is a refresh token for gateway tokens."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Somebody who is signed in, in one browser or on one machine. Its handle (cookie or refresh token) is stored
    hashed.

    `authenticated_at`: when they last proved who they are, 0 where their identity provider does not say. `ends_at` is
    the absolute limit, `idle_s` the other one (None for no idle limit). `checked_at`: when the provider last confirmed
    them. `idp_session` is the provider's `sid`, or SAML's SessionIndex. `agent` is the tool instance that tokens are
    for.
    """

    id: str
    kind: SignInKind
    user_id: str
    created_at: float
    authenticated_at: float
    seen_at: float
    ends_at: float
    idle_s: float | None = None
    issuer: str | None = None
    idp_session: str | None = None
    checked_at: float | None = None
    agent: str | None = None
    device: str = ""
    network: str = ""
    ended_at: float | None = None
    ended_why: str = ""

    def is_live(self, now: float) -> bool:
        """Whether it has not ended and is within both its limits."""
        is_idle = self.idle_s is not None and now >= self.seen_at + self.idle_s
        return self.ended_at is None and now < self.ends_at and not is_idle


@dataclass(frozen=True, slots=True)
class OwnerCredential:
    """How a local owner proves who they are: `kind` is `totp` or `passkey`. `sealed` opens only for this id.

    `failures` counts wrong codes since the last right one; `counter` is the last TOTP step, or a passkey's signature
    counter.
    """

    id: str
    user_id: str
    kind: str
    sealed: bytes
    counter: int
    failures: int
    created_at: float
    used_at: float | None


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A machine's name. Its keys are tokens of kind `service` that expire."""

    name: str
    created_at: float
    created_by: str
    groups: frozenset[str] = frozenset()
    connections: frozenset[str] | None = None
    description: str = ""
    disabled_at: float | None = None


@dataclass(frozen=True, slots=True)
class ScimGroup:
    """A group as SCIM provisions it; `members` are ids of users."""

    id: str
    display_name: str
    created_at: float
    changed_at: float
    external_id: str | None = None
    members: frozenset[str] = frozenset()
    version: int = 1
