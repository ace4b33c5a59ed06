"""`application/x-www-form-urlencoded`: names and values are looked at decoded, and written anew only where changed."""

import re
from urllib.parse import quote_plus, unquote_to_bytes

from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingFailedError

FORM_MAX_BYTES = 8 * 1024 * 1024
"""Forms are gathered whole; a larger one is refused."""

PAIRS_MAX = 100_000
"""Forms that must be read closely may have so many members."""

PLACE = "body"
_STEPS = re.compile(r"[^\[\]]+")


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
        """The form. Raises `MaskingFailedError` for one of too many members."""
        form = b"".join(self._pieces)
        self._pieces = []
        if not self._masker.fields and not self._masker.suspects(_decoded(form)):
            return form
        if form.count(b"&") >= PAIRS_MAX:
            raise MaskingFailedError(f"A form of more than {PAIRS_MAX:,} members cannot be masked.")
        return b"&".join([self._pair(pair) for pair in form.split(b"&")])

    def _pair(self, pair: bytes) -> bytes:
        name, equals, value = pair.partition(b"=")
        key = _decoded(name)
        text = _decoded(value)
        number = self._masker.fields.match(field_steps(key)) if equals else None
        if number is not None:
            replaced = self._masker.replace_field(number, text, PLACE)
            if replaced is not None:
                return self._masked(name, key, b"") + equals + quote_plus(replaced).encode("ascii")
        return self._masked(name, key, b"") + equals + self._masked(value, text, key + b"=" if equals else b"")

    def _masked(self, raw: bytes, text: bytes, before: bytes) -> bytes:
        if not self._masker.suspects(before + text):
            return raw
        stream = self._masker.stream(PLACE, before)
        masked = stream.feed(text) + stream.finish()
        return raw if masked == text else quote_plus(masked).encode("ascii")


def field_steps(name: bytes) -> list[str]:
    """The path that the name of a form's member says: `user[ssn]` is `ssn` in `user`."""
    return _STEPS.findall(name.decode("utf-8", "replace"))


def _decoded(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))
