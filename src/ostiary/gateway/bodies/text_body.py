"""Masking plain text as it streams."""

from ostiary.gateway.bodies import Body
from ostiary.gateway.bodies.utf16_body import AnyWidthBody
from ostiary.masking.maskers import TextMasker


class TextBody:
    """A `Body` that is one text, in UTF-8, in UTF-16, or in a character set in which ASCII is what it is."""

    __slots__ = ("feed", "finish")

    def __init__(self, masker: TextMasker, content_type: bytes = b"", place: str = "body") -> None:
        body: Body = AnyWidthBody(lambda: masker.stream(place), masker, content_type, place)
        self.feed = body.feed
        self.finish = body.finish
