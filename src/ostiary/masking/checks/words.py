"""Words that say what stands behind them: `BSN: 111222333`, `"customerCpf": "…"`, `Telefon 0171 …`."""

import re
from collections.abc import Iterable

_BOUNDED_BYTES_MAX = 5
"""Words up to this length stand for themselves; longer ones may be part of a compound."""


def listed(text: str) -> tuple[str, ...]:
    """The words of a text that has commas between them."""
    return tuple(word.strip() for word in text.split(",")) if text else ()


class Words:
    """`found_in` tells whether one of the words (lower case) is in a text, by whatever case and naming style."""

    __slots__ = ("_anywhere", "_bounded", "words")

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)
        plain = [word.encode() for word in self.words]
        self._bounded = _either(_bounded(word) for word in plain if _is_short(word))
        self._anywhere = _either(re.escape(word) for word in plain if not _is_short(word))

    def found_in(self, before: bytes) -> bool:
        return self.end_in(before) >= 0

    def end_in(self, before: bytes) -> int:
        """Where the last of the words in the text ends, -1 when there is none."""
        ends = [found.end() for found in self._bounded.finditer(before)] if self._bounded is not None else []
        if self._anywhere is not None:
            ends.extend(found.end() for found in self._anywhere.finditer(before.lower()))
        return max(ends, default=-1)


def _is_short(word: bytes) -> bool:
    return len(word) <= _BOUNDED_BYTES_MAX and word.isascii()


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


def _either(choices: Iterable[bytes]) -> re.Pattern[bytes] | None:
    body = b"|".join(choices)
    return re.compile(body) if body else None
