"""The texts that an event stream puts together piece by piece, while they run."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.json_channel import JsonChannel
from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingFailedError
from ostiary.protocols.channel_paths import Hit, Identity, Mark, document_identity
from ostiary.protocols.text_channels import TextChannel

OPEN_CHANNELS_MAX = 1000
"""A stream that has more texts under way is refused: were one of them ended, the rest of a secret might follow."""

GUESSED_CHANNELS_MAX = 512
"""When a stream has more texts whose places are guessed, the one that began first ends: what looks like a name of the
text may be one of the event."""

KEPT_MAX_BYTES = 32 * 1024 * 1024
"""Large events that are kept because they may have to be said again; with more, the stream is refused."""

SMALL_EVENT_BYTES = 4096
"""Events up to this size do not count among them."""

_ITEMS_MAX = 4 * OPEN_CHANNELS_MAX
_LONGEST_CHARACTER = 4

Key = tuple[Hashable, Identity]

CLOSED: Key = ("", ())


class Sent:
    """An event as it went out, and which of its strings are pieces of channels."""

    __slots__ = ("block", "hits")

    def __init__(self, block: bytes, hits: Sequence[Hit]) -> None:
        self.block = block
        self.hits = hits


class OpenChannel:
    """A text under way. `last` is the last event it came in; `key` is another object once the text has ended."""

    __slots__ = ("_carry", "_feed", "_finish", "channel", "events", "identity", "item", "kept", "key", "last", "mark")

    def __init__(self, mark: Mark, identity: Identity, masker: TextMasker) -> None:
        channel = mark.channel
        stream: Body
        if channel.flavour == "json":
            stream = JsonChannel(masker, channel.name)
        else:
            stream = masker.stream(channel.name)
        self._feed = stream.feed
        self._finish = stream.finish
        self._carry = b""  # a character that what was let go has cut
        self.mark = mark
        self.channel = channel
        self.identity = identity
        self.key: Key = (mark.family, identity)
        self.item = ""
        self.events = 0
        self.last: Sent | None = None
        self.kept = 0  # the bytes of `last`, when that is large

    def feed(self, text: bytes) -> bytes:
        """What can be let go, in whole characters: the same object when that is all and nothing is changed."""
        passed = self._feed(text)
        if not self._carry and (passed is text or passed == text):
            return text
        return self._whole(self._carry + passed)

    def finish(self) -> bytes:
        """The rest."""
        rest = self._carry + self._finish()
        self._carry = b""
        return rest

    def _whole(self, text: bytes) -> bytes:
        upto = len(text)
        for back in range(1, min(_LONGEST_CHARACTER, upto + 1)):
            code = text[upto - back]
            if code >= 0xC0:
                if back < (2 if code < 0xE0 else 3 if code < 0xF0 else 4):
                    upto -= back
                break
            if code < 0x80:
                break
        self._carry = text[upto:]
        return text[:upto]


class OpenChannels:
    """All of a stream."""

    __slots__ = ("_items", "_kept", "_masker", "_open")

    def __init__(self, masker: TextMasker) -> None:
        self._masker = masker
        self._open: dict[Key, OpenChannel] = {}
        self._items: dict[Key, str] = {}
        self._kept = 0

    def get(self, key: Key) -> OpenChannel | None:
        return self._open.get(key)

    def open(self, mark: Mark, identity: Identity) -> OpenChannel:
        """A new text. Raises `MaskingFailedError` when there are too many."""
        if len(self._open) >= OPEN_CHANNELS_MAX:
            raise _too_many()
        channel = OpenChannel(mark, identity, self._masker)
        channel.item = self._items.get(channel.key, "")
        self._open[channel.key] = channel
        return channel

    def surplus(self) -> list[OpenChannel]:
        """What has to end because there are too many."""
        count = len(self._open) - GUESSED_CHANNELS_MAX
        return self.guessed()[:count] if count > 0 else []

    def remember(self, channels: Iterable[OpenChannel], sent: Sent) -> None:
        """The last event of these texts. Raises `MaskingFailedError` when too much would have to be kept."""
        size = len(sent.block)
        large = size if size > SMALL_EVENT_BYTES else 0
        for channel in channels:
            channel.last = sent
            if large != channel.kept:
                self._kept += large - channel.kept
                channel.kept = large
        if self._kept > KEPT_MAX_BYTES:
            raise MaskingFailedError(f"Events with texts under way have more than {KEPT_MAX_BYTES:,} bytes together.")

    def take_over(self, mark: Mark, identity: Identity) -> OpenChannel | None:
        """The channel that this one goes on with, when its index turns out to count events: it is one more than that
        of a channel that had a single event."""
        for at, number in enumerate(identity):
            if number.__class__ is not int:
                continue
            before = (mark.family, (*identity[:at], number - 1, *identity[at + 1 :]))
            channel = self._open.get(before)
            if channel is not None and channel.events == 1:
                del self._open[before]
                channel.events = 0
                channel.identity = identity
                channel.key = (mark.family, identity)
                self._open[channel.key] = channel
                return channel
        return None

    def expect_item(self, hit: Hit) -> list[OpenChannel]:
        """From now on the texts belong to the item that the event names; those of another one have ended.

        Raises `MaskingFailedError` when there are too many.
        """
        mark, identity, item, _ = hit
        ended = [each for each in self.with_identity(mark.channels, identity) if each.item != item and each.item]
        for channel in mark.channels:
            key = (channel.name, identity)
            if len(self._items) >= _ITEMS_MAX and key not in self._items:
                raise _too_many()
            self._items[key] = item
            known = self._open.get(key)
            if known is not None:
                known.item = item
        return ended

    def with_identity(self, channels: Sequence[TextChannel], identity: Identity) -> list[OpenChannel]:
        """Those of the channels whose identity begins with this one."""
        return [each for each in self._of(channels) if each.identity[: len(identity)] == identity]

    def ended_by(self, channels: Sequence[TextChannel], document: Mapping[str, object]) -> list[OpenChannel]:
        """Those of the channels that an event ends: with the same keys in its document, as far as it has them."""
        identities = {channel.name: document_identity(channel, document) for channel in channels}
        return [each for each in self._of(channels) if _fits(identities[each.channel.name], each.identity)]

    def guessed(self) -> list[OpenChannel]:
        return [each for each in self._open.values() if each.mark.is_guess]

    def all(self) -> list[OpenChannel]:
        return list(self._open.values())

    def close(self, channel: OpenChannel) -> bytes:
        """The text that was still held back."""
        self._open.pop(channel.key, None)
        channel.key = CLOSED
        self._kept -= channel.kept
        channel.kept = 0
        return channel.finish()

    def _of(self, channels: Iterable[TextChannel]) -> list[OpenChannel]:
        names = {channel.name for channel in channels}
        return [each for each in self._open.values() if each.mark.family in names]


def _fits(known: Identity, identity: Identity) -> bool:
    return all(value is None or value == other for value, other in zip(known, identity, strict=False))


def _too_many() -> MaskingFailedError:
    return MaskingFailedError(f"A stream has more than {OPEN_CHANNELS_MAX:,} texts under way.")
