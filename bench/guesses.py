"""What guessing tokens tells by the time of the answer, and what a flood of guesses gets:
`python -m bench.guesses [--guesses 1000000] [--write]`.

One client, one kept connection, one guess at a time, the kinds in random order. For each kind the answers' times are
compared with those of tokens that were never issued: Welch's t, over all values and over those below several
percentiles (the rare slow ones hide small differences), as dudect does. Beyond 4.5 something can be told apart. Tokens
that were never issued are two kinds of their own; what is found between these two is the machine's.

Predicted before the first run: nothing between tokens that were never issued, ones that begin like a real one and ones
whose hash does (|t| below 4.5): the store compares hashes, and a guess does not choose its hash. Revoked ones take up
to 2 µs more, since their row is found. Wrong checksums answer 20 µs sooner, and who sends one could have computed it.
The flood: from the 601st guess on 429 and a new connection for each, a fifth of the speed; tokens that are known are
let in all the while.

What came of it: 60,000 guesses told revoked ones by 1.7 µs (t 5.3), so they are now looked up in an index of live
tokens alone. A new connection on loopback costs 130 µs only: the flood ran at two thirds of the speed.
"""

import argparse
import json
import os
import random
import re
import shutil
import socket
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from math import sqrt
from pathlib import Path
from statistics import fmean, median, variance

from bench.machine import LOAD_CORE, BenchError, free_port, require
from bench.masking_report import ROOT, Table, conditions, for_terminal, number, publish
from bench.servers import Servers, ostiary_command
from ostiary.identity.tokens import looks_like_token, mint_token

NEVER, AGAIN = "never issued", "never issued, once more"
TEXT, HASH = "begins like a real one", "its hash begins like a real one's"
REVOKED, CHECKSUM = "revoked", "wrong checksum"
KINDS = (NEVER, AGAIN, TEXT, HASH, REVOKED, CHECKSUM)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CROPS = (1.0, 0.99, 0.95, 0.9, 0.75, 0.5)
TOLD_APART = 4.5
CHUNK = 12_000
HELD = 6
FLOOD = 3_000
HASH_BYTES = 2
"""So many first bytes of the hash are a real one's: a guess in 65,536 is, and finding more takes a guesser the more."""

EXCHANGE = re.compile(rb"x-ostiary-exchange: [^\r\n]+")


@dataclass
class Held:
    """Tokens that are real, and ones that were."""

    real: list[str]
    revoked: list[str]
    near: list[str] = field(default_factory=list)

    def find_near(self, source: random.Random) -> None:
        wanted = {sha256(token.encode()).digest()[:HASH_BYTES] for token in self.real}
        while len(self.near) < 8:
            token = mint_token("u", source.randbytes(32))
            if sha256(token.encode()).digest()[:HASH_BYTES] in wanted:
                self.near.append(token)


def held_by(home: Path) -> Held:
    def made(name: str) -> dict[str, str]:
        arguments = ("token", "create", "--actor", name, "--groups", "bench", "--ttl", "1h", "--json")
        return dict(json.loads(ostiary_command(home, *arguments)))

    real = [made(f"real-{each}")["token"] for each in range(HELD)]
    gone = [made(f"gone-{each}") for each in range(HELD)]
    for each in gone:
        ostiary_command(home, "token", "revoke", each["id"])
    return Held(real, [each["token"] for each in gone])


def guess(kind: str, held: Held, source: random.Random) -> str:
    match kind:
        case "revoked":
            return source.choice(held.revoked)
        case "its hash begins like a real one's":
            return source.choice(held.near)
        case "begins like a real one":
            return _completed(source.choice(held.real)[:44], source)
        case "wrong checksum":
            token = mint_token("u", source.randbytes(32))
            return token[:-1] + DIGITS[(DIGITS.index(token[-1]) + 1) % 62]
        case _:
            return mint_token("u", source.randbytes(32))


def _completed(beginning: str, source: random.Random) -> str:
    """The same first 44 characters, other ones, and a checksum that is right."""
    import zlib

    head = beginning + "".join(source.choices(DIGITS, k=4))
    rest, digits = zlib.crc32(head.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = DIGITS[digit] + digits
    assert looks_like_token((head + digits).encode())
    return head + digits


def message(token: str) -> bytes:
    return (
        f"GET /far/one HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\r\n"
    ).encode()


def answer(peer: socket.socket) -> bytes:
    """One answer with a Content-Length. Empty when the server closed instead."""
    data = peer.recv(65_536)
    while data:
        head, end, body = data.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]):
            return data
        more = peer.recv(65_536)
        if not more:
            return b""
        data += more
    return b""


