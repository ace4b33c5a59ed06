"""An entry as bytes: canonical JSON, written once and never serialised again."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import orjson

from ostiary.model.errors import IntegrityError, OperatorError

VERSION = 1
ENTRY_MAX_BYTES = 1024 * 1024


def encode_entry(entry: Mapping[str, object]) -> bytes:
    """Keys sorted, no spaces, UTF-8, one line without its line feed.

    Control characters are `\\u` escapes, so a line feed inside a value cannot begin a new entry.
    Raises `OperatorError` for what JSON cannot hold and for more than `ENTRY_MAX_BYTES`.
    """
    try:
        line = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # orjson's own errors are subclasses; they name types, never values
        raise OperatorError("An audit entry cannot be written as JSON.", "Report this as a defect.") from error
    if len(line) > ENTRY_MAX_BYTES:
        raise OperatorError(
            f"An audit entry of {len(line)} bytes is larger than {ENTRY_MAX_BYTES}.",
            "Report this as a defect.",
        )
    return line


def decode_entry(line: bytes, index: int | None = None) -> dict[str, object]:
    """The entry of one line. Raises `IntegrityError` with `index` when it is not one JSON object."""
    try:
        entry = orjson.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        raise IntegrityError(
            f"Entry {'?' if index is None else index} of the audit log is not JSON.",
            "Run `ostiary audit verify`.",
            index,
        )
    return entry


def entry_time(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC with six decimals."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def whole_lines(data: bytes) -> tuple[list[bytes], int]:
    """The complete lines of `data` without their line feeds, and how many bytes they take with them."""
    end = data.rfind(b"\n") + 1
    return data[:end].split(b"\n")[:-1], end


def lines_of(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Lines of a file read in pieces. A last line without a line feed comes out as it is."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest
