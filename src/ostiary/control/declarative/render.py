"""Configuration → the declarative text that `parse` reads back to the same; never a secret's value."""

import re
from collections.abc import Iterator

import yaml

from ostiary.control.declarative.auth import write_auth
from ostiary.control.declarative.issuers import write_issuer
from ostiary.control.declarative.masking import ARCHIVES_BLOCK, NEVER
from ostiary.control.declarative.people import write_assignment, write_group, write_limits, write_role
from ostiary.control.declarative.remote_detectors import write_detector
from ostiary.control.declarative.upstream import upstream_text
from ostiary.control.declarative.values import duration_text, moment_text
from ostiary.model.configuration import Configuration, SecretReference
from ostiary.model.connection import Connection
from ostiary.model.masking import Exemption, MaskingRule, Where
from ostiary.model.rule import ApprovalTerms, Effect, Rule, Who

_QUOTED_ON = re.compile(r"^( *(?:- )?)'on': ", re.MULTILINE)


def render(configuration: Configuration) -> str:
    sections: dict[str, object] = {"version": 1}
    if configuration.secrets:
        sections["secrets"] = [_secret(secret) for secret in configuration.secrets]
    if configuration.connections:
        sections["connections"] = [dict(_connection(entry)) for entry in configuration.connections]
    if configuration.groups:
        sections["groups"] = [dict(write_group(group)) for group in configuration.groups]
    if configuration.rules:
        sections["rules"] = [dict(_rule(rule)) for rule in configuration.rules]
    if configuration.detectors:
        sections["detectors"] = [dict(write_detector(detector)) for detector in configuration.detectors]
    if configuration.masking:
        sections["masking"] = [dict(_masking_rule(rule)) for rule in configuration.masking]
    if identity := dict(_identity(configuration)):
        sections["identity"] = identity
    text: str = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1_000_000)
    # YAML's own writer quotes the key, which an older YAML would read as a boolean; people write it plain.
    return _QUOTED_ON.sub(r"\1on: ", text)


def _identity(configuration: Configuration) -> Iterator[tuple[str, object]]:
    if configuration.issuers:
        yield "issuers", [dict(write_issuer(issuer)) for issuer in configuration.issuers]
    if configuration.roles:
        yield "roles", [dict(write_role(role)) for role in configuration.roles]
    if configuration.assignments:
        yield "assign", [dict(write_assignment(assignment)) for assignment in configuration.assignments]
    if configuration.sign_in_limits is not None:
        yield "sessions", write_limits(configuration.sign_in_limits)
    if configuration.scim is not None:
        yield "scim", {"issuer": configuration.scim.issuer}


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
    if connection.masking is not None:
        yield "masking", list(connection.masking)


def _rule(rule: Rule) -> Iterator[tuple[str, object]]:
    yield "name", rule.name
    yield from _scope(rule.who, rule.on)
    if rule.operations:
        yield "operations", list(rule.operations)
    yield "effect", rule.effect.value
    if rule.message:
        yield "message", rule.message
    if rule.effect is Effect.ASK and rule.approval != ApprovalTerms():
        yield "approval", dict(_approval(rule.approval))


def _masking_rule(rule: MaskingRule) -> Iterator[tuple[str, object]]:
    yield "name", rule.name
    for key in ("detectors", "words", "fields"):
        if listed := getattr(rule, key):
            yield key, list(listed)
    if rule.pattern is not None:
        yield "pattern", rule.pattern
    if rule.ignore_case:
        yield "ignore_case", True
    yield "where", [place.value for place in Where if place in rule.where]
    yield "action", rule.action.value
    yield from _scope(rule.who, rule.on)
    if rule.archives:
        yield "archives", ARCHIVES_BLOCK
    if rule.exemptions:
        yield "exceptions", [dict(_exception(exemption)) for exemption in rule.exemptions]


def _exception(exemption: Exemption) -> Iterator[tuple[str, object]]:
    yield "reason", exemption.reason
    yield "expires", NEVER if exemption.expires_at is None else moment_text(exemption.expires_at)
    if exemption.matching is not None:
        yield "matching", exemption.matching
    yield from _scope(exemption.who, exemption.on)


def _scope(who: Who, on: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    lists = {key: sorted(names) for key in ("groups", "users", "services", "agents") if (names := getattr(who, key))}
    if lists:
        yield "who", lists
    if on:
        yield "on", list(on)


def _approval(terms: ApprovalTerms) -> Iterator[tuple[str, object]]:
    if terms.reason_required:
        yield "reason", "required"
    yield "hold", duration_text(terms.hold_s)
    yield "expires", duration_text(terms.expires_s)
