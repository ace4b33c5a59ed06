"""Finding the pieces of text channels in an event's document, quickly: every path is walked once, by closures that are
made when the channels are read."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from enum import Enum

from ostiary.protocols.text_channels import ANY, Path, TextChannel

Identity = tuple[object, ...]
"""What tells channels of one name apart: the values of the document's keys, then of the elements'."""

_NO_IDENTITY: Identity = ()
_NOWHERE: tuple[int, ...] = ()
_FORMS_MAX = 256
_SHARED_MAX = 64
_SHARED: "dict[int, tuple[tuple[TextChannel, ...], EventForms]]" = {}
"""By the tuple's place in memory, which is its own as long as it is kept here."""


class Role(Enum):
    """What is found at a path."""

    TEXT = 0
    END = 1
    ITEM = 2


class Mark:
    """What stands at a path: a channel's text, a member that ends channels, or one that names their item. Several
    channels may share an end. `family` tells channels of one name apart whose place was guessed."""

    __slots__ = ("channels", "family", "is_text", "path", "role")

    def __init__(
        self, role: Role, path: Path, channels: tuple[TextChannel, ...], guess: tuple[str, str, Path] | None = None
    ) -> None:
        self.role = role
        self.is_text = role is Role.TEXT
        self.path = path
        self.channels = channels
        self.family: Hashable = channels[0].name if guess is None else guess

    @property
    def channel(self) -> TextChannel:
        return self.channels[0]

    @property
    def is_guess(self) -> bool:
        return self.family != self.channels[0].name


Hit = tuple[Mark, Identity, str, tuple[int, ...]]
"""What was found: the mark, what tells its channel apart, the text, and the indexes of the list elements on the way."""


def steps_to(hit: Hit) -> tuple[str | int, ...]:
    """The path to what was found, with the indexes in it."""
    positions = iter(hit[3])
    return tuple(next(positions) if step == ANY else step for step in hit[0].path)


_Visit = Callable[[object, Identity, tuple[int, ...], list[Hit]], None]


class EventForm:
    """What events of one name are to the channels. `known`: some channel names this event, as its own or as its end.
    `ended` are the channels that it ends, `opaque` the paths of what must not be looked at."""

    __slots__ = ("_groups", "ended", "known", "opaque")

    def __init__(
        self,
        channels: Sequence[TextChannel],
        ended: Sequence[TextChannel],
        opaque: Sequence[Path],
        known: bool,
    ) -> None:
        by_keys: dict[tuple[Path, ...], list[TextChannel]] = {}
        for channel in channels:
            by_keys.setdefault(channel.document_keys, []).append(channel)
        self._groups = tuple((keys, _compile(group)) for keys, group in by_keys.items())
        self.ended = tuple(ended)
        self.opaque = tuple(opaque)
        self.known = known

    def find(self, document: Mapping[str, object]) -> list[Hit]:
        """The texts, ends and items in an event."""
        hits: list[Hit] = []
        for keys, visit in self._groups:
            visit(document, _values_of(keys, document) if keys else _NO_IDENTITY, _NOWHERE, hits)
        return hits


class EventForms:
    """The forms of events, made when they are first met. Streams share them: see `forms_for`."""

    __slots__ = ("_channels", "_forms", "_names")

    def __init__(self, channels: Sequence[TextChannel]) -> None:
        self._channels = tuple(channels)
        self._names = {name for channel in channels for name in (channel.event, *channel.ends) if name is not None}
        self._forms: dict[tuple[str, object], EventForm] = {}

    def form(self, event: str, document: Mapping[str, object]) -> EventForm:
        """`event` is the SSE event's name, or empty."""
        kind = document.get("type")
        if kind.__class__ is not str:
            kind = None
        form = self._forms.get((event, kind))
        return self._meet(event, kind) if form is None else form

    def _meet(self, event: str, kind: object) -> EventForm:
        """The form of a name not met before; what no channel names is told apart no further."""
        event = event if event in self._names else ""
        kind = kind if kind in self._names else None
        form = self._forms.get((event, kind))
        if form is None:
            form = self._form_of(event, kind)
            if len(self._forms) < _FORMS_MAX:
                self._forms[event, kind] = form
        return form

    def _form_of(self, event: str, kind: object) -> EventForm:
        names = {event, kind}
        met = [channel for channel in self._channels if channel.event is None or channel.event in names]
        ended = [channel for channel in self._channels if names.intersection(channel.ends)]
        return EventForm(
            [channel for channel in met if channel.flavour != "opaque"],
            ended,
            [channel.path for channel in met if channel.flavour == "opaque"],
            bool(ended) or any(channel.event is not None for channel in met),
        )


def forms_for(channels: Sequence[TextChannel]) -> EventForms:
    """The forms for these channels; the same for the same tuple."""
    if not isinstance(channels, tuple):
        return EventForms(channels)
    known = _SHARED.get(id(channels))
    if known is None or known[0] is not channels:
        if len(_SHARED) >= _SHARED_MAX:
            _SHARED.clear()
        known = _SHARED[id(channels)] = (channels, EventForms(channels))
    return known[1]


