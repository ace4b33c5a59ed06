from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary import ports
from ostiary.model.errors import IntegrityError
from ostiary.recording import frames as module
from ostiary.recording.frames import DIRECTIONS, decode_frames, encode_frames
from ostiary.recording.timeline import timeline

any_frames = st.lists(st.tuples(st.integers(0, 2**63), st.sampled_from(DIRECTIONS), st.binary(max_size=40)), max_size=8)


def test_the_numbers_are_those_of_the_port() -> None:
    assert (module.REQUEST, module.RESPONSE, module.HEAD) == (ports.REQUEST, ports.RESPONSE, ports.HEAD)


@given(any_frames)
def test_frames_come_back(frames: list[module.Frame]) -> None:
    assert decode_frames(encode_frames(frames)) == frames


@given(st.binary(max_size=60))
def test_any_bytes_are_frames_or_refused(data: bytes) -> None:
    with suppress(IntegrityError):
        assert encode_frames(decode_frames(data)) == data


@pytest.mark.parametrize("frame", [(-1, 0, b""), (0, 256, b""), (1 << 64, 0, b"")])
def test_a_frame_that_does_not_fit_is_refused(frame: module.Frame) -> None:
    with pytest.raises(ValueError):
        encode_frames([frame])


def test_a_timeline_shows_text_as_text_and_bytes_as_base64() -> None:
    moments = timeline([(0, 2, b"GET / HTTP/1.1\r\n\r\n"), (90, 3, b"HTTP/1.1 200 OK\r\n\r\n"), (95, 1, b"\xff\x00")])
    assert [moment.to_json() for moment in moments] == [
        {"at_us": 0, "direction": "request", "head": True, "text": "GET / HTTP/1.1\r\n\r\n"},
        {"at_us": 90, "direction": "response", "head": True, "text": "HTTP/1.1 200 OK\r\n\r\n"},
        {"at_us": 95, "direction": "response", "head": False, "base64": "/wA="},
    ]


@given(st.text(max_size=30), st.lists(st.integers(0, 120), max_size=6))
def test_text_stays_text_wherever_its_bytes_are_cut(text: str, cuts: list[int]) -> None:
    text, data = text.replace("\x00", ""), text.replace("\x00", "").encode()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    frames = [(at, 1, data[start:end]) for at, (start, end) in enumerate(pairwise(edges))]
    moments = timeline(frames)
    assert "".join(moment.text or "" for moment in moments) == text
    assert b"".join(moment.data for moment in moments) == data


@given(any_frames)
def test_a_timeline_loses_no_byte(frames: list[module.Frame]) -> None:
    moments = timeline(frames)
    for name, number in (("request", 0), ("response", 1)):
        ordered = [frame for frame in sorted(frames, key=lambda frame: frame[0]) if frame[1] == number]
        shown = [moment.data for moment in moments if moment.direction == name and not moment.head]
        assert b"".join(shown) == b"".join(frame[2] for frame in ordered)