def connected(port: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), 30)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def time_guesses(
    port: int, held: Held, guesses: int, source: random.Random
) -> tuple[dict[str, "array[float]"], set[bytes]]:
    """Microseconds by kind, and every different answer without what names its exchange."""
    times = {kind: array("d") for kind in KINDS}
    answers: set[bytes] = set()
    with connected(port) as peer:
        for _ in range(200):  # what the first ones load does not count
            peer.sendall(message(guess(NEVER, held, source)))
            answer(peer)
        for begin in range(0, guesses, CHUNK):
            kinds = [KINDS[each % len(KINDS)] for each in range(min(CHUNK, guesses - begin))]
            source.shuffle(kinds)
            for kind, sent in [(kind, message(guess(kind, held, source))) for kind in kinds]:
                begun = time.perf_counter_ns()
                peer.sendall(sent)
                data = peer.recv(65_536)
                times[kind].append((time.perf_counter_ns() - begun) / 1000)
                answers.add(EXCHANGE.sub(b"", data))
            print(f"\r{begin + len(kinds):,} guesses", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return times, answers


def welch_t(one: Sequence[float], other: Sequence[float]) -> float:
    spread = variance(one) / len(one) + variance(other) / len(other)
    return (fmean(one) - fmean(other)) / sqrt(spread) if spread else 0.0


def most_telling(one: "array[float]", other: "array[float]") -> tuple[float, float]:
    """(t, share of the values it was found in) of the crop that tells most."""
    pooled = sorted((*one, *other))
    found = []
    for share in CROPS:
        most = pooled[min(len(pooled) - 1, int(share * len(pooled)))]
        mine, others = ([value for value in values if value <= most] for values in (one, other))
        if min(len(mine), len(others)) > 30:
            found.append((welch_t(mine, others), share))
    return max(found, key=lambda each: abs(each[0]))


def compared(times: dict[str, "array[float]"]) -> tuple[Table, dict[str, dict[str, float]]]:
    values: dict[str, dict[str, float]] = {}
    rows = []
    base = times[NEVER]
    for kind, mine in times.items():
        t, share = (0.0, 1.0) if kind == NEVER else most_telling(mine, base)
        values[kind] = {"guesses": len(mine), "median_us": median(mine), "t": t, "share": share}
        told = "–" if kind == NEVER else f"{t:+.1f} in {share:.0%}"
        rows.append([kind, f"{len(mine):,}", number(median(mine)), f"{median(mine) - median(base):+.2f}", told])
    columns = ["guess", "guesses", "median, µs", "to never issued, µs", "greatest t"]
    return Table(f"Times of answers to guesses; t beyond {TOLD_APART} tells kinds apart", columns, rows), values


def flood(port: int, held: Held, source: random.Random) -> tuple[Table, dict[str, dict[str, float]]]:
    """As fast as one client can, a new connection wherever the last was closed; every 50th request has a real token."""
    spent: dict[int, list[float]] = {}
    let_in: Counter[bool] = Counter()
    peer = connected(port)
    try:
        for each in range(FLOOD):
            is_real = each % 50 == 49
            sent = message(source.choice(held.real) if is_real else guess(NEVER, held, source))
            begun = time.perf_counter_ns()
            peer.sendall(sent)
            data = answer(peer)
            status = int(data[9:12])
            if b"\r\nConnection: close\r\n" in data:
                peer.close()
                peer = connected(port)
            if is_real:
                let_in[status not in (401, 429)] += 1
            else:
                spent.setdefault(status, []).append((time.perf_counter_ns() - begun) / 1000)
    finally:
        peer.close()
    rows = [
        [f"guess, answered {status}", f"{len(each):,}", number(median(each))] for status, each in sorted(spent.items())
    ]
    rows.append(["known token, let in", f"{let_in[True]:,} of {let_in.total():,}", "–"])
    values = {str(status): {"answers": len(each), "median_us": median(each)} for status, each in spent.items()}
    values["known"] = {"let_in": let_in[True], "asked": let_in.total()}
    return Table(
        "A flood from one address, with the limit as it comes", ["request", "answers", "µs, connecting included"], rows
    ), values


def configuration() -> str:
    far = {"name": "far", "kind": "http", "upstream": f"http://127.0.0.1:{free_port()}", "allow_private": True}
    rule = {"name": "bench asks", "who": {"groups": ["bench"]}, "on": ["far"], "effect": "allow"}
    secrets = [{"name": "bench-key", "from": {"stored": True}}]
    return json.dumps({"version": 1, "secrets": secrets, "connections": [far], "rules": [rule]})


@contextmanager
def server(limit: int | None) -> Iterator[tuple[int, Path]]:
    """(the gateway's port, its home); `limit` None leaves the setting as it comes."""
    name = "OSTIARY_TOKEN_FAILURES_PER_MINUTE"
    folder = ROOT / ".bench" / f"{os.getpid()}"
    folder.mkdir(parents=True)
    os.environ.pop(name, None)
    if limit is not None:
        os.environ[name] = str(limit)
    try:
        with Servers(folder) as servers:
            yield servers.ostiary(configuration()).requests_port, folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.guesses", description=__doc__)
    parser.add_argument("--guesses", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    parser.add_argument("--seed", type=int, default=2111)
    options = parser.parse_args()
    source = random.Random(options.seed)
    try:
        require("taskset")
        os.sched_setaffinity(0, {int(LOAD_CORE)})
        machine = conditions()
        with server(10**9) as (port, home):
            held = held_by(home)
            held.find_near(source)
            times, answers = time_guesses(port, held, options.guesses, source)
        if len(answers) != 1:
            raise BenchError(f"the answers differ: {sorted(answers)}")
        with server(None) as (port, home):
            flooded, flood_values = flood(port, held_by(home), source)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    table, time_values = compared(times)
    tables = [table, flooded]
    for table in tables:
        print(for_terminal(table))
    if options.write:
        command = f"python -m bench.guesses --guesses {options.guesses} --write"
        values = {"times": time_values, "flood": flood_values}
        publish("guesses", command, machine, tables, values, ROOT / "bench/results/tokens.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
