"""Writing events anew: their data with other texts in it, with everything else masked, and events that bring what was
left of a text."""

import re
from collections.abc import Mapping, Sequence

from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.gateway.bodies.sse_channels import OpenChannel
from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingFailedError
from ostiary.protocols.channel_paths import Hit, Role, steps_to
from ostiary.protocols.json_members import Member, find_members, only_string, without_members
from ostiary.protocols.json_text import PathSteps, encode_string, splice, view
from ostiary.protocols.sse import DATA, EVENT, Line, lines_of
from ostiary.protocols.text_channels import ANY, Path

PLACE = "event"
"""Where findings are that are in no text channel."""

_LINE_ENDS = re.compile(rb"\r\n|\n|\r")
_NAMED = frozenset({b"event", b"id", b"retry", b""})
_STAND_IN = b"\\u0000"
_QUOTE = 0x22
_LIST = 0x5B


class EventWriter:
    """Masks what is in events besides the pieces of text channels."""

    __slots__ = ("_clean", "_masker", "_spellings")

    def __init__(self, masker: TextMasker) -> None:
        self._masker = masker
        self._clean = b""  # data without its texts in which nothing was found: many events differ in their texts only
        fields = masker.fields
        self._spellings = None
        if fields and fields.spellings is not None:
            self._spellings = tuple(name.encode("utf-8", "surrogatepass") for name in fields.spellings)

    def suspects(self, data: bytes) -> bool:
        """Whether anything could be found in this data or replaced by its key; True in doubt."""
        seen = view(data) if b"\\" in data else data
        return self._masker.suspects(seen) or (bool(self._masker.fields) and self._may_hold_field(seen))

    def _may_hold_field(self, seen: bytes) -> bool:
        if self._spellings is None:
            return True
        lower = seen.lower()
        # The Kelvin sign is the one letter outside of ASCII that is an ASCII letter in lower case.
        return any(name in lower for name in self._spellings) or b"\xe2\x84\xaa" in seen

    # -- data

    def data(
        self,
        data: bytes,
        document: object,
        hits: Sequence[Hit],
        texts: Mapping[int, bytes],
        opaque: Sequence[Path] = (),
    ) -> bytes | None:
        """The data with `texts` (by the number of their hit) and with everything else masked; None when it stays as it
        is. The strings of `hits` that are texts, and what stands at `opaque`, are not looked at."""
        opaque = [path for path in opaque if _has(document, path)]
        emptied = [
            path
            for number in texts
            for path in (_on_the_way(each, hits[number]) for each in hits[number][0].channel.repeated_in)
            if _has(document, path)
        ]
        kept = _kept(data, hits, texts, opaque, emptied)
        if not self.suspects(splice(data, [(start, end, b"0") for start, end, _ in kept])):
            return splice(data, kept) if texts else None
        stand_in = _STAND_IN
        while stand_in + b"\\u0007" in data:
            stand_in += b"\\u0000"
        places = [
            b'"%b\\u0007%b\\u0007"' % (stand_in, b"".join(b"\\u000%c" % digit for digit in b"%o" % number))
            for number in range(len(kept))
        ]
        stood_in = splice(data, [(start, end, place) for (start, end, _), place in zip(kept, places, strict=True)])
        body = JsonBody(self._masker, PLACE)
        masked = body.feed(stood_in) + body.finish()
        if masked == stood_in and not texts:
            return None
        for (_, _, value), place in zip(kept, places, strict=True):
            masked = masked.replace(place, value, 1)
        return masked

    def only_text(self, data: bytes, document: object, hits: Sequence[Hit]) -> tuple[int, int] | None:
        """Where the text of the one hit stands, with its quotes; None when that is not seen at a glance."""
        if any(_has(document, path) for path in hits[0][0].channel.repeated_in):
            return None
        return only_string(data, steps_to(hits[0]))

    def is_clean_without(self, data: bytes, span: tuple[int, int]) -> bool:
        """Whether nothing can be found in the data without this stretch of it."""
        rest = data[: span[0]] + data[span[1] :]
        if rest != self._clean:
            if self.suspects(rest):
                return False
            self._clean = rest
        return True

    def unread(self, data: bytes) -> bytes:
        """Data that looks like JSON and is none."""
        body = JsonBody(self._masker, PLACE)
        return body.feed(data) + body.finish()

    def whole(self, text: bytes, before: bytes = b"") -> bytes:
        """A text that is complete."""
        if not self._masker.suspects(before + text):
            return text
        stream = self._masker.stream(PLACE, before)
        masked = stream.feed(text) + stream.finish()
        return text if masked == text else masked

    # -- events

    def event(self, block: bytes, lines: Sequence[Line], data: bytes | None) -> bytes:
        """The event with this data, None for its own, and with all other lines masked."""
        values = None if data is None else _LINE_ENDS.split(data)
        in_place = values is not None and len(values) == sum(line.name == DATA for line in lines)
        out: list[bytes] = []
        for line in lines:
            raw = block[line.start : line.next_start]
            if line.name != DATA:
                out.append(self._line(block, line) if not line.is_empty else raw)
            elif values is None:
                out.append(raw)
            else:
                put, values = (values[:1], values[1:]) if in_place else (values, [])
                line_end = block[line.end : line.next_start]
                out += [_data_line(block, line, value) + (line_end or b"\n") for value in put[:-1]]
                out += [_data_line(block, line, value) + line_end for value in put[-1:]]
        return b"".join(out)

    def _line(self, block: bytes, line: Line) -> bytes:
        start = line.value_start if line.name in _NAMED else line.start
        text = block[start : line.end]
        masked = self.whole(text, block[line.start : start])
        if masked is text:
            return block[line.start : line.next_start]
        return block[line.start : start] + _LINE_ENDS.sub(b" ", masked) + block[line.end : line.next_start]

    def copy_with(self, channel: OpenChannel, text: bytes) -> bytes:
        """The last event of the channel once more, with nothing but this text of it; empty where it had no place."""
        if channel.last is None:
            return b""
        block, hits = channel.last.block, channel.last.hits
        lines = lines_of(block)
        data_lines = [line for line in lines if line.name == DATA]
        data = b"\n".join([block[line.value_start : line.end] for line in data_lines])
        if hits:
            data = _with_only(data, hits, channel, text)
        else:
            data = text
        line = data_lines[0]
        line_end = block[line.end : line.next_start] or b"\n"
        names = [block[each.start : each.next_start] for each in lines if each.name == EVENT]
        written = [_data_line(block, line, value) + line_end for value in _LINE_ENDS.split(data)]
        return b"".join([*names, *written, line_end])


