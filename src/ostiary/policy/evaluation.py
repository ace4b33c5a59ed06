"""Rules compiled once, then asked for every request: deny beats ask beats allow; no match is a deny."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ostiary.model.actor import Actor
from ostiary.model.decision import Allow, Ask, Decision, Deny
from ostiary.model.operation import Class, Operation
from ostiary.model.rule import ApprovalTerms, Effect, Rule
from ostiary.policy import explanation
from ostiary.policy.patterns import CLASS_PREFIX, glob_matches, split_patterns
from ostiary.policy.who import Key, keys_of_actor, keys_of_who, uses_one_of

REMEMBERED_CONNECTIONS_MAX = 4096


@dataclass(frozen=True, slots=True)
class _Operations:
    """What a rule's `operations` match. An operation without a name is one the Kind does not know."""

    everything: bool
    names: frozenset[str]
    globs: tuple[str, ...]
    classes: frozenset[Class]

    @classmethod
    def of(cls, entries: Sequence[str]) -> "_Operations":
        classes = frozenset(class_ for entry in entries for class_ in Class if entry == f"{CLASS_PREFIX}{class_.value}")
        names, globs = split_patterns(entry for entry in entries if not entry.startswith(CLASS_PREFIX))
        return cls(everything=not entries, names=names, globs=globs, classes=classes)

    def include(self, operation: Operation) -> bool:
        return bool(operation.name) and (
            self.everything
            or operation.name in self.names
            or not self.classes.isdisjoint(operation.classes)
            or any(glob_matches(glob, operation.name) for glob in self.globs)
        )


@dataclass(frozen=True, slots=True)
class _CompiledRule:
    rule: Rule
    operations: _Operations

    def matches(self, operation: Operation) -> bool:
        if not operation.name:
            # Nobody can have meant to allow what nobody knows; to deny everything includes the unknown.
            return self.rule.effect is Effect.DENY and self.operations.everything
        return self.operations.include(operation)


@dataclass(frozen=True, slots=True)
class _ConnectionRules:
    """The rules that can match on one connection, found by whom they speak of."""

    of_everybody: tuple[_CompiledRule, ...]
    by_key: dict[Key, list[_CompiledRule]]

    @classmethod
    def of(cls, compiled: Iterable[_CompiledRule]) -> "_ConnectionRules":
        of_everybody: list[_CompiledRule] = []
        by_key: dict[Key, list[_CompiledRule]] = {}
        for entry in compiled:
            keys = keys_of_who(entry.rule.who)
            for key in keys:
                by_key.setdefault(key, []).append(entry)
            if not keys:
                of_everybody.append(entry)
        return cls(tuple(of_everybody), by_key)

    def about(self, actor: Actor) -> Iterator[_CompiledRule]:
        """Those that speak of the actor; one may come several times."""
        for entry in self._meaning(actor):
            if uses_one_of(entry.rule.who.agents, actor):
                yield entry

    def _meaning(self, actor: Actor) -> Iterator[_CompiledRule]:
        yield from self.of_everybody
        for key in keys_of_actor(actor):
            yield from self.by_key.get(key, ())


class Policy:
    """A fixed set of rules. The same arguments always give an equal Decision, so callers may remember it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """The order of `rules` has no meaning."""
        compiled = [
            _CompiledRule(rule, _Operations.of(rule.operations)) for rule in sorted(rules, key=lambda rule: rule.name)
        ]
        self._anywhere: list[_CompiledRule] = []
        self._on_name: dict[str, list[_CompiledRule]] = {}
        self._on_glob: list[tuple[tuple[str, ...], _CompiledRule]] = []
        for entry in compiled:
            if not entry.rule.on:
                self._anywhere.append(entry)
                continue
            names, globs = split_patterns(entry.rule.on)
            for name in names:
                self._on_name.setdefault(name, []).append(entry)
            if globs:
                self._on_glob.append((globs, entry))
        self._by_connection: dict[str, _ConnectionRules] = {name: self._collect(name) for name in self._on_name}

    def decide(self, actor: Actor, connection: str, operation: Operation) -> Decision:
        """What the rules say. With several asking rules the strictest of all their terms hold."""
        if not _token_reaches(actor, connection):
            return Deny(rule=None, why=explanation.why_token_limited(connection))
        matching: dict[Effect, dict[str, Rule]] = {effect: {} for effect in Effect}
        for entry in self._rules_on(connection).about(actor):
            if entry.matches(operation):
                matching[entry.rule.effect][entry.rule.name] = entry.rule
        if matching[Effect.DENY]:
            denying = _first(matching[Effect.DENY])
            return Deny(denying.name, explanation.why_denied(denying, connection, operation))
        if matching[Effect.ASK]:
            asking = [rule for _, rule in sorted(matching[Effect.ASK].items())]
            terms = strictest_terms([rule.approval for rule in asking])
            return Ask(asking[0].name, explanation.why_asked(asking, connection, operation, terms), terms)
        if matching[Effect.ALLOW]:
            allowing = _first(matching[Effect.ALLOW])
            return Allow(allowing.name, explanation.why_allowed(allowing))
        return Deny(rule=None, why=explanation.why_no_rule(actor, connection, operation))

    def knows(self, actor: Actor, connection: str) -> bool:
        """Whether any rule on the connection speaks of the actor; without one it does not exist for them."""
        return _token_reaches(actor, connection) and any(True for _ in self._rules_on(connection).about(actor))

    def _rules_on(self, connection: str) -> _ConnectionRules:
        found = self._by_connection.get(connection)
        if found is None:
            found = self._collect(connection)
            if len(self._by_connection) < REMEMBERED_CONNECTIONS_MAX:
                self._by_connection[connection] = found
        return found

    def _collect(self, connection: str) -> _ConnectionRules:
        matching = {id(entry): entry for entry in (*self._anywhere, *self._on_name.get(connection, ()))}
        for globs, entry in self._on_glob:
            if any(glob_matches(glob, connection) for glob in globs):
                matching[id(entry)] = entry
        return _ConnectionRules.of(matching.values())


def _first(rules: dict[str, Rule]) -> Rule:
    """By name, so that the order in which rules were given has no meaning."""
    return rules[min(rules)]


def strictest_terms(terms: Sequence[ApprovalTerms]) -> ApprovalTerms:
    return ApprovalTerms(
        hold_s=min(entry.hold_s for entry in terms),
        expires_s=min(entry.expires_s for entry in terms),
        reason_required=any(entry.reason_required for entry in terms),
    )


def _token_reaches(actor: Actor, connection: str) -> bool:
    return actor.connections is None or connection in actor.connections
