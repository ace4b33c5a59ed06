"""A declarative file's text → Configuration."""

from collections.abc import Callable, Mapping
from typing import NoReturn

from ostiary.control.declarative import unavailable
from ostiary.control.declarative.connections import read_connection, read_secret
from ostiary.control.declarative.errors import DeclarativeError
from ostiary.control.declarative.issuers import read_issuer
from ostiary.control.declarative.masking import read_masking_rule
from ostiary.control.declarative.nodes import Value, read_document
from ostiary.control.declarative.people import (
    IDENTITY_KEYS,
    read_assignment,
    read_group,
    read_limits,
    read_role,
    read_scim,
)
from ostiary.control.declarative.plan import Entry, merge
from ostiary.control.declarative.references import check_references
from ostiary.control.declarative.remote_detectors import read_detector
from ostiary.control.declarative.rules import read_rule
from ostiary.model.configuration import Configuration
from ostiary.model.masking import MaskingRule
from ostiary.protocols.kinds import Kind

ENTRIES_MAX = 10_000
"""Most entries of one section."""

_SECTIONS = ("version", "secrets", "connections", "groups", "rules", "detectors", "masking", "identity")
_NOUNS = {
    "connections": "connection",
    "rules": "rule",
    "masking": "masking rule",
    "groups": "group",
    "issuers": "issuer",
    "roles": "role",
    "assign": "assignment of the role",
    "identity": "part of identity",
}


def parse(text: str, filename: str, kinds: Mapping[str, Kind], existing: Configuration | None = None) -> Configuration:
    """What the file says. Names it uses may also come from `existing`, which it would be merged into.
    Raises `DeclarativeError`, which names file, line and the nearest valid word."""
    sections = _sections(text, filename)
    places: dict[tuple[str, str], Value] = {}
    detectors = _section(sections.get("detectors"), "detectors", read_detector, places)
    identity: Mapping[str, Value] = {}
    if "identity" in sections:
        identity = sections["identity"].mapping("identity", IDENTITY_KEYS)
        places["identity", "scim"] = identity.get("scim", sections["identity"])
    services = merge(existing or Configuration(), Configuration(detectors=detectors), prune=False).detectors
    configuration = Configuration(
        secrets=_section(sections.get("secrets"), "secrets", read_secret, places),
        connections=_section(
            sections.get("connections"), "connections", lambda value: read_connection(value, kinds), places
        ),
        rules=_section(sections.get("rules"), "rules", read_rule, places),
        masking=_section(sections.get("masking"), "masking", lambda value: read_masking_rule(value, services), places),
        detectors=detectors,
        groups=_section(sections.get("groups"), "groups", read_group, places),
        issuers=_section(identity.get("issuers"), "issuers", read_issuer, places),
        roles=_section(identity.get("roles"), "roles", read_role, places),
        assignments=_section(identity.get("assign"), "assign", read_assignment, places),
        sign_in_limits=read_limits(identity["sessions"]) if "sessions" in identity else None,
        scim=read_scim(identity["scim"]) if "scim" in identity else None,
    )

    def fail(section: str, name: str, key: str, sentence: str, next_step: str) -> NoReturn:
        place = places.get((section, name))
        if place is None:
            # Something applied earlier no longer fits what this file says.
            raise DeclarativeError(filename, 0, f"The {_NOUNS[section]} '{name}' is in force: {sentence}", next_step)
        _, at = place.members(section).get(key, (place, place)) if place.is_mapping else (place, place)
        at.fail(sentence, next_step)

    check_references(merge(existing or Configuration(), configuration, prune=False), kinds, fail)
    return configuration


def parse_masking(text: str, filename: str) -> tuple[MaskingRule, ...]:
    """The masking rules of a file, whatever else is in it: connections that they name need not exist.
    Raises `DeclarativeError`."""
    sections = _sections(text, filename)
    if "masking" not in sections:
        raise DeclarativeError(filename, 0, "The file has no section `masking:`.", "Add the rules to try.")
    services = _section(sections.get("detectors"), "detectors", read_detector, {})
    return _section(sections["masking"], "masking", lambda value: read_masking_rule(value, services), {})


def _sections(text: str, filename: str) -> dict[str, Value]:
    sections = read_document(text, filename).mapping("the file", _SECTIONS, ("version",), unavailable.DOCUMENT)
    if sections["version"].whole_number("version") != 1:
        sections["version"].fail("This version reads files of `version: 1`.")
    return sections


def _section(
    value: Value | None,
    section: str,
    read: Callable[[Value], Entry],
    places: dict[tuple[str, str], Value],
) -> tuple[Entry, ...]:
    if value is None or value.is_empty:
        return ()
    entries: list[Entry] = []
    items = value.items(section)
    if len(items) > ENTRIES_MAX:
        value.fail(f"'{section}' has more than {ENTRIES_MAX:,} entries.")
    for item in items:
        entry = read(item)
        if (section, entry.name) in places:
            item.fail(f"The name '{entry.name}' stands twice in {section}.")
        places[section, entry.name] = item
        entries.append(entry)
    return tuple(entries)
