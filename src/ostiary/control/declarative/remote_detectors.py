"""`detectors:` of a declarative file: services that find what no pattern can."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from ostiary.control.declarative.detectors import detector_names
from ostiary.control.declarative.errors import nearest
from ostiary.control.declarative.nodes import Value
from ostiary.control.declarative.upstream import UpstreamError, is_loopback, is_private, parse_upstream, upstream_text
from ostiary.control.declarative.values import absolute_path, duration_s, duration_text
from ostiary.model.connection import Upstream
from ostiary.model.detector import DetectorService

PRESIDIO_ENTITIES: Mapping[str, str] = MappingProxyType(
    {
        "PERSON": "person-name",
        "LOCATION": "location",
        "NRP": "group-membership",
        "ORGANIZATION": "organization",
        "DATE_TIME": "date-time",
        "AGE": "age",
        "MEDICAL_LICENSE": "medical-license",
        "US_BANK_NUMBER": "us-bank-number",
        "US_DRIVER_LICENSE": "us-driver-license",
        "US_PASSPORT": "us-passport",
        "CRYPTO": "crypto-wallet",
    }
)
"""What Presidio finds and no detector of ours does. It is asked only for what rules name."""

DEFAULT_LANGUAGE = "en"
DEFAULT_SCORE = 0.6
DEFAULT_TIMEOUT_S = 10.0
ENTITIES_MAX = 100
_TIMEOUT_MOST_S = 600

_KEYS = ("url", "language", "entities", "min_score", "timeout", "allow_private", "allow_plaintext", "ca_file")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LABEL = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ENTITY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z]{2,8})?")
_SCORE = re.compile(r"0(?:\.[0-9]{1,4})?|1(?:\.0{1,4})?")


def read_detector(value: Value) -> DetectorService:
    members = value.mapping("a detector", ("name", "presidio"), ("name", "presidio"))
    name = members["name"].text("the name of a detector")
    if not _NAME.fullmatch(name):
        members["name"].fail(f"'{name}' cannot be the name of a detector.", "Use a-z, 0-9 and -.")
    parts = members["presidio"].mapping("presidio", _KEYS, ("url",))
    detector = DetectorService(
        name=name,
        endpoint=_endpoint(parts["url"]),
        language=_matching(parts["language"], "language", _LANGUAGE, "a code such as en or de")
        if "language" in parts
        else DEFAULT_LANGUAGE,
        entities=_entities(parts["entities"]) if "entities" in parts else tuple(PRESIDIO_ENTITIES.items()),
        min_score=float(_matching(parts["min_score"], "min_score", _SCORE, "a number from 0 to 1, such as 0.6"))
        if "min_score" in parts
        else DEFAULT_SCORE,
        timeout_s=duration_s(parts["timeout"], "timeout", 1, _TIMEOUT_MOST_S)
        if "timeout" in parts
        else DEFAULT_TIMEOUT_S,
        allow_private="allow_private" in parts and parts["allow_private"].boolean("allow_private"),
        allow_plaintext="allow_plaintext" in parts and parts["allow_plaintext"].boolean("allow_plaintext"),
        ca_file=absolute_path(parts["ca_file"], "ca_file") if "ca_file" in parts else None,
    )
    _check_endpoint(detector, parts["url"])
    return detector


def write_detector(detector: DetectorService) -> Iterator[tuple[str, object]]:
    """What `read_detector` reads back."""
    yield "name", detector.name
    parts: dict[str, object] = {"url": upstream_text(detector.endpoint), "language": detector.language}
    if dict(detector.entities) != PRESIDIO_ENTITIES:
        parts["entities"] = dict(detector.entities)
    parts["min_score"] = detector.min_score
    parts["timeout"] = duration_text(detector.timeout_s)
    for key in ("allow_private", "allow_plaintext"):
        if getattr(detector, key):
            parts[key] = True
    if detector.ca_file is not None:
        parts["ca_file"] = detector.ca_file
    yield "presidio", parts


def complaint_about_detector(name: str, services: Iterable[DetectorService]) -> tuple[str, str] | None:
    """What is wrong with this name under `detectors` of a masking rule, and what to do; None when it is right."""
    remote = {label for service in services for label in service.labels}
    if name in remote or name in detector_names():
        return None
    if name in PRESIDIO_ENTITIES.values():
        return (
            f"The detector '{name}' is not built in, and no service under `detectors:` finds it.",
            "Add one: `detectors: [{name: presidio, presidio: {url: …}}]`, with it among its entities.",
        )
    return f"There is no detector '{name}'.", nearest(name, (*detector_names(), *remote))


def _endpoint(value: Value) -> Upstream:
    try:
        return parse_upstream(value.text("url"))
    except UpstreamError as failure:
        value.fail(str(failure).replace("The upstream", "The detector's URL", 1))


def _check_endpoint(detector: DetectorService, at: Value) -> None:
    host = detector.endpoint.host
    if is_private(host) and not detector.allow_private:
        at.fail(
            f"The detector's address {host} is loopback or private.",
            "Add `allow_private: true` beside `url` if that is meant.",
        )
    if detector.endpoint.scheme == "http" and not is_loopback(host) and not detector.allow_plaintext:
        at.fail(
            f"The texts of requests and answers would travel to {host} unencrypted.",
            "Use https://, or add `allow_plaintext: true` beside `url` if that is meant.",
        )


def _entities(value: Value) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for key, named in value.members("entities").values():
        entity = str(key.node.value)
        if not _ENTITY.fullmatch(entity):
            key.fail(f"'{entity}' cannot be an entity.", "Presidio writes them like PERSON or US_PASSPORT.")
        label = _matching(named, f"the detector of {entity}", _LABEL, "a-z, 0-9 and -, at most 40 characters")
        if label in detector_names():
            named.fail(f"The detector '{label}' is built in.", f"Choose another name for what finds {entity}.")
        found[entity] = label
    if not found:
        value.fail("'entities' is empty.", "Leave it out to use the usual ones, or name some.")
    if len(found) > ENTITIES_MAX:
        value.fail(f"'entities' has more than {ENTITIES_MAX} entries.")
    return tuple(found.items())


def _matching(value: Value, what: str, pattern: re.Pattern[str], allowed: str) -> str:
    text = "" if value.is_mapping or value.is_list else str(value.node.value)
    if not pattern.fullmatch(text):
        value.fail(f"{what} must be {allowed}.")
    return text
