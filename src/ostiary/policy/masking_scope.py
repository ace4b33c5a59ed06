"""Which masking rules hold where and for whom, and what they leave alone."""

from collections.abc import Sequence

from ostiary.model.actor import Actor
from ostiary.model.connection import Connection
from ostiary.model.masking import Exemption, MaskingRule
from ostiary.policy.patterns import glob_matches
from ostiary.policy.who import speaks_of


def rules_for(connection: Connection, rules: Sequence[MaskingRule]) -> tuple[MaskingRule, ...]:
    """In the given order: the rules that speak of the connection, and those it names. When it says nothing of
    masking, the rules that speak of no connection at all hold too."""
    return tuple(rule for rule in rules if _holds_on(rule, connection))


def applies_to(rule: MaskingRule, actor: Actor) -> bool:
    """Whether the rule speaks of the actor."""
    return speaks_of(rule.who, actor)


def exemptions_now(rule: MaskingRule, connection: str, actor: Actor, now: float) -> tuple[Exemption, ...]:
    """The rule's exemptions that hold on the connection and for the actor at `now`, in seconds since the epoch.
    What they are left to say is `matching`."""
    return tuple(
        exemption
        for exemption in rule.exemptions
        if (exemption.expires_at is None or now < exemption.expires_at)
        and (not exemption.on or _any_matches(exemption.on, connection))
        and speaks_of(exemption.who, actor)
    )


def _holds_on(rule: MaskingRule, connection: Connection) -> bool:
    if _any_matches(rule.on, connection.name):
        return True
    if connection.masking is None:
        return not rule.on
    return rule.name in connection.masking


def _any_matches(patterns: Sequence[str], name: str) -> bool:
    return any(glob_matches(pattern, name) for pattern in patterns)
