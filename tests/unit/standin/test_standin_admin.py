"""Admin, analytics and organization routes, keys, errors and limits of the stand-in."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from standin_client import KEY, Client

from ostiary.catalog import load_catalog

Start = Callable[..., Client]


def test_members_have_the_documented_shape(client: Client) -> None:
    members = client.basic("GET", "/teams/members").json["teamMembers"]
    assert members[0] == {
        "id": "user_PDSP000041",
        "name": "Alex Rivera",
        "email": "alex@example.com",
        "role": "owner",
        "isRemoved": False,
    }


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/teams/members", {"error", "message"}),
        ("/analytics/team/dau", {"error", "message"}),
        ("/organizations/members", {"code", "message"}),
        ("/teams/model-access/configuration", {"code", "message"}),
        ("/v1/me", {"error"}),
        ("/v0/me", {"error"}),
    ],
)
def test_a_wrong_key_is_401_in_the_paths_own_shape(client: Client, path: str, shape: set[str]) -> None:
    wrong = Client(client.port, "crsr_wrong")
    for answer in (wrong.basic("GET", path), wrong.bearer("GET", path), client.send("GET", path)):
        assert answer.status == 401
        assert answer.json.keys() == shape
        assert b"crsr_" not in answer.body


@pytest.mark.parametrize(
    ("path", "status"), [("/teams/members", 401), ("/analytics/team/dau", 401), ("/v1/me", 200), ("/v0/me", 200)]
)
def test_a_bearer_opens_agent_routes_only(client: Client, path: str, status: int) -> None:
    assert client.bearer("GET", path).status == status
    assert client.basic("GET", path).status == 200


@pytest.mark.parametrize(
    "value", ["Basic", "Basic !!!", "Basic Y3Jzcl8=", "Bearer", "Bearer ", "Digest x", "Basic Y3Jzcl86cGFzc3dvcmQ="]
)
def test_odd_authorization_is_401(client: Client, value: str) -> None:
    assert client.send("GET", "/v1/me", headers={"Authorization": value}).status == 401


def test_removing_a_member(client: Client) -> None:
    both = client.basic("POST", "/teams/remove-member", {})
    assert (both.status, both.json) == (400, {"error": "Either userId or email must be provided"})
    done = client.basic("POST", "/teams/remove-member", {"email": "jonas@example.com"}).json
    assert done == {"success": True, "userId": "user_PDSP000044", "hasBillingCycleUsage": True}
    again = client.basic("POST", "/teams/remove-member", {"email": "jonas@example.com"})
    assert again.json["error"].startswith("User is not a member")
    removed = [member for member in client.basic("GET", "/teams/members").json["teamMembers"] if member["isRemoved"]]
    assert [member["id"] for member in removed] == ["user_PDSP000044"]
    logs = client.basic("GET", "/teams/audit-logs?eventTypes=remove_user").json
    assert logs["events"][0]["event_data"] == {"removedUser": "user_PDSP000044"}
    assert logs["pagination"]["totalCount"] == 1


def test_spend_limits(client: Client) -> None:
    body = {"userEmail": "sam@example.com", "spendLimitDollars": 100}
    assert client.basic("POST", "/teams/user-spend-limit", body).json == {
        "outcome": "success",
        "message": "Spend limit set to $100 for user sam@example.com",
    }
    wrong = client.basic("POST", "/teams/user-spend-limit", {"userEmail": "sam"})
    assert wrong.json == {"outcome": "error", "message": "Invalid email format"}
    spend = client.basic("POST", "/teams/spend", {"searchTerm": "sam"}).json
    assert spend["totalMembers"] == 1
    assert spend["teamMemberSpend"][0]["monthlyLimitDollars"] == 100


def test_usage_reports_come_in_pages(client: Client) -> None:
    first = client.basic("POST", "/teams/filtered-usage-events", {"pageSize": 10}).json
    assert len(first["usageEvents"]) == 10
    assert first["pagination"]["hasNextPage"]
    last = {"pageSize": 10, "page": first["pagination"]["numPages"]}
    assert not client.basic("POST", "/teams/filtered-usage-events", last).json["pagination"]["hasNextPage"]
    active = client.basic("POST", "/teams/daily-usage-data", {}).json["data"]
    everybody = client.basic("POST", "/teams/daily-usage-data", {"page": 1, "pageSize": 1000}).json
    assert all(row["isActive"] for row in active)
    assert len(everybody["data"]) > len(active)
    assert everybody["pagination"]["totalUsers"] == 5
    long = {"startDate": 0, "endDate": 31 * 86_400_000}
    assert client.basic("POST", "/teams/daily-usage-data", long).status == 400


def test_blocklists(client: Client) -> None:
    repos = "/settings/repo-blocklists/repos"
    url = "https://github.com/acme/shop"
    client.basic("POST", f"{repos}/upsert", {"repos": [{"url": url, "patterns": ["*.pem"]}]})
    assert client.basic("GET", repos).json["repos"] == [{"id": "repo_123", "url": url, "patterns": ["*.pem"]}]
    gone = client.basic("DELETE", f"{repos}/repo_123")
    assert (gone.status, gone.body) == (204, b"")
    assert client.basic("DELETE", f"{repos}/repo_123").status == 404


def test_group_members_are_removed_by_a_delete_with_a_body(client: Client) -> None:
    client.basic("POST", "/teams/groups/group_backend/members", {"userIds": ["user_1", "user_2"]})
    left = client.basic("DELETE", "/teams/groups/group_backend/members", {"userIds": ["user_1"]}).json["group"]
    assert left["memberCount"] == 1
    assert left["formerMembers"][0]["userId"] == "user_1"
    assert client.basic("GET", "/teams/groups").json["groups"][0]["memberCount"] == 1


def test_model_access_answers_409_while_unrestricted(client: Client) -> None:
    base = "/teams/model-access"
    refused = client.basic("GET", f"{base}/providers")
    assert refused.status == 409
    assert refused.json["code"] == "error"
    defaults = {"newProviderDefault": "disabled", "newModelDefault": "enabled"}
    assert client.basic("PUT", f"{base}/configuration", defaults).json["state"] == "custom"
    reasoning = {"reasoning": {"allowedValues": ["low", "high"], "defaultValue": "high"}}
    body = {"enabled": True, "parameters": reasoning}
    model = client.basic("PUT", f"{base}/providers/openai/models/gpt-5.4", body).json
    assert model["provider"] == "openai"
    assert model["parameters"][0]["allowedValues"] == ["low", "high"]
    assert model["parameters"][0]["configuredDefaultValue"] == "high"
    assert client.basic("PUT", f"{base}/providers/openai", {"enabled": False}).json["enabled"] is False
    wrong = {"parameters": {"reasoning": {"allowedValues": ["enormous"]}}}
    assert client.basic("PUT", f"{base}/providers/openai/models/gpt-5.4", wrong).status == 400
    assert client.basic("PUT", f"{base}/configuration", {"state": "unrestricted"}).json["state"] == "unrestricted"
    assert client.basic("GET", f"{base}/providers").status == 409


def test_analytics_are_not_sent_twice(client: Client) -> None:
    first = client.basic("GET", "/analytics/team/models?startDate=7d")
    assert first.headers["cache-control"] == "public, max-age=900"
    again = client.basic("GET", "/analytics/team/models?startDate=7d", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    other = client.basic("GET", "/analytics/team/mcp", If_None_Match=first.headers["etag"])
    assert other.status == 200


def test_code_reports_stream_as_csv(client: Client) -> None:
    table = client.basic("GET", "/analytics/ai-code/commits.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.body.decode().splitlines()) == 43
    page = client.basic("GET", "/analytics/ai-code/commits?pageSize=10&page=5").json
    assert (page["totalCount"], len(page["items"])) == (42, 2)


def test_memberships_are_moved_with_an_error_per_row(client: Client) -> None:
    users = [{"userId": 42, "destinationTeamId": 7}, {"userId": 1, "destinationTeamId": 7}]
    body = {"organizationId": "org_1", "users": users}
    moved = client.basic("POST", "/organizations/team-memberships/sync", body).json
    assert (moved["successCount"], moved["errorCount"]) == (1, 1)
    assert moved["results"][1]["errorMessage"]


def test_rate_limits_are_documented_ones_and_off_by_default(standin: Start) -> None:
    client = standin(rate_limits=True)
    statuses = [client.basic("GET", "/teams/members").status for _ in range(41)]
    assert statuses[:20] == [200] * 20
    assert 429 in statuses[20:]
    refused = next(answer for _ in range(41) if (answer := client.bearer("GET", "/v1/repositories")).status == 429)
    assert refused.json["error"]["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    free = standin()
    assert {free.bearer("GET", "/v1/repositories").status for _ in range(5)} == {200}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/teams/members/"), ("GET", "/v1/agents/"), ("PUT", "/teams/members"), ("GET", "/v1/x")],
)
def test_a_route_that_does_not_exist_is_404(client: Client, method: str, path: str) -> None:
    answer = client.basic(method, path)
    assert answer.status == 404
    assert answer.json["message"] == f"Route {method}:{path} not found"


BODIES = {
    "/teams/remove-member": {"email": "priya@example.com"},
    "/teams/user-spend-limit": {"userEmail": "mina@example.com", "spendLimitDollars": None},
    "/bugbot/repo/update": {"repoUrl": "https://github.com/acme/shop", "enabled": True},
    "/bugbot/review": {"prUrl": "https://github.com/acme/shop/pull/1", "dryRun": True},
    "/teams/model-access/configuration": {"newModelDefault": "enabled"},
    "/teams/model-access/providers/openai": {"enabled": True},
    "/v1/sub-tokens": {"forUserId": 42},
    "/v0/agents": {"prompt": {"text": "x"}, "source": {"repository": "https://github.com/acme/shop"}},
}


def test_every_route_of_the_catalog_is_played(standin: Start) -> None:
    client = standin(pace_s=0.001)
    client.basic("PUT", "/teams/model-access/configuration", {"newModelDefault": "enabled"})
    rows = [row for row in load_catalog()["cursor"].operations if row.answer_status is None]
    for row in sorted(rows, key=lambda row: (row.method == "DELETE", -len(row.path))):
        made = client.bearer("POST", "/v1/agents", {"prompt": {"text": "x"}}).json
        path = row.path
        for name, value in {
            "{agentId}": made["agent"]["id"],
            "{runId}": made["run"]["id"],
            "{groupId}": "group_backend",
            "{repoId}": "repo_123",
            "{provider}": "openai",
            "{model}": "gpt-5.4",
            "{workerId}": "worker-1",
        }.items():
            path = path.replace(name, value)
        body = BODIES.get(path, {"organizationId": "org_1", "prompt": {"text": "x"}})
        answer = client.basic(row.method, path, None if row.method == "GET" else body)
        busy = row.name in ("agents.runs.create", "v0.agents.followup") and answer.status == 409
        artifact = row.name.endswith("artifacts.download") and answer.status == 404
        ended = row.name in ("agents.runs.cancel", "v0.agents.stop") and answer.status == 409
        assert answer.status in (200, 204) or busy or artifact or ended, (row.name, answer.status, answer.body)
        assert b"Route " not in answer.body


def test_the_command_prints_its_port_and_serves() -> None:
    command = [sys.executable, "-m", "ostiary.standin.cursor", "--port", "0", "--key", KEY, "--echo-authorization"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            client = Client(json.loads(process.stdout.readline())["port"])
            assert client.bearer("GET", "/v1/models").json["items"][0]["id"] == "composer-2"
            missing = client.bearer("GET", "/v1/agents/bc-x").json["error"]["message"]
            assert missing.endswith(f"Authorization: Bearer {KEY}")
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=10)
    assert KEY not in errors
