"""Which operation a request is: path templates, their look-up, and the check that no two of them compete.

A path template is made of literal segments, `{name}` for one non-empty segment (`{name}` may stand inside
literal text: `{model}:generate`), and a last `**` for any remainder.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ostiary.model.errors import OperatorError
from ostiary.model.operation import Operation

_SEGMENT = re.compile(r"([^{}*]*)\{[A-Za-z][A-Za-z0-9_.-]*\}([^{}*]*)")
_REST = "**"


def is_path_template(path: str) -> bool:
    """Whether the text is a template this module can match."""
    if not path.startswith("/") or any(mark in path for mark in "?#\\ ") or not path.isascii():
        return False
    segments = _segments(path)
    if segments[-1] == _REST:
        segments.pop()
    return all(_SEGMENT.fullmatch(segment) or not re.search(r"[{}*]", segment) for segment in segments)


@dataclass(slots=True)
class _Node:
    """One position in a path. `patterns` are (prefix, suffix, next), the longest literal text first;
    `parameter` is the pattern without any, kept apart because nearly all are."""

    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    patterns: list[tuple[str, str, "_Node"]] = field(default_factory=list)
    operation: Operation | None = None
    rest: Operation | None = None


def _segments(path: str) -> list[str]:
    return path.split("/")[1:]


def _pattern_node(node: _Node, prefix: str, suffix: str) -> _Node:
    if not prefix and not suffix:
        node.parameter = node.parameter or _Node()
        return node.parameter
    for known_prefix, known_suffix, following in node.patterns:
        if (known_prefix, known_suffix) == (prefix, suffix):
            return following
    created = _Node()
    node.patterns.append((prefix, suffix, created))
    node.patterns.sort(key=lambda entry: len(entry[0]) + len(entry[1]), reverse=True)
    return created


def _insert(root: _Node, operation: Operation) -> None:
    node = root
    for segment in _segments(operation.path):
        if segment == _REST:
            node.rest = operation
            return
        pattern = _SEGMENT.fullmatch(segment)
        if pattern is None:
            node = node.literals.setdefault(segment, _Node())
            continue
        node = _pattern_node(node, pattern[1], pattern[2])
    node.operation = operation


def _find(node: _Node, segments: list[str], index: int) -> Operation | None:
    """The row below `node`. Walks straight on while there is one way only, which is nearly always."""
    count = len(segments)
    while index < count:
        if node.patterns or node.rest is not None:
            return _branch(node, segments, index)
        segment = segments[index]
        following = node.literals.get(segment)
        if following is None:
            if node.parameter is None or not segment:
                return None
            following = node.parameter
        elif node.parameter is not None:
            return _branch(node, segments, index)
        node = following
        index += 1
    return node.operation


def _branch(node: _Node, segments: list[str], index: int) -> Operation | None:
    """Literal text wins over a parameter, both over `**`; where a branch ends nowhere the next is tried."""
    segment = segments[index]
    ways = [node.literals[segment]] if segment in node.literals else []
    ways += [
        following
        for prefix, suffix, following in node.patterns
        if len(segment) > len(prefix) + len(suffix) and segment.startswith(prefix) and segment.endswith(suffix)
    ]
    if node.parameter is not None and segment:
        ways.append(node.parameter)
    for following in ways:
        found = _find(following, segments, index + 1)
        if found is not None:
            return found
    return node.rest


class OperationTable:
    """Finds the operation of a request. Built once; a look-up costs about a microsecond."""

    __slots__ = ("_exact", "_roots")

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._exact: dict[tuple[str, str], Operation] = {}
        self._roots: dict[str, _Node] = {}
        for operation in operations:
            _insert(self._roots.setdefault(operation.method, _Node()), operation)
            if "{" not in operation.path and "*" not in operation.path:
                self._exact[operation.method, operation.path] = operation

    def match(self, method: str, path: str) -> Operation | None:
        """The one row for a canonical path without query, relative to the connection (it starts with `/`).

        Case counts, and a trailing slash makes another path. HEAD without its own row falls to GET's.
        """
        found = self._exact.get((method, path))
        if found is None:
            root = self._roots.get(method)
            if root is not None and path.startswith("/"):
                found = _find(root, path.split("/"), 1)
        if found is None and method == "HEAD":
            return self.match("GET", path)
        return found


_SAME, _LEFT, _RIGHT, _CROSSED = "same", "left", "right", "crossed"

_Affixes = tuple[str, str]
"""What stands before and after a parameter in its segment."""


def _compare_affixes(left: str, right: str) -> str | None:
    """Which of two prefixes (or reversed suffixes) says more; None where no text can have both."""
    if left == right:
        return _SAME
    if left.startswith(right):
        return _LEFT
    return _RIGHT if right.startswith(left) else None


def _combine(first: str, second: str) -> str:
    if first == second or second == _SAME:
        return first
    return second if first == _SAME else _CROSSED


def _fits(text: str, affixes: _Affixes) -> bool:
    prefix, suffix = affixes
    return len(text) > len(prefix) + len(suffix) and text.startswith(prefix) and text.endswith(suffix)


def _compare_segments(left: str | _Affixes, right: str | _Affixes) -> str | None:
    """Which segment is the narrower one; None where no text matches both."""
    match left, right:
        case str(), str():
            return _SAME if left == right else None
        case str(), (_, _):
            return _LEFT if _fits(left, right) else None
        case (_, _), str():
            return _RIGHT if _fits(right, left) else None
        case (left_prefix, left_suffix), (right_prefix, right_suffix):
            prefixes = _compare_affixes(left_prefix, right_prefix)
            suffixes = _compare_affixes(left_suffix[::-1], right_suffix[::-1])
            return None if prefixes is None or suffixes is None else _combine(prefixes, suffixes)
    return None


@dataclass(frozen=True, slots=True)
class _Template:
    """A path taken apart; `open_ended` where it ends in `**`."""

    operation: Operation
    segments: tuple[str | _Affixes, ...]
    open_ended: bool

    @classmethod
    def of(cls, operation: Operation) -> "_Template":
        segments = _segments(operation.path)
        open_ended = segments[-1] == _REST
        patterns = [(segment, _SEGMENT.fullmatch(segment)) for segment in segments[: len(segments) - open_ended]]
        return cls(
            operation,
            tuple((found[1], found[2]) if found else segment for segment, found in patterns),
            open_ended,
        )


def _compare(left: _Template, right: _Template) -> str | None:
    """`same`, the narrower side or `crossed` where two templates share a path; None where they share none."""
    left_count, right_count = len(left.segments), len(right.segments)
    if left_count == right_count and left.open_ended == right.open_ended:
        outcome = _SAME
    elif right.open_ended and left_count > right_count:
        outcome = _LEFT
    elif left.open_ended and right_count > left_count:
        outcome = _RIGHT
    else:
        return None
    for left_segment, right_segment in zip(left.segments, right.segments, strict=False):
        narrower = _compare_segments(left_segment, right_segment)
        if narrower is None:
            return None
        outcome = _combine(outcome, narrower)
    return outcome


def _rivals(templates: Sequence[_Template]) -> Iterator[tuple[_Template, _Template]]:
    """The pairs that could share a path at all: of equal length, or one of them open-ended."""
    by_length: dict[int, list[_Template]] = {}
    for template in templates:
        if not template.open_ended:
            by_length.setdefault(len(template.segments), []).append(template)
    for equals in by_length.values():
        yield from combinations(equals, 2)
    for template in templates:
        if template.open_ended:
            yield from ((template, other) for other in templates if other is not template)


def refuse_overlaps(operations: Sequence[Operation], source: str) -> None:
    """Raises `OperatorError` where two rows share a name, or a path for which neither is the narrower row."""
    names: set[str] = set()
    methods: dict[str, list[_Template]] = {}
    for operation in operations:
        if operation.name in names:
            raise OperatorError(
                f"{source}: operations: the name {operation.name!r} stands twice.",
                "Give each operation its own name.",
            )
        names.add(operation.name)
        methods.setdefault(operation.method, []).append(_Template.of(operation))
    for templates in methods.values():
        for left, right in _rivals(templates):
            if _compare(left, right) in (_SAME, _CROSSED):
                raise OperatorError(
                    f"{source}: operations: {left.operation.name!r} and {right.operation.name!r} both match "
                    f"{left.operation.method} {right.operation.path}.",
                    "Remove one, or make one narrower than the other in every segment.",
                )
