"""What an operator can look up after a tool has worked: sessions, replays, refusals, and proof of them."""

from pathlib import Path

import anthropic
import openai
import pytest
from doors import HAIKU, say
from house import Ostiary
from test_tools import run


def test_each_run_of_claude_code_is_a_session_of_its_own(ostiary: Ostiary, tmp_path: Path) -> None:
    token = ostiary.new_token(
        "--actor", "clara", "--groups", "developers", "--agent", "claude-code", "--connection", "anthropic"
    )["token"]
    setup = ostiary.setup("claude-code", "anthropic")
    for number in ("one", "two"):
        assert run("claude-code", setup, token, tmp_path / number).exit_code == 0
    sessions = ostiary.json("sessions", "list", "--actor", "clara")["sessions"]
    assert [session["agent"] for session in sessions] == ["claude-code"] * 2
    assert len({session["tool_session"] for session in sessions} - {None}) == 2


def test_replay_shows_what_was_said_and_no_key(ostiary: Ostiary) -> None:
    token = ostiary.token("rita", "developers")
    client = anthropic.Anthropic(base_url=ostiary.url("anthropic"), api_key=token)
    client.messages.create(model="claude-sonnet-5", max_tokens=99, messages=say("write a haiku about doors"))
    (session,) = ostiary.json("sessions", "list", "--actor", "rita")["sessions"]
    shown = ostiary.command("sessions", "replay", session["id"])
    assert "write a haiku about doors" in shown
    assert HAIKU in shown
    assert token not in shown
    assert "ost_u" not in shown
    assert "recording.view" in [entry["type"] for entry in ostiary.entries()[-3:]]


def test_denial_is_on_record_with_its_rule(ostiary: Ostiary) -> None:
    token = ostiary.token("cora", "contractors")
    client = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=token)
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(model="gpt-5.4-mini", messages=say("write a haiku about doors"))
    exchange = caught.value.response.headers["x-ostiary-exchange"]
    entry = ostiary.entry(exchange, "exchange.refused")
    assert entry["actor"]["name"] == "cora"
    assert entry["decision"]["rule"] == "contractors have a notebook"
    assert (entry["status"], entry["code"]) == (403, "denied")
    (session,) = ostiary.json("sessions", "list", "--actor", "cora")["sessions"]
    assert exchange in ostiary.command("sessions", "show", session["id"])


def test_log_of_all_that_is_whole(ostiary: Ostiary) -> None:
    assert ostiary.command("audit", "verify").startswith("Whole.")
    assert "Everything is in order." in ostiary.command("doctor")