def document_identity(channel: TextChannel, document: Mapping[str, object]) -> Identity:
    """The values of the channel's keys outside of lists; None for one that is missing."""
    return _values_of(channel.document_keys, document)


def _values_of(keys: tuple[Path, ...], document: Mapping[str, object]) -> Identity:
    values = []
    for key in keys:
        value: object = document
        for step in key:
            value = value.get(step) if isinstance(value, dict) else None
        values.append(value if value.__class__ is str or value.__class__ is int else None)
    return tuple(values)


# -- from paths to closures


class _Node:
    """A step of the paths taken together."""

    def __init__(self) -> None:
        self.members: dict[str, _Node] = {}
        self.elements: _Node | None = None
        self.element_key: str | None = None
        self.marks: list[Mark] = []

    def at(self, path: Path, keys: TextChannel) -> "_Node":
        node = self
        for length, step in enumerate(path):
            if step == ANY:
                node.elements = node.elements or _Node()
                node.element_key = keys.element_key(path[:length])
                node = node.elements
            else:
                node = node.members.setdefault(step, _Node())
        return node


def _compile(channels: Sequence[TextChannel]) -> _Visit:
    root = _Node()
    # What names an item stands before its text in the event's hits, what ends it behind it.
    for path, group in _by_path(channels, lambda channel: [channel.new_item] if channel.new_item else []):
        root.at(path, group[0]).marks.append(Mark(Role.ITEM, path, group))
    for path, group in _by_path(channels, lambda channel: [channel.path]):
        root.at(path, group[0]).marks.append(Mark(Role.TEXT, path, group))
    for path, group in _by_path(channels, lambda channel: channel.ending_members):
        root.at(path, group[0]).marks.append(Mark(Role.END, path, group))
    return _visit(root)


def _by_path(
    channels: Sequence[TextChannel], paths: Callable[[TextChannel], Iterable[Path]]
) -> list[tuple[Path, tuple[TextChannel, ...]]]:
    found: dict[Path, tuple[TextChannel, ...]] = {}
    for channel in channels:
        for path in paths(channel):
            found[path] = (*found.get(path, ()), channel)
    return list(found.items())


def _visit(node: _Node) -> _Visit:
    visits: list[_Visit] = [_leaf(mark) for mark in node.marks]
    if node.members:
        visits.append(_into_members(tuple((name, _visit(child)) for name, child in node.members.items())))
    if node.elements is not None:
        visits.append(_into_elements(node.element_key, _visit(node.elements)))
    if len(visits) == 1:
        return visits[0]

    def all_of_them(value: object, identity: Identity, positions: tuple[int, ...], hits: list[Hit]) -> None:
        for visit in visits:
            visit(value, identity, positions, hits)

    return all_of_them


def _leaf(mark: Mark) -> _Visit:
    if mark.role is Role.TEXT:

        def take_text(value: object, identity: Identity, positions: tuple[int, ...], hits: list[Hit]) -> None:
            if value.__class__ is str:
                hits.append((mark, identity, value, positions))

        return take_text

    def take_member(value: object, identity: Identity, positions: tuple[int, ...], hits: list[Hit]) -> None:
        if value:
            hits.append((mark, identity, value if isinstance(value, str) else "", positions))

    return take_member


def _into_members(members: tuple[tuple[str, _Visit], ...]) -> _Visit:
    if len(members) == 1:
        ((only, visit_only),) = members

        def into_member(value: object, identity: Identity, positions: tuple[int, ...], hits: list[Hit]) -> None:
            if value.__class__ is dict:
                child = value.get(only)
                if child is not None:
                    visit_only(child, identity, positions, hits)

        return into_member

    visits = dict(members)

    def into_members(value: object, identity: Identity, positions: tuple[int, ...], hits: list[Hit]) -> None:
        if value.__class__ is dict:
            for name, child in value.items():
                if child is not None:
                    visit = visits.get(name)
                    if visit is not None:
                        visit(child, identity, positions, hits)

    return into_members


def _into_elements(key: str | None, visit: _Visit) -> _Visit:
    if key is None:

        def into_all(value: object, identity: Identity, positions: tuple[int, ...], hits: list[Hit]) -> None:
            if value.__class__ is list:
                for position, element in enumerate(value):
                    visit(element, identity, (*positions, position), hits)

        return into_all

    def into_each(value: object, identity: Identity, positions: tuple[int, ...], hits: list[Hit]) -> None:
        if value.__class__ is list:
            for position, element in enumerate(value):
                known = element.get(key) if element.__class__ is dict else None
                if known.__class__ is not int and known.__class__ is not str:
                    known = position
                visit(element, (*identity, known), (*positions, position), hits)

    return into_each
