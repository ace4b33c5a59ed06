"""Which proofs of possession were used already, whatever the clock on the wall does meanwhile."""

from collections import OrderedDict

LIFE_S = 180.0
"""Longer than a proof is accepted, both ways of a wrong clock counted."""

PROOFS_MAX = 200_000

OF_ONE_KEY_MAX = 10_000
"""55 a second, all the time. Who holds one key must not use up the room of the others."""


class UsedProofs:
    """Times are of a clock that nobody sets: with the clock of the wall, a leap forward would forget the proofs and a
    leap back would let them in again."""

    def __init__(self, most: int = PROOFS_MAX, most_of_one_key: int = OF_ONE_KEY_MAX) -> None:
        self._most = most
        self._most_of_one_key = most_of_one_key
        self._known: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._of_key: dict[str, int] = {}

    def is_first(self, key: str, proof: bytes, steady_now: float) -> bool:
        """Whether this is the first use of `proof`, made with `key`, which is then remembered. False for every one
        while there are more than can be remembered, of that key or at all: to refuse is safe, to forget is not."""
        self._forget_old(steady_now)
        of_key = self._of_key.get(key, 0)
        if proof in self._known or of_key >= self._most_of_one_key or len(self._known) >= self._most:
            return False
        self._known[proof] = steady_now + LIFE_S, key
        self._of_key[key] = of_key + 1
        return True

    def _forget_old(self, steady_now: float) -> None:
        known = self._known
        while known and next(iter(known.values()))[0] <= steady_now:
            _, (_, key) = known.popitem(last=False)
            if self._of_key[key] == 1:
                del self._of_key[key]
            else:
                self._of_key[key] -= 1
