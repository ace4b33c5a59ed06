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


class NetworkLimiter:
    """A `Limiter` by network address. An IPv4 address counts alone; an IPv6 address with its /64, which one subscriber
    has whole, and with the /56 and the /48 around it, whose buckets are wider: many subscribers have as much."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float], keys_max: int = KEYS_MAX) -> None:
        self._limiters = tuple(Limiter(rate * width, burst * width, clock, keys_max) for _, width in _WIDTHS)

    def take(self, address: str) -> bool:
        """As `Limiter.take`."""
        places = self._places(address)
        if any(limiter.wait_s(place) > 0 for limiter, place in places):
            return False
        return all(limiter.take(place) for limiter, place in places)

    def give_back(self, address: str) -> None:
        for limiter, place in self._places(address):
            limiter.give_back(place)

    def wait_s(self, address: str) -> float:
        return max(limiter.wait_s(place) for limiter, place in self._places(address))

    def _places(self, address: str) -> list[tuple[Limiter, str]]:
        return list(zip(self._limiters, network_keys(address), strict=False))


_WIDTHS = ((64, 1), (56, 4), (48, 16))
"""Bits of an IPv6 prefix, and how much more its addresses may do together."""


def network_keys(address: str) -> tuple[str, ...]:
    """The places an address is in, the narrowest first: an IPv4 address, or the prefixes of IPv6 above."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return (address,)
    if isinstance(parsed, ipaddress.IPv4Address):
        return (str(parsed),)
    if parsed.ipv4_mapped is not None:
        return (str(parsed.ipv4_mapped),)
    return tuple(str(ipaddress.ip_network((parsed, bits), strict=False)) for bits, _ in _WIDTHS)
