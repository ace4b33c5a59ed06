"""From masking rules to what masks a body: rules are compiled once, and every body gets a masker of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ostiary.masking import actions
from ostiary.masking.catalog import Format, load_formats
from ostiary.masking.checks import CHECKS
from ostiary.masking.fields import FieldPaths
from ostiary.masking.finder import Finder, Found
from ostiary.masking.injected import MARK, InjectedSecretMatcher
from ostiary.masking.json_members import flavour_behind
from ostiary.masking.maskers import Flavour
from ostiary.masking.patterns import PatternError
from ostiary.masking.programs import Program
from ostiary.masking.sources import Source, byte_class, cached_pattern
from ostiary.masking.text_stream import MaskingStream, Verdict
from ostiary.model.errors import MaskingBlockedError, MaskingFailedError, OperatorError
from ostiary.model.finding import Finding
from ostiary.model.masking import Action, Exemption, MaskingRule

MINTED = "minted-credential"
"""The detector of what a Kind marks as credentials in an operation's answer."""


HEADER = "header"
MASKED_NAME = b"x-ostiary-masked"
"""Stands for a header field's name that would have to be masked, which can hold no mark."""
_CLEAN_LINES_MAX = 4096
_CLEAN_LINE_BYTES = 512


class Substitutes(Protocol):
    """Gives the placeholder that stands for a value in one actor's session."""

    def placeholder_for(
        self, detector: str, value: bytes, flavour: Flavour = Flavour.TEXT, *, sealed: bool = False
    ) -> bytes:
        """`flavour` is that of the text that holds the value, `sealed` says that the tool must not have it."""
        ...


Notice = Callable[[Finding, bytes, int], None]
"""(finding, the value, where it begins in its text or -1): for whoever tries rules out. Never log the value."""

_Key = tuple[str, str, str, str, Action]
"""(label, rule, format, place, action)"""


@dataclass(frozen=True, slots=True)
class _Field:
    rule: MaskingRule
    label: str


class MaskingEngine:
    """Masking rules compiled together, in the order of the file. Compiling takes a fraction of a second: make it
    beside the event loop and keep it while the rules stay."""

    def __init__(self, rules: Sequence[MaskingRule], hash_key: bytes) -> None:
        """Raises `OperatorError` for patterns that cannot be compiled."""
        self.rules = tuple(rules)
        self.hash_key = hash_key
        self.sources: list[Source] = []
        self.rule_of: dict[Source, MaskingRule] = {}
        for rule in rules:
            for source in _sources(rule):
                self.sources.append(source)
                self.rule_of[source] = rule
        self.finder = Finder(self.sources)
        self._clean: set[bytes] = set()
        self._twin: tuple[InjectedSecretMatcher | None, Finder] = (None, self.finder)
        self._named = [(field, _Field(rule, rule.name)) for rule in rules for field in rule.fields]
        self._minted = next((rule for rule in rules if MINTED in rule.detectors), None)
        self.blocks_archives = next((rule.name for rule in rules if rule.archives), None)

    @property
    def uses_values(self) -> bool:
        """Whether any rule puts placeholders or seals, for which `masker` needs substitutes."""
        return any(rule.action in (Action.PLACEHOLDER, Action.SEAL) for rule in self.rules)

    def finder_with(self, injected: InjectedSecretMatcher | None) -> Finder:
        """The finder that looks for the injected secrets besides."""
        known, finder = self._twin
        if known is not injected:
            finder = self.finder.with_injected(injected)
            self._twin = (injected, finder)
        return finder

    def clean_lines(self, masker: "Masker", lines: list[bytes]) -> list[bytes]:
        """Header lines, masked; lines that were clean once are not looked at again."""
        if all(line in self._clean for line in lines):
            return lines
        return [line if line in self._clean else self._clean_line(masker, line) for line in lines]

    def _clean_line(self, masker: "Masker", line: bytes) -> bytes:
        name, colon, value = line.partition(b":")
        stream = masker.stream(HEADER)
        if stream.feed(name) + stream.finish() != name:
            name = MASKED_NAME
        stream = masker.stream(HEADER, name + colon + b" ")
        masked = stream.feed(value) + stream.finish()
        if masked != value or name is MASKED_NAME:
            return name + colon + masked
        if masker.makes_exceptions:
            return line  # clean for this actor and at this time only
        if len(self._clean) >= _CLEAN_LINES_MAX:
            self._clean.clear()
        if len(line) <= _CLEAN_LINE_BYTES:
            self._clean.add(line)
        return line

    def masker(
        self,
        *,
        injected: InjectedSecretMatcher | None = None,
        minted_fields: Sequence[str] = (),
        exemptions: Mapping[str, Sequence[Exemption]] | None = None,
        substitutes: Substitutes | None = None,
        notice: Notice | None = None,
    ) -> "Masker":
        """For one body. `minted_fields` are the dotted paths of credentials in it, `exemptions` those that hold now
        by rule name. `notice` is told of every finding."""
        named = list(self._named)
        if self._minted is not None:
            named += [("/" + field.replace(".", "/"), _Field(self._minted, MINTED)) for field in minted_fields]
        return Masker(self, named, injected, exemptions or {}, substitutes, notice)


