"""`rules:` of a declarative file."""

from ostiary.control.declarative import unavailable
from ostiary.control.declarative.errors import nearest
from ostiary.control.declarative.nodes import Value
from ostiary.control.declarative.values import duration_s, names, plain_text
from ostiary.model.operation import Class
from ostiary.model.rule import ApprovalTerms, Effect, Rule, Who
from ostiary.policy.patterns import CLASS_PREFIX

HOLD_MAX_S = 600
EXPIRES_MAX_S = 7 * 86_400
MESSAGE_MAX_CHARACTERS = 500

_KEYS = ("name", "who", "on", "operations", "effect", "message", "approval")
_WHO_KEYS = ("groups", "users", "services", "agents")
_APPROVAL_KEYS = ("quorum", "reason", "hold", "expires", "grant")
_CLASSES = tuple(class_.value for class_ in Class)


def read_rule(value: Value) -> Rule:
    members = value.mapping("a rule", _KEYS, ("name", "effect"), unavailable.RULE)
    effect = Effect(members["effect"].word("effect", tuple(effect.value for effect in Effect)))
    approval = ApprovalTerms()
    if "approval" in members:
        if effect is not Effect.ASK:
            members["approval"].fail("'approval' has a meaning with `effect: ask` only.")
        approval = _read_approval(members["approval"])
    operations = members.get("operations")
    return Rule(
        name=plain_text(members["name"], "the name of a rule", 100),
        effect=effect,
        who=read_who(members["who"], label_alone=effect is Effect.DENY) if "who" in members else Who(),
        on=names(members["on"], "on") if "on" in members else (),
        operations=_read_operations(operations) if operations is not None else (),
        message=(plain_text(members["message"], "message", MESSAGE_MAX_CHARACTERS) if "message" in members else ""),
        approval=approval,
    )


def read_who(value: Value, *, label_alone: bool) -> Who:
    """`label_alone`: whether it may name agents and nobody else, which is enough to take something away."""
    members = value.mapping("who", _WHO_KEYS)
    if not members:
        value.fail("'who' is empty.", "Leave it out to speak of everybody.")
    lists = {key: frozenset(names(listed, f"who.{key}")) for key, listed in members.items()}
    if lists.keys() == {"agents"} and not label_alone:
        members["agents"].fail(
            "Everybody may give their agent this label, so it gives nobody anything.",
            "Name groups or users beside it: those who use this agent are then meant.",
        )
    return Who(**lists)


def _read_operations(value: Value) -> tuple[str, ...]:
    for item in value.items("operations"):
        entry = plain_text(item, "an operation")
        if entry.startswith(CLASS_PREFIX) and entry.removeprefix(CLASS_PREFIX) not in _CLASSES:
            item.fail(f"There is no class '{entry.removeprefix(CLASS_PREFIX)}'.", _nearest_class(entry))
    return names(value, "operations")


def _nearest_class(entry: str) -> str:
    return nearest(entry, [CLASS_PREFIX + class_ for class_ in _CLASSES])


def _read_approval(value: Value) -> ApprovalTerms:
    members = value.mapping("approval", _APPROVAL_KEYS, unavailable=unavailable.APPROVAL)
    default = ApprovalTerms()
    if "quorum" in members and members["quorum"].whole_number("quorum") != 1:
        members["quorum"].fail_unavailable("quorum", "let one person approve alone")
    if "grant" in members and (members["grant"].is_mapping or members["grant"].text("grant") != "once"):
        members["grant"].fail_unavailable("grant", "let every approval pass one request")
    reason_required = "reason" in members and members["reason"].word("reason", ("required", "optional")) == "required"
    hold_s = duration_s(members["hold"], "hold", 0, HOLD_MAX_S) if "hold" in members else default.hold_s
    expires_s = (
        duration_s(members["expires"], "expires", 1, EXPIRES_MAX_S) if "expires" in members else default.expires_s
    )
    if hold_s > expires_s:
        if "hold" in members:
            members["hold"].fail("'hold' must not be longer than 'expires'.")
        hold_s = expires_s
    return ApprovalTerms(hold_s=hold_s, expires_s=expires_s, reason_required=reason_required)
