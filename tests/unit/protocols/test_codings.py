"""Content codings: decoded in any pieces, every member, with bounded growth; else refused."""

import gzip
import itertools
import tracemalloc
import zlib
from collections import deque
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.protocols.charsets import charset_is_readable
from ostiary.protocols.codings import PIECE_BYTES, SUPPORTED, UnreadableBody, decoder_for


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.ZstdCompressor(write_content_size=False).compress(data),
}


def decode(name: str, wire: bytes, cuts: tuple[int, ...] = (), ratio_max: int = 200) -> bytes:
    decoder = decoder_for(name, ratio_max)
    assert decoder is not None
    edges = [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
    output = b""
    for start, end in itertools.pairwise(edges):
        for piece in decoder.feed(wire[start:end]):
            assert 0 < len(piece) <= PIECE_BYTES
            output += piece
    return output + decoder.finish()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ENCODERS)), st.binary(max_size=3000), st.lists(st.integers(0, 10_000), max_size=10))
def test_any_split_decodes_to_the_same(name: str, data: bytes, cuts: list[int]) -> None:
    wire = ENCODERS[name](data * 5)
    assert decode(name, wire, tuple(cuts)) == data * 5


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_one_byte_at_a_time(name: str) -> None:
    wire = ENCODERS[name](b"some text, some text")
    assert decode(name, wire, tuple(range(len(wire)))) == b"some text, some text"


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_large_bodies_come_in_small_pieces(name: str) -> None:
    data = b"0123456789abcdef" * 40_000
    assert decode(name, ENCODERS[name](data), ratio_max=100_000) == data


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_cut_bodies_are_refused(name: str) -> None:
    with pytest.raises(UnreadableBody):
        decode(name, ENCODERS[name](b"some text" * 100)[:-3])


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_plain_text_under_a_false_name_is_refused(name: str) -> None:
    with pytest.raises(UnreadableBody):
        decode(name, b'{"key": "value and more of it"}' * 10)


def test_raw_deflate_is_read_too() -> None:
    assert decode("deflate", raw_deflate(b"text" * 50)) == b"text" * 50


@pytest.mark.parametrize("cut", range(0, 100, 7))
def test_every_gzip_member_is_decoded_and_the_rest_dropped(cut: int) -> None:
    wire = gzip.compress(b"one,") + gzip.compress(b"two") + b"\x00\x00trailing key"
    assert decode("gzip", wire, (cut,)) == b"one,two"


def test_every_zstd_frame_is_decoded() -> None:
    assert decode("zstd", ENCODERS["zstd"](b"one,") + ENCODERS["zstd"](b"two")) == b"one,two"


def test_stacked_codings_are_undone_in_order() -> None:
    wire = brotli.compress(gzip.compress(b"text" * 100))
    assert decode("gzip, br", wire, (3, 9)) == b"text" * 100


@pytest.mark.parametrize("name", ["compress", "dcb", "gzip, aes128gcm", "gzip,gzip,gzip,gzip", "utf-8", "gzip;q=1"])
def test_unknown_codings_are_refused(name: str) -> None:
    with pytest.raises(UnreadableBody):
        decoder_for(name, 200)


@pytest.mark.parametrize("name", ["", "identity", "Identity, identity", " "])
def test_identity_needs_no_decoder(name: str) -> None:
    assert decoder_for(name, 200) is None


@pytest.mark.parametrize("name", SUPPORTED)
def test_bombs_are_refused_with_flat_memory(name: str) -> None:
    wire = ENCODERS[name](bytes(64 * 1024 * 1024))
    tracemalloc.start()
    decoder = decoder_for(name, 50)
    assert decoder is not None
    with pytest.raises(UnreadableBody):
        deque(decoder.feed(wire), maxlen=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=0)
    wire = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    coded = wire.compress(bytes(1000)) + wire.flush()
    with pytest.raises(UnreadableBody):
        decode("zstd", coded)


@pytest.mark.parametrize(
    "content_type",
    [b"application/json", b"text/plain; charset=utf-8", b'text/html; charset="UTF-16LE"', b"text/plain; charset=gbk",
     b"text/plain;charset=ISO-8859-15", b"text/plain; charset=", b"text/event-stream; charset=utf8"],
)  # fmt: skip
def test_readable_charsets(content_type: bytes) -> None:
    assert charset_is_readable(content_type)


@pytest.mark.parametrize(
    "content_type",
    [b"text/plain; charset=utf-7", b"text/plain; charset=UTF-32", b"text/plain; charset=cp037", b"a/b; charset=ibm500",
     b'text/plain; charset="x-unknown"', b"text/plain; charset=utf-8; charset=utf-7", b"a/b; CHARSET = utf-32be"],
)  # fmt: skip
def test_unreadable_charsets(content_type: bytes) -> None:
    assert not charset_is_readable(content_type)
