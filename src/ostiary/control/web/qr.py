"""QR codes (ISO/IEC 18004) for a camera to read off a page: bytes, with error correction of level M."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, pairwise

_CHECK_BYTES = (
    10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26,
    26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28,
)  # fmt: skip
"""In each block, by version."""
_BLOCKS = (
    1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16,
    17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49,
)  # fmt: skip
_MASKS: tuple[Callable[[int, int], int], ...] = (
    lambda x, y: (x + y) % 2,
    lambda x, y: y % 2,
    lambda x, y: x % 3,
    lambda x, y: (x + y) % 3,
    lambda x, y: (x // 3 + y // 2) % 2,
    lambda x, y: x * y % 2 + x * y % 3,
    lambda x, y: (x * y % 2 + x * y % 3) % 2,
    lambda x, y: ((x + y) % 2 + x * y % 3) % 2,
)
"""A module is turned around where its mask is 0."""
_LIKE_A_FINDER = re.compile("(?=10111010000|00001011101)")
BYTES_MAX = 450
"""Then it has 85 modules a side."""
_QUIET = 4
"""Light modules around the symbol."""


@dataclass(frozen=True, slots=True, repr=False)
class QrCode:
    """For SVG: `path` draws the dark modules into a square of `size`, quiet zone included."""

    size: int
    path: str


def qr_code(text: str) -> QrCode | None:
    """None for what makes a code too fine for a camera in front of a screen."""
    data = text.encode()
    rows = symbol(data) if len(data) <= BYTES_MAX else None
    if rows is None:
        return None
    runs = []
    for y, row in enumerate(rows, _QUIET):
        x = _QUIET
        for module, run in groupby(row):
            length = len(list(run))
            if module == "1":
                runs.append(f"M{x} {y}h{length}v1h-{length}z")
            x += length
    return QrCode(len(rows) + 2 * _QUIET, "".join(runs))


def symbol(data: bytes, mask: int | None = None) -> list[str] | None:
    """The rows, `1` for dark, in the smallest version that holds `data`; with the mask that is the easiest to read
    unless one is given. None when there is no such version."""
    version = next((each for each in range(1, 41) if _fits(len(data), each)), None)
    if version is None:
        return None
    frame, codewords = _Frame(version), _codewords(data, version)
    choices = range(8) if mask is None else (mask,)
    return min((frame.filled(codewords, each) for each in choices), key=_penalty)


class _Frame:
    """The modules that are there whatever is said."""

    def __init__(self, version: int) -> None:
        self._size = 17 + 4 * version
        self._modules: dict[tuple[int, int], int] = {}
        last = self._size - 1
        for place in range(self._size):
            self._modules[place, 6] = self._modules[6, place] = 1 - place % 2
        for x, y in ((3, 3), (last - 3, 3), (3, last - 3)):
            self._square(x, y, 4)
        centres = _alignment_centres(version, self._size)
        corners = {(6, 6), (6, last - 6), (last - 6, 6)}
        for x, y in ((x, y) for x in centres for y in centres if (x, y) not in corners):
            self._square(x, y, 2)
        if version >= 7:
            bits = _with_check_bits(version, 12, 0x1F25)
            for index in range(18):
                x, y = last - 10 + index % 3, index // 3
                self._modules[x, y] = self._modules[y, x] = bits >> index & 1
        self._put_format(0)  # keeps its place

    def filled(self, codewords: bytes, mask: int) -> list[str]:
        self._put_format(mask)
        modules, turned = dict(self._modules), _MASKS[mask]
        bits = (byte >> place & 1 for byte in codewords for place in range(7, -1, -1))
        for x, y in self._way():
            if (x, y) not in modules:
                modules[x, y] = next(bits, 0) ^ (turned(x, y) == 0)
        return ["".join(str(modules[x, y]) for x in range(self._size)) for y in range(self._size)]

    def _way(self) -> "list[tuple[int, int]]":
        """Up and down in columns of two, from the right; the column of the timing pattern is left out."""
        rights = [right if right > 6 else right - 1 for right in range(self._size - 1, 0, -2)]
        upwards, downwards = range(self._size - 1, -1, -1), range(self._size)
        return [
            (x, y)
            for number, right in enumerate(rights)
            for y in (downwards if number % 2 else upwards)
            for x in (right, right - 1)
        ]

    def _square(self, x: int, y: int, reach: int) -> None:
        """A finder (4, with the light border around it) or an alignment pattern (2)."""
        for dx in range(-reach, reach + 1):
            for dy in range(-reach, reach + 1):
                if 0 <= x + dx < self._size and 0 <= y + dy < self._size:
                    is_dark = max(abs(dx), abs(dy)) not in ((2, 4) if reach == 4 else (1,))
                    self._modules[x + dx, y + dy] = int(is_dark)

    def _put_format(self, mask: int) -> None:
        bits = _with_check_bits(mask, 10, 0x537) ^ 0x5412
        around = [(8, y) for y in (0, 1, 2, 3, 4, 5, 7, 8)] + [(x, 8) for x in (7, 5, 4, 3, 2, 1, 0)]
        beside = [(self._size - 1 - x, 8) for x in range(8)] + [(8, self._size - 7 + y) for y in range(7)]
        for index in range(15):
            self._modules[around[index]] = self._modules[beside[index]] = bits >> index & 1
        self._modules[8, self._size - 8] = 1


def _alignment_centres(version: int, size: int) -> list[int]:
    if version == 1:
        return []
    count = version // 7 + 2
    step = 26 if version == 32 else (version * 4 + count * 2 + 1) // (count * 2 - 2) * 2
    return [6, *(size - 7 - step * index for index in range(count - 1))]


def _with_check_bits(value: int, count: int, polynomial: int) -> int:
    remainder = value
    for _ in range(count):
        remainder = remainder << 1 ^ (remainder >> count - 1) * polynomial
    return value << count | remainder


def _codewords_of(version: int) -> int:
    """That fit into the symbol."""
    modules = (16 * version + 128) * version + 64
    if version >= 2:
        count = version // 7 + 2
        modules -= (25 * count - 10) * count - 55 + (36 if version >= 7 else 0)
    return modules // 8


def _data_codewords_of(version: int) -> int:
    return _codewords_of(version) - _CHECK_BYTES[version - 1] * _BLOCKS[version - 1]


def _length_bits(version: int) -> int:
    return 8 if version < 10 else 16


def _fits(length: int, version: int) -> bool:
    return 4 + _length_bits(version) + 8 * length <= 8 * _data_codewords_of(version)


def _codewords(data: bytes, version: int) -> bytes:
    room, length_bits = _data_codewords_of(version), _length_bits(version)
    value = (0b0100 << length_bits | len(data)) << 8 * len(data) | int.from_bytes(data, "big")
    said = (value << 4).to_bytes((8 + length_bits) // 8 + len(data), "big")  # the end is four zeros
    padded = said + b"\xec\x11" * room
    check, blocks = _CHECK_BYTES[version - 1], _BLOCKS[version - 1]
    short, longer = divmod(room, blocks)
    parts, start = [], 0
    for index in range(blocks):
        end = start + short + (index >= blocks - longer)
        parts.append(padded[start:end])
        start = end
    checks = [_check_bytes(part, check) for part in parts]
    in_turn = [part[index] for index in range(short + 1) for part in parts if index < len(part)]
    return bytes(in_turn + [each[index] for index in range(check) for each in checks])


def _check_bytes(data: bytes, count: int) -> bytes:
    """Reed–Solomon over GF(2⁸), the roots of the generator being 2⁰ … 2ⁿ⁻¹."""
    generator, root = [1] + [0] * count, 1
    for _ in range(count):
        for index in range(count, 0, -1):
            generator[index] ^= _times(generator[index - 1], root)
        root = _times(root, 2)
    rest = [0] * count
    for byte in data:
        factor = byte ^ rest[0]
        rest = [left ^ _times(each, factor) for left, each in zip([*rest[1:], 0], generator[1:], strict=True)]
    return bytes(rest)


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = a << 1 ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


def _penalty(rows: list[str]) -> int:
    """The higher, the harder to read: long runs, blocks, what looks like a finder, more dark than light."""
    columns = ["".join(column) for column in zip(*rows, strict=True)]
    lines = rows + columns
    runs = (len(list(run)) for line in lines for _, run in groupby(line))
    penalty = sum(length - 2 for length in runs if length >= 5)
    penalty += 40 * sum(len(_LIKE_A_FINDER.findall(line)) for line in lines)
    for row, below in pairwise(rows):
        pairs = list(zip(row, below, strict=True))
        penalty += 3 * sum(len({*one, *other}) == 1 for one, other in pairwise(pairs))
    dark = sum(row.count("1") for row in rows)
    return penalty + 10 * (abs(20 * dark - 10 * len(rows) ** 2) // len(rows) ** 2)
