"""Reading documents of the catalog: what is wrong is told with the file and the key at fault."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from ostiary.model.errors import OperatorError

DOTTED_PATH = re.compile(r"(?:[A-Za-z0-9_$-]+|\*)(?:\.(?:[A-Za-z0-9_$-]+|\*))*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file we are, for the error's sentence."""

    source: str
    key: str = ""

    def at(self, key: str) -> "Place":
        return Place(self.source, f"{self.key}.{key}" if self.key else key)

    def item(self, index: int) -> "Place":
        return Place(self.source, f"{self.key}[{index}]")

    def fail(self, complaint: str, next_step: str = "") -> NoReturn:
        raise OperatorError(f"{self.source}: {self.key or 'document'}: {complaint}", next_step)


def nearest(word: str, valid: Iterable[str]) -> str:
    close = get_close_matches(word, sorted(valid), n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Valid are: {', '.join(sorted(valid))}."


def mapping_at(value: object, place: Place, keys: frozenset[str]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        place.fail("must be a mapping.")
    for key in value:
        if not isinstance(key, str) or key not in keys:
            place.at(str(key)).fail("unknown key.", nearest(str(key), keys))
    return value


def text_at(document: Mapping[str, object], key: str, place: Place, pattern: re.Pattern[str] | None = None) -> str:
    """The string under `key`; without a pattern anything but an empty one."""
    if key not in document:
        place.at(key).fail("missing.")
    value = document[key]
    if not isinstance(value, str) or not (pattern.fullmatch(value) if pattern else value.strip()):
        place.at(key).fail(f"{value!r} is not a valid value.")
    return value


def word_at(value: object, place: Place, valid: Iterable[str]) -> str:
    words = tuple(valid)
    if not isinstance(value, str) or value not in words:
        place.fail(f"unknown value {value!r}.", nearest(str(value), words))
    return value


def items_at(document: Mapping[str, object], key: str, place: Place) -> list[object]:
    value = document.get(key, [])
    if not isinstance(value, list):
        place.at(key).fail("must be a list.")
    return value


def texts_at(document: Mapping[str, object], key: str, place: Place, pattern: re.Pattern[str]) -> tuple[str, ...]:
    texts = []
    for index, value in enumerate(items_at(document, key, place)):
        if not isinstance(value, str) or not pattern.fullmatch(value):
            place.at(key).item(index).fail(f"{value!r} is not a valid value.")
        texts.append(value)
    return tuple(texts)
