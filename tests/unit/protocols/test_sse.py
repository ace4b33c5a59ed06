"""Cutting event streams into events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.model.errors import MaskingFailedError
from ostiary.protocols.sse import EVENT_MAX_BYTES, EventSplitter, Line, lines_of

BOM = b"\xef\xbb\xbf"


def blocks_of(*pieces: bytes) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    blocks = [block for piece in pieces for block in splitter.feed(piece)]
    return blocks, splitter.rest()


def with_line_feeds_joined(blocks: list[bytes]) -> list[bytes]:
    """The LF of a CRLF may come as a block of its own when the CR before it has ended an event."""
    joined: list[bytes] = []
    for block in blocks:
        if block == b"\n" and joined and joined[-1].endswith(b"\r"):
            joined[-1] += block
        else:
            joined.append(block)
    return joined


@pytest.mark.parametrize(
    ("stream", "blocks"),
    [
        (b"data: a\n\n", [b"data: a\n\n"]),
        (b"data: a\n\ndata: b\n\n", [b"data: a\n\n", b"data: b\n\n"]),
        (b"event: x\ndata: a\n\n", [b"event: x\ndata: a\n\n"]),
        (b"data: a\r\rdata: b\r\r", [b"data: a\r\r", b"data: b\r\r"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"data: a\r\n\r\n", b"data: b\r\n\r\n"]),
        (b"data: a\r\n\ndata: b\n\r\n", [b"data: a\r\n\n", b"data: b\n\r\n"]),
        (b"data: a\n\rdata: b\r\r\n", [b"data: a\n\r", b"data: b\r\r\n"]),
        (b"data: a\ndata: b\r\ndata: c\rid: 1\n\n", [b"data: a\ndata: b\r\ndata: c\rid: 1\n\n"]),
        (b"data: a\n\n\n\ndata: b\n\n", [b"data: a\n\n", b"\n", b"\n", b"data: b\n\n"]),
        (b"\n\r\n\rdata: b\n\n", [b"\n", b"\r\n", b"\r", b"data: b\n\n"]),
        (b": ping\n\n", [b": ping\n", b"\n"]),
        (b":\r\n: two\rdata: a\n: inside\n\n", [b":\r\n", b": two\r", b"data: a\n: inside\n\n"]),
        (BOM + b"data: a\n\n", [BOM, b"data: a\n\n"]),
        (BOM + b"\n" + BOM + b"data: a\n\n", [BOM, b"\n", BOM + b"data: a\n\n"]),
    ],
)
def test_blocks_end_with_an_empty_line(stream: bytes, blocks: list[bytes]) -> None:
    assert blocks_of(stream) == (blocks, b"")
    for at in range(len(stream)):
        cut, rest = blocks_of(stream[:at], stream[at:])
        assert (with_line_feeds_joined(cut), rest) == (with_line_feeds_joined(blocks), b"")


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b":", b"x", b"data: y", BOM]), max_size=14).map(b"".join),
    st.data(),
)
def test_any_cut_gives_the_same_blocks(stream: bytes, data: st.DataObject) -> None:
    whole, rest = blocks_of(stream)
    assert b"".join(whole) + rest == stream
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]
    for cut in (pieces, [stream[at : at + 1] for at in range(len(stream))]):
        blocks, left = blocks_of(*cut)
        assert b"".join(blocks) + left == stream
        assert with_line_feeds_joined(blocks) == with_line_feeds_joined(whole)


def test_an_event_is_given_out_at_its_last_byte() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: a\r\n\r") == [b"data: a\r\n\r"]
    assert splitter.feed(b"\ndata: b\r") == [b"\n"]
    assert splitter.feed(b"\r") == [b"data: b\r\r"]
    assert splitter.rest() == b""


def test_a_comment_waits_for_its_line_only() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b": keep") == []
    assert splitter.feed(b"-alive\n") == [b": keep-alive\n"]


def test_a_whole_event_is_the_same_object() -> None:
    splitter = EventSplitter()
    event = b"event: a\ndata: {}\n\n"
    assert splitter.feed(event)[0] is event


def test_what_has_no_end_is_the_rest() -> None:
    assert blocks_of(b"data: a\n\ndata: b\n") == ([b"data: a\n\n"], b"data: b\n")
    assert blocks_of(b"\xef\xbb") == ([], b"\xef\xbb")


def test_held_bytes_are_those_of_the_event_under_way() -> None:
    splitter = EventSplitter()
    splitter.feed(b"data: a\n\ndata: b")
    assert splitter.held_bytes == 7
    assert not splitter.is_between_events
    splitter.feed(b"\n\n")
    assert splitter.held_bytes == 0
    assert splitter.is_between_events


def test_an_event_that_is_too_large_is_refused() -> None:
    splitter = EventSplitter()
    splitter.feed(b"data: " + bytes(EVENT_MAX_BYTES - 100))
    with pytest.raises(MaskingFailedError):
        splitter.feed(b"x" * 100)


def test_an_event_that_is_too_large_and_comes_whole_is_refused() -> None:
    with pytest.raises(MaskingFailedError):
        EventSplitter().feed(b"data: " + b"x" * EVENT_MAX_BYTES + b"\n\n")
    with pytest.raises(MaskingFailedError):
        EventSplitter().feed(b"data: " + b"x" * EVENT_MAX_BYTES + b"\r\r")


def test_a_large_event_in_small_pieces_is_not_joined_over_and_over() -> None:
    splitter = EventSplitter()
    piece = b"x" * 64 + b"\n"
    for _ in range(60_000):
        assert splitter.feed(b"data: " + piece) == []
    (block,) = splitter.feed(b"\n")
    assert len(block) == 60_000 * 71 + 1


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"data: a", b"data", b"a"),
        (b"data:a", b"data", b"a"),
        (b"data:  a", b"data", b" a"),
        (b"data:", b"data", b""),
        (b"data: ", b"data", b""),
        (b"data", b"data", b""),
        (b"data:a:b", b"data", b"a:b"),
        (b": comment", b"", b"comment"),
        (b":", b"", b""),
        (b"retry: 10", b"retry", b"10"),
        (b"other thing: x", b"other thing", b"x"),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r", b""])
def test_a_line_is_a_field_and_its_value(line: bytes, name: bytes, value: bytes, line_end: bytes) -> None:
    (found,) = lines_of(line + line_end)
    assert found.name == name
    assert (line + line_end)[found.value_start : found.end] == value
    assert (found.start, found.end, found.next_start) == (0, len(line), len(line) + len(line_end))
    assert not found.is_empty


def test_lines_cover_the_block() -> None:
    block = b"id: 1\r\ndata: a\rdata:b\n\n"
    lines = lines_of(block)
    assert b"".join(block[line.start : line.next_start] for line in lines) == block
    assert [line.name for line in lines] == [b"id", b"data", b"data", b""]
    assert lines[-1] == Line(b"", 22, 22, 22, 23)
    assert lines[-1].is_empty
