"""What is wrong with a declarative file, and where."""

from collections.abc import Iterable
from difflib import get_close_matches

from ostiary.model.errors import OperatorError


class DeclarativeError(OperatorError):
    """`line` counts from 1; 0 means the file as a whole."""

    code = "configuration"

    def __init__(self, filename: str, line: int, sentence: str, next_step: str = "") -> None:
        place = f"{filename}:{line}" if line else filename
        super().__init__(f"{place}: {sentence}", next_step)
        self.filename = filename
        self.line = line


def nearest(word: str, valid: Iterable[str]) -> str:
    """`Did you mean …?`, or all there is when nothing is near."""
    words = sorted(set(valid))
    close = get_close_matches(word, words, n=1) or get_close_matches(word.lower(), words, n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    if not words:
        return ""
    shown = words[:20]
    more = len(words) - len(shown)
    return f"Valid: {', '.join(shown)}{f' and {more} more' if more else ''}."
