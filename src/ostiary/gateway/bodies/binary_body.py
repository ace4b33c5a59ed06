"""Bodies that cannot be rewritten without breaking them: they pass, or nothing of them does."""

from ostiary.masking.maskers import TextMasker
from ostiary.model.errors import MaskingFailedError


class BinaryBody:
    """A `Body` that never changes. Raises `MaskingFailedError` where something in it would have to be replaced, before
    any byte of that is let go."""

    __slots__ = ("_held", "_passed", "_stream")

    def __init__(self, masker: TextMasker, place: str = "body") -> None:
        self._stream = masker.stream(place)
        self._held = b""
        self._passed = 0

    def feed(self, data: bytes) -> bytes:
        return self._take(data, final=False)

    def finish(self) -> bytes:
        return self._take(b"", final=True)

    def _take(self, data: bytes, final: bool) -> bytes:
        decided, edits = self._stream.cut(data, final)
        if edits:
            raise MaskingFailedError("A body that cannot be rewritten holds what a masking rule looks for.")
        held = self._held + data if self._held else data
        count = decided - self._passed
        self._passed = decided
        if count == len(held):
            self._held = b""
            return held
        self._held = held[count:]
        return held[:count]
