"""What applying a file would change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from ostiary.control.declarative.people import write_limits
from ostiary.control.declarative.upstream import upstream_text
from ostiary.control.declarative.values import duration_text, moment_text
from ostiary.model.configuration import Configuration, SecretReference
from ostiary.model.connection import Connection, Upstream
from ostiary.model.detector import DetectorService
from ostiary.model.issuer import Group, OidcIssuer, SamlIssuer, ScimSettings, SignInLimits, WorkloadIssuer
from ostiary.model.masking import Exemption, MaskingRule, Where
from ostiary.model.permission import Assignment, Role
from ostiary.model.rule import Rule, Who

Entry = TypeVar(
    "Entry",
    SecretReference,
    Connection,
    Rule,
    MaskingRule,
    DetectorService,
    Group,
    OidcIssuer | SamlIssuer | WorkloadIssuer,
    Role,
    Assignment,
)
_AnyEntry = (
    SecretReference
    | Connection
    | Rule
    | MaskingRule
    | DetectorService
    | Group
    | OidcIssuer
    | SamlIssuer
    | WorkloadIssuer
    | Role
    | Assignment
)

_KEYS = {"exemptions": "exceptions", "endpoint": "url"}
"""What the file calls a field, where that is not its name."""


@dataclass(frozen=True, slots=True)
class Change:
    """`action` is `+`, `~` or `-`; `kind` is `secret`, `connection`, `group`, `rule`, `detector`, `masking`, `issuer`,
    `role`, `assignment`, `sessions` or `scim`."""

    action: str
    kind: str
    name: str
    detail: str = ""


def merge(old: Configuration, new: Configuration, prune: bool) -> Configuration:
    """`new` over `old`, name by name; with `prune` nothing of `old` stays that `new` does not name."""
    if prune:
        return new
    return Configuration(
        secrets=_merged(old.secrets, new.secrets),
        connections=_merged(old.connections, new.connections),
        rules=_merged(old.rules, new.rules),
        masking=_merged(old.masking, new.masking),
        detectors=_merged(old.detectors, new.detectors),
        groups=_merged(old.groups, new.groups),
        issuers=_merged(old.issuers, new.issuers),
        roles=_merged(old.roles, new.roles),
        assignments=_merged(old.assignments, new.assignments),
        sign_in_limits=new.sign_in_limits or old.sign_in_limits,
        scim=new.scim or old.scim,
    )


def plan(old: Configuration, new: Configuration, prune: bool) -> tuple[Change, ...]:
    """Empty when everything already is as `new` says."""
    return (
        *_changes("secret", old.secrets, new.secrets, prune),
        *_changes("connection", old.connections, new.connections, prune),
        *_changes("group", old.groups, new.groups, prune),
        *_changes("rule", old.rules, new.rules, prune),
        *_changes("detector", old.detectors, new.detectors, prune),
        *_changes("masking", old.masking, new.masking, prune),
        *_changes("issuer", old.issuers, new.issuers, prune),
        *_changes("role", old.roles, new.roles, prune),
        *_changes("assignment", old.assignments, new.assignments, prune),
        *_changed_setting("sessions", old.sign_in_limits, new.sign_in_limits, prune),
        *_changed_setting("scim", old.scim, new.scim, prune),
    )


def _merged(old: Sequence[Entry], new: Sequence[Entry]) -> tuple[Entry, ...]:
    by_name = {entry.name: entry for entry in old}
    by_name.update((entry.name, entry) for entry in new)
    return tuple(by_name.values())


def _changes(kind: str, old: Sequence[Entry], new: Sequence[Entry], prune: bool) -> list[Change]:
    before = {entry.name: entry for entry in old}
    after = {entry.name: entry for entry in new}
    changes: list[Change] = []
    for name, entry in after.items():
        if name not in before:
            changes.append(Change("+", kind, name, _summary(entry)))
        elif before[name] != entry:
            changes.append(Change("~", kind, name, _difference(before[name], entry)))
    if prune:
        changes += [Change("-", kind, name) for name in before if name not in after]
    return changes


def _changed_setting(
    kind: str, old: SignInLimits | ScimSettings | None, new: SignInLimits | ScimSettings | None, prune: bool
) -> list[Change]:
    if old == new or (new is None and not prune):
        return []
    if old is None:
        return [Change("+", kind, "identity", _shown(new))]
    if new is None:
        return [Change("-", kind, "identity")]
    return [Change("~", kind, "identity", f"{_shown(old)} → {_shown(new)}")]


def _summary(entry: _AnyEntry) -> str:
    match entry:
        case Group():
            sources = [f"{source.claim} {source.value} at {source.issuer}" for source in entry.sources]
            sources += [f"scim {name}" for name in entry.scim]
            people = f"{len(entry.members)} named" if entry.members else ""
            return ", ".join(filter(None, (*sources, people)))
        case OidcIssuer():
            return f"oidc {entry.issuer}"
        case SamlIssuer():
            return f"saml {entry.metadata_url or entry.metadata_file}"
        case WorkloadIssuer():
            return f"workload {entry.issuer} for {', '.join(rule.service for rule in entry.accepts)}"
        case Role():
            return ", ".join(sorted(entry.permissions))
        case Assignment():
            return ", ".join(sorted(entry.users | entry.groups))
        case SecretReference():
            return f"{entry.provider} {entry.reference}".strip()
        case Connection():
            return f"{entry.kind} at {upstream_text(entry.upstream)}"
        case Rule():
            on = ", ".join(entry.on) or "every connection"
            operations = ", ".join(entry.operations) or "every operation"
            return f"{entry.effect} {operations} on {on}"
        case DetectorService():
            return f"presidio at {upstream_text(entry.endpoint)} for {', '.join(sorted(entry.labels))}"
        case MaskingRule():
            where = ", ".join(place for place in Where if place in entry.where)
            on = ", ".join(entry.on) or "connections that name it or say nothing of masking"
            return f"{entry.action} {_looked_for(entry)} in {where} on {on}"


def _looked_for(rule: MaskingRule) -> str:
    if rule.pattern is not None:
        return f"pattern {rule.pattern}"
    if rule.words:
        return f"{len(rule.words):,} word{'s' if len(rule.words) > 1 else ''}"
    return ", ".join(rule.detectors) or f"fields {', '.join(rule.fields)}"


def _difference(old: object, new: object) -> str:
    parts = []
    for field in fields(old):  # type: ignore[arg-type]  # both are dataclasses of the same type
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before != after:
            parts.append(_DIFFERENCES.get((type(old), field.name), _plain_difference)(field.name, before, after))
    return "; ".join(parts)


def _plain_difference(name: str, before: object, after: object) -> str:
    return f"{_KEYS.get(name, name)}: {_shown(before)} → {_shown(after)}"


def _masking_difference(name: str, before: tuple[str, ...] | None, after: tuple[str, ...] | None) -> str:
    """Saying nothing and naming none are opposites here."""
    shown = ["not said" if names is None else ", ".join(names) or "none" for names in (before, after)]
    return f"{name}: {' → '.join(shown)}"


def _words_difference(name: str, before: tuple[str, ...], after: tuple[str, ...]) -> str:
    added, removed = len(set(after) - set(before)), len(set(before) - set(after))
    return f"{name}: {added:,} added, {removed:,} removed" if added or removed else f"{name}: another order"


def _entities_difference(name: str, before: tuple[tuple[str, str], ...], after: tuple[tuple[str, str], ...]) -> str:
    shown = [", ".join(f"{entity} as {label}" for entity, label in pairs) for pairs in (before, after)]
    return f"{name}: {' → '.join(shown)}"


def _timeout_difference(_name: str, before: float, after: float) -> str:
    return f"timeout: {duration_text(before)} → {duration_text(after)}"


_DIFFERENCES: dict[tuple[type, str], Callable[[str, Any, Any], str]] = {
    (Connection, "masking"): _masking_difference,
    (MaskingRule, "words"): _words_difference,
    (DetectorService, "entities"): _entities_difference,
    (DetectorService, "timeout_s"): _timeout_difference,
}


def _shown(value: object) -> str:
    match value:
        case SignInLimits():
            return ", ".join(f"{key} {text}" for key, text in write_limits(value).items())
        case ScimSettings():
            return f"people of {value.issuer}"
        case Exemption():
            until = "for good" if value.expires_at is None else f"until {moment_text(value.expires_at)}"
            scope = [("matching", value.matching), ("who", value.who), ("on", value.on)]
            said = " ".join(f"{key} {_shown(inner)}" for key, inner in scope if inner not in (None, (), Who()))
            return f"{value.reason} ({said}) {until}"
        case Upstream():
            return upstream_text(value)
        case None | "" | ():
            return "nothing"
        case bool():
            return "true" if value else "false"
        case frozenset():
            return ", ".join(sorted(map(str, value))) or "nothing"
        case tuple():
            return ", ".join(map(_shown, value))
        case str() | int() | float():
            return str(value)
    parts = []
    for field in fields(value):  # type: ignore[arg-type]  # what is left are model dataclasses
        inner = getattr(value, field.name)
        if inner not in (None, "", (), frozenset()):
            parts.append(f"{field.name} {_shown(inner)}")
    return " ".join(parts) or "everybody"
