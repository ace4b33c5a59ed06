"""Which attributes of a resource an answer holds (RFC 7644 section 3.9)."""

from collections.abc import Mapping, Sequence
from typing import Any

_ALWAYS = frozenset({"schemas", "id"})


def projected(resource: Mapping[str, Any], attributes: Sequence[str], excluded: Sequence[str]) -> dict[str, Any]:
    """`resource` with the named attributes only, or without the excluded ones. Unknown names are passed over."""
    if attributes:
        wanted = [_path(resource, name) for name in attributes]
        return {
            name: value
            for name, held in resource.items()
            if (value := held if name in _ALWAYS else _only(name, held, wanted)) is not None
        }
    unwanted = [_path(resource, name) for name in excluded]
    return {
        name: value
        for name, held in resource.items()
        if (value := held if name in _ALWAYS else _without(name, held, unwanted)) is not None
    }


def is_wanted(name: str, attributes: Sequence[str], excluded: Sequence[str]) -> bool:
    """Whether the answer holds anything of the attribute `name` of the core schema: it may be dear to look up."""
    lower = name.lower()
    if attributes:
        return any(_last_segment(given).lower().partition(".")[0] == lower for given in attributes)
    return all(_last_segment(given).lower() != lower for given in excluded)


def _path(resource: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The lower-case names on the way to an attribute; the whole URN of an extension counts as one."""
    lower = name.lower()
    if not lower.startswith("urn:"):
        return tuple(lower.split("."))
    for extension in resource:
        known = extension.lower()
        if known.startswith("urn:") and lower == known:
            return (known,)
        if known.startswith("urn:") and lower.startswith(known + ":"):
            return (known, *lower[len(known) + 1 :].split("."))
    return tuple(_last_segment(lower).split("."))


def _last_segment(name: str) -> str:
    return name.rpartition(":")[2] if name.lower().startswith("urn:") else name


def _only(name: str, held: Any, wanted: Sequence[tuple[str, ...]]) -> Any:
    """None when nothing of it is wanted."""
    lower = name.lower()
    below = [path[1:] for path in wanted if path[0] == lower]
    if not below:
        return None
    if any(not path for path in below):
        return held
    return _each(held, lambda inner: {key: value for key, value in inner.items() if _names(key, below)})


def _without(name: str, held: Any, unwanted: Sequence[tuple[str, ...]]) -> Any:
    """None when nothing is left of it."""
    lower = name.lower()
    below = [path[1:] for path in unwanted if path[0] == lower]
    if not below:
        return held
    if any(not path for path in below):
        return None
    return _each(held, lambda inner: {key: value for key, value in inner.items() if not _names(key, below)})


def _names(key: str, paths: Sequence[tuple[str, ...]]) -> bool:
    return any(path[0] == key.lower() for path in paths)


def _each(held: Any, change: Any) -> Any:
    if isinstance(held, Mapping):
        return change(held) or None
    if isinstance(held, list):
        return [changed for item in held if isinstance(item, Mapping) and (changed := change(item))] or None
    return None
