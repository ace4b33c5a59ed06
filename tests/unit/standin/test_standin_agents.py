"""Cloud Agents as the stand-in plays them."""

import re
import time
from collections.abc import Callable

import pytest
from standin_client import KEY, Client

PROMPT = {"prompt": {"text": "Make checkout faster"}}
FULL = {
    **PROMPT,
    "model": {"id": "composer-2", "params": [{"id": "fast", "value": "true"}]},
    "repos": [{"url": "https://github.com/acme/shop", "startingRef": "main"}],
    "envVars": {"TOKEN": "x"},
    "autoCreatePR": True,
}

Start = Callable[..., Client]


def create(client: Client, body: object = None, **headers: str) -> tuple[str, str]:
    made = client.bearer("POST", "/v1/agents", body or FULL, **headers)
    assert made.status == 200
    return made.json["agent"]["id"], made.json["run"]["id"]


def events(raw: bytes) -> list[dict[str, str]]:
    frames = raw.decode().split("\n\n")
    assert frames[-1] == ""
    return [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in frames[:-1]]


def test_creating_starts_a_run_at_once(client: Client) -> None:
    made = client.bearer("POST", "/v1/agents", FULL).json
    assert re.fullmatch(r"bc-[0-9a-f-]{36}", made["agent"]["id"])
    assert re.fullmatch(r"run-[0-9a-f-]{36}", made["run"]["id"])
    assert made["agent"]["status"] == "ACTIVE"
    assert made["agent"]["latestRunId"] == made["run"]["id"]
    assert made["agent"]["env"] == {"type": "cloud"}
    assert made["run"]["status"] in ("CREATING", "RUNNING")
    assert "envVars" not in made["agent"]


def test_a_run_streams_and_ends_with_its_result(client: Client) -> None:
    agent, run = create(client)
    answer = client.bearer("GET", f"/v1/agents/{agent}/runs/{run}/stream", Accept="text/event-stream")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-cursor-stream-retention-seconds"] == "3600"
    told = events(answer.body)
    assert {"thinking", "assistant", "tool_call", "interaction_update"} <= {entry["event"] for entry in told}
    assert [entry["event"] for entry in told[-2:]] == ["result", "done"]
    assert all(("id" in entry) == (entry["event"] in ("thinking", "assistant", "tool_call")) for entry in told)
    ended = client.bearer("GET", f"/v1/agents/{agent}/runs/{run}").json
    assert ended["status"] == "FINISHED"
    assert ended["result"] == "Done: Make checkout faster"
    assert ended["git"]["branches"][0]["repoUrl"] == "github.com/acme/shop"
    assert ended["git"]["branches"][0]["prUrl"].endswith("/pull/7")
    assert client.bearer("GET", f"/v1/agents/{agent}").json["status"] == "IDLE"


def test_events_come_as_they_happen(standin: Start) -> None:
    client = standin(pace_s=0.05)
    agent, run = create(client)
    began = time.monotonic()
    client.bearer("GET", f"/v1/agents/{agent}/runs/{run}/stream")
    assert time.monotonic() - began > 0.3


def test_a_stream_resumes_after_the_last_event_seen(client: Client) -> None:
    agent, run = create(client)
    target = f"/v1/agents/{agent}/runs/{run}/stream"
    told = events(client.bearer("GET", target).body)
    ids = [entry["id"] for entry in told if "id" in entry]
    rest = events(client.bearer("GET", target, Last_Event_ID=ids[3]).body)
    assert [entry["id"] for entry in rest if "id" in entry] == ids[4:]
    wrong = client.bearer("GET", target, Last_Event_ID="1-1")
    assert wrong.status == 400
    assert wrong.json["error"]["code"] == "invalid_last_event_id"


def test_an_old_stream_is_gone(standin: Start) -> None:
    client = standin(pace_s=0.001, retention_s=0.01)
    agent, run = create(client)
    time.sleep(0.2)
    gone = client.bearer("GET", f"/v1/agents/{agent}/runs/{run}/stream")
    assert gone.status == 410
    assert gone.json["error"]["code"] == "stream_expired"


