"""What a fast search can look for before the exact one: the literal texts a pattern begins with, and its gate.

Both find too much rather than too little.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ostiary.masking.expressions import (
    EMPTY,
    Byte,
    Chain,
    Character,
    Choice,
    Marked,
    Node,
    Repeat,
    edge_codes,
    longest,
    places,
    repeat,
    shortest,
    source,
)

PREFIXES_MAX = 256
PREFIX_MAX_BYTES = 12
_PREFIX_LEAST_BYTES = 3
_PREFIX_LEAST_ALONE_BYTES = 2
_WAYS_ON_THE_WAY_MAX = 1024
_FEW_WAYS, _FEW_PREFIXES = 4, 64
"""A prefix that is long enough goes on only where there are few ways to go on."""
_SHORTER_GATES_PLACES = (1024, 256, 64, 16)


@dataclass(frozen=True, slots=True)
class _Begun:
    """Literal texts that every match so far begins with; only the `open` ones are whole and can go on."""

    closed: frozenset[bytes]
    open: frozenset[bytes]

    def all_closed(self) -> "_Begun":
        return _Begun(self.closed | self.open, frozenset())

    def hopeless(self) -> bool:
        """Whether too little is closed already for it to matter what follows."""
        return any(len(prefix) < _PREFIX_LEAST_ALONE_BYTES for prefix in self.closed)


def prefixes_of(node: Node, *, ignore_case: bool) -> tuple[bytes, ...]:
    """Every match begins with one of these, sorted; none of them begins with another. () when there is no such set.

    With `ignore_case` they are in lower case, for text in lower case.
    """
    begun = _grown(node, _Begun(frozenset(), frozenset((b"",))), ignore_case).all_closed()
    if begun.hopeless():
        return ()
    found = _apart(begun.closed)
    least = _PREFIX_LEAST_ALONE_BYTES if len(found) == 1 and not ignore_case else _PREFIX_LEAST_BYTES
    if any(len(prefix) < least for prefix in found):
        return ()
    if len({prefix[:_PREFIX_LEAST_BYTES] for prefix in found}) > PREFIXES_MAX:
        return ()
    length = PREFIX_MAX_BYTES
    while len(found) > PREFIXES_MAX:
        length -= 1
        found = _apart({prefix[:length] for prefix in found})
    return tuple(found)


def _apart(prefixes: Collection[bytes]) -> list[bytes]:
    """Sorted, without those that begin with another one."""
    found: list[bytes] = []
    for prefix in sorted(prefixes):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found


def _grown(node: Node, begun: _Begun, ignore_case: bool) -> _Begun:
    if not begun.open or begun.hopeless():
        return begun.all_closed()
    match node:
        case Byte(codes=codes):
            return _by_one_of({bytes((code,)).lower() if ignore_case else bytes((code,)) for code in codes}, begun)
        case Character(ways=part) | Marked(part=part):
            return _grown(part, begun, ignore_case)
        case Chain(parts=parts):
            for part in parts:
                begun = _grown(part, begun, ignore_case)
            return begun
        case Choice(options=options):
            going, done = _going_on(begun, len(options))
            for option in options:
                done = _together(done, _grown(option, going, ignore_case))
            return done if len(done.open) <= _WAYS_ON_THE_WAY_MAX else begun.all_closed()
        case Repeat(part=part, least=least, most=most):
            for _ in range(least):
                begun = _grown(part, begun, ignore_case)
            going, done = _going_on(begun, (most or 0) - least + 1)
            done = _Begun(done.closed, going.open)
            for _ in range((most or 0) - least):
                going = _grown(part, _Begun(frozenset(), going.open), ignore_case)
                done = _together(done, going)
                if not going.open or done.hopeless():
                    break
            return done if len(done.open) <= _WAYS_ON_THE_WAY_MAX else begun.all_closed()


def _by_one_of(ways: set[bytes], begun: _Begun) -> _Begun:
    going, done = _going_on(begun, len(ways))
    if len(going.open) * len(ways) > _WAYS_ON_THE_WAY_MAX:
        return begun.all_closed()
    grown = frozenset(prefix + way for prefix in going.open for way in ways)
    full = frozenset(prefix for prefix in grown if len(prefix) >= PREFIX_MAX_BYTES)
    return _together(done, _Begun(full, grown - full))


def _going_on(begun: _Begun, ways: int) -> tuple[_Begun, _Begun]:
    """The prefixes to make longer, and the rest, which stay as they are."""
    few = ways == 1 or (ways <= _FEW_WAYS and ways * len(begun.open) <= _FEW_PREFIXES)
    enough = frozenset(prefix for prefix in begun.open if len(prefix) >= _PREFIX_LEAST_BYTES and not few)
    return _Begun(frozenset(), begun.open - enough), _Begun(begun.closed | enough, frozenset())


def _together(one: _Begun, other: _Begun) -> _Begun:
    return _Begun(one.closed | other.closed, one.open | other.open)


def gates_of(node: Node) -> Iterator[bytes]:
    """Regular expressions that match somewhere in every match of the node, each finding more than the one before.

    The first ends where a match is sure of its length; the last is one byte.
    """
    wide = _widened(node)
    yield source(_ended_early(wide))
    for room in _SHORTER_GATES_PLACES:
        cut = _ended_early(_shortened(wide, room)[0])
        if cut != EMPTY and places(wide) > room:
            yield source(cut)
    yield source(Byte(edge_codes(node, last=False)))


def _widened(node: Node) -> Node:
    """With any bytes of a class in place of its characters, which Hyperscan would need too many states for."""
    match node:
        case Byte():
            return node
        case Character(ways=ways, codes=codes):
            return Repeat(Byte(codes), shortest(ways), longest(ways))
        case Chain(parts=parts):
            return Chain(tuple(map(_widened, parts)))
        case Choice(options=options):
            return Choice(tuple(map(_widened, options)))
        case Repeat(part=Character(ways=ways, codes=codes), least=least, most=most):
            return repeat(Byte(codes), least * shortest(ways), (most or 0) * longest(ways))
        case Repeat(part=part, least=least, most=most):
            return repeat(_widened(part), least, most or 0)
        case Marked(part=part):
            return _widened(part)


def _ended_early(node: Node) -> Node:
    """Without what may but need not come at the end."""
    if shortest(node) == 0:
        return EMPTY
    match node:
        case Chain(parts=parts):
            needed = max(index for index, part in enumerate(parts) if shortest(part) > 0)
            return Chain((*parts[:needed], _ended_early(parts[needed])))
        case Choice(options=options):
            return Choice(tuple(map(_ended_early, options)))
        case Repeat(part=Byte(), least=least):
            return repeat(node.part, least, least)
        case Repeat(part=part, least=least):
            return Chain((repeat(part, least - 1, least - 1), _ended_early(part)))
    return node


def _shortened(node: Node, room: int) -> tuple[Node, int]:
    """The beginning of the node that has about so many places, and the room left: 0 when something was left out."""
    size = places(node)
    if size <= room:
        return node, room - size
    match node:
        case Chain(parts=parts):
            kept: list[Node] = []
            for part in parts:
                cut, room = _shortened(part, room)
                kept.append(cut)
                if room == 0:
                    break
            return Chain(tuple(kept)), 0
        case Choice(options=options):
            share = max(1, room // len(options))
            return Choice(tuple(_shortened(option, share)[0] for option in options)), 0
        case Repeat(part=part, least=least):
            count = min(least, room // places(part))
            return (repeat(part, count, count) if count or not least else _shortened(part, room)[0]), 0
    return EMPTY, 0
