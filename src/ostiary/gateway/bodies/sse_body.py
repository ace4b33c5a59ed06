"""Event streams (`text/event-stream`): every event goes out when it is complete, with as much text as is decided.

Text that is not decided moves to the next event of its channel. When a channel ends with text left, a copy of its last
event is put in front of the one that ends it. Everything else in an event is looked at on its own.
"""

from collections.abc import Sequence

import orjson

from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.sse_channels import OpenChannel, OpenChannels, Steps, empty, has, put
from ostiary.masking.maskers import TextMasker
from ostiary.protocols.channel_paths import EventForms, Hit, Mark, Role
from ostiary.protocols.json_text import encode_string, locate, splice, view
from ostiary.protocols.sse import BYTE_ORDER_MARK, DATA, EVENT, EventSplitter, Line, lines_of
from ostiary.protocols.text_channels import TextChannel

PLACE = "body"
DONE = b"[DONE]"
"""What ends the streams of OpenAI and those who follow it; it is no text."""

_TEXT_OF_EVENTS = "sse"
_USUAL_MEMBERS = frozenset(
    {"delta", "text", "content", "partial_json", "arguments", "token", "completion", "chunk", "response", "output_text"}
)
"""Where streams of an unknown form put their text."""

_UNKNOWN_FORM_MAX_BYTES = 4096
_UNKNOWN_FORM_LEVELS = 4
_STAND_IN = b"\\u0000%d\\u0000"


