"""The remote detectors of the configuration in force."""

import asyncio

from ostiary.adapters.detectors.presidio import PresidioDetector
from ostiary.model.configuration import Configuration
from ostiary.model.detector import DetectorService
from ostiary.ports import Dialler

LOOKED_AFTER_S = 15.0

_Key = tuple[DetectorService, frozenset[str]]


class DetectorServices:
    """Makes them, keeps those that stay as they are, and looks after them."""

    def __init__(self, dial: Dialler) -> None:
        self._dial = dial
        self._made: dict[_Key, PresidioDetector] = {}

    def of(self, configuration: Configuration) -> tuple[PresidioDetector, ...]:
        """In the order of the file."""
        return tuple(self._made.setdefault(key, PresidioDetector(*key, self._dial)) for key in _keys(configuration))

    def put_in_force(self, configuration: Configuration) -> None:
        """From now on these are looked after, and no others."""
        detectors = self.of(configuration)
        self._made = dict(zip(_keys(configuration), detectors, strict=True))

    def trouble(self) -> str | None:
        """What is wrong, in sentences; None when nothing is."""
        sentences = [each.trouble for each in self._made.values() if each.trouble is not None]
        return " ".join(sentences) or None

    async def check(self) -> None:
        """Ask each of them whether it is there."""
        await asyncio.gather(*(each.check() for each in self._made.values()))

    async def watch(self) -> None:
        """Does not end."""
        while True:
            await asyncio.sleep(LOOKED_AFTER_S)
            await self.check()


def _keys(configuration: Configuration) -> list[_Key]:
    named = frozenset(label for rule in configuration.masking for label in rule.detectors)
    return [(service, service.labels & named) for service in configuration.detectors]
