"""Reading the text of a pattern: the syntax that Python and RE2 share, without what has no linear-time form.

`\\d`, `\\w`, `\\s` and `\\b` mean ASCII; `.` and classes match whole characters. Letters of another case are found one
for one when case is ignored.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from re import _parser  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import NoReturn, Protocol, cast

from ostiary.masking.expressions import (
    Byte,
    Chain,
    Character,
    Choice,
    CodeRanges,
    Marked,
    Node,
    Repeat,
    character,
    complement,
    has_mark,
    merged,
    shortest,
)

TEXT_MAX_CHARACTERS = 8192
_DEPTH_MAX = 64
_LAST_CASED = 0x1E943
_EVERYTHING: CodeRanges = ((0, 0x10FFFF),)
_NEWLINE: CodeRanges = ((0x0A, 0x0A),)
_DIGIT: CodeRanges = ((0x30, 0x39),)
_SPACE: CodeRanges = ((0x09, 0x0D), (0x20, 0x20))
_WORD: CodeRanges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_CATEGORIES: dict[str, CodeRanges] = {
    "CATEGORY_DIGIT": _DIGIT,
    "CATEGORY_NOT_DIGIT": complement(_DIGIT),
    "CATEGORY_SPACE": _SPACE,
    "CATEGORY_NOT_SPACE": complement(_SPACE),
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": complement(_WORD),
}
WORD_BYTES = frozenset(code for low, high in _WORD for code in range(low, high + 1))
_NOT_NEWLINE = frozenset(range(256)) - {0x0A}


class PatternError(ValueError):
    """A pattern that cannot be used. `reason` is one sentence that says why and what to write instead."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Written:
    """A pattern as it was written: repeats may be without end.

    `left` and `right` are the bytes that must not stand beside a match; `word_left` and `word_right` say that `\\b`
    stood there.
    """

    root: Node
    left: frozenset[int]
    right: frozenset[int]
    word_left: bool
    word_right: bool
    ignore_case: bool


class _State(Protocol):
    flags: int
    groupdict: dict[str, int]


class _Parsed(Protocol):
    """What the parser of the standard library gives: pairs of an operation and its argument."""

    data: list[tuple[object, object]]
    state: _State


_parse: Callable[[str, int], _Parsed] = _parser.parse

_BACK_REFERENCE = "A back-reference cannot be matched in linear time; write the repeated part out."
_LOOK_AROUND = (
    "Look-ahead and look-behind cannot be matched in linear time, except (?<![…]) of one class at the very start and "
    "(?![…]) of one class at the very end; write the text around into the pattern and mark the part to be masked with "
    "(?P<value>…)."
)
_POSSESSIVE = (
    "Possessive repeats and atomic groups are not supported; write the plain form, which is as fast here, because "
    "nothing is ever tried twice."
)
_REFUSED = {
    "GROUPREF": _BACK_REFERENCE,
    "GROUPREF_EXISTS": "A condition on a group cannot be matched in linear time; write both cases out with |.",
    "ASSERT": _LOOK_AROUND,
    "ASSERT_NOT": _LOOK_AROUND,
    "FAILURE": "(?!) never matches; leave it out.",
    "ATOMIC_GROUP": _POSSESSIVE,
    "POSSESSIVE_REPEAT": _POSSESSIVE,
}
_WHOLE_TEXT = (
    "\\A and \\Z mean the ends of a whole text, which a stream does not know; use ^ and $, the ends of a line."
)
_REFUSED_PLACES = {
    "AT_BEGINNING": "^ can only stand at the very start of a pattern; put it there, or make two patterns.",
    "AT_END": "$ can only stand at the very end of a pattern; put it there, or make two patterns.",
    "AT_BOUNDARY": "\\b can only stand at the very start or end of a pattern; write \\b(?:one|two)\\b for "
    "alternatives, or name the characters that may stand between.",
    "AT_NON_BOUNDARY": "\\B is not supported; name the characters that may stand there.",
    "AT_BEGINNING_STRING": _WHOLE_TEXT,
    "AT_END_STRING": _WHOLE_TEXT,
}


def read_pattern(text: str, *, ignore_case: bool) -> Written:
    """Raises `PatternError`."""
    parsed = _parsed(text)
    if ignore_case:
        parsed.state.flags |= re.IGNORECASE
    if len(parsed.state.groupdict) > 1:
        raise PatternError(
            "Only one group can have a name, for the part to be masked; leave the names of the others out."
        )
    reader = _Reader(next(iter(parsed.state.groupdict.values()), None))
    flags, items = parsed.state.flags, list(parsed.data)
    left = _Side(reader, flags, "AT_BEGINNING", -1)
    right = _Side(reader, flags, "AT_END", 1)
    while items and left.takes(*items[0]):
        del items[0]
    while items and right.takes(*items[-1]):
        del items[-1]
    return Written(
        reader.chain(items, flags), left.forbidden, right.forbidden, left.word, right.word, bool(flags & re.IGNORECASE)
    )


def read_class(text: str, name: str, *, ignore_case: bool) -> frozenset[int]:
    """The bytes of a character class such as `[A-Za-z0-9_]`. `name` is for the reason of a `PatternError`."""
    items = _parsed(text).data
    if len(items) == 1 and (ranges := _class_ranges(*items[0], re.IGNORECASE if ignore_case else 0)) is not None:
        return _bytes_of(ranges, name)
    raise PatternError(f"{name} must be one class of characters such as [A-Za-z0-9_], or '' for none.")


