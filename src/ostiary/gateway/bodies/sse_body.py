"""Event streams (`text/event-stream`): every event goes out when it is complete, with as much text as is decided.

Text that is not decided moves to the next event of its channel. When a channel ends with text left, a copy of its last
event is put in front of the one that ends it. Everything else in an event is looked at on its own.
"""

import json
from collections.abc import Iterable, Sequence

import orjson

from ostiary.gateway.bodies.sse_channels import OpenChannel, OpenChannels, Sent
from ostiary.gateway.bodies.sse_event import EventWriter
from ostiary.gateway.bodies.sse_frames import Frame
from ostiary.masking.maskers import TextMasker
from ostiary.protocols.channel_paths import EventForm, Hit, Mark, Role, forms_for, steps_to
from ostiary.protocols.guessed_channels import PIECE_MAX_CHARACTERS, GuessedChannels
from ostiary.protocols.json_text import encode_string
from ostiary.protocols.sse import BYTE_ORDER_MARK, DATA, EVENT, EventSplitter, lines_of
from ostiary.protocols.text_channels import TextChannel

DONE = b"[DONE]"
"""What ends the streams of OpenAI and those who follow it; it is no text."""

_TEXT = TextChannel("event.text", ())
_PLAIN = ("\0",)
_TOKEN_MAX_BYTES = 64
"""In a stream of plain text, so short data that happens to be JSON is text, too."""

_DOCUMENT_STARTS = frozenset((b"{", b"[", b'"'))
_SCALAR_STARTS = frozenset(b"%c" % code for code in b"-0123456789tfn")
_NAMES_MAX = 64
_DELTA = "delta"
_ROLES = {Role.ITEM: 0, Role.TEXT: 1, Role.END: 2}


FRAMES_MAX = 16
"""So often a stream is tried for events that differ in their text only, until some are found."""


