"""Where members and elements of a JSON document stand in its text."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from ostiary.protocols.json_text import PathSteps, decode_string
from ostiary.protocols.text_channels import ANY

_TOKEN = re.compile(
    rb"(?s)[ \t\r\n]*+(?:"
    rb'(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")(?P<colon>[ \t\r\n]*+:)?|'
    rb'(?P<sign>[{}\[\],])|(?P<other>[^ \t\r\n"{}\[\],:]++))'
)
_STRING_VALUE = re.compile(rb'(?s)[ \t\r\n]*+:[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")')
_SPACE = b" \t\r\n"


class Member(NamedTuple):
    """`document[start:end]` is the value; `key_start` is where its key begins, or `start` where it has none."""

    path: PathSteps
    key_start: int
    start: int
    end: int


class _Node:
    """A step of all paths that are looked for."""

    __slots__ = ("steps", "wanted")

    def __init__(self) -> None:
        self.steps: dict[str | int, _Node] = {}
        self.wanted = False


_Nodes = tuple[_Node, ...]


class _Level:
    """An object or list that is open. `place` is the member it is the value of, when that is looked for."""

    __slots__ = ("index", "nodes", "path", "place")

    def __init__(self, nodes: _Nodes, path: PathSteps, index: int, place: int) -> None:
        self.nodes = nodes
        self.path = path
        self.index = index
        self.place = place


def find_members(document: bytes, paths: Iterable[PathSteps]) -> list[Member]:
    """The values at `paths` (keys and indexes, `*` for every element), in the order of the text; of doubled keys each.
    Nothing for what is not JSON."""
    root = _Node()
    for wanted in paths:
        node = root
        for step in wanted:
            node = node.steps.setdefault(step, _Node())
        node.wanted = True
    found: list[Member] = []
    levels: list[_Level] = []
    nodes: _Nodes = (root,)  # where the value that comes next stands
    path: PathSteps = ()
    key_start = -1
    at = 0
    for token in _TOKEN.finditer(document):
        if token.start() != at:
            return []
        at = token.end()
        kind = token.lastgroup
        start = token.start("sign" if kind == "sign" else "other" if kind == "other" else "string")
        sign = document[start] if kind == "sign" else 0
        if kind == "colon" and levels:
            level = levels[-1]
            key = key_text(decode_string(token["string"][1:-1]))
            nodes, path, key_start = _below(level.nodes, key), (*level.path, key), start
        elif sign == 0x2C and levels:
            level = levels[-1]
            if level.index >= 0:
                level.index += 1
                nodes, path = _below(level.nodes, level.index), (*level.path, level.index)
        elif sign in (0x7D, 0x5D):
            if not levels:
                return []
            place = levels.pop().place
            if place >= 0:
                found[place] = found[place]._replace(end=at)
        else:
            place = -1
            if any(node.wanted for node in nodes):
                place = len(found)
                found.append(Member(path, start if key_start < 0 else key_start, start, at))
            key_start = -1
            if sign:
                index = 0 if sign == 0x5B else -1
                levels.append(_Level(nodes, path, index, place))
                nodes, path = (_below(nodes, 0), (*path, 0)) if index == 0 else ((), path)
            else:
                nodes = ()
        if not levels:
            break
    return found if not levels and not document[at:].strip(_SPACE) else []


def key_text(key: bytes) -> str:
    """A key as readers give it: half surrogate pairs stay, other bytes that are no UTF-8 are replaced."""
    try:
        return key.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return key.decode("utf-8", "replace")


def _below(nodes: _Nodes, step: str | int) -> _Nodes:
    if not nodes:
        return ()
    steps = (step, ANY) if isinstance(step, int) else (step,)
    return tuple(node.steps[each] for node in nodes for each in steps if each in node.steps)


def without_members(document: bytes, paths: Iterable[PathSteps]) -> bytes:
    """The document without the members at `paths` that its objects have; elements of lists stay."""
    for member in reversed(find_members(document, paths)):
        if member.key_start == member.start:
            continue
        start, end = member.key_start, member.end
        behind = len(document) - len(document[end:].lstrip(_SPACE))
        if document[behind : behind + 1] == b",":
            end = len(document) - len(document[behind + 1 :].lstrip(_SPACE))
        else:
            before = document[:start].rstrip(_SPACE)
            start = len(before) - 1 if before.endswith(b",") else start
        document = document[:start] + document[end:]
    return document


def only_string(document: bytes, path: PathSteps) -> tuple[int, int] | None:
    """Where the string at `path`, of which the caller knows that it is there, stands with its quotes, when that is seen
    at a glance; None when the document must be read."""
    if not path or b"\\u" in document:
        return None
    key = path[-1]
    if not isinstance(key, str) or not key.isidentifier() or not key.isascii():
        return None
    quoted = b'"%b"' % key.encode()
    at = document.find(quoted)
    if at < 0 or document.find(quoted, at + 1) >= 0:
        return None
    found = _STRING_VALUE.match(document, at + len(quoted))
    return found.span(1) if found else None
