"""`ostiary audit`."""

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ostiary.cli.following import follow_entries
from ostiary.cli.invocation import Group, Invocation, pass_invocation
from ostiary.cli.terminal import (
    actor_label,
    duration,
    moment,
    paint,
    print_json,
    print_json_line,
    seconds_from,
    visible,
)
from ostiary.model.errors import OperatorError


@click.group(cls=Group)
def audit() -> None:
    """Verify, export and follow the audit log."""


@audit.command()
@click.argument("bundle", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--key", "key_texts", multiple=True, metavar="KEY", help="A verifier key you were told.")
@click.option(
    "--checkpoint",
    "kept_files",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint you kept elsewhere; shows a log put back to an older state.",
)
@pass_invocation
def verify(
    invocation: Invocation, bundle: Path | None, key_texts: tuple[str, ...], kept_files: tuple[Path, ...]
) -> None:
    """Check every entry, hash and signature of BUNDLE, or of HOME's own log. Needs no running server.

    Exits with 1 and names the first bad entry when the log is not whole.
    """
    from ostiary.audit.verification import parse_keys, verify_directory

    try:
        keys = parse_keys("\n".join(key_texts))
    except ValueError:
        raise click.UsageError("--key takes a verifier key: NAME+8 hex digits+base64.") from None
    kept = [path.read_bytes() for path in kept_files]
    # HOME's own log may hold entries that are on disk and not signed yet; an export may not.
    verdict = verify_directory(bundle or _log_folder(invocation), keys=keys, kept=kept, unsigned_allowed=bundle is None)
    if invocation.json:
        print_json(
            {
                "whole": verdict.whole,
                "problem": verdict.problem,
                "sentence": verdict.sentence,
                "index": verdict.index,
                "entries": verdict.entries,
                "signed": verdict.signed,
                "checkpoints": verdict.checkpoints,
                "remarks": verdict.remarks,
            }
        )
    elif verdict.whole:
        print(f"{paint('Whole.', 'green', 'bold')} All {verdict.entries} entries are as they were written.")
        print(f"{verdict.checkpoints} signed checkpoints vouch for the first {verdict.signed} of them.")
        for remark in verdict.remarks:
            print(f"Note: {visible(remark)}")
    else:
        place = "" if verdict.index is None else f" The first bad entry is {verdict.index}, counted from 0."
        print(f"{paint('Not whole.', 'red', 'bold')} {visible(verdict.sentence)}{place}")
        print("Keep the log as it is for an investigation; compare it with an exported bundle or a backup.")
    if not verdict.whole:
        sys.exit(1)


def _log_folder(invocation: Invocation) -> Path:
    folder = invocation.home / "audit"
    if not folder.is_dir():
        raise OperatorError(
            f"There is no audit log in HOME {invocation.home}.",
            "Name another HOME with --home, or the exported bundle to check.",
        )
    return folder


@audit.command()
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="BUNDLE",
    type=click.Path(path_type=Path),
    help="A new directory, .zip, .tar or .tar.gz.",
)
@click.option("--since", metavar="WHEN", help="First moment, as 2026-01-31, 2026-01-31T12:00:00Z or 7d (ago).")
@pass_invocation
def export(invocation: Invocation, output: Path, since: str | None) -> None:
    """Write the log, its signatures and a stand-alone verifier into BUNDLE. Needs no running server."""
    from ostiary.audit.bundle import bundle_files, write_bundle
    from ostiary.audit.standalone import Bundle, parse_keys

    log = Bundle(_log_folder(invocation))
    first = _first_index(log, _moment_from(since)) if since else 0
    entries = (line for index, line in enumerate(log.entries()) if index >= first)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = parse_keys(log.read("keys").decode())
    # A checkpoint never counts more than what is on disk: read first, it keeps the export whole while the
    # server goes on writing.
    checkpoints = log.read("checkpoints")
    files = bundle_files(entries, log.read("hashes"), checkpoints, keys, first=first, made_at=now)
    write_bundle(output, files)
    if invocation.json:
        print_json({"bundle": str(output), "first": first, "made_at": now})
    else:
        print(f"Exported from entry {first} on into {visible(output)}.")
        print(f"Check it anywhere: ostiary audit verify {visible(output)}, or its own verify_ostiary.py.")


def _moment_from(text: str) -> str:
    """The RFC 3339 time meant, comparable as text with the entries' own."""
    try:
        if text[-1:] in "smhd":
            meant = datetime.now(UTC).timestamp() - seconds_from(text)
            return datetime.fromtimestamp(meant, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        given = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--since {text!r} is neither a date, a time nor a span such as 7d.") from None
    given = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return given.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _first_index(log: Any, since: str) -> int:
    """The first entry at or after `since`; the number of entries when all are older."""
    count = 0
    for line in log.entries():
        try:
            time = str(json.loads(line).get("time", ""))
        except (ValueError, AttributeError):
            time = since  # not an entry any more: export it, so that verifying names it
        if time >= since:
            return count
        count += 1
    return count


@audit.command()
@click.option("-n", "--lines", type=click.IntRange(0, 10_000), default=10, show_default=True)
@click.option("--follow/--no-follow", default=True, help="Go on with new ones (default), or stop after the last.")
@pass_invocation
def tail(invocation: Invocation, lines: int, follow: bool) -> None:
    """Print the last entries and then new ones as they come, until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        for index, entry in follow_entries(invocation.server, lines, forever=follow):
            if invocation.json:
                print_json_line({"index": index, "entry": entry})
            else:
                print(_entry_line(index, entry), flush=True)


def _entry_line(index: int, entry: dict[str, Any]) -> str:
    who = actor_label(entry.get("actor") or entry.get("by"))
    request = f"{entry.get('method', '')} {entry.get('target', '')}".strip()
    detail = entry.get("detail")
    parts = [
        f"#{index}",
        moment(entry.get("time")),
        entry.get("type"),
        who,
        entry.get("connection"),
        request,
        entry.get("status"),
        entry.get("code"),
        duration(entry.get("duration_us")),
        json.dumps(detail, ensure_ascii=False) if detail else "",
    ]
    return visible("  ".join(str(part) for part in parts if part not in (None, "")))
