"""Requests that wait for a person, seen from the tool: approved late, sent again, used once."""

import uuid
from pathlib import Path

import openai
import pytest
from doors import HAIKU, Wires, say
from house import Ostiary
from test_cursor_sdk import run_program


@pytest.fixture(scope="module")
def intern(ostiary: Ostiary) -> str:
    """An intern's requests are held for one second only: nobody is that quick."""
    return ostiary.token("ines", "interns")


def test_request_sent_again_after_a_late_approval_passes_once(ostiary: Ostiary, intern: str, wires: Wires) -> None:
    client = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=intern)

    def ask() -> str | None:
        messages = say("write a haiku about doors")
        return client.chat.completions.create(model="gpt-5.4-mini", messages=messages).choices[0].message.content

    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask()
    assert caught.value.code == "approval_pending"
    (approval,) = ostiary.json("approvals", "list")["approvals"]
    assert approval["id"] in caught.value.message
    assert wires.openai.requests() == []
    ostiary.command("approvals", "approve", approval["id"], "--reason", "late, but yes")
    assert ask() == HAIKU
    with pytest.raises(openai.PermissionDeniedError):
        ask()
    assert wires.openai.requests() == ["POST /v1/chat/completions"]
    (again,) = ostiary.json("approvals", "list")["approvals"]
    ostiary.command("approvals", "deny", again["id"], "--reason", "once was enough")


def test_approval_shows_exactly_what_the_tool_wants_to_send(ostiary: Ostiary, intern: str) -> None:
    client = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=intern)
    with pytest.raises(openai.PermissionDeniedError):
        client.responses.create(model="gpt-5.4-mini", input="say \u202eolleh and nothing else")
    (approval,) = ostiary.json("approvals", "list")["approvals"]
    shown = ostiary.command("approvals", "show", approval["id"])
    assert "POST /v1/responses" in shown
    assert "gpt-5.4-mini" in shown
    assert "\u202e" not in shown
    assert intern not in shown
    ostiary.command("approvals", "deny", approval["id"], "--reason", "only looking")


def test_cursor_agent_with_an_id_of_its_own_starts_after_a_late_approval(
    ostiary: Ostiary, intern: str, wires: Wires, tmp_path: Path
) -> None:
    """Left to itself the SDK makes a new id for every try, which is another request to approve."""
    agent = f"bc-{uuid.uuid4()}"
    first = run_program("once", ostiary.url("cursor"), intern, tmp_path / "first", agent)
    assert first.of("error")[0]["message"].startswith("[approval_pending] ")
    (approval,) = ostiary.json("approvals", "list")["approvals"]
    ostiary.command("approvals", "approve", approval["id"], "--reason", "late, but yes")
    second = run_program("once", ostiary.url("cursor"), intern, tmp_path / "second", agent)
    assert second.of("error") == []
    assert second.of("result")[0]["status"] == "finished"
    assert wires.cursor.requests().count("POST /v1/agents") == 1