class SseBody:
    """A `Body`."""

    __slots__ = (
        "_fields", "_forms", "_frame", "_frames_to_try", "_guessed", "_known_form", "_masker", "_names", "_open",
        "_splitter", "_texts_are_no_fields", "_writer",
    )  # fmt: skip

    def __init__(self, masker: TextMasker, channels: Sequence[TextChannel]) -> None:
        """`channels` are those of the Kind."""
        self._masker = masker
        self._fields = masker.fields or None
        # A text under way is none of them then: it has the same name wherever it stands.
        self._texts_are_no_fields = self._fields is None or not self._fields.needs_path
        self._splitter = EventSplitter()
        self._forms = forms_for(channels)
        self._guessed = GuessedChannels()
        self._open = OpenChannels(masker)
        self._writer = EventWriter(masker)
        self._known_form = False
        self._frame: Frame | None = None
        self._frames_to_try = FRAMES_MAX
        self._names: dict[bytes, str] = {}  # event names in which there is nothing to mask

    def feed(self, data: bytes) -> bytes:
        """Every event that is complete. Raises `MaskingFailedError` for one that is too large."""
        frame = self._frame
        if frame is not None and self._splitter.is_between_events:
            framed = frame.pass_on(data)
            if framed is not None:
                self._frames_to_try = FRAMES_MAX
                return framed
        blocks = self._splitter.feed(data)
        if len(blocks) == 1:
            return self._block(blocks[0])
        return b"".join([self._block(block) for block in blocks])

    def finish(self) -> bytes:
        """The rest. An event with a text that was cut off in the middle of its JSON is left out: no client reads it."""
        rest = self._splitter.rest()
        return self._any_block(rest, final=True) if rest else self._endings(self._open.all())

    # -- events

    def _block(self, block: bytes) -> bytes:
        if self._frame is not None:
            framed = self._frame.pass_on(block)
            if framed is not None:
                self._frames_to_try = FRAMES_MAX
                return framed
        end = len(block) - 2
        if block[:6] == b"data: ":
            if block.find(b"\n") == end and block.find(b"\r") < 0:
                return self._usual(block, "", 6)
        elif block[:7] == b"event: ":
            first = block.find(b"\n")
            if (
                block.find(b"\n", first + 1) == end
                and block.find(b"\r") < 0
                and block[first + 1 : first + 7] == b"data: "
            ):
                name = self._names.get(block[7:first])
                if name is not None:
                    return self._usual(block, name, first + 7)
        return self._any_block(block, final=False)

    def _usual(self, block: bytes, event: str, start: int) -> bytes:
        """An event with one line of data, from `start` on, and a name that is clean: mostly a piece of one text."""
        data = block[start : len(block) - 2]
        try:
            document = orjson.loads(data)
        except ValueError:
            return self._any_block(block, final=False)
        if document.__class__ is not dict:
            return self._any_block(block, final=False)
        form = self._forms.form(event, document)
        hits = form.find(document)
        if len(hits) == 1 and not form.ended and self._texts_are_no_fields:
            mark, identity, text, _ = hits[0]
            channel = self._open.get((mark.family, identity)) if mark.is_text else None
            if channel is not None:
                return self._piece(block, start, document, form, hits, channel, text.encode())
        hits = self._hits(event, document, form, hits)
        before, changed, texts = self._document(event, data, document, form, hits, final=False)
        if changed is not None:
            block = block[:start] + changed + b"\n\n"
        return self._sent(before, block, hits, texts)

    def _piece(
        self,
        block: bytes,
        start: int,
        document: object,
        form: EventForm,
        hits: list[Hit],
        channel: OpenChannel,
        text: bytes,
    ) -> bytes:
        """An event with nothing but a piece of this text."""
        data = block[start : len(block) - 2]
        passed = channel.feed(text)
        same = passed is text
        clean = same and not self._writer.suspects(data)
        span = None
        if not same or self._frames_to_try:
            span = self._writer.only_text(data, document, hits)
        if span is not None and (clean or self._writer.is_clean_without(data, span)):
            begin, end = start + span[0] + 1, start + span[1] - 1
            frame = Frame(block[:begin], block[end:], channel, hits, self._masker.suspects)
            if not same:
                block = block[:begin] + encode_string(passed) + block[end:]
            if self._frames_to_try:
                self._frames_to_try -= 1
                self._frame = frame
        elif not clean:
            changed = self._writer.data(data, document, hits, {} if same else {0: passed}, form.opaque)
            if changed is not None:
                block = block[:start] + changed + b"\n\n"
        self._open.remember((channel,), Sent(block, hits))
        return block

    def _any_block(self, block: bytes, final: bool) -> bytes:
        if block == BYTE_ORDER_MARK:
            return block
        lines = lines_of(block)
        values = [block[line.value_start : line.end] for line in lines if line.name == DATA]
        if not values:
            return self._endings(self._open.all() if final else ()) + self._writer.event(block, lines, None)
        data = b"\n".join(values)
        named = next((block[line.value_start : line.end] for line in reversed(lines) if line.name == EVENT), b"")
        event = self._name(named)
        if data.strip() == DONE:
            return self._endings(self._open.all()) + self._writer.event(block, lines, None)
        document = _read(data)
        hits: list[Hit] = []
        if self._is_plain(event, data, document):
            before, changed, texts = self._plain(event, data, final)
        elif document is not None:
            members = document if isinstance(document, dict) else {}
            form = self._forms.form(event, members)
            hits = self._hits(event, document, form, form.find(members))
            before, changed, texts = self._document(event, data, document, form, hits, final)
        elif final and (self._known_form or self._open.all()):
            return self._endings(self._open.all())
        else:
            before, changed, texts = b"", self._writer.unread(data), []
        if final:
            before = self._endings(each for each in self._open.all() if each not in texts) + before
        return self._sent(before, self._writer.event(block, lines, changed), hits, texts)

    def _name(self, named: bytes) -> str:
        name = self._names.get(named)
        if name is None:
            text = named.decode("utf-8", "replace")
            name = "" if text == "message" else text
            if len(self._names) < _NAMES_MAX and not self._masker.suspects(b"event: " + named):
                self._names[named] = name
        return name

    def _sent(self, before: bytes, block: bytes, hits: Sequence[Hit], texts: Iterable[OpenChannel]) -> bytes:
        self._open.remember(texts, Sent(block, hits))
        surplus = self._open.surplus()
        if surplus:
            return before + block + self._endings(surplus)
        return before + block if before else block

    def _endings(self, channels: Iterable[OpenChannel]) -> bytes:
        """Events that bring what is left of these texts, which end."""
        out = []
        for channel in channels:
            rest = self._open.close(channel)
            if rest:
                out.append(self._writer.copy_with(channel, rest))
        return b"".join(out)

    # -- what is in them

    def _hits(self, event: str, document: object, form: EventForm, hits: list[Hit]) -> list[Hit]:
        """The texts of the event, guessed where no channel is known to be in it."""
        if hits or form.known:
            self._known_form = True
        else:
            kind = document.get("type") if isinstance(document, dict) else ""
            if not self._known_form or _DELTA in event or _DELTA in str(kind):
                hits = [hit for hit in self._guessed.find(event, document) if self._may_be_piece(hit)]
        if self._fields is not None:
            fields = self._fields
            hits = [hit for hit in hits if fields.match([str(step) for step in steps_to(hit)]) is None]
        return hits

    def _may_be_piece(self, hit: Hit) -> bool:
        return len(hit[2]) <= PIECE_MAX_CHARACTERS or self._open.get((hit[0].family, hit[1])) is not None

    def _document(
        self, event: str, data: bytes, document: object, form: EventForm, hits: list[Hit], final: bool
    ) -> tuple[bytes, bytes | None, list[OpenChannel]]:
        """What goes in front of the event, its data where that changes, and the channels whose pieces are in it."""
        before: list[bytes] = []
        ended: list[OpenChannel] = []
        if form.ended:
            ended += self._open.ended_by(form.ended, document if isinstance(document, dict) else {})
        texts: dict[int, bytes] = {}
        mine: dict[OpenChannel, int] = {}
        for number, hit in sorted(enumerate(hits), key=lambda each: _ROLES[each[1][0].role]):
            mark, identity, text, _ = hit
            if mark.is_text:
                channel = self._channel(mark, identity)
                raw = text.encode("utf-8", "surrogatepass")
                passed = channel.feed(raw)
                channel.events += 1
                mine[channel] = number
                if passed is not raw:
                    texts[number] = passed
            elif mark.role is Role.ITEM:
                if text:
                    before.append(self._endings(self._open.expect_item(hit)))
            else:
                ended += self._open.with_identity(mark.channels, identity)
        guessed = self._open.guessed()
        if guessed and self._guessed.are_ended(event, document):
            ended += guessed
        if final:
            ended += mine
        for channel in dict.fromkeys(ended):
            rest = self._open.close(channel)
            if not rest:
                continue
            if channel in mine:
                number = mine[channel]
                raw = hits[number][2].encode("utf-8", "surrogatepass")
                texts[number] = texts.get(number, raw) + rest
                if texts[number] == raw:
                    del texts[number]
            else:
                before.append(self._writer.copy_with(channel, rest))
        changed = None
        if texts or self._writer.suspects(data):
            changed = self._writer.data(data, document, hits, texts, form.opaque)
        return b"".join(before), changed, list(mine)

    def _channel(self, mark: Mark, identity: tuple[object, ...]) -> OpenChannel:
        channel = self._open.get((mark.family, identity))
        if channel is None and mark.is_guess:
            channel = self._open.take_over(mark, identity)
        return self._open.open(mark, identity) if channel is None else channel

    # -- plain text

    def _is_plain(self, event: str, data: bytes, document: object) -> bool:
        """Whether the data is text rather than a document of JSON."""
        if isinstance(document, bool | int | float) or (document is None and _first(data) not in _DOCUMENT_STARTS):
            return True
        return len(data) <= _TOKEN_MAX_BYTES and self._open.get((("", event, _PLAIN), ())) is not None

    def _plain(self, event: str, data: bytes, final: bool) -> tuple[bytes, bytes | None, list[OpenChannel]]:
        """The data of all events of one name are one text, unless the name says something whole."""
        if self._guessed.are_ended(event, {}):
            whole = self._writer.whole(data)
            return self._endings(self._open.guessed()), None if whole is data else whole, []
        channel = self._channel(Mark(Role.TEXT, (), (_TEXT,), guess=("", event, _PLAIN)), ())
        passed = channel.feed(data)
        if final:
            passed = passed + self._open.close(channel)
        return b"", None if passed == data else passed, [channel]


def _read(data: bytes) -> object:
    """The document, None where there is none. What strict readers refuse and others read is read: lone surrogates,
    control characters, bytes that are no UTF-8."""
    first = _first(data)
    if first not in _DOCUMENT_STARTS and first not in _SCALAR_STARTS:
        return None
    try:
        return orjson.loads(data)
    except ValueError:
        if first in _SCALAR_STARTS:
            return None
    try:
        return json.loads(data.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def _first(data: bytes) -> bytes:
    """The first byte that is no space."""
    return data.lstrip()[:1]
