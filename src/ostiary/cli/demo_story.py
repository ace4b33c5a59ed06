"""The story the demo tells, chapter by chapter."""

import json
import shutil
import threading
import time
from pathlib import Path

from ostiary.cli.demo_stage import (
    Answer,
    DemoDeviation,
    Stage,
    expect,
    say,
    say_answer,
    say_chapter,
    say_command,
    say_output,
)
from ostiary.cli.terminal import paint

_APPROVAL_APPEARS_S = 10.0
_HOLD_S = 60
_SIGNED_WITHIN_S = 10.0

_CONFIGURATION = """\
version: 1
secrets:
  - {{name: cursor-team-key, from: {{stored: true}}}}
connections:
  - name: cursor
    kind: cursor
    upstream: http://127.0.0.1:{port}
    allow_private: true
    secret: cursor-team-key
rules:
  - {{name: reads, who: {{groups: [engineering]}}, on: [cursor], operations: ["class:read"], effect: allow}}
  - name: changes wait
    who: {{groups: [engineering]}}
    on: [cursor]
    operations: ["class:write", "class:spend", "class:settings"]
    effect: ask
    approval: {{hold: {hold}s, expires: 10m}}
  - name: no minted credentials
    on: [cursor]
    operations: ["class:credential"]
    effect: deny
    message: Ask security for a service account.
"""


def play(keep: bool) -> None:
    """All chapters. Raises `DemoDeviation` with a sentence when one comes out differently."""
    began = time.monotonic()
    print(paint("Ostiary: the tool holds a token, only Ostiary holds the key.", "bold"))
    with Stage(keep) as stage:
        _open_the_house(stage)
        _configure(stage)
        _read(stage)
        masked = _mask(stage)
        _deny(stage)
        agent, run = _hold(stage)
        _stream(stage, agent, run)
        _look_back(stage, masked)
        _prove(stage)
    took = time.monotonic() - began
    print(paint(f"\nThe whole story in {took:.0f} seconds.", "green", "bold") + " Your turn: make run")


def _open_the_house(stage: Stage) -> None:
    say_chapter(1, "A house with a doorkeeper")
    say("A local stand-in for Cursor's API starts. Only it and Ostiary will ever know its key.")
    stage.upstream_port = stage.start_upstream()
    stage.start_server()
    say("The gateway is ready.")


def _configure(stage: Stage) -> None:
    say_chapter(2, "The key goes in, and never comes out")
    stage.ostiary(
        "secret",
        "set",
        "cursor-team-key",
        stdin=stage.key + "\n",
        shown="ostiary secret set cursor-team-key <KEY-FILE",
    )
    file = stage.home / "ostiary.yaml"
    file.write_text(_CONFIGURATION.format(port=stage.upstream_port, hold=_HOLD_S))
    say("Reads are allowed, changes wait for a person, minting credentials is denied:")
    stage.ostiary("apply", "-f", file.name)
    arguments = [
        "token",
        "create",
        "--actor",
        "alice",
        "--groups",
        "engineering",
        "--agent",
        "cursor-sdk",
        "--ttl",
        "1h",
    ]
    stage.token = stage.ostiary(*arguments, quiet=True).strip()
    expect(stage.token.startswith("ost_"), "The command printed no token.")
    say_command("ostiary " + " ".join(arguments))
    say_output(f"{stage.token[:12]}…   (shown once, lives one hour; this is all the tool gets)")


def _read(stage: Stage) -> None:
    say_chapter(3, "A read passes")
    answer = stage.call("GET", "/cursor/v1/me")
    say_answer("GET /cursor/v1/me", answer)
    expect(answer.status == 200, f"The read answered {answer.status} instead of 200.")
    _expect_no_key(stage, answer)
    say(f"Ostiary put the real key in on the way. Exchange {answer.headers.get('x-ostiary-exchange', '?')}.")


def _mask(stage: Stage) -> str:
    say_chapter(4, "An upstream that repeats the key does not give it away")
    answer = stage.call("GET", "/cursor/v1/agents/bc-00000000-0000-0000-0000-000000000000")
    say_answer("GET /cursor/v1/agents/bc-0000…", answer)
    _expect_no_key(stage, answer)
    expect("[masked:injected-secret]" in answer.text, "The answer holds no mark where the key stood.")
    say("The error text of the stand-in quoted our key; the tool sees a mark in its place.")
    return answer.headers.get("x-ostiary-exchange", "")


def _deny(stage: Stage) -> None:
    say_chapter(5, "What a rule forbids is refused, and the tool shows the rule's own words")
    answer = stage.call("POST", "/cursor/v1/sub-tokens", {"forUserEmail": "bob@example.com"})
    say_answer("POST /cursor/v1/sub-tokens", answer)
    expect(answer.status == 403, f"Minting a credential answered {answer.status} instead of 403.")
    expect("Ask security for a service account." in answer.text, "The rule's message did not reach the tool.")


