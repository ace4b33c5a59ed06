"""Cloud Agents (/v1), sub-tokens, the older /v0 and private workers."""

import secrets
import time
from typing import TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import StreamingResponse

from ostiary.standin.cursor_door import Answer, StandIn, credential, read_json, route, whole_number
from ostiary.standin.cursor_errors import JSON, agent_error
from ostiary.standin.cursor_runs import Agent
from ostiary.standin.cursor_stream import resume_position, run_events
from ostiary.standin.cursor_time import iso

T = TypeVar("T")

ARTIFACT: JSON = {"path": "artifacts/screenshot.png", "sizeBytes": 48_213}
REPOSITORIES = ("acme/shop", "acme/site", "acme/tools")
MODELS: list[JSON] = [
    {
        "id": "composer-2",
        "displayName": "Composer 2",
        "aliases": ["composer"],
        "parameters": [{"id": "fast", "displayName": "Fast", "values": [{"value": "true"}, {"value": "false"}]}],
        "variants": [{"params": [{"id": "fast", "value": "false"}], "displayName": "Composer 2", "isDefault": True}],
    },
    {"id": "gpt-5.4", "displayName": "GPT-5.4", "aliases": [], "parameters": [], "variants": []},
]


async def create_agent(standin: StandIn, request: Request) -> Answer:
    body = await read_json(request)
    idempotency = request.headers.get("idempotency-key")
    if idempotency is not None and idempotency in standin.agents.answered:
        return standin.agents.answered[idempotency]
    agent = standin.agents.create(body)
    answer = {"agent": agent.shape(), "run": agent.runs[-1].shape()}
    if idempotency is not None:
        standin.agents.answered[idempotency] = answer
    return answer


def newest_first(standin: StandIn, request: Request) -> tuple[list[Agent], str | None]:
    """One page of agents, and the cursor of the next page where there is one."""
    limit = whole_number(request, "limit", 20, 100)
    archived = request.query_params.get("includeArchived") == "true"
    agents = [agent for agent in reversed(standin.agents.by_id.values()) if archived or not agent.archived]
    pull_request = request.query_params.get("prUrl")
    if pull_request is not None:
        agents = [agent for agent in agents if pull_request in str(agent.runs[-1].outcome())]
    return page_from(agents, [agent.id for agent in agents], limit, request.query_params.get("cursor"))


def page_from(items: list[T], ids: list[str], limit: int, cursor: str | None) -> tuple[list[T], str | None]:
    if cursor is not None and cursor not in ids:
        raise agent_error(400, "bad_request", "cursor is not valid.")
    start = 0 if cursor is None else ids.index(cursor)
    following = ids[start + limit] if start + limit < len(ids) else None
    return items[start : start + limit], following


def with_cursor(answer: JSON, following: str | None) -> JSON:
    return answer if following is None else {**answer, "nextCursor": following}


async def list_agents(standin: StandIn, request: Request) -> Answer:
    agents, following = newest_first(standin, request)
    return with_cursor({"items": [agent.shape() for agent in agents]}, following)


async def get_agent(standin: StandIn, request: Request) -> Answer:
    return standin.agents.find(request.path_params["id"]).shape()


async def delete_agent(standin: StandIn, request: Request) -> Answer:
    agent = standin.agents.find(request.path_params["id"])
    for run in agent.runs:
        run.cancelled_at = run.cancelled_at or time.monotonic()
    del standin.agents.by_id[agent.id]
    return {"id": agent.id}


async def archive_agent(standin: StandIn, request: Request) -> Answer:
    agent = standin.agents.find(request.path_params["id"])
    agent.archived = True
    return {"id": agent.id}


async def unarchive_agent(standin: StandIn, request: Request) -> Answer:
    agent = standin.agents.find(request.path_params["id"])
    agent.archived = False
    return {"id": agent.id}


async def create_run(standin: StandIn, request: Request) -> Answer:
    body = await read_json(request)
    idempotency = request.headers.get("idempotency-key")
    if idempotency is not None and idempotency in standin.agents.answered:
        return standin.agents.answered[idempotency]
    answer = {"run": standin.agents.follow_up(request.path_params["id"], body).shape()}
    if idempotency is not None:
        standin.agents.answered[idempotency] = answer
    return answer


async def list_runs(standin: StandIn, request: Request) -> Answer:
    runs = list(reversed(standin.agents.find(request.path_params["id"]).runs))
    limit = whole_number(request, "limit", 20, 100)
    chosen, following = page_from(runs, [run.id for run in runs], limit, request.query_params.get("cursor"))
    return with_cursor({"items": [run.shape() for run in chosen]}, following)


async def get_run(standin: StandIn, request: Request) -> Answer:
    return standin.agents.run(request.path_params["id"], request.path_params["run"]).shape()


async def cancel_run(standin: StandIn, request: Request) -> Answer:
    return {"id": standin.agents.cancel(request.path_params["id"], request.path_params["run"]).id}


