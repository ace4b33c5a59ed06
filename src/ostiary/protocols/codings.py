"""Undoing content codings (RFC 9110 section 8.4) of bodies that arrive in pieces, with flat memory.

gzip (RFC 1952), deflate (RFC 1950, and bare RFC 1951 as many servers send it), br (RFC 7932) and zstd (RFC 8878, with
the 8 MiB window of RFC 9659). A body may wear several, one over the other.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli
import zstandard

SUPPORTED = ("gzip", "deflate", "br", "zstd")
"""What upstreams may be asked for."""

PIECE_BYTES = 64 * 1024
FREE_BYTES = 1024 * 1024
"""Output up to this size is not measured against the input."""

_LAYERS_MAX = 3
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
_ZSTD_SLICE_BYTES = 256
"""Input given to zstd at once: four bytes can become a block of 128 KiB, so this bounds a slice's output at 8 MiB."""
_BROTLI_LIMIT_BYTES = 16 * 1024
"""The library grows its output in blocks of 32 KiB, 64 KiB, …; this makes it stop after the first."""
_GZIP_MAGIC = b"\x1f\x8b"


class UnreadableBody(Exception):
    """The body cannot be decoded: unknown coding, damaged, cut off, or grown out of all proportion."""


class _Layer(Protocol):
    """One coding. `decode` is an iterator that must be exhausted before the next call."""

    def decode(self, data: bytes) -> Iterator[bytes]: ...

    @property
    def complete(self) -> bool: ...


class Decoder:
    """Decodes one body. Memory stays flat however much a body grows: pieces are made as they are asked for."""

    __slots__ = ("_given_bytes", "_layers", "_made_bytes", "_ratio_max")

    def __init__(self, layers: list[_Layer], ratio_max: int) -> None:
        self._layers = layers
        self._ratio_max = ratio_max
        self._given_bytes = 0
        self._made_bytes = [0] * len(layers)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decoded pieces of at most 64 KiB. Exhaust the iterator before feeding more. Raises `UnreadableBody`."""
        self._given_bytes += len(data)
        return self._through(0, data)

    def finish(self) -> bytes:
        """What was still to come: always nothing. Raises `UnreadableBody` when the body was cut off.

        A body without a single byte is complete: servers name a coding for empty bodies too.
        """
        if self._given_bytes and not all(layer.complete for layer in self._layers):
            raise UnreadableBody("the coded body ends too early")
        return b""

    def _through(self, index: int, data: bytes) -> Iterator[bytes]:
        if index == len(self._layers):
            yield data
            return
        try:
            for piece in self._layers[index].decode(data):
                self._measure(index, len(piece))
                yield from self._through(index + 1, piece)
        except (zlib.error, brotli.error, zstandard.ZstdError):
            raise UnreadableBody("the coded body is damaged") from None

    def _measure(self, index: int, piece_bytes: int) -> None:
        self._made_bytes[index] += piece_bytes
        made = self._made_bytes[index]
        if made > FREE_BYTES and made > self._ratio_max * self._given_bytes:
            raise UnreadableBody("the coded body grows too much")


def decoder_for(content_encoding: str, ratio_max: int) -> Decoder | None:
    """A decoder for the value of a Content-Encoding field; None when nothing is to be undone.

    `ratio_max`: the decoded body, and each layer of it, beyond the first MiB may be so many times the coded one.
    Raises `UnreadableBody` for a coding that is not known and for more than three.
    """
    names = [name.strip(" \t").lower() for name in content_encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return None
    if len(names) > _LAYERS_MAX or not all(name in _LAYERS for name in names):
        raise UnreadableBody("the body has a coding that is not supported")
    # Codings are listed in the order they were applied.
    return Decoder([_LAYERS[name]() for name in reversed(names)], ratio_max)


class _Gzip:
    """All members are decoded; what follows the last one is dropped."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None
        self._between = b""
        self._members = 0
        self._dropping = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data and not self._dropping:
            if self._member is None:
                data = self._between + data
                self._between = b""
                if len(data) < len(_GZIP_MAGIC):
                    self._between = data
                    return
                if self._members and not data.startswith(_GZIP_MAGIC):
                    self._dropping = True
                    return
                self._member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            yield from _inflated(self._member, data)
            if not self._member.eof:
                return
            data = self._member.unused_data
            self._member = None
            self._members += 1

    @property
    def complete(self) -> bool:
        return self._members > 0 and self._member is None


class _Deflate:
    """zlib format, or without its header where the first two bytes are none."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._head = b""

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            has_header = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        if not self._stream.eof:
            yield from _inflated(self._stream, data)

    @property
    def complete(self) -> bool:
        return self._stream is not None and self._stream.eof


def _inflated(stream: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    while True:
        piece = stream.decompress(data, PIECE_BYTES)
        if piece:
            yield piece
        data = stream.unconsumed_tail
        # A full piece may leave output inside although all input was taken.
        if stream.eof or (not data and len(piece) < PIECE_BYTES):
            return


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def decode(self, data: bytes) -> Iterator[bytes]:
        if not data:
            return
        if self._stream.is_finished():
            # The library refuses what follows the end within one piece; a cut there must change nothing.
            raise UnreadableBody("bytes follow the end of the coded body")
        piece: bytes = self._stream.process(data, output_buffer_limit=_BROTLI_LIMIT_BYTES)
        # Asked until nothing more comes: the last output may wait even when more input would be taken.
        while piece or not self._stream.can_accept_more_data():
            if piece:
                yield piece
            if self._stream.is_finished():
                return
            piece = self._stream.process(b"", output_buffer_limit=_BROTLI_LIMIT_BYTES)

    @property
    def complete(self) -> bool:
        return bool(self._stream.is_finished())


class _Zstandard:
    """All frames are decoded; what follows the last one is dropped."""

    def __init__(self) -> None:
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._between = b""
        self._frames = 0
        self._dropping = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_SLICE_BYTES):
            yield from self._decode_slice(data[start : start + _ZSTD_SLICE_BYTES])

    def _decode_slice(self, data: bytes) -> Iterator[bytes]:
        while data and not self._dropping:
            if self._frame is None:
                data = self._between + data
                self._between = b""
                if len(data) < 4:
                    self._between = data
                    return
                if self._frames and not _begins_zstd_frame(data):
                    self._dropping = True
                    return
                self._frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
            decoded = self._frame.decompress(data)
            for start in range(0, len(decoded), PIECE_BYTES):
                yield decoded[start : start + PIECE_BYTES]
            if not self._frame.eof:
                return
            data = self._frame.unused_data
            self._frame = None
            self._frames += 1

    @property
    def complete(self) -> bool:
        return self._frames > 0 and self._frame is None


def _begins_zstd_frame(data: bytes) -> bool:
    """A frame's magic number, or a skippable frame's (RFC 8878 section 3.1)."""
    magic = int.from_bytes(data[:4], "little")
    return magic == 0xFD2FB528 or magic & 0xFFFFFFF0 == 0x184D2A50


_LAYERS: dict[str, Callable[[], _Layer]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstandard,
}
