"""The oracle itself: every planted leak is found, and clean neighbours are not."""

import base64
import gzip
import html
import json
import random
import sqlite3
import string
import urllib.parse
import zlib

import brotli
import pytest
import zstandard

from support.oracle import LeakOracle

KEY = b"crsr_" + "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=40)).encode()
UNICODE_ESCAPES = "".join(f"\\u{byte:04x}" for byte in KEY).encode()

PLANTED = {
    "raw": KEY,
    "first eight bytes": KEY[:8],
    "last eight bytes": KEY[-8:],
    "middle eight bytes": KEY[20:28],
    "lower case": KEY.lower(),
    "hex": KEY.hex().encode(),
    "upper hex": KEY.hex().upper().encode(),
    "hex with colons": KEY.hex(":").encode(),
    "hex bytes of a repr": "".join(f"\\x{byte:02x}" for byte in KEY).encode(),
    "hex array": ", ".join(f"0x{byte:02x}" for byte in KEY).encode(),
    "percent everywhere": "".join(f"%{byte:02x}" for byte in KEY).encode(),
    "percent in places": urllib.parse.quote(KEY).replace("r", "%72").encode(),
    "double percent": "".join(f"%25{byte:02X}" for byte in KEY).encode(),
    "JSON escapes": UNICODE_ESCAPES,
    "upper JSON escapes": UNICODE_ESCAPES.upper().replace(b"\\U", b"\\u"),
    "one JSON escape in every word": KEY.replace(b"r", b"\\u0072"),
    "JSON inside JSON": json.dumps(json.dumps({"b": "<"}))
    .encode()
    .replace(b"<", UNICODE_ESCAPES.replace(b"\\", b"\\\\")),
    "decimal entities": "".join(f"&#{byte};" for byte in KEY).encode(),
    "hex entities": "".join(f"&#x{byte:X};" for byte in KEY).encode(),
    "mixed entities": html.escape(KEY.decode()).replace("s", "&#115;").encode(),
    "UTF-16 little endian": KEY.decode().encode("utf-16-le"),
    "UTF-16 big endian": KEY.decode().encode("utf-16-be"),
    "UTF-32": KEY.decode().encode("utf-32"),
    "base64": base64.b64encode(KEY),
    "base64, offset 1": base64.b64encode(b"?" + KEY),
    "base64, offset 2": base64.b64encode(b"??" + KEY + b":"),
    "base64 of high bytes around, url alphabet": base64.urlsafe_b64encode(b"\xff\xfe" + KEY + b"\xff\xff"),
    "base64 of the basic composite": base64.b64encode(b"user:" + KEY),
    "wrapped base64": base64.encodebytes(b"x" * 50 + KEY),
    "wrapped base64 in JSON": json.dumps(base64.encodebytes(b"x" * 70 + KEY).decode()).encode(),
    "percent-encoded base64": urllib.parse.quote(base64.b64encode(KEY), safe="").encode(),
    "gzip": gzip.compress(KEY),
    "cut gzip": gzip.compress(KEY + random.Random(3).randbytes(64))[:-12],
    "zlib": zlib.compress(KEY),
    "zstd": zstandard.compress(KEY),
    "brotli": brotli.compress(KEY),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_leak_is_found(name: str) -> None:
    oracle = LeakOracle(KEY)
    planted = PLANTED[name]
    assert oracle.search("planted", planted), name
    if name not in {"gzip", "cut gzip", "zlib", "zstd", "brotli"}:
        assert oracle.search("planted", b"\x00before " + planted + b" after\xff"), name


@pytest.mark.parametrize(
    "data",
    [
        b"", KEY[:7], KEY[-7:], KEY[::-1], b"[masked:injected-secret]", b"crsr_", KEY[:7] + b"-" + KEY[7:14],
        random.Random(1).randbytes(400_000),
        json.dumps({"a": "b" * 5000, "c": "%41%zz&amp;\\u0041"}).encode(),
    ],
    ids=range(9),
)  # fmt: skip
def test_clean_neighbour_is_not_a_leak(data: bytes) -> None:
    assert LeakOracle(KEY).search("clean", data) == []


@pytest.mark.parametrize("key", [b".*+?()[]{}|^$\\aA1_", b'"quotes\\and/slashes"', b"p%41ss+word&x=;<y>"])
def test_key_of_metacharacters_is_matched_literally(key: bytes) -> None:
    oracle = LeakOracle(key)
    assert oracle.search("raw", b"<" + key + b">")
    assert oracle.search("json", json.dumps(key.decode()).encode())
    assert oracle.search("html", html.escape(key.decode()).encode())
    assert oracle.search("base64", base64.b64encode(key))
    assert not oracle.search("other", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")


def test_leak_in_a_database_and_its_write_ahead_log_is_found(tmp_path) -> None:
    connection = sqlite3.connect(tmp_path / "some.db")
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table t (a text)")
    connection.execute("insert into t values (?)", (KEY.decode(),))
    connection.commit()
    try:
        leaks = LeakOracle(KEY).search_path(tmp_path)
        assert any("some.db-wal" in leak.artefact for leak in leaks)
    finally:
        connection.close()
    assert LeakOracle(KEY).search_path(tmp_path / "some.db")


def test_leak_in_a_file_name_is_found(tmp_path) -> None:
    (tmp_path / KEY.decode()).write_text("")
    assert LeakOracle(KEY).search_path(tmp_path)
