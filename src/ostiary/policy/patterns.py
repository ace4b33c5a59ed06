"""Names and globs as rules write them: `*` is the only wildcard, all else is literal and case counts."""

from collections.abc import Iterable

CLASS_PREFIX = "class:"


def is_glob(pattern: str) -> bool:
    return "*" in pattern


def glob_matches(pattern: str, name: str) -> bool:
    """Whether `name` fits `pattern`; each `*` stands for any run of characters, an empty one too.

    Takes the leftmost place for every literal piece, which needs no backtracking.
    """
    pieces = pattern.split("*")
    if len(pieces) == 1:
        return pattern == name
    first, *middle, last = pieces
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def split_patterns(patterns: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Literal names, and globs."""
    everything = tuple(patterns)
    literal = frozenset(pattern for pattern in everything if not is_glob(pattern))
    return literal, tuple(pattern for pattern in everything if is_glob(pattern))
