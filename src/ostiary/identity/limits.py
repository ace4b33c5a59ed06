"""How often somebody may try: token buckets, one for each key, in bounded memory."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

KEYS_MAX = 10_000


class Limiter:
    """`burst` tries at once for every key, and `rate` further ones per second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float], keys_max: int = KEYS_MAX) -> None:
        """`clock` gives seconds; it may jump back. The keys least recently used are forgotten beyond `keys_max`."""
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._keys_max = keys_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> bool:
        """Whether one more try is permitted; it is then counted."""
        left = self._left(key)
        allowed = left >= 1
        self._keep(key, left - 1 if allowed else left)
        return allowed

    def give_back(self, key: str) -> None:
        """The try that was taken was a good one and does not count."""
        self._keep(key, min(self._left(key) + 1, self._burst))

    def wait_s(self, key: str) -> float:
        """Seconds until `take` would permit one, 0 when it does now."""
        return max(0.0, (1 - self._left(key)) / self._rate)

    def _left(self, key: str) -> float:
        left, at = self._buckets.get(key, (self._burst, 0.0))
        return min(self._burst, left + max(0.0, self._clock() - at) * self._rate)

    def _keep(self, key: str, left: float) -> None:
        if left >= self._burst:
            self._buckets.pop(key, None)
            return
        self._buckets[key] = (left, self._clock())
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)


def network_key(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 that one subscriber of IPv6 has whole."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
