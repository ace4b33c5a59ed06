"""Event streams under masking, for every text channel of every Kind: what a client puts together is the masked text, as
if it had been masked as a whole, and nothing else of the stream changes."""

import json
import re
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostiary.catalog import load_catalog
from ostiary.gateway.bodies.json_channel import JsonChannel
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.masking.engine import MaskingEngine
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.masking.maskers import TextMasker
from ostiary.masking.placeholders import PlaceholderRestorer, Placeholders
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.masking import MaskingRule, Where
from ostiary.model.secret import Secret
from ostiary.protocols.text_channels import ANY, TextChannel
from support.event_streams import Event, is_met, masked_texts, put, read_events, texts_of, values_at, without

KINDS = load_catalog()
CHANNELS = {
    name: [channel for channel in kind.text_channels if channel.flavour != "opaque"]
    for name, kind in KINDS.items()
    if kind.text_channels
}
EVERY = [(name, channel) for name, channels in CHANNELS.items() for channel in channels]
KEY = b"sk-live-Q4f7xB2nL9vTzR8mW1c"
MAIL = "alice.b@acme.com"
PARTS = (
    MAIL, "alice", "@acme.com", "4242 4242 4242 4242", "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8", "ghp_",
    "AKIAIOSFODNN7EXAMPLE", "password: ", "Zk3vQ9xT7mLp2Rw8", KEY.decode(), KEY.decode()[:11], KEY.decode()[11:],
    "‹email:1›", "‹em", "ail:1›", "é", "😀", "ß", '"', "\\", "\n", "\t", "\0", " ", " ", "x", "The", " quick", "{", "}",
    "[DONE]", "data: ",
)  # fmt: skip
BUSY = settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@cache
def engine() -> MaskingEngine:
    return MaskingEngine(
        (MaskingRule("all", frozenset(Where), detectors=("secrets", "email", "payment-card")),), b"k" * 32
    )


@cache
def injected() -> InjectedSecretMatcher:
    return InjectedSecretMatcher([Secret("key", 1, KEY)], [AuthForm(AuthScheme.BEARER)])


def restorer() -> PlaceholderRestorer:
    placeholders = Placeholders()
    placeholders.placeholder_for("email", b'bob "b" <b@acme.com>')
    return PlaceholderRestorer(placeholders)


MASKERS = {"masking": lambda: engine().masker(injected=injected()), "putting back": restorer}


def mask(masker: TextMasker, channel: TextChannel, text: str) -> str:
    text_bytes = text.encode()
    body = JsonChannel(masker, channel.name) if channel.flavour == "json" else masker.stream(channel.name)
    return (body.feed(text_bytes) + body.finish()).decode()


def through(kind: str, way: str, pieces: list[bytes]) -> bytes:
    body = SseBody(MASKERS[way](), KINDS[kind].text_channels)
    return b"".join([*map(body.feed, pieces), body.finish()])


# -- streams


def texts(flavour: str) -> st.SearchStrategy[str]:
    plain = st.lists(st.sampled_from(PARTS), max_size=8).map("".join)
    if flavour == "json":
        return st.builds(
            lambda text, ascii_only: json.dumps({"a": text}, ensure_ascii=ascii_only), plain, st.booleans()
        )
    return plain


@st.composite
def documents(draw: st.DrawFn, channel: TextChannel, number: int) -> list[tuple[str, dict[str, object]]]:
    """All events of one channel."""
    text = draw(texts(channel.flavour))
    edges = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *edges], [*edges, len(text)], strict=True)]
    events = []

    def document(name: str | None) -> dict[str, object]:
        made: dict[str, object] = {"id": "chatcmpl-1", "created": 1760000000, "model": "m-1", "usage": None}
        if name is not None:
            made["type"] = name
        for key in channel.keys:
            put(made, key, number if "id" not in key[-1] else f"item_{number}")
        return made

    if channel.said_once:
        first = document(channel.event)
        put(first, channel.path, draw(st.sampled_from(["", None])))
        for member in channel.said_once:
            put(first, member, member[-1])
        if channel.new_item is not None:
            put(first, channel.new_item, f"call_{number}")
        events.append((channel.event or "", first))
    for piece in pieces:
        delta = document(channel.event)
        put(delta, channel.path, piece)
        for member in (*channel.ending_members, *channel.repeated_in):
            put(delta, member, None)
        if channel.repeated_in and draw(st.booleans()):
            put(delta, channel.repeated_in[0], [{"token": piece, "logprob": -0.5, "bytes": [1]}])
        events.append((channel.event or "", delta))
    how = draw(st.sampled_from(["own event", "last delta", "cut off"]))
    if channel.ends and how == "own event":
        name = draw(st.sampled_from(channel.ends))
        events.append((name, document(name)))
    elif channel.ending_members and how != "cut off":
        if how == "own event":
            events.append((channel.event or "", document(channel.event)))
        put(events[-1][1], channel.ending_members[0], "stop")
    return events


