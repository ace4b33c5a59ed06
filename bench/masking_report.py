"""Where the smaller benches put what they measured: their section of a file in `bench/results`, and their block of
`docs/performance.md`."""

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.machine import idle_share

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "masking.json"
PAGE = ROOT / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 1
    """So many columns are names; the others are numbers."""


def conditions() -> str:
    """The machine, and how busy it is now."""
    return (
        f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}; "
        f"{1 - idle_share(1.0):.0%} of the machine used by others before the first measure"
    )


def number(value: float) -> str:
    """Three digits that count."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def for_terminal(table: Table) -> str:
    lines = [table.head, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    text = [
        "  ".join(
            cell.ljust(width) if column < table.names else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([table.title, *text, ""])


def for_markdown(table: Table) -> str:
    rule = "|" + "|".join("---" if column < table.names else "--:" for column in range(len(table.head))) + "|"
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in (table.head, *table.rows)]
    return "\n".join([f"{table.title}:", "", lines[0], rule, *lines[1:]])


def publish(
    section: str,
    command: str,
    machine: str,
    tables: Sequence[Table],
    values: Mapping[str, object],
    results: Path = RESULTS,
) -> None:
    """Write down the measured values and the block of the page whose marks name this section."""
    known = json.loads(results.read_text()) if results.exists() else {}
    day = time.strftime("%Y-%m-%d")
    known[section] = {
        "command": command,
        "machine": machine,
        "day": day,
        "tables": [asdict(table) for table in tables],
        "values": dict(values),
    }
    results.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    before, found, rest = PAGE.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if found and closed:
        words = f"Measured on {day} with `{command}`: {machine}."
        block = "\n\n".join([words, *map(for_markdown, tables)])
        PAGE.write_text(f"{before}{begin}\n{block}\n{end}{after}")
