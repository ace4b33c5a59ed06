"""What remote detectors find in whole bodies. They are asked after everything else has masked, and nothing of a body
about which one of them could not be asked is passed on."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ostiary.gateway.bodies import Body
from ostiary.gateway.whole_body import in_turn, through
from ostiary.masking.engine import Masker
from ostiary.masking.maskers import TextMasker
from ostiary.masking.remote import RemoteMasker, Sighting, TextCollector, is_language, remote_labels
from ostiary.model.errors import DetectorFailedError
from ostiary.model.masking import MaskingRule
from ostiary.ports import RemoteDetector


@dataclass(frozen=True, slots=True)
class RemoteMasking:
    """The rules that name remote detectors, by what they name, and whom to ask."""

    rules: dict[str, tuple[MaskingRule, ...]]
    detectors: tuple[RemoteDetector, ...]

    async def mask(self, masker: Masker, body_of: Callable[[TextMasker], Body], content: bytes) -> bytes:
        """The content without what was found. `masker` says what stands in its place, and counts it; `body_of` gives
        the content's `Body`. Raises `MaskingFailedError`."""
        unserved = self.rules.keys() - {label for each in self.detectors for label in each.labels}
        if unserved:
            raise DetectorFailedError(f"There is nobody to ask for the detector `{min(unserved)}`.")
        collector = TextCollector()
        await through(lambda: body_of(collector), content)
        texts, asked = await in_turn(content, lambda: _gathered(collector))
        found = await self._ask(asked)
        if not found:
            return content
        return await through(lambda: body_of(RemoteMasker(masker, self.rules, texts, found)), content)

    async def _ask(self, texts: Sequence[bytes]) -> dict[bytes, list[Sighting]]:
        """What was found in each text in which there was anything."""
        if not texts:
            return {}
        answers = await asyncio.gather(*(detector.analyze(texts) for detector in self.detectors))
        found: dict[bytes, list[Sighting]] = {}
        for detector, answer in zip(self.detectors, answers, strict=True):
            for text, spans in zip(texts, answer, strict=True):
                if spans:
                    found.setdefault(text, []).extend(Sighting(detector.name, span) for span in spans)
        return found


def _gathered(collector: TextCollector) -> tuple[list[bytes], list[bytes]]:
    """All texts, and those to ask about."""
    texts = collector.texts
    return texts, sorted({text for text in texts if is_language(text)})


def remote_masking(rules: Sequence[MaskingRule], detectors: Sequence[RemoteDetector]) -> RemoteMasking | None:
    """None when no rule names a remote detector."""
    by_label: dict[str, tuple[MaskingRule, ...]] = {}
    for rule in rules:
        for label in remote_labels(rule):
            by_label[label] = (*by_label.get(label, ()), rule)
    if not by_label:
        return None
    return RemoteMasking(by_label, tuple(each for each in detectors if each.labels & by_label.keys()))
