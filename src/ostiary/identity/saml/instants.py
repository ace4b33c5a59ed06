"""Times as SAML writes them: xs:dateTime in UTC."""

import re
from datetime import UTC, datetime

_INSTANT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]{1,12})?Z", re.ASCII)


def parse_instant(text: str) -> float:
    """Seconds since the epoch. Raises `ValueError` for anything but `YYYY-MM-DDThh:mm:ss[.fraction]Z`: without a zone
    nobody can say when it was."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError("not a time in UTC")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    return whole + float(f"0{match[7]}" if match[7] else 0)


def format_instant(at: float) -> str:
    """Whole seconds, as every identity provider reads them."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
