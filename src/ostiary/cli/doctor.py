"""`ostiary doctor`."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import IO, TYPE_CHECKING

import click

from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.terminal import paint, print_json, visible

if TYPE_CHECKING:
    from ostiary.cli.checks import Report

_COLOUR = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def doctor(context: click.Context) -> int:
    """Check this installation line by line and say what to do. Exits with 1 when something fails.

    Nothing is changed, and nothing is sent to an upstream: names are resolved, addresses are judged.
    """
    if context.invoked_subcommand is not None:
        return 0
    from ostiary.cli.checks import all_checks

    invocation = context.ensure_object(Invocation)
    return _print(invocation, all_checks(invocation))


@doctor.command()
@click.argument("name")
@click.option(
    "-f",
    "--file",
    "source",
    type=click.File("rb"),
    help="A configuration that is not applied yet; - is standard input.",
)
@pass_invocation
def idp(invocation: Invocation, name: str, source: IO[bytes] | None) -> int:
    """Ask the identity provider NAME what it offers, and say what is wrong with our configuration of it.

    Nothing is changed, and nobody is signed in.
    """
    from ostiary.cli.checks import Report
    from ostiary.cli.configuration import name_of, text_of

    body = {"name": name}
    if source is not None:
        body |= {"yaml": text_of(source), "filename": name_of(source)}
    findings = invocation.server.post("identity", "examine", body=body)["findings"]
    return _print(invocation, (Report(row["level"], name, row["sentence"], row["next"]) for row in findings))


def _print(invocation: Invocation, found: Iterable["Report"]) -> int:
    """Each as it comes, and what it comes to. Returns the exit code."""
    reports = []
    for report in found:
        reports.append(report)
        if not invocation.json:
            mark = paint(visible(report.level).ljust(4), _COLOUR.get(report.level, "yellow"))
            print(f"{mark}  {visible(report.subject).ljust(12)} {visible(report.sentence)}", flush=True)
            for line in _advice(report.next_step):
                print(f"{' ' * 19}{line}")
    failures = sum(1 for report in reports if report.level == "fail")
    warnings = sum(1 for report in reports if report.level == "warn")
    if invocation.json:
        print_json({"ok": not failures, "checks": [asdict(report) for report in reports]})
    elif failures or warnings:
        print(f"\n{failures} failed, {warnings} to look at.")
    else:
        print("\nEverything is in order.")
    return 1 if failures else 0


def _advice(next_step: str) -> Iterator[str]:
    if next_step:
        yield f"→ {visible(next_step)}"