class Masker:
    """A `TextMasker` that masks."""

    def __init__(
        self,
        engine: MaskingEngine,
        named: Sequence[tuple[str, _Field]],
        injected: InjectedSecretMatcher | None,
        exemptions: Mapping[str, Sequence[Exemption]],
        substitutes: Substitutes | None,
        notice: Notice | None,
    ) -> None:
        self._notice = notice
        self._engine = engine
        self._fields = [field for _, field in named]
        self._finder = engine.finder
        self._with_injected = engine.finder_with(injected)
        self._exemptions = exemptions
        self._substitutes = substitutes
        self._counts: dict[_Key, list[int]] = {}
        self.suspects = self._finder.suspects
        self.fields = FieldPaths([path for path, _ in named])

    def stream(self, place: str, before: bytes = b"", flavour: Flavour = Flavour.TEXT) -> MaskingStream:
        """A text channel is put together from pieces, so the injected secret is looked for again in it."""
        finder = self._finder if before else self._with_injected
        judge = self._judge_in_json if flavour_behind(before, flavour) is Flavour.JSON else self._judge
        return MaskingStream(finder, judge, self._count, place, before)

    @property
    def makes_exceptions(self) -> bool:
        return any(self._exemptions.values())

    def replace_field(self, field: int, value: bytes, place: str) -> bytes | None:
        """See `TextMasker`. Raises `MaskingBlockedError`."""
        rule, label = self._fields[field].rule, self._fields[field].label
        if self.is_exempt(rule, value):
            return None
        self.count(rule, label, "", place, -1, value)
        replacement = self.replacement(rule, label, value)
        return None if rule.action is Action.REPORT else replacement

    @property
    def labels(self) -> frozenset[str]:
        """What may stand in its marks besides the built-in detectors."""
        return frozenset(name for rule in self._engine.rules for name in (rule.name, *rule.detectors))

    def findings(self) -> tuple[Finding, ...]:
        return tuple(
            Finding(label, place, length, count, rule, format_name, action.value)
            for (label, rule, format_name, place, action), (length, count) in self._counts.items()
        )

    # -- for what is found elsewhere

    def is_exempt(self, rule: MaskingRule, value: bytes) -> bool:
        """Whether the rule leaves this value alone."""
        return any(
            exemption.matching is None or _matches_whole(exemption.matching, value)
            for exemption in self._exemptions.get(rule.name, ())
        )

    def replacement(self, rule: MaskingRule, label: str, value: bytes, flavour: Flavour = Flavour.TEXT) -> bytes:
        """What stands for the value. Raises `MaskingBlockedError`."""
        match rule.action:
            case Action.BLOCK:
                raise MaskingBlockedError(rule.name, label)
            case Action.PLACEHOLDER | Action.SEAL:
                if self._substitutes is None:
                    raise MaskingFailedError(f"Masking rule `{rule.name}` has nowhere to keep the value.")
                return self._substitutes.placeholder_for(label, value, flavour, sealed=rule.action is Action.SEAL)
            case Action.HASH:
                return actions.hash_mark(label, value, self._engine.hash_key)
            case Action.PARTIAL:
                return actions.partial_mark(label, value)
            case Action.REPLACE | Action.REPORT:
                return actions.mark(label)

    def count(self, rule: MaskingRule, label: str, format_name: str, place: str, start: int, value: bytes) -> None:
        """Remember that the rule followed this finding."""
        self._add((label, rule.name, format_name, place, rule.action), start, len(value), value)

    # -- for the streams

    def _judge_in_json(self, found: Found, value: bytes, place: str) -> Verdict | None:
        return self._judge(found, value, place, Flavour.JSON)

    def _judge(self, found: Found, value: bytes, place: str, flavour: Flavour = Flavour.TEXT) -> Verdict | None:
        source = found.source
        if source is None:
            return Verdict(Action.REPLACE, MARK)
        rule = self._engine.rule_of[source]
        if not value and (
            rule.action in _NEEDS_VALUE or any(each.matching for each in self._exemptions.get(rule.name, ()))
        ):
            return Verdict(rule.action, None, rule.name)
        if self.is_exempt(rule, value):
            return None
        if rule.action is Action.BLOCK:
            self._count(found, rule.action, place, found.start, found.end - found.start, value)
        if rule.action in _KEPT:
            return Verdict(rule.action, lambda: self.replacement(rule, source.label, value, flavour), rule.name)
        return Verdict(rule.action, self.replacement(rule, source.label, value, flavour), rule.name)

    def _count(self, found: Found, action: Action, place: str, start: int, length: int, value: bytes) -> None:
        source = found.source
        if source is None:
            key = (found.injected, "", "", place, action)
        else:
            key = (source.label, self._engine.rule_of[source].name, source.format, place, action)
        self._add(key, start, length, value)

    def _add(self, key: "_Key", start: int, length: int, value: bytes) -> None:
        sums = self._counts.setdefault(key, [0, 0])
        sums[0] += length
        sums[1] += 1
        if self._notice is not None:
            label, rule, format_name, place, action = key
            self._notice(Finding(label, place, length, 1, rule, format_name, action.value), value, start)


