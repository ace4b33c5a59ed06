"""The leak oracle: says where a key can be read out of anything a test could reach.

A fragment of eight bytes of the key counts as a leak, in any of these forms: raw (letters in either case),
hex (either case, with or without separators), UTF-16 and UTF-32, base64 at the three offsets in both alphabets;
each of them also behind up to three layers of percent encoding, JSON or C escapes, HTML entities, line wrapping
or a compressed container.
"""

import base64
import html
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import brotli
import re2
import zstandard

FRAGMENT_BYTES = 8
PAGE_BYTES = 4096

_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")
_UNICODE_ESCAPE = re.compile(rb"\\(?:u\{?0*([0-9a-fA-F]{2,4})\}?|x([0-9a-fA-F]{2})|([\"\\/]))")
_BETWEEN_HEX = "[^0-9a-fA-F]{0,3}(?:0[xX])?"
_DEPTH_LIMITS = (4 * 1024 * 1024, 512 * 1024, 48 * 1024)
_WHITE = re.compile(rb"(?:[\r\n\t ]|\\r|\\n|=\r?\n)+")


@dataclass(frozen=True, slots=True)
class Leak:
    """`form` is the encoding, `view` what had to be undone before it showed."""

    artefact: str
    form: str
    view: str
    offset: int
    excerpt: bytes

    def __str__(self) -> str:
        return f"{self.artefact}: {self.form} ({self.view}) at {self.offset}: {self.excerpt!r}"


class LeakOracle:
    """Knows one secret value, and more in `also`. `fragment_bytes` is the shortest part of one that counts."""

    def __init__(self, value: bytes, fragment_bytes: int = FRAGMENT_BYTES, *, also: Iterable[bytes] = ()) -> None:
        fragments: set[bytes] = set()
        for known in (value, *also):
            size = min(fragment_bytes, len(known))
            fragments |= {known[start : start + size] for start in range(len(known) - size + 1)}
        self._patterns = _patterns(sorted(fragments))
        self._forms: dict[str, re2._Regexp] = {}
        self._any = _compiled([pattern for one in self._patterns.values() for pattern in one])

    def search(self, artefact: str, data: bytes) -> list[Leak]:
        """Every form found in `data`, at most one leak for each form and view."""
        leaks = []
        for view, content in _views(data):
            if self._any.search(content):
                leaks += [self._leak(artefact, form, view, content) for form in self._patterns]
            foldable = len(content) < (_DEPTH_LIMITS[0] if content.isascii() else PAGE_BYTES)
            unwrapped = _WHITE.sub(b"", content) if foldable else content
            if len(unwrapped) != len(content):
                leaks.append(self._leak(artefact, "base64", f"{view} > unwrapped", unwrapped))
        return [leak for leak in leaks if leak is not None]

    def _leak(self, artefact: str, form: str, view: str, content: bytes) -> Leak | None:
        if form not in self._forms:
            self._forms[form] = _compiled(self._patterns[form])
        match = self._forms[form].search(content)
        if match is None:
            return None
        start = match.start()
        return Leak(artefact, form, view, start, content[max(0, start - 16) : match.end() + 16])

    def search_path(self, path: Path, since: "Snapshot | None" = None) -> list[Leak]:
        """The same for a file or everything below a directory, names included; with `since` only what changed."""
        if not path.is_dir():
            return self.search(str(path), path.read_bytes())
        entries = sorted(path.rglob("*"))
        found = self.search("file names", "\n".join(str(entry) for entry in entries).encode())
        for entry in entries:
            if entry.is_file() and not entry.is_symlink():
                content = entry.read_bytes()
                for changed in [content] if since is None else since.changed(entry, content):
                    found += self.search(str(entry), changed)
        return found


class Snapshot:
    """Remembers every file below a directory by the hashes of its pages: what was there before needs no search."""

    def __init__(self, directory: Path) -> None:
        self._pages = {
            entry: [hash(page) for page in _pages(entry.read_bytes())]
            for entry in directory.rglob("*")
            if entry.is_file() and not entry.is_symlink()
        }

    def changed(self, path: Path, content: bytes) -> Iterator[bytes]:
        """Runs of pages that are new or different, each with the page before and after it."""
        known = self._pages.get(path, [])
        fresh = [
            number for number, page in enumerate(_pages(content)) if number >= len(known) or hash(page) != known[number]
        ]
        start = end = -2
        for number in [*fresh, -1]:
            if number == end + 1:
                end = number
                continue
            if start >= 0:
                yield content[max(0, start - 1) * PAGE_BYTES : (end + 2) * PAGE_BYTES]
            start = end = number


