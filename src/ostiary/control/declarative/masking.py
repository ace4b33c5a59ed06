"""`masking:` of a declarative file: what is looked for, where, and what becomes of it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ostiary.approval.visible_text import is_hidden
from ostiary.control.declarative.detectors import MINTED_CREDENTIAL, detector_names
from ostiary.control.declarative.nodes import Value
from ostiary.control.declarative.remote_detectors import complaint_about_detector
from ostiary.control.declarative.rules import read_who
from ostiary.control.declarative.values import moment_s, names, plain_text
from ostiary.masking.patterns import PatternError, compile_pattern
from ostiary.model.detector import DetectorService
from ostiary.model.masking import Action, Exemption, MaskingRule, Where
from ostiary.model.rule import Who

PATTERN_MAX_CHARACTERS = 4096
WORD_LEAST_CHARACTERS = 3
WORDS_MAX = 10_000
NEVER = "never"
ARCHIVES_BLOCK = "block"

_LOOKED_FOR = ("detectors", "pattern", "words", "fields")
_KEYS = ("name", *_LOOKED_FOR, "where", "action", "on", "who", "ignore_case", "archives", "exceptions")
_EXCEPTION_KEYS = ("reason", "expires", "matching", "who", "on")
_ACTIONS = tuple(action.value for action in Action)
_PLACES = tuple(place.value for place in Where)
_RESPONSE_ONLY = frozenset({Where.RESPONSE})
_MINTED_ACTIONS = frozenset({Action.BLOCK, Action.SEAL, Action.REPORT, Action.REPLACE})


class _Meaningless(NamedTuple):
    """A combination that could not do what it says: whether a rule has it, the key to point at, what to say."""

    found: Callable[[MaskingRule], bool]
    key: str
    sentence: str
    next_step: str


_MEANINGLESS = (
    _Meaningless(
        lambda rule: rule.action is Action.PLACEHOLDER and rule.where != {Where.REQUEST},
        "action",
        "A placeholder is put into requests only: the original is put back where the answer uses it.",
        "Write `where: [request]`, and another rule for the other places.",
    ),
    _Meaningless(
        lambda rule: rule.action is Action.BLOCK and rule.where == {Where.RECORDING},
        "action",
        "A recording cannot be blocked: it is made of what has passed already.",
        "Use `action: replace`, or block in the request or the response.",
    ),
    _Meaningless(
        lambda rule: rule.action is Action.SEAL and rule.where != _RESPONSE_ONLY,
        "action",
        "Only what an answer brings can be sealed.",
        "Write `where: [response]`, and another rule for the other places.",
    ),
    _Meaningless(
        lambda rule: rule.action is Action.SEAL and not rule.fields and rule.detectors != (MINTED_CREDENTIAL,),
        "action",
        "Only whole fields of an answer can be sealed: `detectors: [minted-credential]` or `fields`.",
        "Use `action: replace` for what is found inside of text.",
    ),
    _Meaningless(
        lambda rule: MINTED_CREDENTIAL in rule.detectors and rule.where != _RESPONSE_ONLY,
        "where",
        "The detector 'minted-credential' knows fields of answers only.",
        "Write `where: [response]`, and another rule for the other detectors.",
    ),
    _Meaningless(
        lambda rule: MINTED_CREDENTIAL in rule.detectors and rule.action not in _MINTED_ACTIONS,
        "action",
        "A minted credential can be blocked, sealed, replaced or reported.",
        "Choose one of these, or write another rule for the other detectors.",
    ),
    _Meaningless(
        lambda rule: Where.RECORDING in rule.where and bool(set(rule.detectors) - set(detector_names())),
        "where",
        "A remote detector is not asked about recordings: they are made of what was sent and passed on.",
        "Write `where: [request, response]`: what is masked there is masked in the recording too.",
    ),
    _Meaningless(
        lambda rule: rule.ignore_case and not rule.pattern and not rule.words,
        "ignore_case",
        "'ignore_case' has a meaning with 'pattern' and 'words' only.",
        "Leave it out: detectors and fields know which case counts.",
    ),
    _Meaningless(
        lambda rule: rule.archives and Where.RESPONSE not in rule.where,
        "archives",
        "'archives' speaks of answers, and this rule does not.",
        "Add `response` to `where`, or leave `archives` out.",
    ),
)


def read_masking_rule(value: Value, services: Sequence[DetectorService] = ()) -> MaskingRule:
    """`services` are the remote detectors there are."""
    members = value.mapping("a masking rule", _KEYS, ("name",))
    looked_for = [key for key in _LOOKED_FOR if key in members]
    if len(looked_for) != 1:
        value.fail(
            f"A masking rule has exactly one of {', '.join(_LOOKED_FOR)}; here are {len(looked_for)}.",
            "Write a rule for each." if looked_for else "Say what to look for.",
        )
    if "where" not in members:
        value.fail("'where' is missing in a masking rule.", "Write for example `where: [request, response]`.")
    ignore_case = "ignore_case" in members and members["ignore_case"].boolean("ignore_case")
    archives = "archives" in members and bool(members["archives"].word("archives", (ARCHIVES_BLOCK,)))
    rule = MaskingRule(
        name=plain_text(members["name"], "the name of a masking rule", 100),
        where=frozenset(Where(item.word("where", _PLACES)) for item in _entries(members["where"], "where")),
        action=Action(members["action"].word("action", _ACTIONS)) if "action" in members else Action.REPLACE,
        detectors=_read_detectors(members["detectors"], services) if "detectors" in members else (),
        pattern=_read_pattern(members["pattern"], "pattern", ignore_case) if "pattern" in members else None,
        words=_read_words(members["words"]) if "words" in members else (),
        fields=_read_fields(members["fields"]) if "fields" in members else (),
        ignore_case=ignore_case,
        on=names(members["on"], "on") if "on" in members else (),
        who=read_who(members["who"], label_alone=True) if "who" in members else Who(),
        exemptions=(
            tuple(_read_exception(item) for item in _entries(members["exceptions"], "exceptions"))
            if "exceptions" in members
            else ()
        ),
        archives=archives,
    )
    for combination in _MEANINGLESS:
        if combination.found(rule):
            members.get(combination.key, value).fail(combination.sentence, combination.next_step)
    return rule


def _entries(value: Value, what: str) -> list[Value]:
    items = value.items(what)
    if not items:
        value.fail(f"'{what}' is an empty list.", f"Name some, or leave out what has no {what}.")
    return items


def _read_detectors(value: Value, services: Sequence[DetectorService]) -> tuple[str, ...]:
    for item in _entries(value, "detectors"):
        complaint = complaint_about_detector(item.text("a detector"), services)
        if complaint is not None:
            item.fail(*complaint)
    return names(value, "detectors")


def _read_pattern(value: Value, what: str, ignore_case: bool = False) -> str:
    text = value.text(what)
    if len(text) > PATTERN_MAX_CHARACTERS:
        value.fail(f"{what} is longer than {PATTERN_MAX_CHARACTERS:,} characters.", "Split it into several rules.")
    if any(is_hidden(character) for character in text):
        value.fail(f"{what} holds a character that cannot be seen.", r"Write it as an escape, such as \n or \u200b.")
    try:
        compile_pattern(text, ignore_case=ignore_case)
    except PatternError as failure:
        value.fail(f"{what} cannot be used: {failure}")
    return text


def _read_words(value: Value) -> tuple[str, ...]:
    items = _entries(value, "words")
    if len(items) > WORDS_MAX:
        value.fail(f"'words' has more than {WORDS_MAX:,} entries.")
    for item in items:
        if len(plain_text(item, "a word")) < WORD_LEAST_CHARACTERS:
            item.fail(
                f"A word of fewer than {WORD_LEAST_CHARACTERS} characters would be found inside of ordinary text.",
                "Use a pattern that says what stands around it.",
            )
    return names(value, "words")


def _read_fields(value: Value) -> tuple[str, ...]:
    for item in _entries(value, "fields"):
        complaint = _complaint_about_field(plain_text(item, "a field"))
        if complaint:
            item.fail(complaint, "Write a key's name (ssn) or a JSON pointer (/user/ssn; * is any one key or element).")
    return names(value, "fields")


def _complaint_about_field(text: str) -> str:
    if not text.startswith("/"):
        if text.startswith("$"):
            return f"'{text}' looks like a JSONPath, which is not read here."
        return f"'{text}' is neither a key's name nor a JSON pointer." if "/" in text or text == "*" else ""
    for step in text[1:].split("/"):
        if not step:
            return f"'{text}' has an empty step."
        if "~" in step.replace("~0", "").replace("~1", ""):
            return f"'{text}' holds a ~ that is not ~0 (for ~) or ~1 (for /)."
    return ""


def _read_exception(value: Value) -> Exemption:
    members = value.mapping("an exception", _EXCEPTION_KEYS)
    if "reason" not in members:
        value.fail("'reason' is missing in an exception.", "Say why this may pass; people will ask.")
    if "expires" not in members:
        value.fail("'expires' is missing in an exception.", f"Write a date, or `expires: {NEVER}`.")
    if not members.keys() & {"matching", "who", "on"}:
        value.fail(
            "This exception would leave everything alone.",
            'Say with matching, who or on what it is for (`on: ["*"]` if everything is meant).',
        )
    return Exemption(
        reason=plain_text(members["reason"], "reason", 500),
        expires_at=_read_expiry(members["expires"]),
        matching=_read_pattern(members["matching"], "matching") if "matching" in members else None,
        who=read_who(members["who"], label_alone=False) if "who" in members else Who(),
        on=names(members["on"], "on") if "on" in members else (),
    )


def _read_expiry(value: Value) -> float | None:
    is_never = not (value.is_mapping or value.is_list) and value.node.value == NEVER
    return None if is_never else moment_s(value, "expires")
