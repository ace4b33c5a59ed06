"""Configuration → the declarative text that `parse` reads back to the same; never a secret's value."""

import re
from collections.abc import Iterator

import yaml

from ostiary.control.declarative.auth import write_auth
from ostiary.control.declarative.upstream import upstream_text
from ostiary.control.declarative.values import duration_text
from ostiary.model.configuration import Configuration, SecretReference
from ostiary.model.connection import Connection
from ostiary.model.rule import ApprovalTerms, Effect, Rule

_QUOTED_ON = re.compile(r"^( *(?:- )?)'on': ", re.MULTILINE)


def render(configuration: Configuration) -> str:
    sections: dict[str, object] = {"version": 1}
    if configuration.secrets:
        sections["secrets"] = [_secret(secret) for secret in configuration.secrets]
    if configuration.connections:
        sections["connections"] = [dict(_connection(entry)) for entry in configuration.connections]
    if configuration.rules:
        sections["rules"] = [dict(_rule(rule)) for rule in configuration.rules]
    text: str = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1_000_000)
    # YAML's own writer quotes the key, which an older YAML would read as a boolean; people write it plain.
    return _QUOTED_ON.sub(r"\1on: ", text)


def _secret(secret: SecretReference) -> dict[str, object]:
    return {"name": secret.name, "from": {secret.provider: secret.reference or True}}


def _connection(connection: Connection) -> Iterator[tuple[str, object]]:
    yield "name", connection.name
    yield "kind", connection.kind
    yield "upstream", upstream_text(connection.upstream)
    if connection.secret is not None:
        yield "secret", connection.secret
    if connection.auth:
        yield "auth", write_auth(connection.auth)
    if connection.headers:
        yield "headers", dict(connection.headers)
    if connection.allow_private:
        yield "allow_private", True
    if connection.allow_plaintext:
        yield "allow_plaintext", True
    if connection.ca_file is not None:
        yield "ca_file", connection.ca_file
    if connection.openapi is not None:
        yield "openapi", connection.openapi
    if connection.labels:
        yield "labels", sorted(connection.labels)


def _rule(rule: Rule) -> Iterator[tuple[str, object]]:
    yield "name", rule.name
    who = {key: sorted(names) for key in ("groups", "users", "services", "agents") if (names := getattr(rule.who, key))}
    if who:
        yield "who", who
    if rule.on:
        yield "on", list(rule.on)
    if rule.operations:
        yield "operations", list(rule.operations)
    yield "effect", rule.effect.value
    if rule.message:
        yield "message", rule.message
    if rule.effect is Effect.ASK and rule.approval != ApprovalTerms():
        yield "approval", dict(_approval(rule.approval))


def _approval(terms: ApprovalTerms) -> Iterator[tuple[str, object]]:
    if terms.reason_required:
        yield "reason", "required"
    yield "hold", duration_text(terms.hold_s)
    yield "expires", duration_text(terms.expires_s)
