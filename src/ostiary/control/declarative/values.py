"""Names, times and header fields, parsed into forms that cannot be wrong."""

import re
from datetime import UTC, datetime

from ostiary.approval.visible_text import is_hidden
from ostiary.control.declarative.nodes import Value

_CONNECTION_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/=-]{0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?(Z|z|[+-][0-9]{2}:[0-9]{2}))?"
)
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-][A-Za-z0-9!#$%&'*+.^`|~-]{0,99}")
_FIELD_VALUE = re.compile(r"[!-~](?:[ -~]{0,4094}[!-~])?")

_MOMENT_MAX_S = datetime(9999, 12, 31, tzinfo=UTC).timestamp()

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

FRAMING_FIELDS = frozenset(
    {
        "host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "keep-alive",
        "proxy-connection", "proxy-authorization", "proxy-authenticate", "expect", "accept-encoding", "range",
    }
)  # fmt: skip
"""Ostiary writes these itself."""


def connection_name(value: Value) -> str:
    return _fitting(value, "the name of a connection", _CONNECTION_NAME, "a-z, 0-9 and -, at most 63 characters")


def secret_name(value: Value) -> str:
    return _fitting(value, "the name of a secret", _SECRET_NAME, "letters, digits, . _ and -, at most 63 characters")


def label(value: Value) -> str:
    return _fitting(value, "a label", _LABEL, "letters, digits and . _ / = -, at most 63 characters")


def variable_name(value: Value) -> str:
    return _fitting(value, "the name of an environment variable", _VARIABLE, "letters, digits and _")


def is_secret_name(text: str) -> bool:
    return _SECRET_NAME.fullmatch(text) is not None


def is_plain_name(text: str, longest: int = 200) -> bool:
    """One line of visible characters without space at its ends; a name of a person, a group, a rule."""
    return 0 < len(text) <= longest and text.strip() == text and not any(is_hidden(c) for c in text)


def plain_text(value: Value, what: str, longest: int = 200) -> str:
    text = value.text(what)
    if not is_plain_name(text, longest):
        value.fail(f"{what} must be one line of visible characters without space at its ends, at most {longest}.")
    return text


def names(value: Value, what: str) -> tuple[str, ...]:
    """At least one: an empty list would mean everything to some readers and nothing to others."""
    items = value.items(what)
    if not items:
        value.fail(f"'{what}' is an empty list.", "Leave it out to mean all of them, or name some.")
    return tuple(dict.fromkeys(plain_text(item, f"an entry of {what}") for item in items))


def absolute_path(value: Value, what: str) -> str:
    text = plain_text(value, what, 4096)
    if not text.startswith("/"):
        value.fail(f"{what} must be an absolute path, since the server reads it.", "Begin it with /.")
    return text


def duration_s(value: Value, what: str, least_s: int, most_s: int) -> float:
    """Seconds of `90s`, `2m`, `1h`, `30d`."""
    example = "Write it like 90s, 2m, 1h or 30d."
    if value.is_mapping or value.is_list or value.is_empty:
        value.fail(f"{what} must be a time.", example)
    match = _DURATION.fullmatch(str(value.node.value))
    if match is None:
        value.fail(f"'{value.node.value}' is not a time for {what}.", example)
    seconds = int(match.group(1)) * _SECONDS[match.group(2)]
    if not least_s <= seconds <= most_s:
        value.fail(f"{what} must be from {duration_text(least_s)} to {duration_text(most_s)}.")
    return float(seconds)


def duration_text(seconds: float) -> str:
    """The shortest form that `duration_s` reads back."""
    whole = round(seconds)
    for unit in ("d", "h", "m"):
        if whole and whole % _SECONDS[unit] == 0:
            return f"{whole // _SECONDS[unit]}{unit}"
    return f"{whole}s"


def moment_s(value: Value, what: str) -> float:
    """Seconds since the epoch of `2026-12-31` (its first moment in UTC) or `2026-12-31T18:00:00+01:00`."""
    example = "Write it like 2026-12-31 (from its first moment in UTC on) or 2026-12-31T18:00:00Z."
    if value.is_mapping or value.is_list or value.is_empty:
        value.fail(f"{what} must be a date or a time with its zone.", example)
    match = _MOMENT.fullmatch(str(value.node.value))
    if match is None:
        value.fail(f"'{value.node.value}' is not a date or a time with its zone for {what}.", example)
    day, time, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time or '00:00:00'}{(zone or 'Z').upper()}")
        seconds = moment.timestamp()
    except (ValueError, OverflowError):
        value.fail(f"'{value.node.value}' is not on the calendar.", example)
    if not 0 <= seconds <= _MOMENT_MAX_S:
        value.fail(f"{what} must be from 1970 to 9999.", example)
    return seconds


def moment_text(seconds: float) -> str:
    """The form that `moment_s` reads back; whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def field_name(value: Value, what: str) -> str:
    """A header field's name in lower case. An underscore is refused: servers confuse it with a hyphen."""
    text = value.text(what)
    if not _FIELD_NAME.fullmatch(text):
        value.fail(f"'{text}' is not a header name.", "Letters, digits and - are.")
    if text.lower() in FRAMING_FIELDS:
        value.fail(f"The header '{text.lower()}' is written by Ostiary itself.", "Choose another header.")
    return text.lower()


def field_value(value: Value, what: str) -> str:
    text = value.text(what)
    if not _FIELD_VALUE.fullmatch(text):
        value.fail(f"{what} must be visible ASCII on one line, at most 4096 characters.")
    return text


def _fitting(value: Value, what: str, pattern: re.Pattern[str], allowed: str) -> str:
    text = value.text(what)
    if not pattern.fullmatch(text):
        value.fail(f"'{text}' cannot be {what}.", f"Use {allowed}.")
    return text
