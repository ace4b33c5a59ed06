"""The first look at a text: which sources may be in it at all. It finds too much rather than too little.

Three searches, all for literal texts as far as can be, so that their speed hardly depends on how many sources there
are: for what a source begins with; for the *shape* it begins with, in a copy of the text in which every digit is `0`,
every capital `A` and every small letter `a` (`[0-9]{3}-[0-9]{2}` is `000-00` there); and for the words one of which
must stand before the value. Only where a source has no such text its whole expression is looked for.
"""

from collections.abc import Iterable, Sequence

from ostiary.masking.expressions import Byte, Chain, Character, Choice, Marked, Node, Repeat
from ostiary.masking.gate import Gate, GateRow
from ostiary.masking.sources import Source
from ostiary.masking.starts import prefixes_of
from ostiary.model.errors import OperatorError

_SHAPE = bytes(
    ord("0") if chr(code) in "0123456789"
    else ord("A") if 65 <= code <= 90
    else ord("a") if 97 <= code <= 122
    else code
    for code in range(256)
)  # fmt: skip
_SHAPE_LEAST_BYTES = 4
_TELLING = frozenset(range(0x80, 0x100)) | frozenset(b"+ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class Triggers:
    """Tells which of the sources, by number, a text may hold."""

    __slots__ = ("_by_word", "_closer", "_shapes", "_texts", "_with_words", "_words")

    def __init__(self, sources: Sequence[Source]) -> None:
        """Raises `OperatorError` when the expressions cannot be compiled together."""
        texts: list[GateRow] = []
        shapes: list[GateRow] = []
        words: dict[bytes, list[int]] = {}
        closer: dict[int, Gate] = {}
        for number, source in enumerate(sources):
            for word in source.words:
                words.setdefault(word, []).append(number)
            fold = source.pattern.ignore_case
            if not source.is_everyday and _all_tell(source.pattern.prefixes):
                texts += [GateRow(_quoted(prefix), number, fold) for prefix in source.pattern.prefixes]
            elif not source.is_everyday and (starts := _shapes_of(source.pattern.root)):
                shapes += [GateRow(_quoted(start), number) for start in starts]
                closer[number] = _gate([GateRow(source.pattern.gate, number, fold)], sources)
            else:
                texts.append(GateRow(source.pattern.gate, number, fold))
        self._by_word = tuple(frozenset(numbers) for numbers in words.values())
        self._with_words = frozenset[int]().union(*self._by_word)
        self._words = Gate([GateRow(_quoted(word), at, True) for at, word in enumerate(words)])
        self._texts = _gate(texts, sources)
        self._shapes = Gate(shapes) if shapes else None
        self._closer = closer

    def fired(self, window: bytes, start: int) -> list[int]:
        """In order; empty nearly always. What stands before `start` counts for the words only."""
        text = window[start:] if start else window
        seen = self._texts.scan(text)
        if self._shapes is not None:
            # Any number has the shape of many others: the expression itself tells them apart.
            seen += [number for number in self._shapes.scan(text.translate(_SHAPE)) if self._closer[number].scan(text)]
        if not seen:
            return seen
        numbers = set(seen)
        if numbers & self._with_words:
            spoken = frozenset[int]().union(*(self._by_word[word] for word in set(self._words.scan(window))))
            numbers -= self._with_words - spoken
        return sorted(numbers)


def _all_tell(prefixes: Iterable[bytes]) -> bool:
    """Whether there are prefixes and none is of digits and signs only, which stand everywhere in data."""
    listed = tuple(prefixes)
    return bool(listed) and all(_TELLING & set(prefix) for prefix in listed)


def _shapes_of(root: Node) -> tuple[bytes, ...]:
    starts = prefixes_of(_shaped(root), ignore_case=False)
    return starts if all(len(start) >= _SHAPE_LEAST_BYTES and b"0" in start for start in starts) else ()


def _shaped(node: Node) -> Node:
    match node:
        case Byte(codes=codes):
            return Byte(frozenset(_SHAPE[code] for code in codes))
        case Character(ways=part) | Marked(part=part):
            return _shaped(part)
        case Chain(parts=parts):
            return Chain(tuple(_shaped(part) for part in parts))
        case Choice(options=options):
            return Choice(tuple(dict.fromkeys(_shaped(option) for option in options)))
        case Repeat(part=part, least=least, most=most):
            return Repeat(_shaped(part), least, most)


def _quoted(literal: bytes) -> bytes:
    return b"".join(b"\\x%02x" % code for code in literal)


def _gate(rows: Sequence[GateRow], sources: Sequence[Source]) -> Gate:
    """What is too large for the engine is cut down to what finds a little more."""
    try:
        return Gate(rows)
    except OperatorError:
        return Gate([_accepted(row, sources) for row in rows])


def _accepted(row: GateRow, sources: Sequence[Source]) -> GateRow:
    for expression in (row.expression, *sources[row.identity].pattern.shorter_gates()):
        row = row._replace(expression=expression)
        try:
            Gate([row])
        except OperatorError:
            continue
        break
    return row
