"""What applying a file would change."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

from ostiary.control.declarative.upstream import upstream_text
from ostiary.model.configuration import Configuration, SecretReference
from ostiary.model.connection import Connection, Upstream
from ostiary.model.rule import Rule

_Entry = TypeVar("_Entry", SecretReference, Connection, Rule)


@dataclass(frozen=True, slots=True)
class Change:
    """`action` is `+`, `~` or `-`; `kind` is `secret`, `connection` or `rule`."""

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
    )


def plan(old: Configuration, new: Configuration, prune: bool) -> tuple[Change, ...]:
    """Empty when everything already is as `new` says."""
    return (
        *_changes("secret", old.secrets, new.secrets, prune),
        *_changes("connection", old.connections, new.connections, prune),
        *_changes("rule", old.rules, new.rules, prune),
    )


def _merged(old: Sequence[_Entry], new: Sequence[_Entry]) -> tuple[_Entry, ...]:
    by_name = {entry.name: entry for entry in old}
    by_name.update((entry.name, entry) for entry in new)
    return tuple(by_name.values())


def _changes(kind: str, old: Sequence[_Entry], new: Sequence[_Entry], prune: bool) -> list[Change]:
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


def _summary(entry: SecretReference | Connection | Rule) -> str:
    match entry:
        case SecretReference():
            return f"{entry.provider} {entry.reference}".strip()
        case Connection():
            return f"{entry.kind} at {upstream_text(entry.upstream)}"
        case Rule():
            on = ", ".join(entry.on) or "every connection"
            operations = ", ".join(entry.operations) or "every operation"
            return f"{entry.effect} {operations} on {on}"


def _difference(old: object, new: object) -> str:
    parts = []
    for field in fields(old):  # type: ignore[arg-type]  # both are dataclasses of the same type
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before != after:
            parts.append(f"{field.name}: {_shown(before)} → {_shown(after)}")
    return "; ".join(parts)


def _shown(value: object) -> str:
    match value:
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
