"""Bodies inside codings: the declared ones, and those that a body has without saying so (A05)."""

from collections.abc import Callable, Iterator

from ostiary.masking.injected import InjectedSecretStream
from ostiary.protocols.codings import Decoder, UnreadableBody, decoder_for

_MAGIC = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x78\x01", "deflate"),
    (b"\x78\x5e", "deflate"),
    (b"\x78\x9c", "deflate"),
    (b"\x78\xda", "deflate"),
)
_BEGINNINGS = frozenset(magic[:1] for magic, _ in _MAGIC)
_LEVELS_MAX = 3
_ARCHIVE_TYPES = (
    b"application/gzip",
    b"application/x-gzip",
    b"application/zstd",
    b"application/x-tar",
    b"application/x-gtar",
    b"application/x-compressed",
    b"application/octet-stream",
    b"binary/octet-stream",
)

NewStream = Callable[[], InjectedSecretStream]


def looks_plain(first_byte: bytes) -> bool:
    """True when a body that begins so hides no coding: nearly always, and cheap to see."""
    return first_byte not in _BEGINNINGS


def is_archive_type(content_type: bytes) -> bool:
    """Types whose bytes the tool wants as they are; every other type that hides a coding is sent decoded."""
    return content_type.partition(b";")[0].strip().lower() in _ARCHIVE_TYPES


def _hidden_coding(data: bytes) -> str | None:
    return next((name for magic, name in _MAGIC if data.startswith(magic)), None)


def _may_hide_coding(data: bytes) -> bool:
    """True while more bytes are needed to tell."""
    return any(len(data) < len(magic) and magic.startswith(data) for magic, _ in _MAGIC)


class _Level:
    """One depth of wrapping: looks at the first bytes, then passes them on or decodes them into the next level."""

    __slots__ = (
        "_archive",
        "_decided",
        "_decoder",
        "_depth",
        "_first",
        "_inner",
        "_new_stream",
        "_passes",
        "_ratio_max",
        "_shadow",
    )

    def __init__(self, depth: int, archive: bool, ratio_max: int, new_stream: NewStream | None) -> None:
        self._depth = depth
        self._archive = archive
        self._ratio_max = ratio_max
        self._new_stream = new_stream
        self._first = b""
        self._decided = False
        self._decoder: Decoder | None = None
        self._inner: _Level | None = None
        self._shadow: InjectedSecretStream | None = None
        self._passes = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._decided:
            data = self._first + data
            if _may_hide_coding(data):
                self._first = data
                return
            self._first = b""
            self._decide(data)
        decoder, inner, shadow = self._decoder, self._inner, self._shadow
        if decoder is None or self._passes:
            yield data
        elif inner is not None:
            for piece in decoder.feed(data):
                yield from inner.feed(piece)
        elif shadow is not None:
            # An archive stays what it is; a piece passes after what it decodes to was looked at.
            for piece in decoder.feed(data):
                shadow.feed(piece)
                if shadow.findings():
                    raise UnreadableBody("The archive holds the secret.")
            yield data

    def _decide(self, data: bytes) -> None:
        self._decided = True
        coding = _hidden_coding(data)
        if coding is None:
            return
        if self._depth >= _LEVELS_MAX:
            raise UnreadableBody("The body is wrapped too often.")
        self._decoder = decoder_for(coding, self._ratio_max)
        if self._archive:
            self._shadow = self._new_stream() if self._new_stream is not None else None
            self._passes = self._shadow is None
        else:
            self._inner = _Level(self._depth + 1, False, self._ratio_max, self._new_stream)

    def finish(self) -> bytes:
        if self._decoder is None:
            return self._first
        if self._passes:
            return b""
        self._decoder.finish()
        return self._inner.finish() if self._inner is not None else b""


class Unwrapper:
    """Takes a body as it was sent and gives what is to be masked, in pieces of at most 64 KiB, lazily.

    `declared` decodes what Content-Encoding says; `new_stream` looks into archives, which pass without it. Raises
    `UnreadableBody` for what breaks, grows too much, or is an archive with the secret in it.
    """

    __slots__ = ("_declared", "_level")

    def __init__(
        self, declared: Decoder | None, content_type: bytes, ratio_max: int, new_stream: NewStream | None
    ) -> None:
        self._declared = declared
        self._level = _Level(0, is_archive_type(content_type), ratio_max, new_stream)

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._declared is None:
            return self._level.feed(data)
        return self._through(data, self._declared)

    def _through(self, data: bytes, declared: Decoder) -> Iterator[bytes]:
        for piece in declared.feed(data):
            yield from self._level.feed(piece)

    def finish(self) -> bytes:
        """The bytes that were held to tell a coding by; raises `UnreadableBody` when a coding was cut off."""
        if self._declared is not None:
            self._declared.finish()
        return self._level.finish()
