"""A JSON body for reading: every key in its order, doubled ones too, numbers as written, secrets withheld."""

import json
from collections.abc import Sequence

WITHHELD = "[withheld]"
STRING_HEAD_CHARACTERS = 3000
STRING_TAIL_CHARACTERS = 1000
_INDENT = "  "
_DEPTH_MAX = 64


class _Literal(str):
    """A number or constant, in the words of the body."""

    __slots__ = ()


class _Pairs(list[tuple[str, object]]):
    """An object's members, in order and with repetitions."""

    __slots__ = ()


class UnreadableJson(Exception):
    """Not JSON, or JSON too deep to be read by a person."""


def view_json(text: str, secret_fields: Sequence[str]) -> tuple[str, int]:
    """Indented text, and how many values were withheld. Raises `UnreadableJson`."""
    try:
        tree = json.loads(
            text,
            object_pairs_hook=_Pairs,
            parse_float=_Literal,
            parse_int=_Literal,
            parse_constant=_Literal,
        )
    except (ValueError, RecursionError):
        raise UnreadableJson from None
    view = _View()
    view.write(tree, [tuple(field.split(".")) for field in secret_fields], 0)
    return "".join(view.out), view.withheld


class _View:
    def __init__(self) -> None:
        self.out: list[str] = []
        self.withheld = 0

    def write(self, node: object, secret_paths: list[tuple[str, ...]], depth: int) -> None:
        """`secret_paths` are those that lead through `node`; an empty one means the node itself."""
        if depth > _DEPTH_MAX:
            raise UnreadableJson
        if () in secret_paths:
            self.withheld += 1
            self.out.append(json.dumps(WITHHELD))
        elif isinstance(node, _Pairs):
            self._members([(_quoted(key) + ": ", child, _below(secret_paths, key)) for key, child in node], "{}", depth)
        elif isinstance(node, list):
            self._members(
                [("", child, _below(secret_paths, str(position))) for position, child in enumerate(node)],
                "[]",
                depth,
            )
        elif isinstance(node, _Literal):
            self.out.append(node)
        elif isinstance(node, str):
            self.out.append(_quoted(node))
        else:
            self.out.append(json.dumps(node))

    def _members(self, members: list[tuple[str, object, list[tuple[str, ...]]]], brackets: str, depth: int) -> None:
        if not members:
            self.out.append(brackets)
            return
        self.out.append(brackets[0])
        for position, (label, child, paths) in enumerate(members):
            self.out.append(("," if position else "") + "\n" + _INDENT * (depth + 1) + label)
            self.write(child, paths, depth + 1)
        self.out.append("\n" + _INDENT * depth + brackets[1])


def _below(paths: list[tuple[str, ...]], key: str) -> list[tuple[str, ...]]:
    return [path[1:] for path in paths if path[0] in ("*", key)]


def _quoted(text: str) -> str:
    """The string as JSON; of a long one both ends, since what matters may stand behind padding."""
    more = len(text) - STRING_HEAD_CHARACTERS - STRING_TAIL_CHARACTERS
    if more <= 0:
        return json.dumps(text, ensure_ascii=False)
    head, tail = text[:STRING_HEAD_CHARACTERS], text[-STRING_TAIL_CHARACTERS:]
    return (
        f"{json.dumps(head, ensure_ascii=False)} (then {more:,} characters not shown, then)"
        f" {json.dumps(tail, ensure_ascii=False)}"
    )
