"""Words that say what stands behind them: `BSN: 111222333`, `"customerCpf": "…"`, `Telefon 0171 …`."""

import re
from collections.abc import Iterable

_BOUNDED_MAX = 5
"""Words up to this length stand for themselves; longer ones may be part of a compound."""


def listed(text: str) -> tuple[str, ...]:
    """The words of a text that has commas between them."""
    return tuple(word.strip() for word in text.split(",")) if text else ()


class Words:
    """`found_in` tells whether one of the words (lower case) is in a text, by whatever case and naming style."""

    __slots__ = ("_anywhere", "_bounded", "words")

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)
        short = [word.encode() for word in self.words if _is_short(word)]
        long = [word for word in self.words if not _is_short(word)]
        self._bounded = re.compile(b"|".join(map(_bounded, short))) if short else None
        self._anywhere = re.compile("|".join(map(re.escape, long))) if long else None

    def found_in(self, before: bytes) -> bool:
        return self.end_in(before) >= 0

    def end_in(self, before: bytes) -> int:
        """Where the last of the words in the text ends, -1 when there is none."""
        ends = [found.end() for found in self._bounded.finditer(before)] if self._bounded is not None else []
        if self._anywhere is not None:
            text = before.decode("utf-8", "ignore").lower()  # it may begin within a character
            behind = [text[found.end() :] for found in self._anywhere.finditer(text)]
            ends.extend(len(before) - len(rest.encode()) for rest in behind[-1:])
        return max(ends, default=-1)


def _is_short(word: str) -> bool:
    return len(word) <= _BOUNDED_MAX and word.isascii()


def _bounded(word: bytes) -> bytes:
    """The word alone, in snake_case, or as a part of camelCase; not as a piece of another word."""
    lower, title, upper = re.escape(word), re.escape(word.capitalize()), re.escape(word.upper())
    return b"|".join(
        (
            rb"(?<![A-Za-z])(?:%b|%b)(?![a-z])" % (lower, title),
            rb"(?<![A-Z])%b(?![A-Za-z])" % upper,
            rb"(?<=[a-z])%b(?![a-z])" % title,
        )
    )
