"""The `cursor` entry against Cursor's documentation, copied here by hand and not from the entry."""

import pytest

from ostiary.catalog import load_catalog
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.operation import Class
from ostiary.protocols.kinds import OperationTable

CURSOR = load_catalog()["cursor"]
TABLE = OperationTable(CURSOR.operations)

# R read, W write, S settings, M model settings, $ spend, X credential, ! irreversible
LETTERS = {
    "R": Class.READ,
    "W": Class.WRITE,
    "S": Class.SETTINGS,
    "M": Class.MODEL_SETTINGS,
    "$": Class.SPEND,
    "X": Class.CREDENTIAL,
    "!": Class.IRREVERSIBLE,
}

DOCUMENTED = """
R   GET    /teams/members
R   GET    /teams/audit-logs
R   POST   /teams/daily-usage-data
R   POST   /teams/spend
R   POST   /teams/filtered-usage-events
$S  POST   /teams/user-spend-limit
W!  POST   /teams/remove-member
R   GET    /settings/repo-blocklists/repos
S   POST   /settings/repo-blocklists/repos/upsert
S   DELETE /settings/repo-blocklists/repos/repo_123
R   GET    /teams/groups
R   GET    /teams/groups/group_1
W   POST   /teams/groups
W   PATCH  /teams/groups/group_1
W   POST   /teams/groups/group_1/members
W   DELETE /teams/groups/group_1/members
W!  DELETE /teams/groups/group_1
R   GET    /teams/model-access/configuration
M   PUT    /teams/model-access/configuration
R   GET    /teams/model-access/providers
R   GET    /teams/model-access/providers/openai/models
M   PUT    /teams/model-access/providers/openai
M   PUT    /teams/model-access/providers/openai/models/gpt-5.4
R   GET    /analytics/team/agent-edits
R   GET    /analytics/team/tabs
R   GET    /analytics/team/dau
R   GET    /analytics/team/client-versions
R   GET    /analytics/team/models
R   GET    /analytics/team/top-file-extensions
R   GET    /analytics/team/mcp
R   GET    /analytics/team/commands
R   GET    /analytics/team/plans
R   GET    /analytics/team/skills
R   GET    /analytics/team/ask-mode
R   GET    /analytics/team/leaderboard
R   GET    /analytics/team/bugbot
R   GET    /analytics/team/bugbot-reviews
R   GET    /analytics/team/conversation-insights
R   GET    /analytics/by-user/agent-edits
R   GET    /analytics/by-user/tabs
R   GET    /analytics/by-user/models
R   GET    /analytics/by-user/top-file-extensions
R   GET    /analytics/by-user/client-versions
R   GET    /analytics/by-user/mcp
R   GET    /analytics/by-user/commands
R   GET    /analytics/by-user/plans
R   GET    /analytics/by-user/skills
R   GET    /analytics/by-user/ask-mode
R   GET    /analytics/ai-code/commits
R   GET    /analytics/ai-code/commits.csv
R   GET    /analytics/ai-code/changes
R   GET    /analytics/ai-code/changes.csv
S   POST   /bugbot/repo/update
W$  POST   /bugbot/review
R   GET    /grok-bot/access
R   GET    /grok-bot/network
R   GET    /grok-bot/auto-review
R   GET    /grok-bot/capabilities
S   PUT    /grok-bot/access
S   PUT    /grok-bot/network
S   PUT    /grok-bot/auto-review
S   PATCH  /grok-bot/capabilities
R   GET    /organizations/members
R   GET    /organizations/groups
R   GET    /organizations/groups/g1
R   GET    /organizations/groups/g1/members
R   GET    /organizations/audit-logs
R   POST   /organizations/pooled-usage
R   POST   /organizations/filtered-usage-events
R   POST   /organizations/daily-usage-data
R   POST   /organizations/spend
W   POST   /organizations/team-memberships/sync
W   POST   /organizations/groups/g1/members/bulk-add
W   POST   /organizations/groups/g1/members/bulk-remove
$W  POST   /v1/agents
R   GET    /v1/agents
R   GET    /v1/agents/bc-1
$W  POST   /v1/agents/bc-1/runs
R   GET    /v1/agents/bc-1/runs
R   GET    /v1/agents/bc-1/runs/run-2
R   GET    /v1/agents/bc-1/runs/run-2/stream
W!  POST   /v1/agents/bc-1/runs/run-2/cancel
R   GET    /v1/agents/bc-1/artifacts
RX  GET    /v1/agents/bc-1/artifacts/download
R   GET    /v1/agents/bc-1/usage
W   POST   /v1/agents/bc-1/archive
W   POST   /v1/agents/bc-1/unarchive
W!  DELETE /v1/agents/bc-1
X   POST   /v1/sub-tokens
R   GET    /v0/private-workers
R   GET    /v0/private-workers/w1
R   GET    /v0/private-workers/summary
R   GET    /v0/private-workers/pending-requests
R   GET    /v1/me
R   GET    /v1/models
R   GET    /v1/repositories
R   GET    /v0/agents
R   GET    /v0/agents/bc-1
R   GET    /v0/agents/bc-1/conversation
R   GET    /v0/agents/bc-1/artifacts
RX  GET    /v0/agents/bc-1/artifacts/download
R   GET    /v0/me
R   GET    /v0/models
R   GET    /v0/repositories
$W  POST   /v0/agents
$W  POST   /v0/agents/bc-1/followup
W   POST   /v0/agents/bc-1/stop
W!  DELETE /v0/agents/bc-1
X   POST   /auth/exchange_user_api_key
"""
ROWS = [tuple(line.split()) for line in DOCUMENTED.strip().splitlines()]

