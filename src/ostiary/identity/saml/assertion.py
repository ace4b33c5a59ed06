"""What an identity provider said of somebody, once it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Assertion:
    """All times are seconds since the epoch.

    `id` works once: whoever accepts the assertion keeps (`issuer`, `id`) until `expires_at`, when it is too old anyway.
    `attributes` are by their Name; `friendly_names` leads from a FriendlyName to the Name, where it means one only.
    `name_id_format` is empty when the provider gave none.
    """

    id: str
    issuer: str
    name_id: str
    name_id_format: str
    attributes: Mapping[str, tuple[str, ...]]
    session_index: str | None
    session_ends_at: float | None
    authenticated_at: float
    expires_at: float
    friendly_names: Mapping[str, str] = field(default_factory=dict)
    issued_at: float = 0.0

    def values_of(self, name: str) -> tuple[str, ...]:
        """Of the attribute with this Name, or this FriendlyName."""
        if name in self.attributes:
            return self.attributes[name]
        return self.attributes.get(self.friendly_names.get(name, ""), ())
