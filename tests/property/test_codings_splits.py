"""Any stack of codings, any number of members and any cut decode to the same body, in small pieces."""

import gzip
import zlib
from collections.abc import Callable
from itertools import pairwise

import brotli
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.protocols.codings import PIECE_BYTES, UnreadableBody, decoder_for

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
texts = st.binary(max_size=600).flatmap(lambda text: st.sampled_from((1, 3, 400)).map(lambda times: text * times))


def decoded(names: list[str], wire: bytes, cuts: list[int]) -> bytes:
    decoder = decoder_for(", ".join(names), ratio_max=2000)
    assert decoder is not None
    edges = [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
    output = []
    for start, end in pairwise(edges):
        for piece in decoder.feed(wire[start:end]):
            assert 0 < len(piece) <= PIECE_BYTES
            output.append(piece)
    return b"".join(output) + decoder.finish()


cuts = st.lists(st.integers(0, 1 << 20), max_size=8)
stacks = st.lists(st.sampled_from(sorted(ENCODERS)), min_size=1, max_size=3)


@settings(deadline=None, max_examples=150)
@given(stacks, texts, cuts)
def test_any_stack_cut_anywhere(names: list[str], text: bytes, where: list[int]) -> None:
    wire = text
    for name in names:
        wire = ENCODERS[name](wire)
    assert decoded(names, wire, where) == text


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(("gzip", "zstd")), st.lists(texts, min_size=1, max_size=4), st.binary(max_size=9), cuts)
def test_all_members_and_nothing_after_them(name: str, members: list[bytes], tail: bytes, where: list[int]) -> None:
    tail = b"\0" + tail if tail else b""
    wire = b"".join(ENCODERS[name](member) for member in members) + tail
    assert decoded([name], wire, where) == b"".join(members)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(ENCODERS)), texts.filter(bool), st.integers(1, 1 << 20), cuts)
def test_a_body_cut_off_is_never_taken_for_whole(name: str, text: bytes, missing: int, where: list[int]) -> None:
    wire = ENCODERS[name](text)
    wire = wire[: max(1, len(wire) - 1 - missing % len(wire))]
    try:
        decoded([name], wire, where)
    except UnreadableBody:
        return
    raise AssertionError("accepted")
