"""A text channel that is JSON source itself, as the arguments of tool calls are: looked at string by string."""

from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.masking.fields import FieldPaths
from ostiary.masking.json_members import flavour_behind
from ostiary.masking.maskers import Edit, Flavour, TextMasker, TextStream
from ostiary.model.finding import Finding


class JsonChannel:
    """A `Body`. What strings say counts and not how it is written: `\\u0040` is an at sign. What is put in leaves the
    source valid: a number that is masked becomes a string. Members that rules name are not looked for, as they are not
    in arguments that come whole."""

    __slots__ = ("feed", "finish")

    def __init__(self, masker: TextMasker, place: str) -> None:
        body = JsonBody(_InPieces(masker), place)
        self.feed = body.feed
        self.finish = body.finish


class _InPieces:
    """A `TextMasker` for JSON that is put together from pieces, so that each string is looked at by a stream that knows
    of the injected secret, which looks for it only in texts that begin on their own."""

    __slots__ = ("_masker",)

    fields = FieldPaths(())

    def __init__(self, masker: TextMasker) -> None:
        self._masker = masker

    def suspects(self, view: bytes) -> bool:
        """Always: nothing tells quickly of the injected secret."""
        return True

    def stream(self, place: str, before: bytes = b"", flavour: Flavour = Flavour.TEXT) -> TextStream:
        return _Behind(self._masker.stream(place, b"", flavour_behind(before, flavour)), before)

    def replace_field(self, field: int, value: bytes, place: str) -> bytes | None:
        return None

    def findings(self) -> tuple[Finding, ...]:
        return self._masker.findings()


class _Behind:
    """A `TextStream` of what follows on `before`, which is fed first and not put out. It is for `cut` alone."""

    __slots__ = ("_skipped", "_stream")

    def __init__(self, stream: TextStream, before: bytes) -> None:
        self._stream = stream
        self._skipped = len(before)
        stream.cut(before, False)

    @property
    def held_bytes(self) -> int:
        return self._stream.held_bytes

    def cut(self, text: bytes, final: bool) -> tuple[int, list[Edit]]:
        skipped = self._skipped
        decided, edits = self._stream.cut(text, final)
        return max(0, decided - skipped), [
            Edit(max(0, start - skipped), end - skipped, replacement)
            for start, end, replacement in edits
            if end > skipped
        ]

    def feed(self, text: bytes) -> bytes:
        raise TypeError("Use `cut`.")

    def finish(self) -> bytes:
        raise TypeError("Use `cut`.")
