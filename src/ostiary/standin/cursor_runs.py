"""Cloud agents and their runs. A run follows a script; how far it is depends on the time passed, nothing else runs."""

import time
import uuid
from dataclasses import dataclass, field

from ostiary.standin.cursor_errors import JSON, agent_error
from ostiary.standin.cursor_time import iso, milliseconds

FOREIGN_AGENT = "bc-00000000-0000-4000-8000-000000000403"
"""An agent of another team: it exists, and every request for it is 403."""

ACTIVE = ("CREATING", "RUNNING")

_DELTAS = {"assistant": "text-delta", "thinking": "thinking-delta"}
"""Events that are told a second time as an `interaction_update`, which is what conversations are built from."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a run's stream. `after` counts steps of the run's pace since it began; `id` is empty for
    `status` and `interaction_update` events, which cannot be resumed from."""

    after: int
    event: str
    data: JSON
    id: str = ""


def script_of(run_id: str, prompt: str, started_ms: int) -> tuple[Step, ...]:
    """What a run says. The tool call shows the kind of content that passes here: a file and its text."""
    answer = f"Done: {prompt.strip()[:120]}"
    words = [word + " " for word in answer.split(" ")]
    file = {"path": "src/checkout.py", "content": "def total(items):\n    return sum(item.price for item in items)\n"}
    told: list[tuple[str, JSON]] = [
        ("thinking", {"text": "Looking at the repository first."}),
        ("tool_call", {"callId": "call-1", "name": "read_file", "status": "running", "args": {"path": file["path"]}}),
        (
            "tool_call",
            {
                "callId": "call-1",
                "name": "read_file",
                "status": "completed",
                "args": {"path": file["path"]},
                "result": file,
            },
        ),
        *(("assistant", {"text": word}) for word in words),
    ]
    steps = [Step(1, "status", {"runId": run_id, "status": "RUNNING"})]
    for n, (event, data) in enumerate(told):
        steps.append(Step(2 + n, event, data, f"{started_ms}-{n}"))
        if event in _DELTAS:
            steps.append(Step(2 + n, "interaction_update", {"type": _DELTAS[event], "text": data["text"]}))
    return tuple(steps)


@dataclass(slots=True)
class Run:
    id: str
    agent_id: str
    prompt: str
    pace_s: float
    repository: str | None
    pull_request: bool
    script: tuple[Step, ...]
    started_ms: int
    started_at: float
    cancelled_at: float | None = None

    @property
    def length_s(self) -> float:
        return (self.script[-1].after + 1) * self.pace_s

    def elapsed_s(self) -> float:
        end = time.monotonic() if self.cancelled_at is None else self.cancelled_at
        return end - self.started_at

    def status(self) -> str:
        elapsed = self.elapsed_s()
        if elapsed >= self.length_s:
            return "FINISHED"
        if self.cancelled_at is not None:
            return "CANCELLED"
        return "CREATING" if elapsed < self.pace_s else "RUNNING"

    def ended_s_ago(self) -> float:
        """Seconds since the end; negative while it runs."""
        if self.status() in ACTIVE:
            return -1.0
        return time.monotonic() - self.started_at - min(self.elapsed_s(), self.length_s)

    def text(self) -> str:
        """What the assistant said so far."""
        said = (
            step.data["text"]
            for step in self.script
            if step.event == "assistant" and step.after * self.pace_s <= self.elapsed_s()
        )
        return "".join(said).strip()

    def outcome(self) -> JSON:
        """The parts of a run that only an ended one has."""
        if self.status() in ACTIVE:
            return {}
        ended: JSON = {
            "durationMs": int(min(self.elapsed_s(), self.length_s) * 1000),
            "result": self.text(),
        }
        if self.repository is not None:
            branch: JSON = {"repoUrl": self.repository, "branch": f"cursor/{self.id[-12:]}"}
            if self.pull_request:
                branch["prUrl"] = f"https://{self.repository}/pull/7"
            ended["git"] = {"branches": [branch]}
        return ended

    def shape(self) -> JSON:
        updated_ms = self.started_ms + int(min(self.elapsed_s(), self.length_s) * 1000)
        return {
            "id": self.id,
            "agentId": self.agent_id,
            "status": self.status(),
            "createdAt": iso(self.started_ms),
            "updatedAt": iso(updated_ms),
            **self.outcome(),
        }

    def usage(self) -> JSON:
        output = 12 * len(self.text().split())
        tokens = {"inputTokens": 4200, "outputTokens": output, "cacheWriteTokens": 800, "cacheReadTokens": 3100}
        return {**tokens, "totalTokens": sum(tokens.values())}