def _parsed(text: str) -> _Parsed:
    if len(text) > TEXT_MAX_CHARACTERS:
        raise PatternError(f"The pattern has more than {TEXT_MAX_CHARACTERS:,} characters; split it into several.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read in another way
            return _parse(text, 0)
    except re.error as error:
        place = "" if error.pos is None else f" (character {error.pos + 1})"
        raise PatternError(f"This is not a regular expression: {error.msg}{place}; correct it.") from None
    except OverflowError:
        raise PatternError("The count of a repeat is too large; up to 2,048 bytes can match.") from None
    except RecursionError:
        _refuse_nesting()


def _refuse_nesting() -> NoReturn:
    raise PatternError("The groups are nested too deeply; write the pattern with fewer brackets.") from None


def _bytes_of(ranges: CodeRanges, name: str) -> frozenset[int]:
    node = character(ranges) if ranges else Byte(frozenset())
    if isinstance(node, Byte) or (isinstance(node, Character) and node.every):
        return node.codes
    raise PatternError(
        f"{name} has some characters beyond ASCII but not all of them; name ASCII characters only, or exclude some as "
        "in [^a-z]."
    )


class _Side:
    """What may not stand beside a match, from the anchors and look-arounds at one end of the pattern."""

    def __init__(self, reader: "_Reader", flags: int, anchor: str, direction: int) -> None:
        self._flags = flags
        self._anchor = anchor
        self._direction = direction
        self.forbidden: frozenset[int] = frozenset()
        self.word = False

    def takes(self, operation: object, argument: object) -> bool:
        """Whether this was a condition on what stands beside a match."""
        if str(operation) == "AT" and str(argument) == self._anchor:
            self.forbidden |= _NOT_NEWLINE
            return True
        if str(operation) == "AT" and str(argument) == "AT_BOUNDARY":
            self.word = True
            return True
        if str(operation) == "ASSERT_NOT":
            direction, content = cast(tuple[int, _Parsed], argument)
            ranges = _class_ranges(*content.data[0], self._flags) if len(content.data) == 1 else None
            if direction == self._direction and ranges is not None:
                self.forbidden |= _bytes_of(ranges, "A look-around")
                return True
        return False


class _Reader:
    """Turns what the parser gives into a tree. `_marked` is the number of the group that is to be masked."""

    def __init__(self, marked: int | None) -> None:
        self._marked = marked
        self._depth = 0

    def chain(self, items: list[tuple[object, object]], flags: int) -> Node:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            _refuse_nesting()
        parts = tuple(self._node(operation, argument, flags) for operation, argument in items)
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Chain(parts)

    def _node(self, operation: object, argument: object, flags: int) -> Node:
        ranges = _class_ranges(operation, argument, flags)
        if ranges is not None:
            if not ranges:
                raise PatternError("A class of characters has none in it and never matches; correct or remove it.")
            return character(ranges)
        name = str(operation)
        match name:
            case "SUBPATTERN":
                group, added, removed, content = cast(tuple[int | None, int, int, _Parsed], argument)
                inner = self.chain(content.data, (flags | added) & ~removed)
                return self._mark(inner) if group is not None and group == self._marked else inner
            case "BRANCH":
                _, options = cast(tuple[None, list[_Parsed]], argument)
                return Choice(tuple(self.chain(option.data, flags) for option in options))
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, content = cast(tuple[int, int, _Parsed], argument)
                part = self.chain(content.data, flags)
                if has_mark(part) and (least, most) != (1, 1):
                    raise PatternError(
                        "The named group may not be repeated or optional; put the repeat inside the group."
                    )
                return Repeat(part, least, None if str(most) == "MAXREPEAT" else most, name == "MIN_REPEAT")
        reason = _REFUSED_PLACES.get(str(argument)) if name == "AT" else _REFUSED.get(name)
        raise PatternError(reason or "This part of the syntax is not supported; write it with classes, | and repeats.")

    def _mark(self, inner: Node) -> Node:
        if shortest(inner) == 0:
            raise PatternError(
                "The named group can match nothing, so there would be nothing to mask; make a part of it required."
            )
        return Marked(inner)


def _class_ranges(operation: object, argument: object, flags: int) -> CodeRanges | None:
    """The code points of something that matches one character, None for anything else."""
    match str(operation):
        case "LITERAL":
            return _cased(_only(argument), flags)
        case "NOT_LITERAL":
            return complement(_cased(_only(argument), flags))
        case "ANY":
            return _EVERYTHING if flags & re.DOTALL else complement(_NEWLINE)
        case "IN":
            items = cast(list[tuple[object, object]], argument)
            ranges = merged([span for item in items for span in _item_ranges(*item, flags)])
            return complement(ranges) if str(items[0][0]) == "NEGATE" else ranges
    return None


def _item_ranges(operation: object, argument: object, flags: int) -> CodeRanges:
    match str(operation):
        case "LITERAL":
            return _cased(_only(argument), flags)
        case "RANGE":
            return _cased((cast(tuple[int, int], argument),), flags)
        case "CATEGORY":
            return _CATEGORIES[str(argument)]
    return ()  # the sign of a negated class


def _only(argument: object) -> CodeRanges:
    code = cast(int, argument)
    return ((code, code),)


def _cased(ranges: CodeRanges, flags: int) -> CodeRanges:
    """With the letters of the other case, ASCII to ASCII and beyond to beyond."""
    if not flags & re.IGNORECASE:
        return ranges
    others = [
        (ord(other), ord(other))
        for low, high in ranges
        for code in range(low, min(high, _LAST_CASED) + 1)
        for other in {chr(code).lower(), chr(code).upper()}
        if len(other) == 1 and (ord(other) < 0x80) == (code < 0x80)
    ]
    return merged([*ranges, *others])
