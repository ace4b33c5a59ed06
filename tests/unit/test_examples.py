"""The example files that the documentation names are accepted as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest

from ostiary.catalog import load_catalog
from ostiary.control.declarative import parse
from ostiary.model.actor import Actor, ActorKind
from ostiary.model.decision import Allow
from ostiary.policy.evaluation import Policy

EXAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_is_accepted_and_lets_somebody_in(path: Path) -> None:
    kinds = load_catalog()
    configuration = parse(path.read_text(encoding="utf-8"), path.name, kinds)
    policy = Policy(configuration.rules)
    engineer = Actor(ActorKind.USER, "ann", frozenset({"engineering"}), "tok", 0.0)
    stranger = Actor(ActorKind.USER, "eve", frozenset(), "tok", 0.0)
    for connection in configuration.connections:
        operations = kinds[connection.kind].operations
        assert any(isinstance(policy.decide(engineer, connection.name, each), Allow) for each in operations)
        assert not any(isinstance(policy.decide(stranger, connection.name, each), Allow) for each in operations)


def test_examples_are_printed_for_those_without_the_repository() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ostiary", "example", "cursor"], capture_output=True, text=True, check=True
    )
    assert done.stdout == (EXAMPLES[0].parent / "cursor.yaml").read_text(encoding="utf-8")
    listed = subprocess.run([sys.executable, "-m", "ostiary", "example"], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == [path.stem for path in EXAMPLES]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4
