"""That every name a configuration uses exists."""

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

from ostiary.control.declarative.errors import nearest
from ostiary.model.configuration import Configuration
from ostiary.model.connection import Connection
from ostiary.model.rule import Rule
from ostiary.policy.patterns import CLASS_PREFIX, glob_matches, is_glob
from ostiary.protocols.kinds import Kind

Fail = Callable[[str, str, str, str, str], NoReturn]
"""(section, name of the entry, key in it, sentence, next step)."""


def check_references(configuration: Configuration, kinds: Mapping[str, Kind], fail: Fail) -> None:
    secrets = [secret.name for secret in configuration.secrets]
    for connection in configuration.connections:
        for name in _secrets_of(connection):
            if name not in secrets:
                fail(
                    "connections",
                    connection.name,
                    "secret",
                    f"There is no secret '{name}'.",
                    f"{nearest(name, secrets)} Or declare it under `secrets:`, or set it with `ostiary secret set"
                    f" {name}`.".strip(),
                )
    for rule in configuration.rules:
        _check_rule(rule, configuration.connections, kinds, fail)


def _secrets_of(connection: Connection) -> Iterable[str]:
    if connection.secret is not None:
        yield connection.secret
    yield from (form.secret for form in connection.auth if form.secret is not None)


def _check_rule(rule: Rule, connections: tuple[Connection, ...], kinds: Mapping[str, Kind], fail: Fail) -> None:
    names = [connection.name for connection in connections]
    for pattern in rule.on:
        if not is_glob(pattern) and pattern not in names:
            fail("rules", rule.name, "on", f"There is no connection '{pattern}'.", nearest(pattern, names))
    covered = [
        connection
        for connection in connections
        if not rule.on or any(glob_matches(pattern, connection.name) for pattern in rule.on)
    ]
    if not covered or any(connection.openapi is not None for connection in covered):
        # Operations of an OpenAPI document are known only to the server that reads it.
        return
    operations = {operation.name for connection in covered for operation in kinds[connection.kind].operations}
    for entry in rule.operations:
        if entry.startswith(CLASS_PREFIX):
            continue
        if not any(glob_matches(entry, operation) for operation in operations):
            fail(
                "rules",
                rule.name,
                "operations",
                f"No connection of this rule has an operation '{entry}'.",
                nearest(entry, operations),
            )
