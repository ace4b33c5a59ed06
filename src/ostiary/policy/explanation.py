"""The sentences that say why, and what would change it. They are shown to the person who was refused, so they
speak only of that person, the request, and the rule that decided."""

from collections.abc import Sequence

from ostiary.model.actor import Actor, ActorKind
from ostiary.model.operation import Operation
from ostiary.model.rule import ApprovalTerms, Rule


def describe_actor(actor: Actor) -> str:
    match actor.kind:
        case ActorKind.AGENT:
            return f"{actor.name}'s agent {actor.agent}" if actor.agent else f"{actor.name}'s agent"
        case ActorKind.SERVICE:
            return f"service {actor.name}"
        case ActorKind.USER:
            return actor.name


def why_allowed(rule: Rule) -> str:
    return f'Rule "{rule.name}" allows this.'


def why_denied(rule: Rule, connection: str, operation: Operation) -> str:
    subject = operation.name or "every operation"
    said = f" {rule.message}" if rule.message else ""
    return (
        f'Rule "{rule.name}" denies {subject} on {connection}.{said}'
        " A deny beats every other rule: only a change of this one would permit it."
    )


def why_asked(rules: Sequence[Rule], connection: str, operation: Operation, terms: ApprovalTerms) -> str:
    names = " and ".join(f'"{rule.name}"' for rule in rules)
    word = "Rule" if len(rules) == 1 else "Rules"
    verb = "lets" if len(rules) == 1 else "let"
    said = " ".join(rule.message for rule in rules if rule.message)
    return (
        f"{word} {names} {verb} {operation.name} on {connection} pass only after somebody approves this very"
        f" request, within {_duration(terms.expires_s)}." + (f" {said}" if said else "")
    )


def why_no_rule(actor: Actor, connection: str, operation: Operation) -> str:
    if not operation.name:
        return (
            f"This request is no operation that the connection {connection} knows, so no rule can allow it."
            " Check the method and the path."
        )
    classes = ", ".join(sorted(operation.classes))
    described = f"{operation.name} ({classes})" if classes else operation.name
    return (
        f"No rule lets {describe_actor(actor)} ({describe_groups(actor)}) do {described} on {connection}."
        f" A rule with effect allow or ask for one of these groups or for {actor.name}, whose operations include"
        f" {operation.name}, would change that."
    )


def describe_groups(actor: Actor) -> str:
    """What the token says of groups: a forgotten `--groups` is the usual reason for a refusal."""
    return f"groups: {', '.join(sorted(actor.groups))}" if actor.groups else "the token names no groups"


def why_token_limited(connection: str) -> str:
    return (
        f"This token is not valid for the connection {connection}."
        " A token made without that limit would be judged by the rules."
    )


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 60 and whole % 60 == 0:
        minutes = whole // 60
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{whole} second{'' if whole == 1 else 's'}"