NARROWER = {"/v0/private-workers/summary", "/v0/private-workers/pending-requests"}
"""These also have the form of /v0/private-workers/{workerId}; their own row wins."""


@pytest.mark.parametrize(("letters", "method", "path"), ROWS)
def test_a_documented_path_is_one_row_with_the_documented_classes(letters: str, method: str, path: str) -> None:
    found = TABLE.match(method, path)
    assert found is not None
    assert found.classes == {LETTERS[letter] for letter in letters}
    rows = [row for row in CURSOR.operations if OperationTable([row]).match(method, path)]
    assert len(rows) == (2 if path in NARROWER else 1)
    assert found.path == path or path not in NARROWER


def test_the_entry_has_no_row_beyond_the_documented_ones() -> None:
    matched = {TABLE.match(method, path) for _, method, path in ROWS}
    assert matched == set(CURSOR.operations)
    assert len(ROWS) == len(CURSOR.operations)


@pytest.mark.parametrize(("letters", "method", "path"), ROWS)
def test_near_misses_match_no_row(letters: str, method: str, path: str) -> None:
    others = {"GET", "POST", "PUT", "PATCH", "DELETE"} - {verb for _, verb, route in ROWS if route == path}
    others -= {verb for _, verb, route in ROWS if path in NARROWER and route == "/v0/private-workers/w1"}
    nearby = [(other, path) for other in others if not is_an_id(other, path)]
    head, _, tail = path.rpartition("/")
    nearby += [
        (method, f"{path}/"),
        (method, f"{path}//"),
        (method, f"/{path}"),
        (method, path.upper()),
        (method, f"{path}/extra/segment"),
        (method, path[1:]),
        (method, f"/api{path}"),
        (method, f"{head}//{tail}"),
        (method.lower(), path),
        ("TRACE", path),
        ("OPTIONS", path),
    ]
    for verb, route in nearby:
        assert TABLE.match(verb, route) is None, (verb, route)


