"""Remote detectors in a declarative file."""

import pytest

from ostiary.catalog import load_catalog
from ostiary.control.declarative import Change, DeclarativeError, merge, parse, parse_masking, plan, render
from ostiary.control.declarative.remote_detectors import PRESIDIO_ENTITIES
from ostiary.masking.engine import detector_names
from ostiary.model.configuration import Configuration
from ostiary.model.connection import Upstream
from ostiary.model.detector import DetectorService

KINDS = load_catalog()
PLAIN = "{name: presidio, presidio: {url: 'http://127.0.0.1:5002', allow_private: true}}"
RULE = "{name: people, detectors: [person-name, email], where: [request]}"


def file(*detectors: str, rules: str = RULE) -> str:
    listed = "".join(f"  - {each}\n" for each in detectors)
    return "version: 1\n" + (f"detectors:\n{listed}" if listed else "") + (f"masking:\n  - {rules}\n" if rules else "")


def read(text: str, existing: Configuration | None = None) -> Configuration:
    return parse(text, "o.yaml", KINDS, existing)


def wrong(text: str, existing: Configuration | None = None) -> str:
    with pytest.raises(DeclarativeError) as caught:
        read(text, existing)
    return str(caught.value)


def of_presidio(text: str) -> str:
    return wrong(file(f"{{name: p, presidio: {{{text}}}}}", rules=""))


def test_what_is_left_out_has_a_usual_value() -> None:
    (detector,) = read(file(PLAIN)).detectors
    assert detector == DetectorService(
        "presidio", Upstream("http", "127.0.0.1", 5002), "en", tuple(PRESIDIO_ENTITIES.items()), 0.6, 10.0, True
    )
    assert not detector.labels & set(detector_names())


def test_everything_can_be_said_and_is_written_back_the_same() -> None:
    full = (
        "{name: names, presidio: {url: 'https://pii.internal:8443/v1', language: de, entities: {PERSON: who, LOC: wo},"
        " min_score: 0.35, timeout: 2m, allow_private: true, ca_file: /etc/ca.pem}}"
    )
    here = "{name: b, presidio: {url: 'http://pii.example', allow_plaintext: true, min_score: 1}}"
    configuration = read(file(full, here, rules="{name: m, detectors: [who, location], where: [response]}"))
    assert configuration.detectors[0] == DetectorService(
        "names",
        Upstream("https", "pii.internal", 8443, "/v1"),
        "de",
        (("PERSON", "who"), ("LOC", "wo")),
        0.35,
        120.0,
        allow_private=True,
        ca_file="/etc/ca.pem",
    )
    assert read(render(configuration)) == configuration


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("language: en", "'url' is missing"),
        ("url: 'ftp://x'", "The detector's URL must begin with https://"),
        ("url: 'http://10.0.0.7'", "allow_private"),
        ("url: 'http://10.0.0.7', allow_private: true", "unencrypted"),
        ("url: 'http://pii.example'", "allow_plaintext"),
        ("url: 'https://x', language: 'en&x=y'", "language must be"),
        ("url: 'https://x', entities: {}", "'entities' is empty"),
        ("url: 'https://x', entities: {PERSON: Person Name}", "the detector of PERSON must be"),
        ("url: 'https://x', entities: {EMAIL_ADDRESS: email}", "'email' is built in"),
        ("url: 'https://x', entities: {'P Q': who}", "cannot be an entity"),
        ("url: 'https://x', min_score: 1.5", "from 0 to 1"),
        ("url: 'https://x', min_score: [1]", "from 0 to 1"),
        ("url: 'https://x', timeout: 2", "not a time"),
        ("url: 'https://x', timeout: 2h", "from 1s to 10m"),
        ("url: 'https://x', ca_file: ca.pem", "absolute path"),
        ("url: 'https://x', entites: {}", "Did you mean 'entities'?"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    assert said in of_presidio(text)


def test_a_detector_has_one_good_name_and_a_service() -> None:
    assert "cannot be the name" in wrong(file("{name: A B, presidio: {url: 'https://x'}}"))
    assert "stands twice" in wrong(file(PLAIN, PLAIN))
    assert "'presidio' is missing" in wrong(file("{name: a}"))


def test_a_rule_needs_a_service_for_what_is_not_built_in() -> None:
    said = wrong(file())
    assert "o.yaml:3: The detector 'person-name' is not built in, and no service" in said
    assert "detectors: [{name: presidio" in said
    narrow = "{name: p, presidio: {url: 'https://x', entities: {PERSON: who}}}"
    assert "'person-name' is not built in" in wrong(file(narrow))
    assert "Did you mean 'who'?" in wrong(file(narrow, rules="{name: m, detectors: [whoo], where: [request]}"))
    with pytest.raises(DeclarativeError, match="'person-name' is not built in"):
        parse_masking(file(), "o")
    assert parse_masking(file(PLAIN), "o")[0].detectors == ("person-name", "email")


def test_the_service_may_be_in_force_already_and_must_not_be_narrowed_under_a_rule() -> None:
    first = read(file(PLAIN, rules=""))
    both = merge(first, read(file(), first), prune=False)
    assert both.masking[0].detectors == ("person-name", "email")
    narrow = "{name: presidio, presidio: {url: 'https://x', entities: {LOCATION: location}}}"
    said = wrong(file(narrow, rules=""), both)
    assert "The masking rule 'people' is in force: The detector 'person-name' is not built in" in said


@pytest.mark.parametrize("where", ["[recording]", "[request, recording]"])
def test_recordings_are_not_shown_to_a_service(where: str) -> None:
    rule = f"{{name: m, detectors: [person-name], where: {where}}}"
    assert "A remote detector is not asked about recordings" in wrong(file(PLAIN, rules=rule))


def test_seal_is_for_fields_only() -> None:
    rule = "{name: m, detectors: [person-name], where: [response], action: seal}"
    assert "Only whole fields" in wrong(file(PLAIN, rules=rule))


def test_plans_tell_what_changes() -> None:
    old = read(file(PLAIN, rules=""))
    assert plan(Configuration(), old, False) == (
        Change(
            "+",
            "detector",
            "presidio",
            f"presidio at http://127.0.0.1:5002 for {', '.join(sorted(PRESIDIO_ENTITIES.values()))}",
        ),
    )
    assert plan(old, old, False) == ()
    changed = (
        "{name: presidio, presidio: {url: 'http://127.0.0.1:5003', allow_private: true, timeout: 3s,"
        " entities: {PERSON: person-name}}}"
    )
    (change,) = plan(old, read(file(changed, rules="")), False)
    assert (change.action, change.kind) == ("~", "detector")
    assert "url: http://127.0.0.1:5002 → http://127.0.0.1:5003" in change.detail
    assert "→ PERSON as person-name" in change.detail
    assert "timeout: 10s → 3s" in change.detail
    assert plan(old, Configuration(), True) == (Change("-", "detector", "presidio"),)
