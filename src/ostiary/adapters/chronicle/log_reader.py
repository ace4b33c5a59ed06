"""Entries of the log by their number, read from its files."""

from collections.abc import Iterator
from dataclasses import dataclass

from ostiary.adapters.chronicle.files import Places


@dataclass(frozen=True, slots=True)
class Place:
    """Where entry number `entry` begins."""

    entry: int = 0
    file: int = 1
    offset: int = 0


def read_lines(places: Places, start: Place, until: int | None) -> Iterator[tuple[Place, bytes, Place]]:
    """Place, line without its line feed, and the place behind it, up to entry `until` or the last complete line."""
    place = start
    while until is None or place.entry < until:
        try:
            file = places.log(place.file).open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(place.offset)
            for line in file:
                if not line.endswith(b"\n") or (until is not None and place.entry >= until):
                    return
                following = Place(place.entry + 1, place.file, place.offset + len(line))
                yield place, line[:-1], following
                place = following
        if not places.log(place.file + 1).exists():
            return
        place = Place(place.entry, place.file + 1, 0)