def _with_only(data: bytes, hits: Sequence[Hit], channel: OpenChannel, text: bytes) -> bytes:
    channels = [each for hit in hits if hit[0].is_text for each in hit[0].channels]
    data = without_members(data, [path for each in channels for path in each.said_once])
    repeated = {path for each in channels for path in each.repeated_in}
    own: PathSteps | None = None
    values: dict[PathSteps, bytes] = {}
    for hit in hits:
        steps = steps_to(hit)
        if hit[0].role is Role.END:
            values[steps] = b"null"
        elif hit[0].is_text:
            values[steps] = b'""'
            if (hit[0].family, hit[1]) == (channel.mark.family, channel.identity):
                own = steps
    members = find_members(data, [*values, *repeated])
    last = {member.path: member for member in members}
    if own is None or own not in last:
        raise MaskingFailedError("What is left of a text cannot be written into a copy of its event.")
    values[own] = b'"%b"' % encode_string(text)
    edits = []
    for member in last.values():
        value = values.get(member.path)
        edits.append((member.start, member.end, _emptied(data, member) if value is None else value))
    return splice(data, _apart(edits))


def _kept(
    data: bytes, hits: Sequence[Hit], texts: Mapping[int, bytes], opaque: Sequence[Path], emptied: Sequence[PathSteps]
) -> list[tuple[int, int, bytes]]:
    """What is not looked at in the data, and what stands there in the end."""
    steps = {steps_to(hit): number for number, hit in enumerate(hits) if hit[0].is_text}
    last = {member.path: member for member in find_members(data, [*steps, *opaque, *emptied])}
    if any(steps_to(hits[number]) not in last for number in texts):
        raise MaskingFailedError("An event's text cannot be replaced where it stands.")
    kept = []
    for path, member in last.items():
        value = data[member.start : member.end]
        number = steps.get(path)
        if path in emptied:
            value = _emptied(data, member)
        elif data[member.start] != _QUOTE:
            continue
        elif number is not None and number in texts:
            value = b'"%b"' % encode_string(texts[number])
        kept.append((member.start, member.end, value))
    return _apart(kept)


def _emptied(data: bytes, member: Member) -> bytes:
    return b"[]" if data[member.start] == _LIST else b"null"


def _apart(edits: Sequence[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """In their order, without those inside of others."""
    out: list[tuple[int, int, bytes]] = []
    for edit in sorted(edits):
        if not out or edit[0] >= out[-1][1]:
            out.append(edit)
    return out


def _on_the_way(path: Path, hit: Hit) -> PathSteps:
    """A member's path with the indexes of the elements that it shares with the hit's."""
    positions = iter(hit[3])
    return tuple(next(positions, ANY) if step == ANY else step for step in path)


def _has(document: object, path: PathSteps) -> bool:
    """Whether anything but null or an empty list stands at the path."""
    if not path:
        return document is not None and document != []
    step, rest = path[0], path[1:]
    if isinstance(document, list):
        if isinstance(step, int):
            return step < len(document) and _has(document[step], rest)
        return step == ANY and any(_has(element, rest) for element in document)
    return isinstance(document, dict) and _has(document.get(step), rest)


def _data_line(block: bytes, line: Line, value: bytes) -> bytes:
    """A data line without its end, written as `line` is; a space that belongs to the value is not taken for the one
    behind the colon."""
    prefix = block[line.start : line.value_start]
    if prefix[-1:] != b" " and (value[:1] == b" " or prefix[-1:] != b":"):
        prefix = b"data: "
    return prefix + value
