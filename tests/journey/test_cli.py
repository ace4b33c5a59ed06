"""The command line beside a running server and an upstream that speaks Cursor's API."""

import base64
import http.client
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.installation import Installation, clean_environment

KEY = "crsr_0123456789abcdefghijklmnopqrstuvwxyz"

CONFIGURATION = """\
version: 1
secrets:
  - {{name: cursor-key, from: {{stored: true}}}}
connections:
  - {{name: cursor, kind: cursor, upstream: "http://127.0.0.1:{port}", allow_private: true, secret: cursor-key}}
rules:
  - {{name: reads, who: {{groups: [engineering]}}, on: [cursor], operations: ["class:read"], effect: allow}}
  - name: changes wait
    who: {{groups: [engineering]}}
    on: [cursor]
    operations: ["class:write"]
    effect: ask
    approval: {{hold: 1s, expires: 5m, reason: required}}
"""


class House(Installation):
    """With helpers for what a tool and a terminal do."""

    def text(self, *arguments: str, code: int = 0, stdin: bytes = b"") -> str:
        done = self.cli(*arguments, stdin=stdin)
        assert done.returncode == code, done.stderr.decode()
        return done.stdout.decode()

    def document(self, *arguments: str) -> Any:
        return json.loads(self.text(*arguments, "--json"))

    def request(self, token: str, method: str, path: str, body: str | bytes | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway_port, timeout=10)
        credentials = base64.b64encode(f"{token}:".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def wait_until_all_is_signed(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            verdict = self.document("audit", "verify")
            if verdict["signed"] == verdict["entries"]:
                return
            time.sleep(0.1)
        pytest.fail("the last entries were not signed for")

    def follow(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "ostiary", *arguments],
            env={**self.environment, "OSTIARY_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("cli")
    upstream = subprocess.Popen(
        [sys.executable, "-m", "ostiary.standin.cursor", "--port", "0", "--key", KEY, "--echo-authorization"],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    installation = House(folder / "home")
    try:
        assert upstream.stdout is not None
        port = json.loads(upstream.stdout.readline())["port"]
        installation.start()
        file = folder / "ostiary.yaml"
        file.write_text(CONFIGURATION.format(port=port))
        installation.text("apply", "-f", str(file))
        installation.text("secret", "set", "cursor-key", stdin=KEY.encode() + b"\n")
        yield installation
    finally:
        if installation.alive:
            installation.stop()
        upstream.terminate()
        upstream.wait(10)
        if upstream.stdout:
            upstream.stdout.close()


@pytest.fixture(scope="module")
def token(house: House) -> str:
    return house.text("token", "create", "--actor", "alice", "--groups", "engineering", "--agent", "sdk").strip()


def test_the_plan_is_printed_applied_and_exported_again(house: House, tmp_path: Path) -> None:
    file = tmp_path / "more.yaml"
    file.write_text("version: 1\nrules:\n  - {name: more, on: [cursor], operations: [me.get], effect: deny}\n")
    planned = house.text("apply", "-f", str(file), "--dry-run")
    assert planned.startswith("+ rule more")
    assert "Nothing was changed" in planned
    assert "name: more" not in house.text("export")
    assert "Applied: 1 created." in house.text("apply", "-f", "-", stdin=file.read_bytes())
    exported = house.text("export")
    assert "name: more" in exported
    assert KEY not in exported
    file.write_text(exported.replace("name: more", "name: fewer"))
    pruned = house.text("apply", "-f", str(file), "--prune")
    assert "- rule more" in pruned
    assert "+ rule fewer" in pruned
    without = re.sub(r"- name: fewer\n(  .*\n)+", "", exported.replace("name: more", "name: fewer"))
    file.write_text(without)
    assert "Applied: 1 removed." in house.text("apply", "-f", str(file), "--prune")
    assert "Nothing to change" in house.text("apply", "-f", str(file), "--prune")


def test_a_piped_token_stands_alone_and_a_revoked_one_works_no_more(house: House) -> None:
    done = house.cli("token", "create", "--actor", "bob", "--groups", "engineering", "--ttl", "90s")
    assert done.stderr == b""
    assert re.fullmatch(rb"ost_u[0-9A-Za-z]+\n", done.stdout)
    text = done.stdout.decode().strip()
    assert house.request(text, "GET", "/cursor/v1/me").status == 200
    (row,) = [row for row in house.document("token", "list")["tokens"] if row["actor"] == "bob"]
    assert text not in house.text("token", "list") + house.text("token", "list", "--json")
    house.text("token", "revoke", row["id"])
    assert house.request(text, "GET", "/cursor/v1/me").status == 401
    assert "revoked" in house.text("token", "list")


def _on_a_terminal(house: House, *arguments: str, typed: bytes = b"", **environment: str) -> bytes:
    """What `ostiary ARGUMENTS` shows on a terminal of its own."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ostiary", *arguments],
        env={**house.environment, "OSTIARY_HOME": str(house.home), "TERM": "xterm", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
        if typed and shown.rstrip().endswith(b":"):
            os.write(terminal, typed)
            typed = b""
    assert process.wait(20) == 0
    os.close(terminal)
    return shown


def test_a_prompted_secret_is_not_echoed(house: House) -> None:
    shown = _on_a_terminal(house, "secret", "set", "typed-key", typed=b"typed-value-0123456789\n")
    assert b"Value of typed-key" in shown
    assert b"typed-value" not in shown
    assert b"is set (version 1)" in shown


def test_colours_appear_on_a_terminal_and_not_with_no_color(house: House, token: str) -> None:
    assert b"\x1b[1m" in _on_a_terminal(house, "token", "list")
    assert b"\x1b[" not in _on_a_terminal(house, "token", "list", NO_COLOR="1")
    assert b"\x1b[" not in _on_a_terminal(house, "token", "list", TERM="dumb")


def test_an_exchange_is_listed_shown_and_replayed_as_the_tool_saw_it(house: House, token: str) -> None:
    answer = house.request(token, "GET", "/cursor/v1/agents/bc-nosuch")
    exchange = answer.headers["x-ostiary-exchange"]
    sessions = house.document("sessions", "list", "--actor", "alice")["sessions"]
    assert sessions[0]["agent"] == "sdk"
    assert "alice via sdk" in house.text("sessions", "list")
    shown = house.text("sessions", "show", sessions[0]["id"])
    assert exchange in shown
    replayed = house.text("sessions", "replay", exchange)
    assert "GET /v1/agents/bc-nosuch" in replayed
    assert "[masked:injected-secret]" in replayed
    whole = house.document("sessions", "replay", sessions[0]["id"])
    assert exchange in [part["exchange"]["exchange"] for part in whole]
    assert any(frame["direction"] == "response" for part in whole for frame in part["frames"])
    assert KEY not in replayed + json.dumps(whole) + shown


def test_looking_at_a_recording_is_on_record(house: House, token: str) -> None:
    exchange = house.request(token, "GET", "/cursor/v1/me").headers["x-ostiary-exchange"]
    size = house.last_index()
    house.text("sessions", "replay", exchange)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if any(entry["type"] == "recording.view" for entry in house.entries(size)):
            return
        time.sleep(0.05)
    pytest.fail("no recording.view entry")


def test_nothing_a_client_sends_acts_on_the_terminal(house: House, token: str) -> None:
    hostile = json.dumps({"prompt": {"text": "\x1b[2J\u202etxt.exe\x07\u200b"}}, ensure_ascii=False)
    assert house.request(token, "POST", "/cursor/v1/agents", hostile.encode()).status == 403
    approval = house.document("approvals", "list")["approvals"][0]["id"]
    shown = house.text("approvals", "show", approval) + house.text("approvals", "list")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200b]", shown)
    assert "U+202E" in shown
    house.text("approvals", "deny", approval, "--reason", "\u202eno\x1b[31m")
    for arguments in (["approvals", "show", approval], ["approvals", "list", "--state", "denied"]):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", house.text(*arguments))
        assert house.text(*arguments, "--json").isascii()


def test_an_approval_without_a_demanded_reason_is_refused_and_then_given(house: House, token: str) -> None:
    body = json.dumps({"prompt": {"text": "add a test"}})
    assert house.request(token, "POST", "/cursor/v1/agents", body).status == 403
    approval = house.document("approvals", "list")["approvals"][0]["id"]
    assert b"--reason" in house.cli("approvals", "approve", approval).stderr
    house.text("approvals", "approve", approval, "--reason", "fine")
    assert house.request(token, "POST", "/cursor/v1/agents", body).status == 200
    assert "used" in house.text("approvals", "show", approval)
    assert "Nothing waits" in house.text("approvals", "list")


def _first_line(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], 25)
    return process.stdout.readline() if ready else b""


@pytest.mark.parametrize("json_option", [[], ["--json"]], ids=["text", "json"])
def test_tail_shows_exchanges_as_they_happen_and_ends_with_ctrl_c(
    json_option: list[str], house: House, token: str
) -> None:
    process = house.follow("sessions", "tail", *json_option)
    try:
        deadline = time.monotonic() + 20
        line = b""
        while not line and time.monotonic() < deadline:
            house.request(token, "GET", "/cursor/v1/me")
            assert process.stdout is not None
            if select.select([process.stdout], [], [], 0.5)[0]:
                line = process.stdout.readline()
        assert b"/v1/me" in line
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert errors == b""


def test_a_server_that_stops_ends_the_tail_and_logs_no_traceback(tmp_path: Path) -> None:
    own = House(tmp_path / "home").start()
    process = own.follow("sessions", "tail")
    try:
        time.sleep(1.5)
        assert own.stop() == 0
        _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 3
    assert errors.startswith(b"ostiary: ")
    assert b"Traceback" not in own.output


def test_audit_tail_begins_with_the_last_entries(house: House, token: str) -> None:
    house.request(token, "GET", "/cursor/v1/me")
    process = house.follow("audit", "tail", "-n", "1")
    try:
        assert _first_line(process).startswith(b"#")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0


def test_the_log_verifies_from_home_and_from_an_export_with_its_own_verifier(house: House, tmp_path: Path) -> None:
    house.wait_until_all_is_signed()
    assert "Whole" in house.text("audit", "verify")
    for name in ("bundle", "bundle.zip", "bundle.tar.gz"):
        bundle = tmp_path / name
        house.text("audit", "export", "-o", str(bundle))
        assert "Whole" in house.text("audit", "verify", str(bundle))
        assert b"exists already" in house.cli("audit", "export", "-o", str(bundle)).stderr
    alone = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "bundle" / "verify_ostiary.py"), str(tmp_path / "bundle")],
        capture_output=True,
        check=False,
    )
    assert alone.returncode == 0, alone.stdout + alone.stderr
    since = tmp_path / "since"
    house.text("audit", "export", "--since", "1h", "-o", str(since))
    assert house.document("audit", "verify", str(since))["whole"] is True


@pytest.mark.parametrize("edit", ["byte", "cut"])
def test_an_altered_export_is_refused_with_the_index(edit: str, house: House, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    house.wait_until_all_is_signed()
    house.text("audit", "export", "-o", str(bundle))
    (path,) = bundle.glob("entries-*.log")
    lines = path.read_bytes().split(b"\n")
    lines[2:3] = [lines[2].replace(b'"v":1', b'"v":2')] if edit == "byte" else []
    path.write_bytes(b"\n".join(lines))
    done = house.cli("audit", "verify", str(bundle), "--json")
    assert done.returncode == 1
    verdict = json.loads(done.stdout)
    assert verdict["whole"] is False
    assert verdict["index"] == 2
    assert b"entry is 2" in house.cli("audit", "verify", str(bundle)).stdout


def test_the_doctor_finds_nothing_wrong_and_names_what_is(house: House, tmp_path: Path) -> None:
    assert "Everything is in order." in house.text("doctor")
    assert house.document("doctor")["ok"] is True
    file = tmp_path / "more.yaml"
    file.write_text(
        "version: 1\nsecrets: [{name: unset, from: {stored: true}}]\nconnections:\n"
        '  - {name: lost, kind: http, upstream: "https://no-such-host.invalid", secret: unset}\n'
    )
    before = house.text("export")
    house.text("apply", "-f", str(file))
    os.chmod(house.home, 0o755)
    try:
        told = house.text("doctor", code=1)
    finally:
        os.chmod(house.home, 0o700)
        file.write_text(before)
        house.text("apply", "-f", str(file), "--prune")
    for sentence in ("Others may enter", "the secret unset has no value", "does not resolve"):
        assert sentence in told


def test_setup_names_this_gateway_and_the_connection_of_the_kind(house: House) -> None:
    for tool in ("cursor", "claude-code", "codex", "opencode"):
        assert f"http://127.0.0.1:{house.gateway_port}/" in house.text("setup", tool)
    shown = house.document("setup", "cursor")
    assert shown["environment"]["CURSOR_BACKEND_URL"] == f"http://127.0.0.1:{house.gateway_port}/cursor"
    foreign = house.document("setup", "codex", "--gateway", "https://ostiary.example/", "--connection", "models")
    assert foreign["base_url"] == "https://ostiary.example/models"
    assert 'base_url = "https://ostiary.example/models/v1"' in foreign["content"]


def test_no_command_ever_showed_the_key(house: House) -> None:
    assert KEY.encode() not in house.output
