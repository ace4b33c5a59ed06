"""One Ostiary for the whole run, started and spoken to as a person would: the command line, nothing else."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from processes import Server, clean_environment, free_port, listens, start_server
from tap import Tap

OSTIARY = (sys.executable, "-m", "ostiary")

SENTENCE = "Contractors use the shared notebook instead; ask Dora for a door of your own."

_CONFIGURATION = Template("""\
version: 1
secrets:
  - {name: openai-key, from: {env: E2E_OPENAI_KEY}}
  - {name: anthropic-key, from: {env: E2E_ANTHROPIC_KEY}}
  - {name: cursor-key, from: {env: E2E_CURSOR_KEY}}
  - {name: stale-key, from: {env: E2E_STALE_KEY}}
connections:
  - {name: openai, kind: openai, secret: openai-key,
     upstream: "http://127.0.0.1:$openai", allow_private: true}
  - {name: anthropic, kind: anthropic, secret: anthropic-key,
     upstream: "http://127.0.0.1:$anthropic", allow_private: true}
  - {name: cursor, kind: cursor, secret: cursor-key,
     upstream: "http://127.0.0.1:$cursor", allow_private: true}
  - {name: openai-stale, kind: openai, secret: stale-key,
     upstream: "http://127.0.0.1:$openai", allow_private: true}
  - {name: anthropic-stale, kind: anthropic, secret: stale-key,
     upstream: "http://127.0.0.1:$anthropic", allow_private: true}
rules:
  - {name: developers work, who: {groups: [developers]}, effect: allow}
  - {name: contractors may look, who: {groups: [contractors]}, operations: ["class:read"], effect: allow}
  - name: contractors have a notebook
    who: {groups: [contractors]}
    operations: [chat.completions.create, responses.create, messages.create, agents.create]
    effect: deny
    message: "$sentence"
  - name: trainees ask before an agent starts
    who: {groups: [trainees]}
    on: [cursor]
    operations: [agents.create]
    effect: ask
    approval: {hold: 60s, expires: 5m}
  - name: interns ask and nobody is quick enough
    who: {groups: [interns]}
    on: [openai, cursor]
    operations: [chat.completions.create, responses.create, agents.create]
    effect: ask
    approval: {hold: 1s, expires: 5m}
  - {name: interns watch, who: {groups: [interns]}, operations: ["class:read"], effect: allow}
  - {name: trainees watch, who: {groups: [trainees]}, operations: ["class:read"], effect: allow}
""")


@dataclass(frozen=True, slots=True)
class Keys:
    """The real ones: only the upstreams and the gateway know them."""

    openai: str
    anthropic: str
    cursor: str
    stale: str


class Installation:
    """A served installation whose home is in `directory`, with these variables of the environment beside its home."""

    def __init__(self, directory: Path, variables: Mapping[str, str], console_port: int | None = None) -> None:
        self.home = directory / "home"
        self.gateway_port, self.console_port, ops_port = free_port(), console_port or free_port(), free_port()
        self._environment = clean_environment(directory / "user", OSTIARY_HOME=str(self.home), **variables)
        self.log = directory / "serve.log"
        self._server: Server = start_server(
            [
                *OSTIARY, "serve", "--home", str(self.home), "--gateway", f"127.0.0.1:{self.gateway_port}",
                "--console", f"127.0.0.1:{self.console_port}", "--ops", f"127.0.0.1:{ops_port}",
            ],
            self.log,
            self._environment,
            lambda: listens(self.gateway_port) and listens(ops_port),
        )  # fmt: skip

    def command(self, *arguments: str) -> str:
        """What `ostiary ARGUMENTS` prints. `AssertionError` with its complaint when it fails."""
        done = subprocess.run(
            [*OSTIARY, *arguments], env=self._environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"ostiary {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.command(*arguments, "--json"))

    def entries(self) -> list[dict[str, Any]]:
        """The audit log's entries, oldest first, as the socket behind the command line gives them."""
        found: list[dict[str, Any]] = []
        while page := self._ask(f"/api/v1/audit/entries?after={len(found) - 1}&limit=1000")["entries"]:
            found += [row["entry"] for row in page]
        return found

    def _ask(self, target: str) -> Any:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(self.home / "admin.sock"))
            wire.sendall(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answer = b"".join(iter(lambda: wire.recv(65536), b""))
        return json.loads(answer.split(b"\r\n\r\n", 1)[1])

    def stop(self) -> int:
        return self._server.stop()

    def said(self) -> str:
        return self._server.said()


class Ostiary(Installation):
    """The one of the tools' tests. `front` is the tap that every tool is pointed at."""

    def __init__(self, directory: Path, keys: Keys, *, openai: Tap, anthropic: Tap, cursor: Tap) -> None:
        super().__init__(
            directory,
            {
                "E2E_OPENAI_KEY": keys.openai,
                "E2E_ANTHROPIC_KEY": keys.anthropic,
                "E2E_CURSOR_KEY": keys.cursor,
                "E2E_STALE_KEY": keys.stale,
            },
        )
        self.front = Tap(self.gateway_port)
        file = directory / "ostiary.yaml"
        file.write_text(
            _CONFIGURATION.substitute(
                openai=openai.port, anthropic=anthropic.port, cursor=cursor.port, sentence=SENTENCE
            )
        )
        self.command("apply", "-f", str(file))

    def token(self, actor: str, groups: str) -> str:
        return str(self.new_token("--actor", actor, "--groups", groups, "--ttl", "1h")["token"])

    def new_token(self, *options: str) -> Any:
        """`token` and `id` of a token made with these options of `ostiary token create`."""
        return self.json("token", "create", *options)

    def entry(self, exchange: str, entry_type: str) -> dict[str, Any]:
        """One entry of an exchange. A refusal is written soon after the answer, not before it."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for entry in self.entries():
                if entry.get("exchange") == exchange and entry["type"] == entry_type:
                    return entry
            time.sleep(0.1)
        raise AssertionError(f"no {entry_type} of {exchange}")

    def url(self, connection: str) -> str:
        return f"http://127.0.0.1:{self.front.port}/{connection}"

    def setup(self, tool: str, connection: str) -> Any:
        """What `ostiary setup` says about `tool`, with the tap in front of the gateway as the gateway."""
        gateway = f"http://127.0.0.1:{self.front.port}"
        return self.json("setup", tool, "--connection", connection, "--gateway", gateway)

    def approve_next(self) -> threading.Thread:
        return self.answer_next("approve", "A person looked at it.")

    def answer_next(self, verb: str, reason: str, shown: list[str] | None = None) -> threading.Thread:
        """A thread that plays the approver: it waits for one approval to be asked for, looks at it and answers it.

        What the approver saw is appended to `shown`.
        """
        seen = [] if shown is None else shown
        thread = threading.Thread(target=self._answer_next, args=(verb, reason, seen), daemon=True)
        thread.start()
        return thread

    def _answer_next(self, verb: str, reason: str, shown: list[str]) -> None:
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            for approval in self.json("approvals", "list")["approvals"]:
                shown.append(self.command("approvals", "show", approval["id"]))
                self.command("approvals", verb, approval["id"], "--reason", reason)
                return
            time.sleep(0.3)

    def stop(self) -> int:
        self.front.close()
        return super().stop()
