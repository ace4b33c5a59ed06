"""`ostiary mask`: what masking would find in a text, without a server or with the rules of one."""

import sys
import time
from typing import IO, TYPE_CHECKING, Any

import click

from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.terminal import paint, print_json, print_table, visible
from ostiary.model.errors import OperatorError

if TYPE_CHECKING:
    from ostiary.cli.mask_trial import Trial

_TEXT_MAX_BYTES = 256 * 1024 * 1024
_RULES_MAX_BYTES = 4 * 1024 * 1024
_WHERE = ["request", "response", "recording"]
_READ_AS = {"text": "read as text", "json": "read as JSON", "sse": "read as an event stream"}


@click.group(cls=Group)
def mask() -> None:
    """Try masking on a text, and see what it knows."""


@mask.command()
@click.argument("source", metavar="[FILE]", type=click.File("rb"), default="-")
@click.option("--detectors", "detector_lists", multiple=True, metavar="A,B", help="Only these (default: all built in).")
@click.option("--rules", "rules_file", type=click.File("rb"), metavar="FILE", help="The masking rules of this file.")
@click.option("--connection", metavar="C", help="The rules in force on this connection of the running server.")
@click.option("--where", type=click.Choice(_WHERE), help="Of the rules, only those for this (with C: response).")
@click.option(
    "--as", "shape", type=click.Choice(list(_READ_AS)), help="How to read the text (default: by looking at it)."
)
@pass_invocation
def test(
    invocation: Invocation,
    source: IO[bytes],
    detector_lists: tuple[str, ...],
    rules_file: IO[bytes] | None,
    connection: str | None,
    where: str | None,
    shape: str | None,
) -> None:
    """Show what is found in FILE (standard input when none is named), and the text as it would go on.

    Values are not shown. Nothing is sent anywhere, and nothing is put on record.
    """
    from ostiary.cli.mask_rules import rules_of_detectors, rules_of_file, rules_of_server
    from ostiary.cli.mask_trial import try_out

    if sum((bool(detector_lists), rules_file is not None, connection is not None)) > 1:
        raise click.UsageError("--detectors, --rules and --connection exclude each other.")
    if connection is not None:
        chosen = rules_of_server(invocation.server, connection, where or "response", time.time())
    elif rules_file is not None:
        chosen = rules_of_file(_rules_text(rules_file), str(rules_file.name), where, time.time())
    elif where is not None:
        raise click.UsageError("--where belongs to --rules or --connection.")
    else:
        chosen = rules_of_detectors(
            [name.strip() for names in detector_lists for name in names.split(",") if name.strip()]
        )
    for note in chosen.notes:
        print(f"Note: {visible(note)}", file=sys.stderr)
    content = source.read(_TEXT_MAX_BYTES + 1)
    if len(content) > _TEXT_MAX_BYTES:
        raise OperatorError("The text is larger than 256 MiB.", "Try a part of it.")
    trial = try_out(chosen, content, shape)
    if invocation.json:
        print_json(_document(trial))
    else:
        _show(trial)
    if trial.failure is not None:
        raise trial.failure


def _rules_text(file: IO[bytes]) -> str:
    content = file.read(_RULES_MAX_BYTES + 1)
    if len(content) > _RULES_MAX_BYTES:
        raise OperatorError(f"{file.name} is larger than 4 MiB: that is no configuration.", "Check the file's name.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise OperatorError(f"{file.name}, line {line}: this is not UTF-8 text.", "Save it as UTF-8.") from None


def _show(trial: "Trial") -> None:
    sightings = trial.sightings
    if sightings:
        print_table(
            ["AT", "DETECTOR", "FORMAT", "BYTES", "ACTION", "RULE"],
            [
                [
                    f"{seen.line}:{seen.column}" if seen.line else "",
                    seen.finding.detector,
                    seen.finding.format,
                    seen.finding.length,
                    seen.finding.action,
                    seen.finding.rule,
                ]
                for seen in sightings
            ],
        )
    count = len(sightings)
    told = f"{count:,} finding{'' if count == 1 else 's'}" if count else "Nothing found"
    print(f"{told} ({_READ_AS[trial.shape]}).")
    if trial.result is not None:
        print(f"\n{paint('Result:', 'bold')}")
        text = visible(trial.result.decode("utf-8", "backslashreplace"), keep_lines=True)
        print(text, end="" if text.endswith("\n") else "\n")


def _document(trial: "Trial") -> dict[str, Any]:
    return {
        "read_as": trial.shape,
        "findings": [
            {
                "line": seen.line or None,
                "column": seen.column or None,
                "detector": seen.finding.detector,
                "format": seen.finding.format,
                "length": seen.finding.length,
                "action": seen.finding.action,
                "rule": seen.finding.rule,
                "place": seen.finding.place,
            }
            for seen in trial.sightings
        ],
        "result": None if trial.result is None else trial.result.decode("utf-8", "backslashreplace"),
    }


@mask.command("list")
@pass_invocation
def list_detectors(invocation: Invocation) -> None:
    """List the detectors that rules may name, and the formats each of them knows."""
    from ostiary.control.declarative.detectors import MINTED_CREDENTIAL
    from ostiary.masking.catalog import load_detectors

    detectors = load_detectors()
    if invocation.json:
        known = [
            {
                "name": name,
                "formats": [{"name": row.name, "title": row.title, "vendor": row.vendor or None} for row in rows],
            }
            for name, rows in detectors.items()
        ]
        print_json({"detectors": [*known, {"name": MINTED_CREDENTIAL, "formats": []}]})
        return
    print_table(
        ["DETECTOR", "FORMAT", "WHAT", "OF"],
        [
            *([name, row.name, row.title, row.vendor] for name, rows in detectors.items() for row in rows),
            [MINTED_CREDENTIAL, "", "Credentials in answers of operations that mint them", ""],
        ],
    )
