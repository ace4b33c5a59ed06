"""What the audit log calls others than people: no person may be called so, wherever their name comes from."""

from ostiary.model.person import name_key

_BEGINNINGS = ("local owner", "nobody signed in")
_WHOLE = frozenset({"scim", "ostiary"})


def is_reserved_name(name: str) -> bool:
    """In any spelling that `name_key` takes for the same."""
    key = name_key(name)
    return key in _WHOLE or key.startswith(_BEGINNINGS)