def test_a_busy_agent_takes_no_follow_up(standin: Start) -> None:
    client = standin(pace_s=5)
    agent, run = create(client)
    busy = client.bearer("POST", f"/v1/agents/{agent}/runs", PROMPT)
    assert busy.status == 409
    assert busy.json["error"]["code"] == "agent_busy"
    assert client.bearer("POST", f"/v1/agents/{agent}/runs/{run}/cancel").json == {"id": run}
    assert client.bearer("GET", f"/v1/agents/{agent}/runs/{run}").json["status"] == "CANCELLED"
    again = client.bearer("POST", f"/v1/agents/{agent}/runs/{run}/cancel")
    assert again.status == 409
    assert again.json["error"]["code"] == "run_not_cancellable"
    follow_up = client.bearer("POST", f"/v1/agents/{agent}/runs", PROMPT)
    assert follow_up.status == 200
    runs = client.bearer("GET", f"/v1/agents/{agent}/runs").json["items"]
    assert [entry["id"] for entry in runs] == [follow_up.json["run"]["id"], run]


def test_a_cancelled_run_ends_its_stream(standin: Start) -> None:
    client = standin(pace_s=5)
    agent, run = create(client)
    client.bearer("POST", f"/v1/agents/{agent}/runs/{run}/cancel")
    told = events(client.bearer("GET", f"/v1/agents/{agent}/runs/{run}/stream").body)
    assert [entry["event"] for entry in told][-2:] == ["result", "done"]
    assert '"CANCELLED"' in told[-2]["data"]


def test_an_idempotency_key_creates_once(client: Client) -> None:
    first = create(client, Idempotency_Key="k1")
    assert create(client, Idempotency_Key="k1") == first
    assert create(client, Idempotency_Key="k2") != first
    assert len(client.bearer("GET", "/v1/agents").json["items"]) == 2


def test_an_agent_id_is_taken_once(client: Client) -> None:
    body = {**PROMPT, "agentId": "bc-11111111-1111-4111-8111-111111111111"}
    create(client, body)
    conflict = client.bearer("POST", "/v1/agents", body)
    assert conflict.status == 409
    assert conflict.json["error"]["code"] == "agent_id_conflict"


def test_agents_are_listed_in_pages(client: Client) -> None:
    made = [create(client)[0] for _ in range(5)]
    first = client.bearer("GET", "/v1/agents?limit=2").json
    second = client.bearer("GET", f"/v1/agents?limit=2&cursor={first['nextCursor']}").json
    third = client.bearer("GET", f"/v1/agents?limit=2&cursor={second['nextCursor']}").json
    listed = [agent["id"] for page in (first, second, third) for agent in page["items"]]
    assert listed == made[::-1]
    assert "nextCursor" not in third
    assert client.bearer("GET", "/v1/agents?limit=101").status == 400
    assert client.bearer("GET", "/v1/agents?cursor=nope").status == 400


def test_archive_unarchive_and_delete(client: Client) -> None:
    agent, _ = create(client)
    assert client.bearer("POST", f"/v1/agents/{agent}/archive").json == {"id": agent}
    assert client.bearer("POST", f"/v1/agents/{agent}/archive").json == {"id": agent}
    assert client.bearer("GET", "/v1/agents").json["items"] == []
    assert len(client.bearer("GET", "/v1/agents?includeArchived=true").json["items"]) == 1
    assert client.bearer("POST", f"/v1/agents/{agent}/runs", PROMPT).status == 409
    assert client.bearer("POST", f"/v1/agents/{agent}/unarchive").json == {"id": agent}
    assert client.bearer("DELETE", f"/v1/agents/{agent}").json == {"id": agent}
    assert client.bearer("GET", f"/v1/agents/{agent}").status == 404


def test_an_artifact_is_handed_out_as_a_presigned_url(standin: Start) -> None:
    client = standin(pace_s=0.001)
    agent, run = create(client)
    client.bearer("GET", f"/v1/agents/{agent}/runs/{run}/stream")
    (item,) = client.bearer("GET", f"/v1/agents/{agent}/artifacts").json["items"]
    handed = client.bearer("GET", f"/v1/agents/{agent}/artifacts/download?path={item['path']}").json
    assert handed["url"].startswith("https://cloud-agent-artifacts.s3.us-east-1.amazonaws.com/")
    assert "X-Amz-Signature=" in handed["url"]
    assert client.bearer("GET", f"/v1/agents/{agent}/artifacts/download?path=other").status == 404
    usage = client.bearer("GET", f"/v1/agents/{agent}/usage?runId={run}").json
    assert usage["totalUsage"]["totalTokens"] > 0
    assert usage["runs"][0]["id"] == run


