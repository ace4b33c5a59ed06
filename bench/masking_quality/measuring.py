"""Runs the finders over samples and source files and counts."""

import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.masking_quality.finders import Finder
from bench.masking_quality.judging import Verdicts
from bench.masking_quality.samples import MASKED_SHARE_MIN, Sample, Span, is_touched, masked_share
from bench.masking_quality.trees import SourceFile

EVERY_OTHER = 40
"""The other tools look at one source file in so many, being slower."""
OTHERS_CHARACTERS_MAX = 128 * 1024
"""And at none that is longer: long ones take some of their patterns minutes."""


@dataclass(slots=True)
class Counts:
    """Of one finder on one kind of samples."""

    planted: int = 0
    masked: int = 0
    touched: int = 0
    harmless: int = 0
    """Texts in which nothing may be found."""
    false: int = 0
    """Finds that touch nothing planted."""

    @property
    def recall(self) -> float:
        return self.masked / self.planted if self.planted else 0.0

    @property
    def recall_touched(self) -> float:
        return self.touched / self.planted if self.planted else 0.0

    @property
    def precision(self) -> float:
        return self.touched / (self.touched + self.false) if self.touched + self.false else 0.0


@dataclass(slots=True)
class CodeCounts:
    """Of one finder on source code."""

    lines: int = 0
    files: int = 0
    found: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


def measure_samples(finder: Finder, samples: Iterable[Sample]) -> dict[tuple[str, bool, str], Counts]:
    """By source, whether it is covered, and tag."""
    started, counts = time.monotonic(), defaultdict[tuple[str, bool, str], Counts](Counts)
    for sample in samples:
        spans = finder.find(sample.text, sample.path)
        count = counts[sample.source, sample.covered, sample.tags[-1]]
        count.harmless += not sample.planted
        for planted in sample.planted:
            count.planted += 1
            count.masked += masked_share(planted, spans) >= MASKED_SHARE_MIN
            count.touched += is_touched(planted, spans)
        count.false += sum(not any(is_touched(planted, [span]) for planted in sample.planted) for span in spans)
    say(f"{finder.name}: samples, {time.monotonic() - started:.0f} s")
    return dict(counts)


def measure_code(finder: Finder, files: Sequence[SourceFile], verdicts: Verdicts | None) -> dict[str, CodeCounts]:
    """By package. Without verdicts nothing counts as false, and some of what was found is kept to look at."""
    started, counts = time.monotonic(), defaultdict[str, CodeCounts](CodeCounts)
    chance = random.Random(1)
    for file in files:
        count = counts[file.package]
        count.lines += file.lines
        count.files += 1
        for span in finder.find(file.text, file.path):
            value = file.text[span.start : span.end]
            count.found[span.label] += 1
            if verdicts is not None and not verdicts.is_true(span, value):
                count.false[span.label] += 1
            if verdicts is None and chance.random() < 0.02:
                count.examples.append(f"{span.label}: {_shown(file, span)}")
    say(f"{finder.name}: source code, {time.monotonic() - started:.0f} s")
    return dict(counts)


def _shown(file: SourceFile, span: Span) -> str:
    line = file.text[max(0, span.start - 40) : span.end + 10].replace("\n", "⏎")
    return f"{file.path.rpartition('/')[2]}: {line[:140]}"


def some_of(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Those that every finder looks at."""
    return [file for file in files[::EVERY_OTHER] if len(file.text) <= OTHERS_CHARACTERS_MAX]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
