"""Credentials: the cases that other scanners' rules are tried on by their authors."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import yaml

from bench.masking_quality import downloads
from bench.masking_quality.samples import Sample, planted_in

GITLEAKS, KINGFISHER = "gitleaks", "Kingfisher"


def secret_samples(cache: Path, uncovered: Mapping[str, str]) -> list[Sample]:
    """All of them; `uncovered` names the rules whose formats Ostiary does not claim to know."""
    return [*_gitleaks(cache, uncovered), *_kingfisher(downloads.kingfisher_rules(cache), uncovered)]


def _gitleaks(cache: Path, uncovered: Mapping[str, str]) -> Iterator[Sample]:
    for case in downloads.gitleaks_cases(cache):
        rule, text = str(case["rule"]), str(case["text"])
        secrets = [_secret(rule, text, value) for value in cast(list[str], case["secrets"])] if case["true"] else []
        path = str(case["path"] or _file_name(text))
        yield Sample(GITLEAKS, text, planted_in(text, secrets, rule), rule not in uncovered, path, (rule,))


def _secret(rule: str, text: str, value: str) -> str:
    """What is secret of what the rule takes in: of a login the password, of base64 all of it."""
    if rule == "curl-auth-user":
        return value.partition(":")[2].strip("\"'{}")
    if rule == "jwt-base64":
        return next(run for run in re.findall(r"[A-Za-z0-9+/=_-]+", text) if value in run)
    return value


def _kingfisher(text: str, uncovered: Mapping[str, str]) -> Iterator[Sample]:
    if not text:
        return
    for rule in yaml.safe_load(text)["rules"]:
        name = rule["id"]
        flags, pattern = re.fullmatch(r"\(\?(\w+)\)(.*)", rule["pattern"].strip(), re.DOTALL).groups()  # type: ignore[union-attr]
        program = re.compile(f"(?{flags}){pattern}")
        for example in rule["examples"]:
            found = program.search(example)
            value = found.group(1) if found else example
            yield Sample(KINGFISHER, example, planted_in(example, [value], name), name not in uncovered, "", (name,))
        for example in rule["negative_examples"]:
            yield Sample(KINGFISHER, example, (), True, "", (name,))


_FILE_NAMES = (
    (re.compile(r"\A\s*\{\s*\""), "settings.json"),
    (re.compile(r"\A\s*<"), "settings.xml"),
    (re.compile(r"\A[\w.-]+: "), "settings.yaml"),
    (re.compile(r"\A(?:var|string|String|\$)\b.*;", re.DOTALL), "Settings.java"),
    (re.compile(r"\A\w+ = ['\"]"), "settings.py"),
)


def _file_name(text: str) -> str:
    """detect-secrets chooses some of its patterns by it."""
    return next((name for pattern, name in _FILE_NAMES if pattern.search(text)), "settings.ini")
