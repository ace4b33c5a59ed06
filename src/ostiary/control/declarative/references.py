"""That every name a configuration uses exists."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NoReturn

from ostiary.control.declarative.errors import nearest
from ostiary.control.declarative.people import complaint_about_role
from ostiary.control.declarative.remote_detectors import complaint_about_detector
from ostiary.model.configuration import Configuration
from ostiary.model.connection import Connection
from ostiary.model.detector import DetectorService
from ostiary.model.issuer import OidcIssuer
from ostiary.model.masking import MaskingRule
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
        masking = [rule.name for rule in configuration.masking]
        for name in connection.masking or ():
            if name not in masking:
                sentence = f"There is no masking rule '{name}'."
                next_step = f"{nearest(name, masking)} Or write it under `masking:`.".strip()
                fail("connections", connection.name, "masking", sentence, next_step)
    for rule in configuration.rules:
        _check_rule(rule, configuration.connections, kinds, fail)
    for masking_rule in configuration.masking:
        _check_masking_rule(masking_rule, configuration.connections, configuration.detectors, fail)
    _check_identity(configuration, secrets, fail)


def _check_identity(configuration: Configuration, secrets: list[str], fail: Fail) -> None:
    issuers = [issuer.name for issuer in configuration.issuers]
    for issuer in configuration.issuers:
        if isinstance(issuer, OidcIssuer) and issuer.client_secret not in (None, *secrets):
            fail(
                "issuers",
                issuer.name,
                "oidc",
                f"There is no secret '{issuer.client_secret}'.",
                f"{nearest(issuer.client_secret or '', secrets)} Or declare it under `secrets:`.".strip(),
            )
    for group in configuration.groups:
        for source in group.sources:
            if source.issuer not in issuers:
                sentence = f"There is no issuer '{source.issuer}'."
                fail("groups", group.name, "from", sentence, nearest(source.issuer, issuers))
    for assignment in configuration.assignments:
        complaint = complaint_about_role(assignment.role, configuration.roles)
        if complaint is not None:
            fail("assign", assignment.role, "role", *complaint)
    if configuration.scim is not None and configuration.scim.issuer not in issuers:
        name = configuration.scim.issuer
        fail("identity", "scim", "issuer", f"There is no issuer '{name}'.", nearest(name, issuers))


def _secrets_of(connection: Connection) -> Iterable[str]:
    if connection.secret is not None:
        yield connection.secret
    yield from (form.secret for form in connection.auth if form.secret is not None)


def _check_rule(rule: Rule, connections: tuple[Connection, ...], kinds: Mapping[str, Kind], fail: Fail) -> None:
    _check_on(rule.on, connections, partial(fail, "rules", rule.name, "on"))
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


def _check_masking_rule(
    rule: MaskingRule, connections: tuple[Connection, ...], services: tuple[DetectorService, ...], fail: Fail
) -> None:
    for name in rule.detectors:
        complaint = complaint_about_detector(name, services)
        if complaint is not None:
            fail("masking", rule.name, "detectors", *complaint)
    for key, on in (("on", rule.on), *(("exceptions", exemption.on) for exemption in rule.exemptions)):
        _check_on(on, connections, partial(fail, "masking", rule.name, key))


def _check_on(on: tuple[str, ...], connections: tuple[Connection, ...], fail: Callable[[str, str], NoReturn]) -> None:
    """A glob may match nothing yet; a name must be one."""
    names = [connection.name for connection in connections]
    for pattern in on:
        if not is_glob(pattern) and pattern not in names:
            fail(f"There is no connection '{pattern}'.", nearest(pattern, names))
