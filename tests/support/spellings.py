"""The ways in which an upstream may write a credential back, as functions from its bytes to the written ones."""

import base64
import json
import random
import urllib.parse
from collections.abc import Callable

Speller = Callable[[bytes], bytes]


def _per_byte(form: str) -> Speller:
    return lambda key: "".join(form.format(byte) for byte in key).encode()


def _base64_inside(before: bytes, after: bytes, url_safe: bool = False) -> Speller:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    return lambda key: encode(before + key + after).rstrip(b"=")


def _wrapped(width: int, line_end: bytes) -> Speller:
    def spell(key: bytes) -> bytes:
        text = base64.b64encode(b"a line of text before " + key + b" and one after")
        return line_end.join(text[start : start + width] for start in range(0, len(text), width))

    return spell


def mixed(key: bytes, seed: int = 7) -> bytes:
    """Every character in another encoding, chosen by `seed`."""
    chance = random.Random(seed)
    forms = [
        lambda b: bytes([b]), lambda b: b"%%%02x" % b, lambda b: b"%%25%02X" % b, lambda b: b"\\u%04x" % b,
        lambda b: b"\\\\u%04X" % b, lambda b: b"\\x%02x" % b, lambda b: b"&#%d;" % b, lambda b: b"&#x%X;" % b,
        lambda b: b"&amp;#0%d;" % b, lambda b: b"\\%03o" % b,
    ]  # fmt: skip
    return b"".join(chance.choice(forms)(byte) for byte in key)


TEXT: dict[str, Speller] = {
    "plain": lambda key: key,
    "percent lower": _per_byte("%{:02x}"),
    "percent upper": _per_byte("%{:02X}"),
    "percent where needed": lambda key: urllib.parse.quote(key, safe="").encode(),
    "form": lambda key: urllib.parse.quote_plus(key).encode(),
    "percent twice": _per_byte("%25{:02x}"),
    "percent four times": _per_byte("%252525{:02x}"),
    "json": lambda key: json.dumps(key.decode()).encode()[1:-1],
    "json with escaped slashes": lambda key: json.dumps(key.decode()).encode()[1:-1].replace(b"/", b"\\/"),
    "json in json": lambda key: json.dumps(json.dumps(key.decode())).encode()[3:-3],
    "json unicode lower": _per_byte("\\u{:04x}"),
    "json unicode upper": _per_byte("\\u{:04X}"),
    "json unicode in json": _per_byte("\\\\u{:04x}"),
    "braced unicode": _per_byte("\\u{{{:x}}}"),
    "long unicode": _per_byte("\\U{:08x}"),
    "c escapes": _per_byte("\\x{:02x}"),
    "octal escapes": _per_byte("\\{:03o}"),
    "html decimal": _per_byte("&#{};"),
    "html decimal with zeroes": _per_byte("&#000{};"),
    "html decimal without semicolon": _per_byte("&#{}"),
    "html hex": _per_byte("&#x{:x};"),
    "html hex upper": _per_byte("&#X{:X};"),
    "html escaped twice": _per_byte("&amp;#{};"),
    "mixed": mixed,
    "html names": lambda key: (
        key.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;").replace(b'"', b"&quot;")
        .replace(b"'", b"&#39;")
    ),
}  # fmt: skip
"""Mixtures of these within one credential are found as well."""

BINARY: dict[str, Speller] = {
    "hex": lambda key: key.hex().encode(),
    "hex upper": lambda key: key.hex().upper().encode(),
    "hex with colons": lambda key: key.hex(":").encode(),
    "hex with spaces": lambda key: key.hex(" ").encode(),
    "hex in twos": lambda key: key.hex(" ", -2).encode(),
    "hex literals": lambda key: ", ".join(f"0x{byte:02x}" for byte in key).encode(),
    "utf-16 little": lambda key: key.decode().encode("utf-16-le"),
    "utf-16 big": lambda key: key.decode().encode("utf-16-be"),
    "utf-16 with mark": lambda key: key.decode().encode("utf-16"),
    "utf-16 of base64": lambda key: base64.b64encode(b"x:" + key).decode().encode("utf-16-be"),
}

BASE64: dict[str, Speller] = {
    "base64 at 0": _base64_inside(b"", b""),
    "base64 at 1": _base64_inside(b"?", b""),
    "base64 at 2": _base64_inside(b"??", b""),
    "base64 in the middle at 0": _base64_inside(b"say ok", b" bye"),
    "base64 in the middle at 1": _base64_inside(b"say it ", b" bye"),
    "base64 in the middle at 2": _base64_inside(b"say hello ~", b"~ and bye"),
    "base64 url-safe at 0": _base64_inside(b"\xff\xfe\xfd", b"\xfb\xff", url_safe=True),
    "base64 url-safe at 1": _base64_inside(b"\xff", b"\xff", url_safe=True),
    "base64 url-safe at 2": _base64_inside(b"\xff\xff", b"\xff\xff\xff", url_safe=True),
    "base64 in mime lines": _wrapped(76, b"\r\n"),
    "base64 in pem lines": _wrapped(64, b"\n"),
    "base64 in json lines": _wrapped(76, b"\\r\\n"),
    "base64 in percent lines": _wrapped(76, b"%0D%0A"),
    "base64 in short lines": _wrapped(20, b"\n  "),
    "base64 percent-encoded": lambda key: urllib.parse.quote(base64.b64encode(key), safe="").encode(),
    "base64 percent-encoded twice": lambda key: urllib.parse.quote(
        urllib.parse.quote(base64.b64encode(b"?" + key), safe=""), safe=""
    ).encode(),
    "base64 with escaped slashes": lambda key: base64.b64encode(b"\xff\xff" + key).replace(b"/", b"\\/"),
    "base64 with escaped plus": lambda key: base64.b64encode(b"\xfb\xff" + key).replace(b"+", b"\\u002b"),
    "base64 all unicode escapes": lambda key: b"".join(b"\\u%04x" % byte for byte in base64.b64encode(key)),
    "basic user name": lambda key: base64.b64encode(key + b":"),
    "basic password": lambda key: base64.b64encode(b"api:" + key),
}

SPELLINGS: dict[str, Speller] = {**TEXT, **BINARY, **BASE64}
