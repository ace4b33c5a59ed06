"""Source code: every text file of well-known packages, in which hardly anything may be found."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILE_BYTES_MAX = 2 * 1024 * 1024
LINE_CHARACTERS = 200
"""Minified code has few line breaks: so many characters count as one line."""


class SourceFile(NamedTuple):
    package: str
    path: str
    text: str

    @property
    def lines(self) -> int:
        return sum(1 + len(line) // LINE_CHARACTERS for line in self.text.splitlines())


def source_files(trees: dict[str, Path]) -> Iterator[SourceFile]:
    """In a fixed order; without what is not UTF-8 and without anything larger than 2 MiB."""
    for package, folder in sorted(trees.items()):
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink() or not 0 < path.stat().st_size <= FILE_BYTES_MAX:
                continue
            data = path.read_bytes()
            if b"\0" in data:
                continue
            try:
                yield SourceFile(package, str(path.relative_to(folder)), data.decode())
            except UnicodeDecodeError:
                continue
