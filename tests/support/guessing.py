"""Guesses of a gateway token, each kind wrong in its own way, and what a server says to them."""

import random
import re
import string
from collections.abc import Iterable
from hashlib import sha256

from ostiary.identity.tokens import mint_token
from support.installation import Installation
from support.raw_client import RawClient, request

ALPHABET = string.digits + string.ascii_letters
EXCHANGE = re.compile(rb"x-ostiary-exchange: [^\r\n]+")
CLASSES = (
    "never issued", "wrong checksum", "begins like a real one", "hash begins like a real one's", "revoked", "no token",
)  # fmt: skip
HELD = 16
"""Real tokens, and revoked ones, that guesses are made after."""


class Guesser:
    """Has tokens made on the server; what it guesses is never one that opens anything."""

    def __init__(self, server: Installation, source: random.Random) -> None:
        self._source = source
        self._real = [server.token(f"real-{number}") for number in range(HELD)]
        minted = [server.mint(f"revoked-{number}") for number in range(HELD)]
        for each in minted:
            server.api("DELETE", f"/tokens/{each['id']}")
        self._revoked = [str(each["token"]) for each in minted]
        hashes = {sha256(token.encode()).digest()[0] for token in self._real}
        self._near = [token for token in self._many(2_000) if sha256(token.encode()).digest()[0] in hashes]

    def _many(self, count: int) -> list[str]:
        return [mint_token("u", self._source.randbytes(32)) for _ in range(count)]

    def guess(self, kind: str) -> str:
        source = self._source
        match kind:
            case "never issued":
                return mint_token("u", source.randbytes(32))
            case "wrong checksum":
                token = mint_token("u", source.randbytes(32))
                return token[:-1] + ALPHABET[(ALPHABET.index(token[-1]) + 1) % 62]
            case "begins like a real one":
                return _with_checksum(source.choice(self._real)[:40] + "".join(source.choices(ALPHABET, k=8)))
            case "hash begins like a real one's":
                return source.choice(self._near)
            case "revoked":
                return source.choice(self._revoked)
            case _:
                return "".join(source.choices(ALPHABET, k=54))


def _with_checksum(head: str) -> str:
    import zlib

    number, digits = zlib.crc32(head.encode()), []
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits.append("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[digit])
    return head + "".join(reversed(digits))


def answers_of(port: int, tokens: Iterable[str]) -> set[bytes]:
    """The different answers, without what names the exchange."""
    seen = set()
    with RawClient(port) as client:
        for token in tokens:
            client.send(request("GET", "/far/one", [f"Authorization: Bearer {token}"]))
            seen.add(EXCHANGE.sub(b"", client.reply().raw))
    return seen
