"""A text written with JSON escapes that is not whole yet: looked at as it comes, written back as it was."""

from ostiary.masking.maskers import TextStream
from ostiary.protocols.json_gaps import CONTEXT_BYTES, following
from ostiary.protocols.json_text import Offsets, decode_string, encode_string


class OpenText:
    """Holds only what its stream holds back. `recent` is the context behind it: of a string its end so far, and its
    first quote while that is near."""

    __slots__ = ("_base", "_fed", "_raw", "_stream", "is_string", "recent")

    def __init__(self, stream: TextStream, recent: bytes, is_string: bool) -> None:
        self._stream = stream
        self._raw = b""  # not let go yet
        self._base = 0  # where in the decoded text that begins
        self._fed = 0
        self.recent = recent
        self.is_string = is_string

    def advance(self, raw: bytes, final: bool) -> bytes:
        """What can be let go, `raw` itself when that is all. Pieces end between escapes."""
        text = decode_string(raw)
        self._fed += len(text)
        self.recent = (
            (self.recent + text[-CONTEXT_BYTES:])[-CONTEXT_BYTES:] if self.is_string else following(self.recent, raw)
        )
        decided, edits = self._stream.cut(text, final)
        if not edits and not self._raw and decided == self._fed:
            self._base = decided
            return raw
        pending, base = self._raw + raw, self._base
        offsets = Offsets(pending)
        parts: list[bytes] = []
        written = 0
        for start, end, replacement in edits:
            parts += (pending[written : max(written, offsets.before(max(0, start - base)))], encode_string(replacement))
            written = max(written, offsets.behind(max(0, end - base)))
        upto = len(pending) if final else max(written, offsets.before(max(0, decided - base)))
        parts.append(pending[written:upto])
        self._raw = pending[upto:]
        self._base = self._fed - len(decode_string(self._raw))
        return b"".join(parts)