async def stream_run(standin: StandIn, request: Request) -> Answer:
    run = standin.agents.run(request.path_params["id"], request.path_params["run"])
    if run.ended_s_ago() > standin.retention_s:
        raise agent_error(410, "stream_expired", "The stream of this run is no longer kept.")
    position = resume_position(run, request.headers.get("last-event-id"))
    headers = {
        "Cache-Control": "no-cache",
        "X-Cursor-Stream-Retention-Seconds": str(int(standin.retention_s)),
    }
    return StreamingResponse(
        run_events(run, position, lambda: standin.closing), media_type="text/event-stream", headers=headers
    )


async def list_artifacts(standin: StandIn, request: Request) -> Answer:
    agent = standin.agents.find(request.path_params["id"])
    ended = bool(agent.runs) and bool(agent.runs[-1].outcome())
    return {"items": [{**ARTIFACT, "updatedAt": agent.shape()["updatedAt"]}] if ended else []}


async def download_artifact(standin: StandIn, request: Request) -> Answer:
    """A URL of the form S3 presigns; nothing answers there."""
    agent = standin.agents.find(request.path_params["id"])
    path = request.query_params.get("path", "")
    if path != ARTIFACT["path"]:
        raise agent_error(404, "artifact_not_found", "The artifact was not found.")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    url = (
        f"https://cloud-agent-artifacts.s3.us-east-1.amazonaws.com/{agent.id}/{quote(path)}"
        f"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={stamp}&X-Amz-Expires=900"
        f"&X-Amz-SignedHeaders=host&X-Amz-Signature={secrets.token_hex(32)}"
    )
    return {"url": url, "expiresAt": iso(int((time.time() + 900) * 1000))}


async def agent_usage(standin: StandIn, request: Request) -> Answer:
    wanted = request.query_params.get("runId")
    runs = [run for run in standin.agents.find(request.path_params["id"]).runs if wanted is None or run.id == wanted]
    rows = [{"id": run.id, "usage": run.usage(), "cost": {"rawCostCents": 3.1, "chargedCents": 3.7}} for run in runs]
    keys = ("inputTokens", "outputTokens", "cacheWriteTokens", "cacheReadTokens", "totalTokens")
    total = {key: sum(run.usage()[key] for run in runs) for key in keys}
    cost = {"rawCostCents": 3.1 * len(runs), "chargedCents": 3.7 * len(runs)}
    return {"totalUsage": total, "cost": cost, "runs": rows}


async def me(standin: StandIn, request: Request) -> Answer:
    token = credential(request, bearer=True) or ""
    member = standin.member_of(token) or standin.team.members[0]
    first, _, last = member.name.partition(" ")
    return {
        "apiKeyName": "stand-in key",
        "createdAt": "2026-01-05T09:00:00.000Z",
        "userId": member.number,
        "userEmail": member.email,
        "userFirstName": first,
        "userLastName": last,
    }


async def list_models(_standin: StandIn, _request: Request) -> Answer:
    return {"items": MODELS}


async def list_repositories(_standin: StandIn, _request: Request) -> Answer:
    return {"items": [{"url": f"https://github.com/{name}"} for name in REPOSITORIES]}


async def create_sub_token(standin: StandIn, request: Request) -> Answer:
    body = await read_json(request)
    if ("forUserEmail" in body) == ("forUserId" in body):
        raise agent_error(400, "bad_request", "Give forUserEmail or forUserId.")
    member = standin.team.find(email=body.get("forUserEmail"), id=body.get("forUserId"))
    if member is None:
        raise agent_error(404, "user_not_found", "The user is not a member of this team.")
    token, ends = standin.mint_sub_token(member)
    return {"accessToken": token, "expiresAt": iso(int(ends * 1000)), "userId": member.number, "teamId": 456}


ROUTES = [
    route("POST", "/v1/agents", create_agent),
    route("GET", "/v1/agents", list_agents),
    route("GET", "/v1/agents/{id}", get_agent),
    route("DELETE", "/v1/agents/{id}", delete_agent),
    route("POST", "/v1/agents/{id}/archive", archive_agent),
    route("POST", "/v1/agents/{id}/unarchive", unarchive_agent),
    route("POST", "/v1/agents/{id}/runs", create_run),
    route("GET", "/v1/agents/{id}/runs", list_runs),
    route("GET", "/v1/agents/{id}/runs/{run}", get_run),
    route("GET", "/v1/agents/{id}/runs/{run}/stream", stream_run),
    route("POST", "/v1/agents/{id}/runs/{run}/cancel", cancel_run),
    route("GET", "/v1/agents/{id}/artifacts", list_artifacts),
    route("GET", "/v1/agents/{id}/artifacts/download", download_artifact),
    route("GET", "/v1/agents/{id}/usage", agent_usage),
    route("GET", "/v1/me", me),
    route("GET", "/v1/models", list_models),
    route("GET", "/v1/repositories", list_repositories),
    route("POST", "/v1/sub-tokens", create_sub_token),
]