def is_an_id(method: str, path: str) -> bool:
    """Whether another row of this method takes the last segment as an id (`DELETE …/repos/upsert` deletes a
    repository that is called upsert)."""
    head, _, _ = path.rpartition("/")
    return any(verb == method and route.rpartition("/")[0] == head and has_id(route) for _, verb, route in ROWS)


def has_id(path: str) -> bool:
    return path.rpartition("/")[2] in {
        "repo_123",
        "group_1",
        "openai",
        "g1",
        "bc-1",
        "run-2",
        "w1",
        "gpt-5.4",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v1/"),
        ("GET", "/v1/agents/"),
        ("GET", "/v1/agents//runs"),
        ("POST", "/v1/agents/bc-1"),
        ("POST", "/v1/agents/bc-1/run"),
        ("POST", "/v1/agents/bc-1/runs/"),
        ("GET", "/v1/agents/bc-1/runs/run-2/streams"),
        ("POST", "/v1/agents/bc-1/runs/run-2"),
        ("GET", "/v1/agents/bc-1/artifacts/upload"),
        ("GET", "/v1/sub-tokens"),
        ("GET", "/v2/agents"),
        ("POST", "/v1/agents/bc-1/followup"),
        ("DELETE", "/v1/agents/bc-1/runs/run-2"),
        ("GET", "/teams/model-access"),
        ("PUT", "/teams/model-access/providers"),
        ("PUT", "/teams/model-access/providers/openai/models"),
        ("GET", "/teams/model-access/providers/openai/models/gpt-5.4"),
        ("DELETE", "/settings/repo-blocklists/repos"),
        ("GET", "/analytics/team"),
        ("GET", "/analytics/team/tab"),
        ("GET", "/analytics/by-user/dau"),
        ("GET", "/analytics/ai-code/commits.CSV"),
        ("GET", "/analytics/ai-code/commits.json"),
        ("GET", "/auth/exchange_user_api_key"),
    ],
)
def test_further_near_misses_match_no_row(method: str, path: str) -> None:
    assert TABLE.match(method, path) is None


@pytest.mark.parametrize("row", CURSOR.operations, ids=lambda row: row.name)
def test_v1_v0_and_auth_take_a_bearer_and_the_rest_basic(row) -> None:  # type: ignore[no-untyped-def]
    bearer = row.path.startswith(("/v1/", "/v0/", "/auth/"))
    expected = AuthForm(AuthScheme.BEARER if bearer else AuthScheme.BASIC_USERNAME)
    assert (row.auth or CURSOR.auth) == (expected,)


def test_secret_request_fields_and_bearer_urls_are_known() -> None:
    secrets = {row.name: set(row.secret_fields) for row in CURSOR.operations if row.secret_fields}
    servers = {"mcpServers.*.headers.*", "mcpServers.*.env.*", "mcpServers.*.auth.*"}
    assert secrets == {
        "agents.create": servers | {"envVars.*", "runEnvVars.*"},
        "agents.runs.create": servers | {"envVars.*", "runEnvVars.*"},
        "v0.agents.create": {"webhook.secret"},
    }
    credentials = {row.name: row.credential_fields for row in CURSOR.operations if row.credential_fields}
    assert credentials == {
        "agents.artifacts.download": ("url",),
        "v0.agents.artifacts.download": ("url",),
        "sub-tokens.create": ("accessToken",),
        "auth.exchange-user-api-key": ("accessToken", "refreshToken"),
    }


def test_stream_forms_and_the_session_exchange() -> None:
    assert {row.name: row.stream for row in CURSOR.operations if row.stream} == {
        "agents.runs.stream": "sse",
        "analytics.ai-code.commits.csv": "csv",
        "analytics.ai-code.changes.csv": "csv",
    }
    assert {row.name: row.answer_status for row in CURSOR.operations if row.answer_status} == {
        "auth.exchange-user-api-key": 404
    }
    assert CURSOR.upstream == "https://api.cursor.com"
    assert CURSOR.error_shape == "cursor"
    assert not CURSOR.websocket