_KEPT = frozenset({Action.PLACEHOLDER, Action.SEAL})
_NEEDS_VALUE = _KEPT | {Action.HASH, Action.PARTIAL}


def _sources(rule: MaskingRule) -> list[Source]:
    if rule.pattern is not None:
        return [_own_source(rule, rule.pattern, "pattern")]
    if rule.words:
        return [_word_source(rule, word) for word in rule.words]
    wanted = set(rule.detectors)
    return [_format_source(row) for row in load_formats() if row.detector in wanted]


def _own_source(rule: MaskingRule, text: str, what: str) -> Source:
    try:
        return Source(rule.name, what, cached_pattern(text, rule.ignore_case, None, None, None))
    except PatternError as error:
        raise OperatorError(f"The pattern of masking rule `{rule.name}` cannot be used: {error}") from None


def _word_source(rule: MaskingRule, word: str) -> Source:
    """A word of a list stands for itself, not for a part of a longer one."""
    left = "[A-Za-z0-9_]" if word[:1].isascii() and word[:1].isalnum() else None
    right = "[A-Za-z0-9_]" if word[-1:].isascii() and word[-1:].isalnum() else None
    escaped = "".join(f"\\{letter}" if not letter.isalnum() and letter.isascii() else letter for letter in word)
    try:
        return Source(rule.name, "word", cached_pattern(escaped, rule.ignore_case, left, right, None))
    except PatternError as error:
        raise OperatorError(f"A word of masking rule `{rule.name}` cannot be used: {error}") from None


def _format_source(row: Format) -> Source:
    return Source(
        row.detector,
        row.name,
        cached_pattern(row.pattern, row.ignore_case, row.left or None, row.right or None, row.tail or None),
        [CHECKS[name] for name in row.checks],
        row.context,
        cached_pattern(row.until, row.ignore_case, None, None, None) if row.until else None,
        generic=row.detector == "secrets" and not row.vendor,
    )


@lru_cache(maxsize=1024)
def _whole(pattern: str) -> Program:
    compiled = cached_pattern(pattern, False, None, None, None)
    tail = byte_class(compiled.tail) + b"*" if compiled.tail else b""
    return Program([], [rb"\A(?:%b)%b" % (compiled.piece.full, tail)])


def _matches_whole(pattern: str, value: bytes) -> bool:
    return _whole(pattern).find(value, 0)[0] == 0


def detector_names() -> tuple[str, ...]:
    """What a rule may list under `detectors`."""
    return (*dict.fromkeys(row.detector for row in load_formats()), MINTED)
