"""The texts that an event stream puts together piece by piece, while they run."""

from collections.abc import Iterator, Mapping, Sequence

import orjson

from ostiary.masking.maskers import Flavour, TextMasker, TextStream
from ostiary.protocols.channel_paths import Hit, Identity, document_identity, steps_to
from ostiary.protocols.text_channels import ANY, Path, TextChannel

Steps = tuple[str | int, ...]
Key = tuple[str, Identity]


class OpenChannel:
    """A text under way. `steps` lead to its piece in `document`, the last event it came in, of the name `event`."""

    __slots__ = ("channel", "document", "event", "identity", "item", "steps", "stream")

    def __init__(self, channel: TextChannel, identity: Identity, stream: TextStream) -> None:
        self.channel = channel
        self.identity = identity
        self.stream = stream
        self.item = ""
        self.steps: Steps = ()
        self.document: bytes = b""
        self.event = ""

    def copy_with(self, text: bytes) -> bytes:
        """The document of the last event with this text, and without what must be said once only."""
        document = orjson.loads(self.document)
        for path in (*self.channel.said_once, *self.channel.repeated_in):
            _drop(document, path)
        put(document, self.steps, text.decode("utf-8", "replace"))
        return orjson.dumps(document)


class OpenChannels:
    def __init__(self, masker: TextMasker) -> None:
        self._masker = masker
        self._open: dict[Key, OpenChannel] = {}
        self._items: dict[Key, str] = {}

    def expect(self, channel: TextChannel, hit: Hit) -> None:
        """From now on texts of this channel belong to the item that the event names."""
        self._items[channel.name, hit[1]] = hit[2]

    def of(self, hit: Hit, document: bytes, event: str) -> OpenChannel:
        """The channel that the text of this event belongs to."""
        channel = hit[0].channel
        key = (channel.name, hit[1])
        known = self._open.get(key)
        if known is None:
            flavour = Flavour.JSON if channel.flavour == "json" else Flavour.TEXT
            stream = self._masker.stream(channel.name, b"", flavour)
            known = self._open[key] = OpenChannel(channel, hit[1], stream)
        known.item = self._items.get(key, "")
        known.steps = steps_to(hit)
        known.document = document
        known.event = event
        return known

    def named(self, name: str) -> TextStream:
        """A channel of plain text, which has no document."""
        key = (name, ())
        known = self._open.get(key)
        if known is None:
            stream = self._masker.stream(name)
            known = self._open[key] = OpenChannel(TextChannel(name, ()), (), stream)
        return known.stream

    def ended_by(self, channels: Sequence[TextChannel], document: Mapping[str, object]) -> list[OpenChannel]:
        """Those that an event of such a name ends: with the same keys in its document, as far as it has them."""
        return [
            open_channel
            for channel in channels
            for open_channel in self._of_name(channel.name)
            if _fits(document_identity(channel, document), open_channel.identity)
        ]

    def at_hit(self, hit: Hit) -> list[OpenChannel]:
        """Those that a member ends or names the item of."""
        return [
            open_channel
            for channel in hit[0].channels
            for open_channel in self._of_name(channel.name)
            if open_channel.identity[: len(hit[1])] == hit[1]
        ]

    def all(self) -> list[OpenChannel]:
        return list(self._open.values())

    def close(self, channel: OpenChannel) -> bytes:
        """The text that was still held back."""
        self._open.pop((channel.channel.name, channel.identity), None)
        return channel.stream.finish()

    def _of_name(self, name: str) -> Iterator[OpenChannel]:
        return (channel for (known, _), channel in list(self._open.items()) if known == name)


def put(document: object, steps: Steps, value: object) -> None:
    """Put a value where the steps lead, which lead somewhere."""
    *way, last = steps
    for step in way:
        document = document[step]  # type: ignore[index]
    document[last] = value  # type: ignore[index]


def has(document: object, path: Path) -> bool:
    """Whether anything but null stands at the path."""
    if not path:
        return document is not None
    step, rest = path[0], path[1:]
    if step == ANY:
        return isinstance(document, list) and any(has(element, rest) for element in document)
    return isinstance(document, dict) and has(document.get(step), rest)


def empty(document: object, path: Path) -> None:
    """Put null where the path leads, if it leads anywhere."""
    step, rest = path[0], path[1:]
    if step == ANY:
        for element in document if isinstance(document, list) else ():
            if rest:
                empty(element, rest)
    elif isinstance(document, dict) and step in document:
        if rest:
            empty(document[step], rest)
        else:
            document[step] = None


def _drop(document: object, path: Path) -> None:
    step, rest = path[0], path[1:]
    if step == ANY:
        for element in document if isinstance(document, list) else ():
            if rest:
                _drop(element, rest)
    elif isinstance(document, dict) and step in document:
        if rest:
            _drop(document[step], rest)
        else:
            del document[step]


def _fits(known: Identity, identity: Identity) -> bool:
    return all(value is None or value == other for value, other in zip(known, identity, strict=False))
