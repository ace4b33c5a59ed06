"""`application/x-www-form-urlencoded`: names and values are looked at decoded, and written anew only where changed."""

from urllib.parse import quote_plus, unquote_to_bytes

from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingFailedError

FORM_MAX_BYTES = 8 * 1024 * 1024
"""Forms are gathered whole; a larger one is refused."""

PLACE = "body"


class FormBody:
    """A `Body`."""

    __slots__ = ("_bytes", "_masker", "_pieces")

    def __init__(self, masker: TextMasker) -> None:
        self._masker = masker
        self._pieces: list[bytes] = []
        self._bytes = 0

    def feed(self, data: bytes) -> bytes:
        """Nothing yet. Raises `MaskingFailedError` for a form that is too large."""
        self._bytes += len(data)
        if self._bytes > FORM_MAX_BYTES:
            raise MaskingFailedError(f"A form of more than {FORM_MAX_BYTES:,} bytes cannot be masked.")
        self._pieces.append(data)
        return b""

    def finish(self) -> bytes:
        return b"&".join(self._pair(pair) for pair in b"".join(self._pieces).split(b"&"))

    def _pair(self, pair: bytes) -> bytes:
        name, equals, value = pair.partition(b"=")
        before = _decoded(name) + b"=" if equals else b""
        return self._part(name, b"") + equals + self._part(value, before)

    def _part(self, raw: bytes, before: bytes) -> bytes:
        text = _decoded(raw)
        number = self._masker.fields.match((before[:-1].decode("utf-8", "replace"),)) if before else None
        if number is not None:
            replaced = self._masker.replace_field(number, text, PLACE)
            if replaced is not None:
                return quote_plus(replaced).encode("ascii")
        stream = self._masker.stream(PLACE, before)
        masked = stream.feed(text) + stream.finish()
        return raw if masked == text else quote_plus(masked).encode("ascii")


def _decoded(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))
