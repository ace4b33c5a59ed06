"""Model → JSON, with times in RFC 3339."""

from collections.abc import Mapping, Sequence
from typing import Any

from ostiary.audit.entries import entry_time
from ostiary.control.services.approvals import SeenApproval
from ostiary.control.services.configuration import Planned
from ostiary.control.services.secrets import ListedSecret
from ostiary.model.session import Session
from ostiary.model.token import TokenRecord


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else entry_time(seconds)


def planned(made: Planned) -> dict[str, Any]:
    plan = [
        {"action": change.action, "kind": change.kind, "name": change.name, "detail": change.detail}
        for change in made.changes
    ]
    return {"plan": plan, "version": made.version, "notes": list(made.notes)}


def secret(listed: ListedSecret) -> dict[str, Any]:
    newest = listed.versions[0] if listed.versions else None
    return {
        "name": listed.name,
        "provider": listed.provider,
        "reference": listed.reference,
        "version": newest.version if newest else None,
        "set_at": _time(newest.created_at) if newest else None,
        "versions": [
            {
                "version": version.version,
                "set_at": _time(version.created_at),
                "replaced_at": _time(version.replaced_at),
            }
            for version in listed.versions
        ],
    }


_BOUND_TO = {"jkt": "key", "x5t": "certificate"}


def token(record: TokenRecord) -> dict[str, Any]:
    actor = record.actor
    return {
        "id": record.id,
        "actor": actor.name,
        "kind": actor.kind.value,
        "agent": actor.agent,
        "groups": sorted(actor.groups),
        "connections": None if actor.connections is None else sorted(actor.connections),
        "created_at": _time(record.created_at),
        "created_by": record.created_by,
        "expires_at": _time(actor.expires_at),
        "revoked_at": _time(record.revoked_at),
        "last_used_at": _time(record.last_used_at),
        "network": record.network,
        "scope": record.scope.value,
        "sign_in": record.sign_in,
        "bound_to": None if actor.bound_to is None else _BOUND_TO[actor.bound_to.partition(":")[0]],
    }


def session(seen: Session) -> dict[str, Any]:
    return {
        "id": seen.id,
        "actor": seen.actor,
        "agent": seen.agent,
        "connection": seen.connection,
        "tool_session": seen.tool_session,
        "started_at": _time(seen.started_at),
        "last_at": _time(seen.last_at),
        "exchanges": seen.exchanges,
    }


def entries(indexed: Sequence[tuple[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    return [{"index": index, "entry": dict(entry)} for index, entry in indexed]


def approval(seen: SeenApproval) -> dict[str, Any]:
    asked = seen.approval
    return {
        "id": asked.id,
        "state": asked.state.value,
        "actor": asked.actor,
        "actor_kind": asked.actor_kind.value,
        "agent": asked.agent,
        "connection": asked.connection,
        "operation": asked.operation,
        "method": asked.method,
        "target": asked.target,
        "rule": asked.rule,
        "exchange": asked.exchange,
        "fingerprint": asked.fingerprint,
        "body_bytes": asked.body_bytes,
        "preview": asked.preview,
        "reason_required": asked.reason_required,
        "asked_at": _time(asked.asked_at),
        "expires_at": _time(asked.expires_at),
        "decided_by": asked.decided_by,
        "decided_at": _time(asked.decided_at),
        "reason": asked.reason,
        "clients_waiting": seen.clients_waiting,
    }
