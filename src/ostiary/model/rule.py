"""What is allowed, denied or asked."""

from dataclasses import dataclass, field
from enum import StrEnum


class Effect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Who:
    """Which actors a rule speaks of; all empty means everybody. A match on any one list of groups, users and services
    is a match; `agents` then narrows it to those who use one of these, since people choose their agents' labels."""

    groups: frozenset[str] = field(default_factory=frozenset)
    users: frozenset[str] = field(default_factory=frozenset)
    services: frozenset[str] = field(default_factory=frozenset)
    agents: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """What an asking rule demands. `hold_s`: how long the request itself waits (≤ 600 s);
    `expires_s`: how long the approval may be answered and its grant used."""

    hold_s: float = 120.0
    expires_s: float = 1800.0
    reason_required: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """`on` holds connection names or globs, `operations` names, globs or `class:NAME`; empty means all of them."""

    name: str
    effect: Effect
    who: Who = field(default_factory=Who)
    on: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    message: str = ""
    approval: ApprovalTerms = field(default_factory=ApprovalTerms)
