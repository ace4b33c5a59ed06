"""Chunked coding: any cutting gives the same payload, the same end or the same refusal."""

import random

from engine import cut, fuzz

from ostiary.protocols.chunked import ChunkedDecoder, ChunkError

CORPUS = (
    b"5\r\nhello\r\n0\r\n\r\n",
    b'2;a="b;c"\r\nab\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n',
    b"0000000000000001\r\nx\r\n000\r\n\r\n",
)


def decoded(pieces: list[bytes]) -> tuple[bytes, bool, bool]:
    decoder = ChunkedDecoder()
    output = b""
    try:
        for piece in pieces:
            if decoder.complete:
                break
            output += decoder.feed(piece)
    except ChunkError:
        return b"", False, True
    return output, decoder.complete, False


def target(data: bytes, chance: random.Random) -> None:
    whole = decoded([data])
    pieces = decoded(cut(data, chance))
    # A breach behind what is still waited for shows later in pieces than in one go, never the other way round.
    assert pieces == whole or (whole[2] and not pieces[1]), (whole, pieces)


if __name__ == "__main__":
    fuzz("chunked", CORPUS, target)
