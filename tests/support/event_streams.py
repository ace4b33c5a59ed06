"""Event streams for tests: written, read again the plain way, and what masking must make of them, worked out slowly."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ostiary.protocols.text_channels import ANY, Path, TextChannel

Identity = tuple[object, ...]
ChannelKey = tuple[str, Identity]


@dataclass
class Event:
    """As a client dispatches it, with its bytes; comments before it are not part of it."""

    name: str
    data: str
    id: str | None
    block: bytes

    @property
    def document(self) -> object:
        return json.loads(self.data)


def read_events(stream: bytes) -> list[Event]:
    """By the letter of WHATWG HTML 9.2.6, except that an event without data is given, too."""
    events: list[Event] = []
    block, name, data, identity = b"", "", [], None
    for line in re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)", stream.removeprefix(b"\xef\xbb\xbf")):
        block += line
        text = line.rstrip(b"\r\n").decode("utf-8", "replace")
        if not text:
            if name or data or identity is not None:
                events.append(Event(name, "\n".join(data), identity, block))
            block, name, data, identity = b"", "", [], None
            continue
        if block == line and text.startswith(":"):
            block = b""
            continue
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            identity = value
    return events


def put(document: dict[str, object], path: Path, value: object) -> None:
    """Set a member, with lists of one element where the path has them."""
    node: object = document
    for step, following in zip(path, (*path[1:], None), strict=True):
        made: object = value if following is None else [] if following == ANY else {}
        if step == ANY:
            assert isinstance(node, list)
            if not node:
                node.append(made)
            elif following is None:
                node[0] = made
            node = node[0]
        else:
            assert isinstance(node, dict)
            if following is None or step not in node:
                node[step] = made
            node = node[step]


def values_at(document: object, path: Path) -> Iterator[object]:
    if not path:
        yield document
    elif path[0] == ANY:
        for element in document if isinstance(document, list) else ():
            yield from values_at(element, path[1:])
    elif isinstance(document, dict) and path[0] in document:
        yield from values_at(document[path[0]], path[1:])


def without(document: object, path: Path) -> None:
    """Take the member away wherever the path leads."""
    if path[0] == ANY:
        for element in document if isinstance(document, list) else ():
            without(element, path[1:])
    elif isinstance(document, dict) and path[0] in document:
        if len(path) == 1:
            del document[path[0]]
        else:
            without(document[path[0]], path[1:])


def is_met(channel: TextChannel, name: str, document: object) -> bool:
    kind = document.get("type") if isinstance(document, dict) else None
    return channel.event is None or channel.event in (name, kind)


def found_in(channel: TextChannel, document: object, path: Path) -> Iterator[tuple[Identity, object]]:
    """What stands at a path, and which channel of the name it belongs to."""
    outside = tuple(next(iter(values_at(document, key)), None) for key in channel.keys if ANY not in key)

    def walk(node: object, done: Path, rest: Path, inside: Identity) -> Iterator[tuple[Identity, object]]:
        if not rest:
            yield (*outside, *inside), node
        elif rest[0] == ANY:
            key = next((key[-1] for key in channel.keys if key[:-1] == (*done, ANY)), None)
            for position, element in enumerate(node if isinstance(node, list) else ()):
                number = element.get(key, position) if isinstance(element, dict) else position
                yield from walk(element, (*done, ANY), rest[1:], inside if key is None else (*inside, number))
        elif isinstance(node, dict) and rest[0] in node:
            yield from walk(node[rest[0]], (*done, rest[0]), rest[1:], inside)

    yield from walk(document, (), path, ())


def texts_of(channels: Sequence[TextChannel], events: Sequence[Event]) -> dict[ChannelKey, str]:
    """The text of every channel, put together as a client does."""
    texts: dict[ChannelKey, str] = {}
    for event in events:
        document = _document(event)
        for channel in channels:
            if is_met(channel, event.name, document):
                for identity, text in found_in(channel, document, channel.path):
                    if isinstance(text, str):
                        texts[channel.name, identity] = texts.get((channel.name, identity), "") + text
    return texts


def masked_texts(
    channels: Sequence[TextChannel], events: Sequence[Event], mask: Callable[[TextChannel, str], str]
) -> tuple[dict[ChannelKey, str], int]:
    """What the texts must become, every text masked as a whole from its beginning to its end; and how many ended."""
    done: dict[ChannelKey, str] = {}
    running: dict[ChannelKey, str] = {}
    items: dict[ChannelKey, object] = {}
    by_name = {channel.name: channel for channel in channels}
    ends = 0

    def end(key: ChannelKey) -> None:
        nonlocal ends
        ends += 1
        done[key] = done.get(key, "") + mask(by_name[key[0]], running.pop(key))

    for event in events:
        document = _document(event)
        kind = document.get("type") if isinstance(document, dict) else None
        for channel in channels:
            mine = [key for key in running if key[0] == channel.name]
            if {event.name, kind} & set(channel.ends):
                given = [next(iter(values_at(document, key)), None) for key in channel.document_keys]
                for key in mine:
                    if all(value is None or value == other for value, other in zip(given, key[1], strict=False)):
                        end(key)
            if not is_met(channel, event.name, document):
                continue
            for identity, item in found_in(channel, document, channel.new_item) if channel.new_item else ():
                key = (channel.name, identity)
                if item and key in running and items.get(key) not in (None, item):
                    end(key)
                if item:
                    items[key] = item
            for identity, text in found_in(channel, document, channel.path):
                if isinstance(text, str):
                    key = (channel.name, identity)
                    running[key] = running.get(key, "") + text
            for member in channel.ending_members:
                for identity, value in found_in(channel, document, member):
                    for key in [key for key in running if key[0] == channel.name]:
                        if value and key[1][: len(identity)] == identity:
                            end(key)
        if event.data == "[DONE]":
            for key in list(running):
                end(key)
    for key in list(running):
        end(key)
    return done, ends


def _document(event: Event) -> object:
    try:
        return event.document
    except ValueError:
        return None
