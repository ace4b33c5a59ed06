"""The older Cloud Agents routes (/v0) and private workers. Webhooks are accepted and not called."""

from starlette.requests import Request

from ostiary.standin.cursor_agents import (
    MODELS,
    REPOSITORIES,
    delete_agent,
    download_artifact,
    list_artifacts,
    me,
    newest_first,
    with_cursor,
)
from ostiary.standin.cursor_door import Answer, StandIn, read_json, route
from ostiary.standin.cursor_errors import JSON, agent_error
from ostiary.standin.cursor_runs import ACTIVE, Agent
from ostiary.standin.cursor_time import iso

WEBHOOK_SECRET_MIN = 32
WORKERS: list[JSON] = [
    {
        "id": "worker-1",
        "name": "build-01",
        "status": "IDLE",
        "pool": "default",
        "lastSeenAt": "2026-01-05T09:00:00.000Z",
    }
]


def shape(agent: Agent) -> JSON:
    run = agent.runs[-1]
    repository = (agent.body.get("repos") or [{"url": ""}])[0]
    branch = (run.outcome().get("git") or {"branches": [{}]})["branches"][0]
    return {
        "id": agent.id,
        "name": agent.shape()["name"],
        "status": run.status(),
        "source": {"repository": repository["url"], "ref": repository.get("startingRef", "main")},
        "target": {
            "url": f"https://cursor.com/agents?id={agent.id}",
            "autoCreatePr": bool(agent.body.get("autoCreatePR")),
            **({"branchName": branch["branch"]} if "branch" in branch else {}),
            **({"prUrl": branch["prUrl"]} if "prUrl" in branch else {}),
        },
        **({"summary": run.text()} if run.status() not in ACTIVE else {}),
        "createdAt": iso(agent.created_ms),
    }


async def create_agent(standin: StandIn, request: Request) -> Answer:
    body = await read_json(request)
    source = body.get("source") or {}
    if not isinstance(source.get("repository"), str):
        raise agent_error(400, "bad_request", "source.repository is required.")
    if not isinstance(body.get("model", ""), str):
        raise agent_error(400, "bad_request", "model must be a string.")
    webhook = body.get("webhook")
    if webhook is not None and len(str(webhook.get("secret", "x" * WEBHOOK_SECRET_MIN))) < WEBHOOK_SECRET_MIN:
        raise agent_error(400, "bad_request", f"webhook.secret needs {WEBHOOK_SECRET_MIN} characters.")
    agent = standin.agents.create(
        {
            "prompt": body.get("prompt"),
            "repos": [{"url": source["repository"], "startingRef": source.get("ref", "main")}],
            "autoCreatePR": bool((body.get("target") or {}).get("autoCreatePr")),
        }
    )
    return shape(agent)


async def list_agents(standin: StandIn, request: Request) -> Answer:
    agents, following = newest_first(standin, request)
    return with_cursor({"agents": [shape(agent) for agent in agents]}, following)


async def get_agent(standin: StandIn, request: Request) -> Answer:
    return shape(standin.agents.find(request.path_params["id"]))


async def conversation(standin: StandIn, request: Request) -> Answer:
    agent = standin.agents.find(request.path_params["id"])
    messages = []
    for run in agent.runs:
        messages.append({"id": f"{run.id}-user", "type": "user_message", "text": run.prompt})
        if run.text():
            messages.append({"id": f"{run.id}-agent", "type": "assistant_message", "text": run.text()})
    return {"id": agent.id, "messages": messages}


async def follow_up(standin: StandIn, request: Request) -> Answer:
    standin.agents.follow_up(request.path_params["id"], await read_json(request))
    return {"id": request.path_params["id"]}


async def stop(standin: StandIn, request: Request) -> Answer:
    agent = standin.agents.find(request.path_params["id"])
    standin.agents.cancel(agent.id, agent.runs[-1].id)
    return {"id": agent.id}


async def list_models(_standin: StandIn, _request: Request) -> Answer:
    return {"models": [model["id"] for model in MODELS]}


async def list_repositories(_standin: StandIn, _request: Request) -> Answer:
    rows = [(name.split("/"), name) for name in REPOSITORIES]
    return {
        "repositories": [
            {"owner": parts[0], "name": parts[1], "repository": f"https://github.com/{name}"} for parts, name in rows
        ]
    }


async def list_workers(_standin: StandIn, _request: Request) -> Answer:
    return {"workers": WORKERS}


async def get_worker(_standin: StandIn, request: Request) -> Answer:
    for worker in WORKERS:
        if worker["id"] == request.path_params["id"]:
            return worker
    raise agent_error(404, "worker_not_found", "The worker was not found.")


async def summarize_workers(_standin: StandIn, _request: Request) -> Answer:
    return {"total": len(WORKERS), "idle": len(WORKERS), "busy": 0}


async def pending_requests(_standin: StandIn, _request: Request) -> Answer:
    return {"requests": []}


ROUTES = [
    route("POST", "/v0/agents", create_agent),
    route("GET", "/v0/agents", list_agents),
    route("GET", "/v0/agents/{id}", get_agent),
    route("DELETE", "/v0/agents/{id}", delete_agent),
    route("GET", "/v0/agents/{id}/conversation", conversation),
    route("GET", "/v0/agents/{id}/artifacts", list_artifacts),
    route("GET", "/v0/agents/{id}/artifacts/download", download_artifact),
    route("POST", "/v0/agents/{id}/followup", follow_up),
    route("POST", "/v0/agents/{id}/stop", stop),
    route("GET", "/v0/me", me),
    route("GET", "/v0/models", list_models),
    route("GET", "/v0/repositories", list_repositories),
    route("GET", "/v0/private-workers", list_workers),
    route("GET", "/v0/private-workers/summary", summarize_workers),
    route("GET", "/v0/private-workers/pending-requests", pending_requests),
    route("GET", "/v0/private-workers/{id}", get_worker),
]
