"""A small fuzzer: mutates a corpus of inputs and calls a target until the time is up.

Run a target: `python tests/fuzz/fuzz_NAME.py [seconds] [seed]`. A failure prints the input and how to get it again,
and ends with status 1. Every input that ever failed belongs into the corpus of its target.
"""

import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

Target = Callable[[bytes, random.Random], None]

_SPECIAL = (
    b"", b"\0", b"\xff", b"\r\n", b"\n\n", b"%", b"%25", b"\\", b"\\u00", b"&#", b"&amp;", b"&#x", b";", b"=",
    b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"x\x9c",
)  # fmt: skip
_SIZE_MAX = 64 * 1024


def fuzz(name: str, corpus: Sequence[bytes], target: Target) -> None:
    """Mutate until the seconds given on the command line (default 10) are over."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    begun = time.monotonic()
    rounds = 0
    while time.monotonic() - begun < seconds:
        data = corpus[rounds] if rounds < len(corpus) else mutated(corpus, chance)
        try:
            target(data, chance)
        except Exception:
            print(f"{name}: failed in round {rounds} of seed {seed} on {data!r}", file=sys.stderr)
            raise
        rounds += 1
    print(f"{name}: {rounds} inputs in {seconds:.0f} s, seed {seed}, no failure")


def mutated(corpus: Sequence[bytes], chance: random.Random) -> bytes:
    """One corpus input after one to eight random changes."""
    data = chance.choice(corpus)
    for _ in range(chance.randint(1, 8)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice((0, 0, 1, 1, 2, 8, 64)))
        put = chance.choice((chance.choice(_SPECIAL), chance.randbytes(chance.randint(0, 4)), data[start:end] * 2, b""))
        if chance.random() < 0.2:
            other = chance.choice(corpus)
            at = chance.randint(0, len(other))
            put = other[at : at + chance.randint(0, 200)]
        data = (data[:start] + put + data[end:])[:_SIZE_MAX]
    return data


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    """The data in pieces: whole, in single bytes, or anything between."""
    if chance.random() < 0.1:
        return [data[at : at + 1] for at in range(len(data))]
    edges = sorted(chance.randint(0, len(data)) for _ in range(chance.randint(0, 6)))
    return [data[start:end] for start, end in zip([0, *edges], [*edges, len(data)], strict=True)]
