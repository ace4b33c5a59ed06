"""Which proofs of possession were used already, whatever the clock on the wall does meanwhile."""

from collections import OrderedDict

LIFE_S = 180.0
"""Longer than a proof is accepted, both ways of a wrong clock counted."""

PROOFS_MAX = 200_000


class UsedProofs:
    """Times are of a clock that nobody sets: with the clock of the wall, a leap forward would forget the proofs and a
    leap back would let them in again."""

    def __init__(self, most: int = PROOFS_MAX) -> None:
        self._most = most
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def is_first(self, proof: bytes, steady_now: float) -> bool:
        """Whether this is the first use of `proof`, which is then remembered. False for every one while there are more
        than can be remembered: to refuse is safe, to forget is not."""
        until = self._until
        while until and next(iter(until.values())) <= steady_now:
            until.popitem(last=False)
        if proof in until or len(until) >= self._most:
            return False
        until[proof] = steady_now + LIFE_S
        return True