def _pages(content: bytes) -> Iterator[bytes]:
    return (content[at : at + PAGE_BYTES] for at in range(0, len(content), PAGE_BYTES))


def _patterns(fragments: list[bytes]) -> dict[str, list[str]]:
    base64_needles = sorted({needle for fragment in fragments for needle in _base64_needles(fragment)})
    return {
        "raw": ["".join(_either_case(byte) for byte in fragment) for fragment in fragments],
        "hex": [_BETWEEN_HEX.join(_hex_pair(byte) for byte in fragment) for fragment in fragments],
        "utf-16-le": ["".join(_literal(byte) + r"\x{00}" for byte in fragment) for fragment in fragments],
        "utf-32": [r"\x{00}\x{00}\x{00}".join(_literal(byte) for byte in fragment) for fragment in fragments],
        "utf-16-be": ["".join(r"\x{00}" + _literal(byte) for byte in fragment) for fragment in fragments],
        "base64": ["".join(_literal(byte) for byte in needle) for needle in base64_needles],
    }


def _compiled(patterns: list[str]) -> "re2._Regexp":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = 64 << 20
    return re2.compile("|".join(patterns).encode(), options)


def _literal(byte: int) -> str:
    return rf"\x{{{byte:02x}}}"


def _either_case(byte: int) -> str:
    letter = bytes([byte])
    if letter.isalpha():
        return f"[{letter.lower().decode()}{letter.upper().decode()}]"
    return _literal(byte)


def _hex_pair(byte: int) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{byte:02x}")


def _base64_needles(fragment: bytes) -> Iterator[bytes]:
    """The characters that depend on the fragment alone, for each alignment and alphabet."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + fragment + bytes(3))
        first = -(-offset * 8 // 6)
        last = (offset + len(fragment)) * 8 // 6
        needle = encoded[first:last]
        yield needle
        yield needle.translate(bytes.maketrans(b"+/", b"-_"))


def _views(data: bytes) -> Iterator[tuple[str, bytes]]:
    """`data` and what it turns into when encodings are undone, three deep; less deep for large artefacts."""
    deepest = 0 if _sealed(data) else sum(len(data) <= limit for limit in _DEPTH_LIMITS)
    seen = {data}
    waiting = [("as is", data, 0)]
    while waiting:
        name, content, depth = waiting.pop(0)
        yield name, content
        if depth == deepest:
            continue
        for step, undone in _undone(content):
            if undone not in seen:
                seen.add(undone)
                waiting.append((f"{name} > {step}", undone, depth + 1))


def _sealed(data: bytes) -> bool:
    """Whether the data looks encrypted: then only what stands there plainly can be a leak."""
    sample = data[:PAGE_BYTES]
    return len(data) > PAGE_BYTES and len(sample.translate(None, bytes(range(128)))) > 0.3 * len(sample)


def _undone(data: bytes) -> Iterator[tuple[str, bytes]]:
    if b"%" in data:
        yield "percent", _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), data)
    if b"\\" in data:
        yield "escapes", _UNICODE_ESCAPE.sub(_unescaped, data)
    if b"&" in data:
        yield "entities", html.unescape(data.decode("latin-1")).encode("utf-8", "replace")
    yield from _decompressed(data)


def _unescaped(match: "re.Match[bytes]") -> bytes:
    if match[3]:
        return match[3]
    return chr(int(match[1] or match[2], 16)).encode("utf-8", "replace")


def _decompressed(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What a compressed container holds, as far as it can be read."""
    try:
        if data[:2] == b"\x1f\x8b":
            yield "gzip", zlib.decompressobj(31).decompress(data)
        elif data[:4] == b"\x28\xb5\x2f\xfd":
            yield "zstd", zstandard.ZstdDecompressor().decompressobj().decompress(data)
        elif data[:1] == b"x":
            yield "zlib", zlib.decompressobj().decompress(data)
        elif 0 < len(data) < 65536 and not data.isascii():
            yield "brotli", brotli.decompress(data)
    except (zlib.error, zstandard.ZstdError, brotli.error):
        return
