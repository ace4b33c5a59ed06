"""QR codes. Those of these digests were read by zxing-cpp; the full ones are also what segno 1.6 makes."""

import hashlib
import re

import pytest

from ostiary.control.web.qr import BYTES_MAX, qr_code, symbol


def said(length: int) -> bytes:
    return bytes(ord("a") + index * 7 % 26 for index in range(length))


FULL = [
    (14, 0, 21, "f393c5b1b6a677ab"),
    (26, 1, 25, "a2ab32041749b7b0"),
    (106, 2, 41, "4592268e45da4ca8"),
    (122, 3, 45, "ed670cb76a6e1879"),
    (180, 4, 53, "541026f8b4ca4819"),
    (213, 5, 57, "ed993cb4d2f13194"),
    (362, 6, 73, "35b48d598e600143"),
    (711, 7, 101, "b6800ae4c134fed2"),
    (1538, 0, 145, "c0689791a9b0d06d"),
    (2331, 3, 177, "8a7399b31e93169a"),
]
PADDED = [
    (9, None, 21, "14a815ee9e806ad0"),
    (40, None, 29, "568374bda87ad952"),
    (150, None, 49, "b84e5f1097c2cc78"),
    (300, None, 69, "3077d294a532b40b"),
]


@pytest.mark.parametrize(("length", "mask", "size", "digest"), [*FULL, *PADDED])
def test_symbols_are_those_that_were_read(length: int, mask: int | None, size: int, digest: str) -> None:
    rows = symbol(said(length), mask)
    assert rows is not None
    assert {len(rows), *map(len, rows)} == {size}
    assert hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16] == digest


def test_the_path_draws_the_dark_modules_within_a_quiet_zone() -> None:
    text = "otpauth://totp/Ostiary:ö?secret=MFRGG"
    code, rows = qr_code(text), symbol(text.encode())
    assert code is not None
    assert rows is not None
    drawn = set()
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", code.path):
        drawn |= {(int(x) + step, int(y)) for step in range(int(width))}
    assert re.sub(r"M\d+ \d+h(\d+)v1h-\1z", "", code.path) == ""
    assert drawn == {(x + 4, y + 4) for y, row in enumerate(rows) for x, module in enumerate(row) if module == "1"}
    assert code.size == len(rows) + 8


def test_what_no_code_holds_has_none() -> None:
    assert symbol(said(2332)) is None
    assert qr_code("x" * BYTES_MAX) is not None
    assert qr_code("x" * (BYTES_MAX + 1)) is None