def _hold(stage: Stage) -> tuple[str, str]:
    say_chapter(6, "A change waits for a person, who sees exactly what would be sent")
    wanted = {
        "prompt": {"text": "Add a README to the service"},
        "repos": [{"url": "https://github.com/acme/service"}],
    }
    answers: list[Answer | Exception] = []

    def ask() -> None:
        try:
            answers.append(stage.call("POST", "/cursor/v1/agents", wanted, timeout_s=_HOLD_S + 10))
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            answers.append(error)

    tool = threading.Thread(target=ask, daemon=True)
    tool.start()
    say("The tool posts /cursor/v1/agents and waits…")
    approval = _waiting_approval(stage)
    stage.ostiary("approvals", "list")
    stage.ostiary("approvals", "show", approval)
    expect(not answers, "The change was answered before anybody approved it.")
    stage.ostiary("approvals", "approve", approval, "--reason", "looks right")
    tool.join(30.0)
    expect(bool(answers), "The waiting request got no answer after the approval.")
    answer = answers[0]
    if isinstance(answer, Exception):
        raise answer
    say_answer("POST /cursor/v1/agents, which had waited", answer)
    expect(answer.status in (200, 201), f"The approved change answered {answer.status} instead of 200 or 201.")
    _expect_no_key(stage, answer)
    created = json.loads(answer.body)
    return str(created["agent"]["id"]), str(created["run"]["id"])


def _waiting_approval(stage: Stage) -> str:
    deadline = time.monotonic() + _APPROVAL_APPEARS_S
    while time.monotonic() < deadline:
        listing = stage.ostiary_json("approvals", "list")
        if listing["approvals"]:
            return str(listing["approvals"][0]["id"])
        time.sleep(0.1)
    raise DemoDeviation("No approval was asked for the change.", "This should not happen: please report it.")


def _stream(stage: Stage, agent: str, run: str) -> None:
    say_chapter(7, "Streams pass event by event")
    path = f"/cursor/v1/agents/{agent}/runs/{run}/stream"
    events: list[str] = []
    began = time.monotonic()
    for line in stage.stream_lines(path):
        expect(stage.key not in line, "The key stood in the stream.")
        if line.startswith("event:"):
            events.append(line.removeprefix("event:").strip())
        elif line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            say_output(f"{time.monotonic() - began:5.2f} s  {(events or ['?'])[-1]:<10} {data}")
    expect("done" in events or "result" in events, "The stream ended without a result.")


def _look_back(stage: Stage, masked_exchange: str) -> None:
    say_chapter(8, "Everything is on record, as the tool saw it")
    stage.ostiary("sessions", "list")
    sessions = stage.ostiary_json("sessions", "list")["sessions"]
    expect(bool(sessions), "There is no session on record.")
    stage.ostiary("sessions", "show", str(sessions[0]["id"]))
    replayed = stage.ostiary("sessions", "replay", masked_exchange)
    expect("[masked:injected-secret]" in replayed, "The recording does not show what the tool saw.")


def _prove(stage: Stage) -> None:
    say_chapter(9, "The record can be proven")
    _wait_until_all_is_signed(stage)
    stage.ostiary("audit", "verify")
    bundle = stage.home / "exported"
    stage.ostiary("audit", "export", "-o", bundle.name)
    forged = stage.home / "forged"
    shutil.copytree(bundle, forged)
    index = _edit_one_byte(forged)
    say(f"Now one byte of entry {index} is changed in a copy, as somebody with the disk could:")
    told = stage.ostiary("audit", "verify", forged.name, exit_code=1)
    expect(f"ntry {index} " in told, f"The verifier did not name entry {index}.")
    places = stage.places_with_the_key()
    expect(not places, f"The key stands in {', '.join(places)}.")
    say("And the key itself? Searched the server's home and log for it: nowhere.")


def _wait_until_all_is_signed(stage: Stage) -> None:
    """The log's head is signed at intervals while it grows; an export holds only what is signed for."""
    deadline = time.monotonic() + _SIGNED_WITHIN_S
    while time.monotonic() < deadline:
        verdict = stage.ostiary_json("audit", "verify")
        if verdict["signed"] == verdict["entries"]:
            return
        time.sleep(0.2)
    raise DemoDeviation("The last entries were not signed for in time.", "This should not happen: please report it.")


def _edit_one_byte(folder: Path) -> int:
    """Change one byte in the middle of the log; returns the index of the entry it belongs to."""
    (path,) = folder.glob("entries-*.log")
    lines = path.read_bytes().split(b"\n")
    index = (len(lines) - 1) // 2
    place = lines[index].index(b'"time":"') + len(b'"time":"') + 3
    old = lines[index][place]
    new = ord("0") if old != ord("0") else ord("1")
    lines[index] = lines[index][:place] + bytes([new]) + lines[index][place + 1 :]
    path.write_bytes(b"\n".join(lines))
    return index


def _expect_no_key(stage: Stage, answer: Answer) -> None:
    whole = answer.body + "".join(f"{name}: {value}" for name, value in answer.headers.items()).encode()
    expect(stage.key.encode() not in whole, "The key came back to the tool.")
