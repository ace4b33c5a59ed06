"""What a SCIM document means here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.control.scim.errors import invalid
from ostiary.control.scim.names import checked_user_name, shown_name

TEXT_MAX = 500


@dataclass(frozen=True, slots=True)
class WantedUser:
    """`active` is None where nothing was said of it. `document` is kept as it is, to be read back."""

    name: str
    display_name: str
    email: str | None
    external_id: str | None
    active: bool | None
    document: Mapping[str, Any]


def wanted_user(said: Mapping[str, Any], *, is_active_said: bool = True) -> WantedUser:
    """Raises `ScimError`."""
    document = {name: value for name, value in said.items() if name not in {"userName", "externalId", "active"}}
    return WantedUser(
        name=checked_user_name(str(said.get("userName") or "")),
        display_name=_display_name(said),
        email=_email(said),
        external_id=checked_external_id(said.get("externalId")),
        active=said.get("active") if is_active_said else None,
        document=document,
    )


def checked_external_id(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise invalid(f"'externalId' must be a text of at most {TEXT_MAX} characters.")
    return value


def _display_name(said: Mapping[str, Any]) -> str:
    name = said.get("name") or {}
    given_and_family = f"{name.get('givenName') or ''} {name.get('familyName') or ''}"
    candidates = (said.get("displayName"), name.get("formatted"), given_and_family)
    return next((shown for text in candidates if text and (shown := shown_name(text))), "")


def _email(said: Mapping[str, Any]) -> str | None:
    """The primary address, or that of work, or the first."""
    emails = [email for email in said.get("emails") or () if email.get("value")]
    best = sorted(emails, key=lambda email: (not email.get("primary"), email.get("type") != "work"))
    address = str(best[0]["value"]) if best else ""
    return address if 0 < len(address) <= TEXT_MAX and shown_name(address) == address else None