_KEPT = ("name", "env", "repos", "workOnCurrentBranch", "autoCreatePR", "metadata")
"""Of the body an agent is created with; images are large and the rest may be secret."""


@dataclass(slots=True)
class Agent:
    id: str
    body: JSON
    created_ms: int
    runs: list[Run] = field(default_factory=list)
    archived: bool = False

    def shape(self) -> JSON:
        active = bool(self.runs) and self.runs[-1].status() in ACTIVE
        updated = self.runs[-1].shape()["updatedAt"] if self.runs else iso(self.created_ms)
        prompt = str(self.body["prompt"]["text"])
        return {
            "id": self.id,
            "name": self.body.get("name") or prompt.strip()[:60] or "Agent",
            "status": "ARCHIVED" if self.archived else "ACTIVE" if active else "IDLE",
            "env": self.body.get("env") or {"type": "cloud"},
            "repos": self.body.get("repos") or [],
            "workOnCurrentBranch": bool(self.body.get("workOnCurrentBranch")),
            "autoCreatePR": bool(self.body.get("autoCreatePR")),
            "url": f"https://cursor.com/agents/{self.id}",
            "createdAt": iso(self.created_ms),
            "updatedAt": updated,
            **({"metadata": self.body["metadata"]} if self.body.get("metadata") else {}),
            **({"latestRunId": self.runs[-1].id} if self.runs else {}),
        }


@dataclass(slots=True)
class Agents:
    """All agents by id, oldest first. `pace_s` is the time between two events of a run."""

    pace_s: float
    by_id: dict[str, Agent] = field(default_factory=dict)
    answered: dict[str, JSON] = field(default_factory=dict)

    def find(self, id: str) -> Agent:
        if id == FOREIGN_AGENT:
            raise agent_error(403, "forbidden", "You do not have access to this agent.")
        if id not in self.by_id:
            raise agent_error(404, "agent_not_found", f"Agent {id} was not found.")
        return self.by_id[id]

    def run(self, agent_id: str, run_id: str) -> Run:
        for run in self.find(agent_id).runs:
            if run.id == run_id:
                return run
        raise agent_error(404, "run_not_found", f"Run {run_id} was not found.")

    def create(self, body: JSON) -> Agent:
        id = body.get("agentId") or f"bc-{uuid.uuid4()}"
        if id in self.by_id:
            raise agent_error(409, "agent_id_conflict", f"Agent {id} already exists.")
        text = _prompt(body)
        if len(body.get("repos") or []) > 20:
            raise agent_error(400, "bad_request", "At most 20 repos are allowed.")
        for key in ("envVars", "mcpServers"):
            if len(body.get(key) or []) > 50:
                raise agent_error(400, "bad_request", f"At most 50 {key} are allowed.")
        kept = {key: body[key] for key in _KEPT if key in body}
        agent = Agent(id, {**kept, "prompt": {"text": text}}, milliseconds())
        self.by_id[id] = agent
        self._begin(agent, body)
        return agent

    def follow_up(self, agent_id: str, body: JSON) -> Run:
        agent = self.find(agent_id)
        _prompt(body)
        if agent.archived:
            raise agent_error(409, "agent_archived", "The agent is archived.")
        if agent.runs and agent.runs[-1].status() in ACTIVE:
            raise agent_error(409, "agent_busy", "The agent already has an active run.")
        return self._begin(agent, body)

    def _begin(self, agent: Agent, body: JSON) -> Run:
        run_id, started_ms = f"run-{uuid.uuid4()}", milliseconds()
        repos = agent.body.get("repos") or []
        run = Run(
            id=run_id,
            agent_id=agent.id,
            prompt=_prompt(body),
            pace_s=self.pace_s,
            repository=str(repos[0]["url"]).removeprefix("https://") if repos else None,
            pull_request=bool(agent.body.get("autoCreatePR")),
            script=script_of(run_id, _prompt(body), started_ms),
            started_ms=started_ms,
            started_at=time.monotonic(),
        )
        agent.runs.append(run)
        return run

    def cancel(self, agent_id: str, run_id: str) -> Run:
        run = self.run(agent_id, run_id)
        if run.status() not in ACTIVE:
            raise agent_error(409, "run_not_cancellable", "The run has already ended.")
        run.cancelled_at = time.monotonic()
        return run


def _prompt(body: JSON) -> str:
    prompt = body.get("prompt")
    text = prompt.get("text") if isinstance(prompt, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise agent_error(400, "bad_request", "prompt.text is required.")
    return text
