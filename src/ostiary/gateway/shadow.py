"""Looking into a download that is itself compressed (A05): a `.tar.gz` stays what it is, but is read along."""

from ostiary.masking.injected import InjectedSecretStream
from ostiary.protocols.codings import Decoder, UnreadableBody

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


def is_archive_type(content_type: bytes) -> bool:
    """Types whose bytes the tool wants as they are; every other type that hides a coding is sent decoded."""
    return content_type.partition(b";")[0].strip().lower() in _ARCHIVE_TYPES


class Shadow:
    """Decodes a copy of what passes and searches it. A piece is passed on only after what it decodes to was looked at."""

    __slots__ = ("_decoder", "_stream")

    def __init__(self, decoder: Decoder, stream: InjectedSecretStream) -> None:
        self._decoder = decoder
        self._stream = stream

    def is_clean(self, data: bytes) -> bool:
        """False when the secret is inside, or when the coding breaks and nobody can tell."""
        try:
            for piece in self._decoder.feed(data):
                self._stream.feed(piece)
        except UnreadableBody:
            return False
        return not self._stream.findings()
