"""One function per route: arguments in, JSON-ready answer out. Everything else is done around them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ostiary.control.api import views
from ostiary.control.caller import Caller
from ostiary.control.services import Services
from ostiary.model.approval import ApprovalState

Arguments = Mapping[str, Any]


async def show_status(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    return services.status.show(caller)


async def show_configuration(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    shown = await services.configuration.show(caller)
    return {"yaml": shown.yaml, "version": shown.version}


async def plan_configuration(services: Services, caller: Caller, arguments: Arguments) -> Any:
    planned = await services.configuration.plan(caller, **arguments)
    return views.planned(planned)


async def apply_configuration(services: Services, caller: Caller, arguments: Arguments) -> Any:
    applied = await services.configuration.apply(caller, **arguments)
    return views.planned(applied)


async def list_connections(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    known = await services.connections.list(caller)
    return {"connections": [{"name": connection.name, "kind": connection.kind} for connection in known]}


async def list_secrets(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    return {"secrets": [views.secret(listed) for listed in await services.secrets.list(caller)]}


async def set_secret(services: Services, caller: Caller, arguments: Arguments) -> Any:
    value = arguments["value"].encode("utf-8", "surrogatepass")
    version = await services.secrets.set(caller, arguments["name"], value)
    return {"name": arguments["name"], "version": version}


async def create_token(services: Services, caller: Caller, arguments: Arguments) -> Any:
    wanted = {**arguments, "groups": arguments["groups"] or ()}
    created = await services.tokens.create(caller, **wanted)
    return {
        "token": created.text,
        "id": created.record.id,
        "expires_at": views.token(created.record)["expires_at"],
        "unknown_connections": list(created.unknown_connections),
    }


async def list_tokens(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    return {"tokens": [views.token(record) for record in await services.tokens.list(caller)]}


async def revoke_token(services: Services, caller: Caller, arguments: Arguments) -> Any:
    await services.tokens.revoke(caller, arguments["id"])
    return {"id": arguments["id"], "revoked": True}


async def list_sessions(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"sessions": [views.session(seen) for seen in await services.history.sessions(caller, **arguments)]}


async def show_session(services: Services, caller: Caller, arguments: Arguments) -> Any:
    session, exchanges = await services.history.session(caller, arguments["id"])
    return {"session": views.session(session), "exchanges": [dict(exchange) for exchange in exchanges]}


async def show_exchange(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"exchange": dict(await services.history.exchange(caller, arguments["id"]))}


async def show_recording(services: Services, caller: Caller, arguments: Arguments) -> Any:
    moments = await services.history.recording(caller, arguments["exchange"])
    return {"frames": await asyncio.to_thread(lambda: [moment.to_json() for moment in moments])}


async def list_entries(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"entries": views.entries(await services.audit.entries(caller, **arguments))}


async def show_checkpoint(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    return dict(await services.audit.checkpoint(caller))


async def verify_audit(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    return dict(await services.audit.verify(caller))


async def follow_events(services: Services, caller: Caller, arguments: Arguments) -> Any:
    events, after = await services.audit.events(caller, arguments["after"])
    return {"entries": views.entries(events), "after": after}


async def list_approvals(services: Services, caller: Caller, arguments: Arguments) -> Any:
    state = None if arguments["state"] is None else ApprovalState(arguments["state"])
    seen = await services.approvals.list(caller, state, arguments["limit"])
    return {"approvals": [views.approval(approval) for approval in seen]}


async def show_approval(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"approval": views.approval(await services.approvals.get(caller, arguments["id"]))}


async def approve(services: Services, caller: Caller, arguments: Arguments) -> Any:
    decided = await services.approvals.decide(caller, arguments["id"], True, arguments["reason"])
    return {"approval": views.approval(decided)}


async def deny(services: Services, caller: Caller, arguments: Arguments) -> Any:
    decided = await services.approvals.decide(caller, arguments["id"], False, arguments["reason"])
    return {"approval": views.approval(decided)}
