"""How many examples the property tests draw: each run draws others, so a few find with time what many find at once;
`make endurance` draws many."""

import os

FULL = os.environ.get("ENDURANCE_SIZE") == "full"


def examples(fast: int, full: int) -> int:
    return full if FULL else fast
