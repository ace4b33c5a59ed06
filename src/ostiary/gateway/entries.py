"""The audit entries an exchange leaves: the intent before it is sent, the outcome after, or the refusal."""

from functools import cache

from ostiary.gateway.state import Entry, Exchange
from ostiary.model.actor import Actor
from ostiary.model.decision import Allow, Ask, Decision, Deny
from ostiary.model.errors import GatewayRefusal
from ostiary.model.finding import Finding
from ostiary.model.operation import Class
from ostiary.protocols.targets import redacted_target

_SHOWN_TARGET_BYTES = 2048


def actor_fields(actor: Actor) -> Entry:
    fields: Entry = {"kind": actor.kind.value, "name": actor.name, "token": actor.token_id}
    if actor.agent is not None:
        fields["agent"] = actor.agent
    if actor.user_id is not None:
        fields["user"] = actor.user_id
    return fields


def _decision_fields(decision: Decision) -> Entry:
    match decision:
        case Allow(rule=rule):
            return {"effect": "allow", "rule": rule}
        case Ask(rule=rule):
            return {"effect": "ask", "rule": rule}
        case Deny(rule=None):
            return {"effect": "deny"}
        case Deny(rule=rule):
            return {"effect": "deny", "rule": rule}


@cache
def _class_names(classes: frozenset[Class]) -> list[str]:
    return sorted(each.value for each in classes)


def _common(kind: str, at: str, exchange: Exchange) -> Entry:
    entry: Entry = {
        "v": 1,
        "type": kind,
        "time": at,
        "exchange": exchange.id,
        "client": exchange.client.peer,
        "method": exchange.head.method.decode("ascii"),
    }
    if exchange.actor is not None:
        entry["actor"] = actor_fields(exchange.actor)
    if exchange.target is not None:
        entry["target"] = redacted_target(exchange.target)
    if exchange.route is not None:
        entry["connection"] = exchange.route.name
        entry["operation"] = exchange.operation.name
        entry["session"] = exchange.session
        if exchange.tool_session is not None:
            entry["tool_session"] = exchange.tool_session
    if exchange.decision is not None:
        entry["decision"] = _decision_fields(exchange.decision)
    return entry


def intent(at: str, exchange: Exchange) -> Entry:
    """Written and durable before a byte goes to the upstream."""
    judged = exchange.judged
    if judged is None:
        entry = _common("exchange.intent", at, exchange)
        entry["classes"] = _class_names(exchange.operation.classes)
        if exchange.approval is not None:
            entry["approval"] = {"id": exchange.approval, "by": exchange.approved_by}
        return entry
    if judged.entry is None:
        judged.entry = _common("exchange.intent", at, exchange)
        judged.entry["classes"] = _class_names(exchange.operation.classes)
    entry = judged.entry.copy()
    entry["time"] = at
    entry["exchange"] = exchange.id
    entry["session"] = exchange.session
    entry["client"] = exchange.client.peer
    return entry


def outcome(at: str, exchange: Exchange, duration_us: int) -> Entry:
    """What became of it. The recorder adds `recording` when the last frame is sealed.

    `end` is `complete`, `cut` or `failed`; then `why` says what ended it.
    """
    end, _, why = exchange.end.partition(": ")
    entry: Entry = {
        "v": 1,
        "type": "exchange.outcome",
        "time": at,
        "exchange": exchange.id,
        "session": exchange.session,
        "intent": exchange.receipt.index if exchange.receipt is not None else -1,
        "status": exchange.status,
        "end": end,
        "request_bytes": exchange.request_bytes,
        "response_bytes": exchange.response_bytes,
        "duration_us": duration_us,
        "first_byte_us": exchange.first_byte_us,
        "findings": [_finding_fields(each) for each in exchange.findings],
    }
    if why:
        entry["why"] = why
    return entry


def _finding_fields(finding: Finding) -> Entry:
    fields: Entry = {
        "detector": finding.detector,
        "place": finding.place,
        "length": finding.length,
        "count": finding.count,
        "action": finding.action,
    }
    if finding.rule:
        fields["rule"] = finding.rule
    if finding.format:
        fields["format"] = finding.format
    return fields


def refused(at: str, exchange: Exchange, refusal: GatewayRefusal) -> Entry:
    entry = _common("exchange.refused", at, exchange)
    entry["code"] = refusal.code
    entry["status"] = refusal.status
    if exchange.findings:
        entry["findings"] = [_finding_fields(each) for each in exchange.findings]
    if exchange.target is None:
        entry["target"] = ascii(exchange.head.target[:_SHOWN_TARGET_BYTES].partition(b"?")[0].decode("latin-1"))[1:-1]
    return entry


def refused_unread(at: str, identity: str, client: str, refusal: GatewayRefusal) -> Entry:
    """A request that could not even be read."""
    return {
        "v": 1,
        "type": "exchange.refused",
        "time": at,
        "exchange": identity,
        "client": client,
        "code": refusal.code,
        "status": refusal.status,
    }