def test_a_sub_token_acts_as_the_other_member_on_v1_only(client: Client) -> None:
    minted = client.bearer("POST", "/v1/sub-tokens", {"forUserEmail": "mina@example.com"}).json
    assert minted["accessToken"].startswith("eyJ")
    assert minted["userId"] == 43
    other = Client(client.port, minted["accessToken"])
    assert other.bearer("GET", "/v1/me").json["userEmail"] == "mina@example.com"
    assert other.basic("GET", "/teams/members").status == 401
    assert client.bearer("POST", "/v1/sub-tokens", {}).status == 400
    assert client.bearer("POST", "/v1/sub-tokens", {"forUserEmail": "no@example.com"}).status == 404


@pytest.mark.parametrize(
    "body", [{}, {"prompt": {}}, {"prompt": {"text": " "}}, {**PROMPT, "repos": [{"url": "u"}] * 21}, b"[1]", b"{"]
)
def test_a_wrong_body_is_400_in_the_agents_shape(client: Client, body: object) -> None:
    answer = client.bearer("POST", "/v1/agents", body)
    assert answer.status == 400
    assert answer.json["error"]["code"] == "bad_request"


@pytest.mark.parametrize("form", ["basic", "bearer"])
@pytest.mark.parametrize(
    ("agent", "status", "code"),
    [
        ("bc-22222222-2222-4222-8222-222222222222", 404, "agent_not_found"),
        ("bc-00000000-0000-4000-8000-000000000403", 403, "forbidden"),
    ],
)
def test_authorization_is_repeated_only_when_asked(
    standin: Start, form: str, agent: str, status: int, code: str
) -> None:
    quiet = getattr(standin(), form)("GET", f"/v1/agents/{agent}")
    assert (quiet.status, quiet.json["error"]["code"]) == (status, code)
    assert b"Basic" not in quiet.body
    assert KEY.encode() not in quiet.body
    loud = getattr(standin(echo_authorization=True), form)("GET", f"/v1/agents/{agent}")
    assert (loud.status, loud.json["error"]["code"]) == (status, code)
    expected = f"Authorization: Bearer {KEY}" if form == "bearer" else "Authorization: Basic Y3Jzcl8w"
    assert expected in loud.json["error"]["message"]


def test_the_older_v0_speaks_of_the_same_agents(client: Client) -> None:
    body = {
        **PROMPT,
        "model": "composer-2",
        "source": {"repository": "https://github.com/acme/shop", "ref": "main"},
        "target": {"autoCreatePr": True},
        "webhook": {"url": "https://example.com/hook", "secret": "s" * 32},
    }
    made = client.basic("POST", "/v0/agents", body).json
    run = client.bearer("GET", f"/v1/agents/{made['id']}").json["latestRunId"]
    client.bearer("GET", f"/v1/agents/{made['id']}/runs/{run}/stream")
    ended = client.basic("GET", f"/v0/agents/{made['id']}").json
    assert ended["status"] == "FINISHED"
    assert ended["target"]["prUrl"].endswith("/pull/7")
    messages = client.basic("GET", f"/v0/agents/{made['id']}/conversation").json["messages"]
    assert [message["type"] for message in messages] == ["user_message", "assistant_message"]
    assert client.basic("POST", f"/v0/agents/{made['id']}/followup", PROMPT).json == {"id": made["id"]}
    assert client.basic("POST", f"/v0/agents/{made['id']}/stop").status in (200, 409)
    assert client.basic("DELETE", f"/v0/agents/{made['id']}").json == {"id": made["id"]}
    short = {**body, "webhook": {"url": "https://example.com/hook", "secret": "short"}}
    assert client.basic("POST", "/v0/agents", short).status == 400
