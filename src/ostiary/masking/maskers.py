"""What a body's masking needs of whoever finds and replaces: text streams, and a quick look ahead."""

from enum import Enum
from typing import NamedTuple, Protocol

from ostiary.masking.fields import FieldPaths
from ostiary.model.finding import Finding


class Flavour(Enum):
    """What kind of text a channel carries; what is put into it must be valid there."""

    TEXT = "text"
    JSON = "json"
    """The text is itself JSON source, as tool-call arguments are."""


class Edit(NamedTuple):
    """The bytes from `start` to `end` (counted from the beginning of the text) become `replacement`."""

    start: int
    end: int
    replacement: bytes


class TextStream(Protocol):
    """One text, piece by piece. Use either `feed` and `finish`, or `cut`."""

    def feed(self, text: bytes) -> bytes:
        """What can be let go: the same object when nothing is held back and nothing found."""
        ...

    def finish(self) -> bytes:
        """The rest."""
        ...

    def cut(self, text: bytes, final: bool) -> tuple[int, list[Edit]]:
        """How far everything fed so far is decided, and the edits decided with this piece: ascending and disjoint.
        An edit may begin where the last one ended; then it goes on with it, and its replacement is empty."""
        ...

    @property
    def held_bytes(self) -> int:
        """How much is held back."""
        ...


class TextMasker(Protocol):
    """Finds and replaces in all texts of one body."""

    @property
    def fields(self) -> FieldPaths:
        """The JSON members whose values are replaced whatever they hold."""
        ...

    def suspects(self, view: bytes) -> bool:
        """Whether anything in this text, or in any part of it, could be found; quick, and True in doubt."""
        ...

    def stream(self, place: str, before: bytes = b"", flavour: Flavour = Flavour.TEXT) -> TextStream:
        """A text that follows on `before`, which is looked at and not put out: a JSON string's `"key": "`."""
        ...

    def replace_field(self, field: int, value: bytes, place: str) -> bytes | None:
        """What stands instead of the member that `fields` matched with this number; None leaves it.

        `value` is the decoded string, or the source of any other value. Raises `MaskingBlockedError`.
        """
        ...

    def findings(self) -> tuple[Finding, ...]:
        """What was found in all texts so far."""
        ...
