"""The same patterns in engines as they come: what masking is compared with. None of them knows checks, context words,
streams or what stands beside a match, and Vectorscan does not say where a match begins."""

import re
from collections.abc import Callable, Sequence

import hyperscan
import re2

from ostiary.masking.catalog import load_formats
from ostiary.masking.patterns import compile_pattern
from ostiary.model.masking import MaskingRule

Search = Callable[[bytes], object]
Written = tuple[str, bool]
"""(pattern, ignore case)"""

_ALTERNATION_MEMORY = 64 * 1024 * 1024
_NAMED = re.compile(r"\(\?P<\w+>")


def patterns_of(rules: Sequence[MaskingRule]) -> list[Written]:
    detectors = {name for rule in rules for name in rule.detectors}
    rows = [(row.pattern, row.ignore_case) for row in load_formats() if row.detector in detectors]
    return rows + [(rule.pattern, rule.ignore_case) for rule in rules if rule.pattern is not None]


def python_one_by_one(patterns: Sequence[Written]) -> Search:
    compiled = [re.compile(text.encode(), re.IGNORECASE if fold else 0) for text, fold in patterns]

    def search(text: bytes) -> int:
        return sum(1 for pattern in compiled for _ in pattern.finditer(text))

    return search


def re2_one_by_one(patterns: Sequence[Written]) -> Search:
    compiled = [_re2(_for_re2(each)) for each in patterns]

    def search(text: bytes) -> int:
        return sum(1 for pattern in compiled for _ in pattern.finditer(text))

    return search


def re2_alternation(patterns: Sequence[Written]) -> Search:
    """Within 64 MiB for its states; beyond that it starts anew again and again."""
    pattern = _re2(b"|".join(b"(?:%b)" % _for_re2(each) for each in patterns), _ALTERNATION_MEMORY)

    def search(text: bytes) -> int:
        return sum(1 for _ in pattern.finditer(text))

    return search


def vectorscan(patterns: Sequence[Written]) -> Search:
    """All that it takes, in block mode, telling which match; `refused` is how many it does not take."""
    usable = [each for each in patterns if _is_taken(each)]
    database = _database(usable)

    def search(text: bytes) -> list[int]:
        seen: list[int] = []
        database.scan(text, match_event_handler=_note, context=seen)
        return seen

    search.refused = len(patterns) - len(usable)  # type: ignore[attr-defined]
    return search


BASELINES: dict[str, Callable[[Sequence[Written]], Search]] = {
    "re, one by one": python_one_by_one,
    "RE2, one by one": re2_one_by_one,
    "RE2, one alternation": re2_alternation,
    "Vectorscan, no spans": vectorscan,
}


def _note(identity: int, _start: int, _end: int, _flags: int, seen: object) -> None:
    assert isinstance(seen, list)
    seen.append(identity)


def _for_re2(pattern: Written) -> bytes:
    """As masking itself writes it for RE2, which refuses some of the repeats as they stand."""
    text, fold = pattern
    return compile_pattern(text, ignore_case=fold).piece.full


def _re2(text: bytes, memory: int = 8 * 1024 * 1024) -> "re.Pattern[bytes]":
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    compiled: re.Pattern[bytes] = re2.compile(text, options)
    return compiled


def _database(patterns: Sequence[Written]) -> "hyperscan.Database":
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    common = hyperscan.HS_FLAG_SINGLEMATCH
    database.compile(
        expressions=[_NAMED.sub("(", text).encode() for text, _ in patterns],
        ids=list(range(len(patterns))),
        elements=len(patterns),
        flags=[common | (hyperscan.HS_FLAG_CASELESS if fold else 0) for _, fold in patterns],
    )
    return database


def _is_taken(pattern: Written) -> bool:
    try:
        _database([pattern])
    except hyperscan.HyperscanError:
        return False
    return True
