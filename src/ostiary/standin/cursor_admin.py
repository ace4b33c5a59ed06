"""Team, settings, analytics, Bugbot, Grok bot and organization routes."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ostiary.standin import cursor_usage as usage
from ostiary.standin.cursor_door import Answer, StandIn, read_json, route, whole_number
from ostiary.standin.cursor_errors import JSON, error_for
from ostiary.standin.cursor_team import TEAM_ID

TEAM_REPORTS = (
    "agent-edits", "tabs", "dau", "client-versions", "models", "top-file-extensions", "mcp", "commands", "plans",
    "skills", "ask-mode", "leaderboard", "bugbot", "bugbot-reviews", "conversation-insights",
)  # fmt: skip
USER_REPORTS = (
    "agent-edits", "tabs", "models", "top-file-extensions", "client-versions", "mcp", "commands", "plans",
    "skills", "ask-mode",
)  # fmt: skip


async def list_members(standin: StandIn, _request: Request) -> Answer:
    return {"teamMembers": [member.shape() for member in standin.team.members]}


async def list_audit_logs(standin: StandIn, request: Request) -> Answer:
    wanted = set(filter(None, request.query_params.get("eventTypes", "").split(",")))
    users = set(filter(None, request.query_params.get("users", "").split(",")))
    search = request.query_params.get("search", "").lower()
    events = [
        event
        for event in standin.team.audit_events
        if (not wanted or event["event_type"] in wanted)
        and (not users or event["user_email"] in users)
        and search in json.dumps(event).lower()
    ]
    page, size = whole_number(request, "page", 1, 10_000), whole_number(request, "pageSize", 100, 500)
    chosen, info = usage.paged(events, page, size)
    params = {"teamId": TEAM_ID, **dict(request.query_params)}
    return {"events": chosen, "pagination": info, "params": params}


async def query_usage(report: Callable[..., JSON], standin: StandIn, request: Request) -> Answer:
    return report(standin.team.present(), await read_json(request))


async def remove_member(standin: StandIn, request: Request) -> Answer:
    return standin.team.remove_member(await read_json(request))


async def set_spend_limit(standin: StandIn, request: Request) -> Answer:
    outcome = standin.team.set_spend_limit(await read_json(request))
    status = 200 if outcome["outcome"] == "success" else 400
    return Response(json.dumps(outcome), status, media_type="application/json")


async def list_blocklists(standin: StandIn, _request: Request) -> Answer:
    return {"repos": standin.team.blocklists}


async def upsert_blocklists(standin: StandIn, request: Request) -> Answer:
    return standin.team.upsert_blocklists(await read_json(request))


async def delete_blocklist(standin: StandIn, request: Request) -> Answer:
    standin.team.delete_blocklist(request.path_params["id"])
    return Response(status_code=204)


async def list_groups(standin: StandIn, _request: Request) -> Answer:
    return standin.team.groups_shape()


async def get_group(standin: StandIn, request: Request) -> Answer:
    return {"group": standin.team.group(request.path_params["id"])}


async def create_group(standin: StandIn, request: Request) -> Answer:
    return {"group": standin.team.add_group(await read_json(request))}


async def update_group(standin: StandIn, request: Request) -> Answer:
    group = standin.team.group(request.path_params["id"])
    body = await read_json(request)
    group.update({key: body[key] for key in ("name", "directoryGroupId") if key in body})
    return {"group": group}


async def delete_group(standin: StandIn, request: Request) -> Answer:
    standin.team.group(request.path_params["id"])
    del standin.team.groups[request.path_params["id"]]
    return {"success": True}


async def change_group_members(add: bool, standin: StandIn, request: Request) -> Answer:
    body = await read_json(request)
    return {"group": standin.team.change_group_members(request.path_params["id"], body, add=add)}


async def get_model_access(standin: StandIn, _request: Request) -> Answer:
    return standin.team.model_access


async def set_model_access(standin: StandIn, request: Request) -> Answer:
    return standin.team.set_model_access(await read_json(request))


async def list_providers(standin: StandIn, _request: Request) -> Answer:
    providers = standin.team.restricted_providers()
    return {"teamId": TEAM_ID, "state": standin.team.model_access["state"], "providers": providers}


async def list_models(standin: StandIn, request: Request) -> Answer:
    return {"models": standin.team.provider(request.path_params["provider"])["models"]}


async def set_provider(standin: StandIn, request: Request) -> Answer:
    return standin.team.set_provider(request.path_params["provider"], await read_json(request))


async def set_model(standin: StandIn, request: Request) -> Answer:
    names = request.path_params
    return standin.team.set_model(names["provider"], names["model"], await read_json(request))


def cacheable(request: Request, body: JSON) -> Response:
    """With an ETag and 15 minutes of freshness; 304 without a body when the caller already has it."""
    text = json.dumps(body)
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "public, max-age=900"}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type="application/json")


async def team_report(report: str, _standin: StandIn, request: Request) -> Answer:
    return cacheable(request, usage.team_analytics(report))


async def user_report(report: str, standin: StandIn, request: Request) -> Answer:
    page, size = whole_number(request, "page", 1, 10_000), whole_number(request, "pageSize", 100, 500)
    return cacheable(request, usage.analytics_by_user(report, standin.team.present(), page, size))


async def code_report(rows_of: Callable[..., list[JSON]], standin: StandIn, request: Request) -> Answer:
    page, size = whole_number(request, "page", 1, 10_000), whole_number(request, "pageSize", 100, 1000)
    rows = rows_of(standin.team.present())
    chosen, _ = usage.paged(rows, page, size)
    return cacheable(request, {"items": chosen, "totalCount": len(rows), "page": page, "pageSize": size})


async def code_report_csv(rows_of: Callable[..., list[JSON]], standin: StandIn, _request: Request) -> Answer:
    lines: Iterator[str] = usage.as_csv(rows_of(standin.team.present()))
    return StreamingResponse(lines, media_type="text/csv")


async def update_bugbot(_standin: StandIn, request: Request) -> Answer:
    body = await read_json(request)
    if not isinstance(body.get("repoUrl"), str) or not isinstance(body.get("enabled"), bool):
        raise error_for(request.url.path, 400, "repoUrl and enabled are required")
    return {"outcome": "success", "repoUrl": body["repoUrl"], "enabled": body["enabled"]}


async def review(_standin: StandIn, request: Request) -> Answer:
    body = await read_json(request)
    if not isinstance(body.get("prUrl"), str):
        raise error_for(request.url.path, 400, "prUrl is required")
    return {"outcome": "success", "prUrl": body["prUrl"], "dryRun": bool(body.get("dryRun"))}


async def get_setting(name: str, standin: StandIn, _request: Request) -> Answer:
    return standin.team.settings[name]


async def change_setting(name: str, standin: StandIn, request: Request) -> Answer:
    standin.team.settings[name].update(await read_json(request))
    return standin.team.settings[name]


async def organization_groups(standin: StandIn, _request: Request) -> Answer:
    return {"groups": list(standin.team.groups.values())}


async def organization_group_members(standin: StandIn, request: Request) -> Answer:
    return {"members": standin.team.group(request.path_params["id"])["currentMembers"]}


async def organization_members(standin: StandIn, _request: Request) -> Answer:
    return {"members": [member.shape() for member in standin.team.present()]}


async def organization_report(report: Callable[..., JSON], standin: StandIn, request: Request) -> Answer:
    body = await read_json(request)
    if not isinstance(body.get("organizationId"), str):
        raise error_for(request.url.path, 400, "organizationId is required")
    return report(standin.team.present(), body)


async def sync_memberships(standin: StandIn, request: Request) -> Answer:
    moves = (await read_json(request)).get("users", [])
    if len(moves) > 500:
        raise error_for(request.url.path, 400, "At most 500 users per request")
    results = []
    for move in moves:
        known = standin.team.find(id=move.get("userId")) is not None
        results.append(
            {
                "userId": move.get("userId"),
                "destinationTeamId": move.get("destinationTeamId"),
                "status": "success" if known else "error",
                "errorMessage": None if known else "User is not a member of the organization",
            }
        )
    done = sum(result["status"] == "success" for result in results)
    return {"results": results, "successCount": done, "errorCount": len(results) - done}


def _pooled(_members: object, _body: JSON) -> JSON:
    return usage.pooled_usage()


def _bound(function: Callable[..., Awaitable[Answer]], first: Any) -> Callable[..., Awaitable[Answer]]:
    return partial(function, first)


_MODEL_ACCESS = "/teams/model-access"
_REPORTS = {
    "daily-usage-data": usage.daily_usage,
    "spend": usage.spend,
    "filtered-usage-events": usage.usage_events,
}

ROUTES = [
    route("GET", "/teams/members", list_members),
    route("GET", "/teams/audit-logs", list_audit_logs),
    *(route("POST", f"/teams/{name}", _bound(query_usage, report)) for name, report in _REPORTS.items()),
    route("POST", "/teams/user-spend-limit", set_spend_limit),
    route("POST", "/teams/remove-member", remove_member),
    route("GET", "/settings/repo-blocklists/repos", list_blocklists),
    route("POST", "/settings/repo-blocklists/repos/upsert", upsert_blocklists),
    route("DELETE", "/settings/repo-blocklists/repos/{id}", delete_blocklist),
    route("GET", "/teams/groups", list_groups),
    route("POST", "/teams/groups", create_group),
    route("GET", "/teams/groups/{id}", get_group),
    route("PATCH", "/teams/groups/{id}", update_group),
    route("DELETE", "/teams/groups/{id}", delete_group),
    route("POST", "/teams/groups/{id}/members", _bound(change_group_members, True)),
    route("DELETE", "/teams/groups/{id}/members", _bound(change_group_members, False)),
    route("GET", f"{_MODEL_ACCESS}/configuration", get_model_access),
    route("PUT", f"{_MODEL_ACCESS}/configuration", set_model_access),
    route("GET", f"{_MODEL_ACCESS}/providers", list_providers),
    route("GET", f"{_MODEL_ACCESS}/providers/{{provider}}/models", list_models),
    route("PUT", f"{_MODEL_ACCESS}/providers/{{provider}}", set_provider),
    route("PUT", f"{_MODEL_ACCESS}/providers/{{provider}}/models/{{model}}", set_model),
    *(route("GET", f"/analytics/team/{name}", _bound(team_report, name)) for name in TEAM_REPORTS),
    *(route("GET", f"/analytics/by-user/{name}", _bound(user_report, name)) for name in USER_REPORTS),
    route("GET", "/analytics/ai-code/commits", _bound(code_report, usage.commits)),
    route("GET", "/analytics/ai-code/commits.csv", _bound(code_report_csv, usage.commits)),
    route("GET", "/analytics/ai-code/changes", _bound(code_report, usage.changes)),
    route("GET", "/analytics/ai-code/changes.csv", _bound(code_report_csv, usage.changes)),
    route("POST", "/bugbot/repo/update", update_bugbot),
    route("POST", "/bugbot/review", review),
    *(
        route("GET", f"/grok-bot/{name}", _bound(get_setting, name))
        for name in ("access", "network", "auto-review", "capabilities")
    ),
    *(route("PUT", f"/grok-bot/{name}", _bound(change_setting, name)) for name in ("access", "network", "auto-review")),
    route("PATCH", "/grok-bot/capabilities", _bound(change_setting, "capabilities")),
    route("GET", "/organizations/members", organization_members),
    route("GET", "/organizations/groups", organization_groups),
    route("GET", "/organizations/groups/{id}", get_group),
    route("GET", "/organizations/groups/{id}/members", organization_group_members),
    route("GET", "/organizations/audit-logs", list_audit_logs),
    *(
        route("POST", f"/organizations/{name}", _bound(organization_report, report))
        for name, report in {**_REPORTS, "pooled-usage": _pooled}.items()
    ),
    route("POST", "/organizations/team-memberships/sync", sync_memberships),
    route("POST", "/organizations/groups/{id}/members/bulk-add", _bound(change_group_members, True)),
    route("POST", "/organizations/groups/{id}/members/bulk-remove", _bound(change_group_members, False)),
]
