"""Chunked coding, read strictly and in any pieces."""

import itertools
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.protocols.chunked import LAST_CHUNK, ChunkedDecoder, ChunkError, encode_chunk


def decode(data: bytes, cuts: list[int] | None = None) -> tuple[bytes, ChunkedDecoder]:
    decoder = ChunkedDecoder()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    output = b"".join(decoder.feed(data[start:end]) for start, end in itertools.pairwise(edges))
    return output, decoder


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.lists(st.integers(0, 500), max_size=20))
def test_any_split_gives_the_same_payload(pieces: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(encode_chunk(piece) for piece in pieces) + LAST_CHUNK
    output, decoder = decode(wire, cuts)
    assert output == b"".join(pieces)
    assert decoder.complete
    assert decoder.excess == b""


@pytest.mark.parametrize("cut", range(40))
def test_what_follows_the_body_is_kept_apart(cut: int) -> None:
    wire = b"3;ext=1\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\nGET / HTTP/1.1\r\n"
    decoder = ChunkedDecoder()
    first = decoder.feed(wire[:cut])
    excess = decoder.excess
    rest = wire[cut:] if not decoder.complete else b""
    second = decoder.feed(rest) if rest else b""
    assert first + second == b"abc"
    assert (excess if not rest else decoder.excess) == wire[wire.index(b"GET") :][: len(decoder.excess or excess)]


@pytest.mark.parametrize(
    "wire",
    [
        b"0_2\r\nab\r\n0\r\n\r\n",
        b"+2\r\nab\r\n0\r\n\r\n",
        b"0x2\r\nab\r\n0\r\n\r\n",
        b"-1\r\n",
        b"\r\n",
        b" 2\r\nab\r\n",
        b"2 \r\nab\r\n",
        b"00000000000000002\r\nab\r\n0\r\n\r\n",
        b"2;a=\n\r\nab\r\n0\r\n\r\n",
        b"2;a=\nab\r\n0\r\n\r\n",
        b"2;\r\nab\r\n0\r\n\r\n",
        b"2\nab\r\n0\r\n\r\n",
        b"2\rab\r\n0\r\n\r\n",
        b"2\r\nabX\r\n0\r\n\r\n",
        b"2\r\nab\n0\r\n\r\n",
        b"2\r\nabc\r\n0\r\n\r\n",
        b"0\r\nbad trailer\r\n\r\n",
        b"0\r\nX: a\nb\r\n\r\n",
        b"0\r\n: x\r\n\r\n",
        b"g\r\n",
        b"2" + b";a=b" * 1000 + b"\r\n",
        b"\xd9\xa2\r\nab\r\n",
    ],
)
def test_broken_coding_is_refused(wire: bytes) -> None:
    with pytest.raises(ChunkError):
        decode(wire)
    with pytest.raises(ChunkError):
        decode(wire, list(range(len(wire))))


def test_endless_trailers_are_refused() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(b"0\r\n")
    line = b"X-Long: " + b"y" * 500 + b"\r\n"
    with pytest.raises(ChunkError):
        deque((decoder.feed(line) for _ in range(2000)), maxlen=0)
