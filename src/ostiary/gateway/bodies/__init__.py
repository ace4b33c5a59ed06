"""Masking bodies as they stream: each kind of body knows its texts, and how to write what comes of them."""

from typing import Protocol


class Body(Protocol):
    """A body under masking. Any cut of the same bytes into pieces gives the same output. All may raise
    `MaskingFailedError`; then nothing more of the body may be passed on."""

    def feed(self, data: bytes) -> bytes:
        """What can be let go: the same object when nothing is held back and nothing found."""
        ...

    def finish(self) -> bytes:
        """The rest."""
        ...
