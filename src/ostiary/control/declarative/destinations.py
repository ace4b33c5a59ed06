"""What a change of the configuration newly sends somewhere: secrets, and what people write."""

from collections.abc import Callable, Iterator

from ostiary.control.declarative.upstream import upstream_text
from ostiary.model.configuration import Configuration

STORED = "stored"

PEOPLE_KINDS = frozenset({"group", "issuer", "role", "assignment", "sessions", "scim"})
"""The kinds of changes that decide who somebody is and what they may."""


def new_destinations(old: Configuration, new: Configuration, has_value: Callable[[str], bool]) -> Iterator[str]:
    """A sentence for each. A secret that is new, stored here and not set yet may go anywhere: whoever sets it knows it.
    `has_value` says whether a stored secret has one."""
    before = {secret.name: secret for secret in old.secrets}
    for secret in new.secrets:
        if secret.provider != STORED and before.get(secret.name) != secret:
            yield f"The secret '{secret.name}' is read from {secret.provider} {secret.reference}."
    known_places = set(_places(old))
    for name, place in _places(new):
        is_unset = name not in before and not has_value(name)
        if (name, place) not in known_places and not is_unset:
            yield f"The secret '{name}' is sent to {place}."
    upstreams = {connection.name: connection.upstream for connection in old.connections}
    for connection in new.connections:
        former = upstreams.get(connection.name)
        if former is not None and former != connection.upstream:
            yield f"What is sent to '{connection.name}' goes to {upstream_text(connection.upstream)}."
    detectors = {detector.name: detector.endpoint for detector in old.detectors}
    for detector in new.detectors:
        if detectors.get(detector.name) != detector.endpoint:
            yield f"Texts that '{detector.name}' looks through go to {upstream_text(detector.endpoint)}."


def _places(configuration: Configuration) -> Iterator[tuple[str, str]]:
    for connection in configuration.connections:
        place = f"{connection.upstream.scheme}://{connection.upstream.authority}"
        names = {connection.secret, *(form.secret for form in connection.auth)}
        yield from ((name, place) for name in names if name is not None)