class SseBody:
    """A `Body`."""

    __slots__ = ("_forms", "_known_form", "_masker", "_open", "_splitter")

    def __init__(self, masker: TextMasker, channels: Sequence[TextChannel]) -> None:
        self._masker = masker
        self._splitter = EventSplitter()
        self._forms = EventForms(channels)
        self._open = OpenChannels(masker)
        self._known_form = False

    def feed(self, data: bytes) -> bytes:
        """Raises `MaskingFailedError` for an event that is too large."""
        if not data:
            return data
        blocks = self._splitter.feed(data)
        if len(blocks) == 1:
            return self._block(blocks[0], final=False)
        return b"".join([self._block(block, final=False) for block in blocks])

    def finish(self) -> bytes:
        rest = self._splitter.rest()
        last = self._block(rest, final=True) if rest else b""
        return b"".join([self._ending(channel) for channel in self._open.all()]) + last

    # -- one event

    def _block(self, block: bytes, final: bool) -> bytes:
        end = len(block) - 2
        if block[:6] == b"data: " and block.find(b"\n") == end and block[end - 1] != 0x0D:
            before, data = self._event("", block[6:end], final)
            if data is None:
                return before + block if before else block
            return before + _data_lines(data, b"\n") + b"\n"
        if block == BYTE_ORDER_MARK:
            return block
        return self._any_block(block, final)

    def _any_block(self, block: bytes, final: bool) -> bytes:
        lines = lines_of(block)
        values = [block[line.value_start : line.end] for line in lines if line.name == DATA]
        event = next((block[line.value_start : line.end] for line in reversed(lines) if line.name == EVENT), b"")
        before, data = b"", None
        if values:
            before, data = self._event(event.decode("utf-8", "replace"), b"\n".join(values), final)
        out: list[bytes] = [before]
        written = False
        for line in lines:
            if line.name != DATA or data is None:
                out.append(block[line.start : line.next_start] if line.name == DATA else self._line(block, line))
            elif not written:
                written = True
                out.append(_data_lines(data, block[line.end : line.next_start] or b"\n"))
        return b"".join(out)

    def _line(self, block: bytes, line: Line) -> bytes:
        """A line that is not data: a comment, an id, a name."""
        raw = block[line.start : line.next_start]
        if line.is_empty or not self._masker.suspects(raw):
            return raw
        masked = self._whole(block[line.start : line.end])
        return masked.replace(b"\n", b" ") + block[line.end : line.next_start]

    def _event(self, event: str, data: bytes, final: bool) -> tuple[bytes, bytes | None]:
        """What must go in front, and the event's data as it is to be; None leaves it as it is."""
        if data == DONE:
            return b"".join([self._ending(channel) for channel in self._open.all()]), None
        try:
            document = orjson.loads(data)
        except ValueError:
            return b"", self._plain(event, data, final)
        if document.__class__ is not dict:
            return b"", self._rest_of(data, ())
        form = self._forms.form(event, document)
        hits = form.find(document)
        if hits:
            self._known_form = True
        elif not form.known and not self._known_form and len(data) <= _UNKNOWN_FORM_MAX_BYTES:
            hits = _usual_texts(event, document)
        before: list[bytes] = []
        if form.ended:
            before += [self._ending(channel) for channel in self._open.ended_by(form.ended, document)]
        changed: dict[Steps, bytes] = {}
        texts: dict[Steps, OpenChannel] = {}
        for hit in hits:
            mark = hit[0]
            if mark.is_text:
                channel = self._open.of(hit, data, event)
                text = hit[2].encode("utf-8", "surrogatepass")
                masked = channel.stream.feed(text)
                texts[channel.steps] = channel
                if masked is not text:
                    changed[channel.steps] = masked
            elif mark.role is Role.ITEM:
                before += self._new_item(hit)
            elif hit[2]:
                before += self._ends(hit, texts, changed)
        if final:
            for steps, channel in texts.items():
                self._append(steps, channel, changed)
        rest = self._rest_of(data, (*texts, *_opaque(form.opaque, document)), changed, document, texts)
        return b"".join(before), rest

    def _new_item(self, hit: Hit) -> list[bytes]:
        ended = [channel for channel in self._open.at_hit(hit) if channel.item and channel.item != hit[2]]
        out = [self._ending(channel) for channel in ended]
        for channel in hit[0].channels:
            self._open.expect(channel, hit)
        return out

    def _ends(self, hit: Hit, texts: dict[Steps, OpenChannel], changed: dict[Steps, bytes]) -> list[bytes]:
        """Text that is left goes into the same event where that has a piece of the channel, else in front of it."""
        before = []
        mine = {channel: steps for steps, channel in texts.items()}
        for channel in self._open.at_hit(hit):
            if channel in mine:
                self._append(mine[channel], channel, changed)
            else:
                before.append(self._ending(channel))
        return before

    def _append(self, steps: Steps, channel: OpenChannel, changed: dict[Steps, bytes]) -> None:
        rest = self._open.close(channel)
        if rest:
            changed[steps] = changed.get(steps, b"") + rest

    def _ending(self, channel: OpenChannel) -> bytes:
        """The event that brings what is left of a channel, or nothing."""
        rest = self._open.close(channel)
        if not rest:
            return b""
        if not channel.document:
            return _data_lines(rest, b"\n") + b"\n"
        document = channel.copy_with(rest)
        masked = self._rest_of(document, (channel.steps,))
        name = f"event: {channel.event}\n".encode() if channel.event else b""
        return name + _data_lines(document if masked is None else masked, b"\n") + b"\n"

    # -- what is in an event

    def _plain(self, event: str, data: bytes, final: bool) -> bytes | None:
        """Data that is not JSON: the data of all events of one name are one text."""
        name = f"{_TEXT_OF_EVENTS}.{event}" if event else _TEXT_OF_EVENTS
        stream = self._open.named(name)
        masked = stream.feed(data)
        if final:
            masked += stream.finish()
        return None if masked is data else masked

    def _rest_of(
        self,
        data: bytes,
        apart: Sequence[Steps],
        changed: dict[Steps, bytes] | None = None,
        document: dict[str, object] | None = None,
        texts: dict[Steps, OpenChannel] | None = None,
    ) -> bytes | None:
        """The data with its texts changed, and with everything else in it looked at; None when nothing has changed."""
        changed = changed or {}
        suspected = bool(self._masker.fields) or self._masker.suspects(view(data))
        if not changed and not suspected:
            return None
        for steps in changed:
            repeated = texts[steps].channel.repeated_in if texts else ()
            if document is not None and any(has(document, path) for path in repeated):
                for path in repeated:
                    empty(document, path)
                put(document, steps, "")
                data = orjson.dumps(document)
        spans = locate(data, apart)
        places = sorted((span, steps) for steps, span in spans.items())
        if suspected:
            stood_in = splice(
                data, [(start, end, b'"%b"' % (_STAND_IN % number)) for number, ((start, end), _) in enumerate(places)]
            )
            body = JsonBody(self._masker, PLACE)
            masked = body.feed(stood_in) + body.finish()
            if masked == stood_in and not changed:
                return None
            for number, ((start, end), steps) in enumerate(places):
                text = encode_string(changed[steps]) if steps in changed else data[start + 1 : end - 1]
                masked = masked.replace(_STAND_IN % number, text, 1)
            return masked
        return splice(
            data,
            [
                (start, end, b'"%b"' % encode_string(changed[steps]))
                for (start, end), steps in places
                if steps in changed
            ],
        )

    def _whole(self, text: bytes) -> bytes:
        stream = self._masker.stream(PLACE)
        return stream.feed(text) + stream.finish()


def _opaque(paths: Sequence[tuple[str, ...]], document: dict[str, object]) -> list[Steps]:
    return [path for path in paths if has(document, path)]


def _data_lines(data: bytes, line_end: bytes) -> bytes:
    return b"".join([b"data: " + line + line_end for line in data.split(b"\n")])


def _usual_texts(event: str, document: dict[str, object]) -> list[Hit]:
    """The texts of an event of unknown form, when it looks like one of a stream and not like a message of its own."""
    if "type" in document or "jsonrpc" in document:
        return []
    hits: list[Hit] = []
    _collect(event, document, (), hits)
    return hits


def _collect(event: str, value: object, path: tuple[str, ...], hits: list[Hit]) -> None:
    if len(path) > _UNKNOWN_FORM_LEVELS or not isinstance(value, dict):
        return
    for key, child in value.items():
        if child.__class__ is str and key in _USUAL_MEMBERS:
            whole = (*path, key)
            name = f"{_TEXT_OF_EVENTS}.{event or 'data'}.{'.'.join(whole)}"
            hits.append((Mark(Role.TEXT, whole, (TextChannel(name, whole),)), (), child, ()))
        elif child.__class__ is dict:
            _collect(event, child, (*path, key), hits)
