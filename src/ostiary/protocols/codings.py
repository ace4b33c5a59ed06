"""Content codings (RFC 9110 section 8.4.1), decoded piece by piece with a bounded growth and flat memory."""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli
import zstandard

SUPPORTED = ("gzip", "deflate", "br", "zstd")
PIECE_BYTES = 64 * 1024
_FREE_BYTES = 1024 * 1024
_WINDOW_MAX_BYTES = 8 * 1024 * 1024
_CODINGS_MAX = 3


class UnreadableBody(Exception):
    """The body is not what its coding says, grows beyond measure, or has a coding that is not supported."""


class _Layer(Protocol):
    """One coding. `feed` yields pieces of at most 64 KiB, `finish` raises when the coding was cut off."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...
    def finish(self) -> None: ...


class _Gzip:
    """Every member of the body is decoded; what follows the last one and is no member is dropped (A06)."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(31)
        self._between = b""
        self._begun = False
        self._any_member = False
        self._over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._over:
            return
        data = self._between + data
        self._between = b""
        while data:
            if not self._begun and not self._begin_member(data):
                return
            yield from self._inflate(data)
            if not self._inflater.eof:
                return
            data = self._inflater.unused_data
            self._inflater = zlib.decompressobj(31)
            self._begun = False
            self._any_member = True

    def _begin_member(self, data: bytes) -> bool:
        """Whether a member begins here. Two bytes are needed to tell; garbage after a whole member ends the body."""
        if self._any_member and data[:2] != b"\x1f\x8b":
            if data == b"\x1f":
                self._between = data
            else:
                self._over = True
            return False
        self._begun = True
        return True

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        try:
            piece = self._inflater.decompress(data, PIECE_BYTES)
            while piece:
                yield piece
                tail = self._inflater.unconsumed_tail
                if not tail and len(piece) < PIECE_BYTES:
                    break
                piece = self._inflater.decompress(tail, PIECE_BYTES)
        except zlib.error:
            raise UnreadableBody("The gzip coding is broken.") from None

    def finish(self) -> None:
        if self._begun and not self._inflater.eof:
            raise UnreadableBody("The gzip coding ends too early.")


class _Deflate:
    """zlib-wrapped as the standard says, or raw as some servers send it."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(15)
        self._first = b""
        self._decided = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._decided:
            self._first += data
            if len(self._first) < 2:
                return
            data, self._first = self._first, b""
            self._decided = True
            if data[0] & 0x0F != 8 or (data[0] << 8 | data[1]) % 31:
                self._inflater = zlib.decompressobj(-15)
        if self._inflater.eof:
            return
        try:
            piece = self._inflater.decompress(data, PIECE_BYTES)
            while piece:
                yield piece
                tail = self._inflater.unconsumed_tail
                if not tail and len(piece) < PIECE_BYTES:
                    break
                piece = self._inflater.decompress(tail, PIECE_BYTES)
        except zlib.error:
            raise UnreadableBody("The deflate coding is broken.") from None

    def finish(self) -> None:
        if self._first or (self._decided and not self._inflater.eof):
            raise UnreadableBody("The deflate coding ends too early.")


class _Brotli:
    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not data or self._decompressor.is_finished():
            return
        self._begun = True
        try:
            piece = self._decompressor.process(data, output_buffer_limit=PIECE_BYTES)
            # Also asked once more when it would take more input: its last output may wait for that.
            while piece:
                for start in range(0, len(piece), PIECE_BYTES):
                    yield piece[start : start + PIECE_BYTES]
                if self._decompressor.is_finished():
                    return
                piece = self._decompressor.process(b"", output_buffer_limit=PIECE_BYTES)
        except brotli.error:
            raise UnreadableBody("The br coding is broken.") from None

    def finish(self) -> None:
        if self._begun and not self._decompressor.is_finished():
            raise UnreadableBody("The br coding ends too early.")


class _Zstd:
    """Every frame is decoded. The library gives all that its input makes at once, and four bytes can make 128 KiB:
    slices of 128 bytes keep that below 4 MiB. A window above 8 MiB (RFC 8878 section 3.1.1.1.2) is refused."""

    _SLICE_BYTES = 128

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX_BYTES)
        self._frame = self._decompressor.decompressobj()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), self._SLICE_BYTES):
            yield from self._feed_slice(data[start : start + self._SLICE_BYTES])

    def _feed_slice(self, data: bytes) -> Iterator[bytes]:
        while data:
            self._begun = True
            try:
                output = self._frame.decompress(data)
            except zstandard.ZstdError:
                raise UnreadableBody("The zstd coding is broken.") from None
            for start in range(0, len(output), PIECE_BYTES):
                yield output[start : start + PIECE_BYTES]
            if not self._frame.eof:
                return
            data = self._frame.unused_data
            self._frame = self._decompressor.decompressobj()
            self._begun = False

    def finish(self) -> None:
        if self._begun:
            raise UnreadableBody("The zstd coding ends too early.")


_LAYERS: dict[str, Callable[[], _Layer]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


class Decoder:
    """Takes the coded body in any pieces and gives the plain one in pieces of at most 64 KiB, lazily: what is not
    asked for is not decoded. Raises `UnreadableBody`."""

    __slots__ = ("_consumed", "_layers", "_produced", "_ratio_max")

    def __init__(self, layers: list[_Layer], ratio_max: int) -> None:
        self._layers = layers
        self._ratio_max = ratio_max
        self._consumed = 0
        self._produced = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._consumed += len(data)
        pieces: Iterator[bytes] = iter((data,))
        for layer in self._layers:
            pieces = _through(layer, pieces)
        for piece in pieces:
            self._produced += len(piece)
            if self._produced > _FREE_BYTES + self._ratio_max * self._consumed:
                raise UnreadableBody("The body grows too much when decoded.")
            yield piece

    def finish(self) -> bytes:
        """Nothing is left to give; raises `UnreadableBody` when the coding was cut off."""
        for layer in self._layers:
            layer.finish()
        return b""


def _through(layer: _Layer, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from layer.feed(piece)


def decoder_for(content_encoding: str, ratio_max: int) -> Decoder | None:
    """A decoder for a Content-Encoding value, the last coding first; None when it is identity.

    Raises `UnreadableBody` for a coding that is not supported and for more than three of them.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return None
    if len(names) > _CODINGS_MAX or any(name not in _LAYERS for name in names):
        raise UnreadableBody("The content coding is not supported.")
    return Decoder([_LAYERS[name]() for name in reversed(names)], ratio_max)
