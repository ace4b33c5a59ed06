"""Text channels as data: where in a stream's events a text stands that comes in pieces."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ostiary.protocols.documents import DOTTED_PATH, Place, items_at, mapping_at, text_at, texts_at, word_at

ANY = "*"
"""In a path: every element of a list."""

Path = tuple[str, ...]
ChannelFlavour = Literal["text", "json", "opaque"]

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_EVENT = re.compile(r"[A-Za-z0-9_.:/-]+")
_KEYS = frozenset(
    {"name", "event", "path", "keys", "flavour", "ends", "ending_members", "new_item", "repeated_in", "said_once"}
)
_ONLY_FOR_TEXT = ("keys", "ends", "ending_members", "new_item", "repeated_in", "said_once")


@dataclass(frozen=True, slots=True)
class TextChannel:
    """A text whose pieces stand at `path` in the JSON data of successive events.

    `event` is the SSE event's name or the document's `type`; None means any event that has the path. `keys` are the
    members that tell channels of one name apart: members of the document, or of a list's elements that the path leads
    through (`choices.*.index`). `flavour` json: the text is JSON source itself. opaque: no text at all but something
    that must come back unchanged, such as a signature; it is never looked at.

    The channel ends with an event of a name in `ends` that has the same keys (or lacks them), when one of
    `ending_members` is set, and when `new_item` names another item than before. `repeated_in` are members that say the
    text once more in another way, as log probabilities of its tokens do: they are emptied where the text is changed.
    `said_once` are members that must not be said twice: they are left out where an event has to be made up.
    """

    name: str
    path: Path
    event: str | None = None
    keys: tuple[Path, ...] = ()
    flavour: ChannelFlavour = "text"
    ends: tuple[str, ...] = ()
    ending_members: tuple[Path, ...] = ()
    new_item: Path | None = None
    repeated_in: tuple[Path, ...] = ()
    said_once: tuple[Path, ...] = ()

    @property
    def document_keys(self) -> tuple[Path, ...]:
        """The keys outside of lists."""
        return tuple(key for key in self.keys if ANY not in key)

    def element_key(self, list_path: Path) -> str | None:
        """The member that tells the elements of the list at `list_path` apart."""
        for key in self.keys:
            if key[:-1] == (*list_path, ANY):
                return key[-1]
        return None


def parse_text_channels(rows: Sequence[object], place: Place) -> tuple[TextChannel, ...]:
    """The channels that a catalog document lists. Raises `OperatorError` naming the key at fault."""
    channels: list[TextChannel] = []
    for index, row in enumerate(rows):
        channel = _channel(row, place.item(index))
        if any(channel.name == other.name for other in channels):
            place.item(index).at("name").fail(f"there are two channels {channel.name!r}.")
        if any((channel.event, channel.path) == (other.event, other.path) for other in channels):
            place.item(index).at("path").fail("another channel has the same path in the same event.")
        channels.append(channel)
    return tuple(channels)


def _channel(value: object, place: Place) -> TextChannel:
    row = mapping_at(value, place, _KEYS)
    path = _steps(text_at(row, "path", place, DOTTED_PATH))
    flavour: ChannelFlavour = "text"
    if "flavour" in row:
        word = word_at(row["flavour"], place.at("flavour"), get_args(ChannelFlavour))
        flavour = "json" if word == "json" else "opaque" if word == "opaque" else "text"
    if flavour == "opaque":
        for key in _ONLY_FOR_TEXT:
            if key in row:
                place.at(key).fail("has no meaning with flavour opaque.")
    new_item = _steps(text_at(row, "new_item", place, DOTTED_PATH)) if "new_item" in row else None
    channel = TextChannel(
        name=text_at(row, "name", place, _NAME),
        event=text_at(row, "event", place, _EVENT) if "event" in row else None,
        path=path,
        keys=tuple(_steps(text) for text in texts_at(row, "keys", place, DOTTED_PATH)),
        flavour=flavour,
        ends=texts_at(row, "ends", place, _EVENT),
        ending_members=tuple(_steps(text) for text in texts_at(row, "ending_members", place, DOTTED_PATH)),
        new_item=new_item,
        repeated_in=tuple(_steps(text) for text in texts_at(row, "repeated_in", place, DOTTED_PATH)),
        said_once=tuple(_steps(text) for text in texts_at(row, "said_once", place, DOTTED_PATH)),
    )
    for key in ("keys", "ending_members", "repeated_in", "said_once"):
        for index, written in enumerate(items_at(row, key, place)):
            _check_lists(_steps(str(written)), path, place.at(key).item(index))
    if new_item is not None:
        _check_lists(new_item, path, place.at("new_item"))
    for key_index, key_path in enumerate(channel.keys):
        if ANY in key_path and key_path[-2] != ANY:
            place.at("keys").item(key_index).fail("must be a member of a list's element itself, or outside of lists.")
    return channel


def _check_lists(member: Path, path: Path, place: Place) -> None:
    """A member must be one of the document, or of an element that the channel's path leads through."""
    if member[-1] == ANY:
        place.fail("must end with a member's name.")
    if ANY in member:
        last_list = len(member) - member[::-1].index(ANY)
        if member[:last_list] != path[:last_list]:
            place.fail("leads through a list that the channel's path does not lead through.")


def _steps(text: str) -> Path:
    return tuple(text.split("."))
