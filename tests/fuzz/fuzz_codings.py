"""Decoders give small pieces or `UnreadableBody`, never another error, and the same at every cut."""

import gzip
import random
import zlib

import brotli
import zstandard
from engine import cut, fuzz

from ostiary.protocols.codings import FREE_BYTES, PIECE_BYTES, UnreadableBody, decoder_for

NAMES = ("gzip", "deflate", "br", "zstd", "gzip, br", "zstd, gzip")
RATIO_MAX = 20
TEXTS = (b"", b"some text, " * 40, bytes(200_000), random.Random(1).randbytes(2000))


def _raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


ENCODERS = (
    gzip.compress,
    zlib.compress,
    _raw_deflate,
    brotli.compress,
    zstandard.ZstdCompressor().compress,
    lambda data: gzip.compress(data) + gzip.compress(data) + b"\0\0trailing",
    lambda data: brotli.compress(gzip.compress(data)),
    lambda data: gzip.compress(zstandard.ZstdCompressor().compress(data)),
)
CORPUS = [b"", b"plain text", b";\xff\xff", *(encode(text) for encode in ENCODERS for text in TEXTS)]


def decoded(name: str, pieces: list[bytes]) -> bytes | None:
    """The whole body, None when it is unreadable."""
    decoder = decoder_for(name, RATIO_MAX)
    assert decoder is not None
    output = []
    try:
        for piece in pieces:
            for part in decoder.feed(piece):
                assert 0 < len(part) <= PIECE_BYTES
                output.append(part)
        decoder.finish()
    except UnreadableBody:
        return None
    return b"".join(output)


def target(data: bytes, chance: random.Random) -> None:
    name = chance.choice(NAMES)
    whole = decoded(name, [data])
    assert whole is None or len(whole) <= FREE_BYTES + RATIO_MAX * len(data)
    again = decoded(name, cut(data, chance))
    if again is None or whole is None:
        # A cut body may reach the growth limit earlier, when less of it has been given; and libzstd checks a frame that
        # it gets whole more strictly than one in parts. What is decoded both ways is the same, though.
        large = whole is not None and len(whole) > FREE_BYTES
        assert again is whole or large or "zstd" in name
    else:
        assert again == whole


if __name__ == "__main__":
    fuzz("codings", CORPUS, target)
