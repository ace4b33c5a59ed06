"""What reaches the terminal: escaped text, tables, times and sizes."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any

from ostiary.approval.visible_text import PLACEHOLDER, is_hidden

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "bold": "1", "dim": "2"}
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def visible(text: object, *, keep_lines: bool = False) -> str:
    """The text with everything a terminal could act on, or a reader could not see, written as `‹U+001B›`.

    That is every control character (ANSI sequences begin with one), bidirectional and zero-width character,
    filler and lone surrogate; with `keep_lines`, line feeds and tabs stay. Placeholders stay as they are. All text
    that came from a client, an upstream or a file goes through here before it is printed.
    """
    source = str(text)
    if source.isascii() and source.isprintable():
        return source
    kept = "\n\t" if keep_lines else ""
    around = PLACEHOLDER.split(source)
    around[::2] = ["".join(_shown(character, kept) for character in text) for text in around[::2]]
    return "".join(around)


def _shown(character: str, kept: str) -> str:
    # The quote itself is escaped too, or a text could pretend to have been escaped.
    if character == "‹" or (is_hidden(character) and character not in kept):
        return f"‹U+{ord(character):04X}›"
    return character


def paint(text: str, *styles: str, stream: IO[str] | None = None) -> str:
    """The text in colour when the stream is a terminal that wants it (`NO_COLOR` and `TERM=dumb` do not)."""
    target = sys.stdout if stream is None else stream
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not target.isatty():
        return text
    codes = ";".join(_COLOURS[style] for style in styles)
    return f"\x1b[{codes}m{text}\x1b[0m"


def print_json(value: Any) -> None:
    """One JSON document, ASCII only, so that nothing in it can act on a terminal."""
    print(json.dumps(value, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f"))


def print_json_line(value: Any) -> None:
    """The same on one line, flushed: for commands that follow."""
    print(json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("\x7f", "\\u007f"), flush=True)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their widest cell. Every cell is escaped; None and "" show as a dash."""
    cells = [["-" if cell is None or cell == "" else visible(cell) for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(headings), *cells]) for column in range(len(headings))]
    print(paint(_columns(headings, widths), "bold"))
    for line in cells:
        print(_columns(line, widths))


def _columns(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """`label: value` lines with the values in one column; fields without a value are left out."""
    shown = [(label, visible(value)) for label, value in fields if value is not None and value != ""]
    width = max((len(label) for label, _ in shown), default=0)
    for label, value in shown:
        print(f"{paint((label + ':').ljust(width + 1), 'dim')} {value}")


def moment(value: object) -> str:
    """`2026-01-31 12:00:00Z` for seconds since the epoch or an RFC 3339 text; "" for None."""
    if value is None or value == "":
        return ""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    text = str(value)
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except ValueError:
        return text


def size(count: object) -> str:
    """`17 B`, `4.2 KiB`, …"""
    if not isinstance(count, (int, float)):
        return ""
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"


def duration(microseconds: object) -> str:
    """`850 µs`, `12.3 ms`, `4.56 s`."""
    if not isinstance(microseconds, (int, float)):
        return ""
    if microseconds < 1000:
        return f"{microseconds:.0f} µs"
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds / 1_000_000:.2f} s"


def seconds_from(text: str) -> float:
    """Seconds meant by `90s`, `15m`, `12h`, `7d` or a bare number. Raises `ValueError` with a sentence."""
    number, factor = text.strip(), 1
    if number[-1:] in _UNITS_S:
        number, factor = number[:-1], _UNITS_S[number[-1]]
    if not (number.isascii() and number.isdigit()) or int(number) == 0:
        raise ValueError(f"{visible(text)!s} is not a time span; write for example 90s, 15m, 12h or 7d.")
    return float(int(number) * factor)


def actor_label(actor: object) -> str:
    """`alice`, `alice via cursor` for an agent; takes the audit log's actor object or a name."""
    if isinstance(actor, Mapping):
        agent = actor.get("agent")
        name = str(actor.get("name", ""))
        return f"{name} via {agent}" if agent else name
    return "" if actor is None else str(actor)
