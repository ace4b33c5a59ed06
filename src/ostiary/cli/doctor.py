"""`ostiary doctor`."""

import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from ostiary.cli.invocation import Command, Invocation, pass_invocation
from ostiary.cli.terminal import paint, print_json, visible

_COLOUR = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(cls=Command)
@pass_invocation
def doctor(invocation: Invocation) -> None:
    """Check this installation line by line and say what to do. Exits with 1 when something fails.

    Nothing is changed, and nothing is sent to an upstream: names are resolved, addresses are judged.
    """
    from ostiary.cli.checks import all_checks

    reports = []
    for report in all_checks(invocation):
        reports.append(report)
        if not invocation.json:
            mark = paint(report.level.ljust(4), _COLOUR[report.level])
            print(f"{mark}  {report.subject.ljust(12)} {visible(report.sentence)}", flush=True)
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
    if failures:
        sys.exit(1)


def _advice(next_step: str) -> Iterator[str]:
    if next_step:
        yield f"→ {visible(next_step)}"