@st.composite
def streams(draw: st.DrawFn, channels: list[TextChannel]) -> bytes:
    """Channels one beside the other, with everything that stands between their events."""
    waiting = [draw(documents(channel, number)) for number, channel in enumerate(channels)]
    line_end = draw(st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"]))
    begin = draw(st.sampled_from([b"data: ", b"data:"]))
    named = draw(st.booleans())
    ascii_only, indent, escaped = draw(st.booleans()), draw(st.sampled_from([None, None, 0])), draw(st.booleans())
    out = [b"\xef\xbb\xbf"] if draw(st.integers(0, 9)) == 0 else []
    sequence = 0
    while any(waiting):
        events = draw(st.sampled_from([events for events in waiting if events]))
        name, document = events.pop(0)
        sequence += 1
        source = json.dumps({"sequence": sequence, **document}, ensure_ascii=ascii_only, indent=indent)
        if escaped:
            source = re.sub(r'"(?:[^"\\]|\\.)*"', with_escapes, source)
        lines = [b"id: %d" % sequence]
        if named and name:
            lines.append(b"event: " + name.encode())
        lines += [begin + line.encode() for line in source.split("\n")]
        out += [line + line_end for line in (*lines, b"")]
        if draw(st.integers(0, 5)) == 0:
            out.append(
                draw(st.sampled_from([b": ping", b"event: ping" + line_end + b'data: {"type":"ping"}' + line_end]))
            )
            out.append(line_end)
    if draw(st.booleans()):
        out += [b"data: [DONE]", line_end, line_end]
    return b"".join(out)


def with_escapes(string: re.Match[str]) -> str:
    return re.sub(r"\\.|[@4.‹😀]", escape, string[0])


def escape(sign: re.Match[str]) -> str:
    if len(sign[0]) == 2:
        return sign[0]
    return json.dumps(sign[0])[1:-1] if sign[0] > "~" else f"\\u{ord(sign[0]):04X}"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


# -- what must hold


def bare(channels: list[TextChannel], event: Event, *, copied: bool = False) -> object:
    """The event's document without its texts and what repeats them, and without what a copy does not have."""
    try:
        document = event.document
    except ValueError:
        return event.data
    for channel in channels:
        if is_met(channel, event.name, document):
            for member in (
                channel.path,
                *channel.repeated_in,
                *((*channel.said_once, *channel.ending_members) if copied else ()),
            ):
                without(document, member)
    return document


def comments(stream: bytes) -> list[bytes]:
    return re.findall(rb"(?:^|[\r\n])(:[^\r\n]*)", stream)


def pieces_in(channels: list[TextChannel], event: Event) -> list[object]:
    return list(texts_of(channels, [event]).items())


def check(kind: str, way: str, stream: bytes, output: bytes) -> None:
    channels = CHANNELS[kind]
    before, after = read_events(stream), read_events(output)
    expected, ends = masked_texts(channels, before, lambda channel, text: mask(MASKERS[way](), channel, text))
    assert texts_of(channels, after) == expected
    assert comments(output) == comments(stream)
    assert len(before) <= len(after) <= len(before) + ends
    coming = iter(before)
    seen: list[Event] = []
    for event in after:
        if event.id is None and event.data.startswith("{") and "sequence" in event.document:
            assert any(
                event.name == other.name and bare(channels, event, copied=True) == bare(channels, other, copied=True)
                for other in seen
            )
            continue
        same = next(coming)
        seen.append(same)
        assert (event.name, event.id) == (same.name, same.id)
        assert bare(channels, event) == bare(channels, same)
        if pieces_in(channels, event) == pieces_in(channels, same) and '"token"' not in same.data:
            assert event.block == same.block
    assert next(coming, None) is None


@pytest.mark.parametrize(("kind", "channel"), EVERY, ids=[f"{kind}-{channel.name}" for kind, channel in EVERY])
@BUSY
@given(data=st.data())
def test_a_channel_says_the_masked_text(kind: str, channel: TextChannel, data: st.DataObject) -> None:
    stream = data.draw(streams([channel] * data.draw(st.integers(1, 2) if channel.keys else st.just(1))))
    way = data.draw(st.sampled_from(sorted(MASKERS)))
    whole = through(kind, way, [stream])
    check(kind, way, stream, whole)
    assert through(kind, way, cut(stream, data.draw(st.lists(st.integers(0, 5000), max_size=9)))) == whole


@pytest.mark.parametrize("kind", sorted(CHANNELS))
@settings(BUSY, max_examples=20)
@given(data=st.data())
def test_channels_side_by_side_say_their_masked_texts(kind: str, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(CHANNELS[kind]), min_size=2, max_size=4))
    stream = data.draw(streams(chosen))
    way = data.draw(st.sampled_from(sorted(MASKERS)))
    whole = through(kind, way, [stream])
    check(kind, way, stream, whole)
    assert through(kind, way, [stream[at : at + 1] for at in range(len(stream))]) == whole


@settings(BUSY, max_examples=30)
@given(data=st.data())
def test_every_event_goes_out_when_it_is_complete(data: st.DataObject) -> None:
    kind, channel = data.draw(st.sampled_from(EVERY))
    stream = data.draw(streams([channel]))
    body = SseBody(MASKERS["masking"](), KINDS[kind].text_channels)
    for event in read_events(stream):
        passed = read_events(body.feed(event.block))
        assert [event.id] == [
            each.id for each in passed if each.id is not None or each.data in ("[DONE]", '{"type":"ping"}')
        ]


@settings(BUSY, max_examples=30)
@given(data=st.data())
def test_a_stream_passes_byte_for_byte_where_nothing_is_looked_for(data: st.DataObject) -> None:
    """Except that JSON source waits for the rest of an escape."""
    kind, channel = data.draw(st.sampled_from([each for each in EVERY if each[1].flavour == "text"]))
    stream = data.draw(streams([channel]))
    body = SseBody(MaskingEngine((), b"").masker(), KINDS[kind].text_channels)
    places = data.draw(st.lists(st.integers(0, 5000), max_size=9))
    assert b"".join([*map(body.feed, cut(stream, places)), body.finish()]) == stream


def test_the_streams_reach_every_channel() -> None:
    """A check of the test: each channel of the catalog has been tried, and has lists where its path says so."""
    assert len(EVERY) == sum(len(channels) for channels in CHANNELS.values()) > 60
    assert {step for _, channel in EVERY for step in channel.path} >= {ANY, "delta", "text"}
    assert list(values_at({"a": [{"b": 1}, {"b": 2}]}, ("a", ANY, "b"))) == [1, 2]
