"""The API's routes about service accounts and their keys, in rows as those of `routes`."""

from collections.abc import Mapping
from typing import Any

from ostiary.audit.entries import entry_time
from ostiary.control.api import views
from ostiary.control.api.fields import Field
from ostiary.control.api.route import Route
from ostiary.control.caller import Caller
from ostiary.control.services import Services
from ostiary.model.person import ServiceAccount

Arguments = Mapping[str, Any]


async def list_service_accounts(services: Services, caller: Caller, _arguments: Arguments) -> Any:
    return {"service_accounts": [_account(account) for account in await services.service_accounts.list(caller)]}


async def create_service_account(services: Services, caller: Caller, arguments: Arguments) -> Any:
    wanted = {**arguments, "groups": arguments["groups"] or ()}
    return {"service_account": _account(await services.service_accounts.create(caller, **wanted))}


async def disable_service_account(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"service_account": _account(await services.service_accounts.disable(caller, arguments["name"]))}


async def enable_service_account(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"service_account": _account(await services.service_accounts.enable(caller, arguments["name"]))}


async def list_keys(services: Services, caller: Caller, arguments: Arguments) -> Any:
    return {"keys": [views.token(key) for key in await services.service_accounts.keys(caller, arguments["name"])]}


async def make_key(services: Services, caller: Caller, arguments: Arguments) -> Any:
    made = await services.service_accounts.make_key(caller, **arguments)
    return {"token": made.text, "id": made.record.id, "expires_at": views.token(made.record)["expires_at"]}


async def revoke_key(services: Services, caller: Caller, arguments: Arguments) -> Any:
    await services.service_accounts.revoke_key(caller, arguments["name"], arguments["id"])
    return {"id": arguments["id"], "revoked": True}


def _account(account: ServiceAccount) -> dict[str, Any]:
    return {
        "name": account.name,
        "groups": sorted(account.groups),
        "connections": None if account.connections is None else sorted(account.connections),
        "description": account.description,
        "created_at": entry_time(account.created_at),
        "created_by": account.created_by,
        "disabled_at": None if account.disabled_at is None else entry_time(account.disabled_at),
    }


_PATH = "/service-accounts"
_ACCOUNT = {"service_account": "name, groups, connections, description and times."}

TOKEN_ROUTES: tuple[Route, ...] = (
    Route(
        "GET", _PATH, "listServiceAccounts", "Service accounts by name.", list_service_accounts,
        {"service_accounts": "name, groups, connections, description and times."},
    ),
    Route(
        "POST", _PATH, "createServiceAccount", "Make a service account; it opens nothing before it has a key.",
        create_service_account, _ACCOUNT,
        body=(
            Field("name", "string", "What rules and the audit log call it.", required=True),
            Field("groups", "strings", "The groups its keys are made with."),
            Field("connections", "strings", "The only connections its keys may use; all that rules allow when absent."),
            Field("description", "string", "What it is for.", default="", most=500),
        ),
        created=True,
    ),
    Route(
        "POST", _PATH + "/{name}/disable", "disableServiceAccount",
        "End all keys of a service account now, for good, and refuse its platform's own tokens.",
        disable_service_account, _ACCOUNT,
    ),
    Route(
        "POST", _PATH + "/{name}/enable", "enableServiceAccount", "Let a service account have keys again.",
        enable_service_account, _ACCOUNT,
    ),
    Route(
        "GET", _PATH + "/{name}/keys", "listKeys", "The keys of a service account, the newest first.", list_keys,
        {"keys": "As tokens are listed; never the key."},
    ),
    Route(
        "POST", _PATH + "/{name}/keys", "makeKey", "Make a key for a service account.", make_key,
        {"token": "The key; shown this once.", "id": "For listing and revoking.", "expires_at": "RFC 3339."},
        body=(
            Field("ttl_s", "number", "Life in seconds; the server's default when absent."),
            Field("certificate", "string", "PEM; the key then works only on connections that show this certificate."),
        ),
        created=True,
    ),
    Route(
        "DELETE", _PATH + "/{name}/keys/{id}", "revokeKey", "End a key now.", revoke_key,
        {"id": "The key's id.", "revoked": "true"},
    ),
)  # fmt: skip
