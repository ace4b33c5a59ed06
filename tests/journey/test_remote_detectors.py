"""Names found by a service beside Ostiary, from the file to the answer, on a running server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.endurance import KEY, configuration
from support.installation import Installation, running
from support.presidio import Presidio
from support.raw_client import RawClient, Reply, request
from support.raw_upstream import Answer, RawUpstream, chunked, wait_until

NAME = "Ana Müller"
FILE = """\
version: 1
detectors:
  - {{name: presidio, presidio: {{url: "{url}", allow_private: true, timeout: 2s}}}}
masking:
  - {{name: people, detectors: [person-name], where: [request], action: placeholder}}
  - {{name: places, detectors: [location, email], where: [response], action: partial}}
"""


class Stage:
    def __init__(self, server: Installation) -> None:
        self.server = server
        self.upstream = RawUpstream()
        self.presidio = Presidio()
        server.apply(configuration(f"http://127.0.0.1:{self.upstream.port}", kind="openai"))
        server.set_secret("far-key", KEY)
        self.token = server.token("ada")

    def apply(self, text: str = FILE) -> str:
        done = self.server.cli("apply", "-f", "-", stdin=text.format(url=self.presidio.url).encode())
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def post(self, document: Any) -> Reply:
        lines = [f"Authorization: Bearer {self.token}", "Content-Type: application/json"]
        with RawClient(self.server.gateway_port) as client:
            client.send(request("POST", "/far/v1/chat/completions", lines, json.dumps(document).encode()))
            return client.reply("POST")

    def close(self) -> None:
        self.upstream.close()
        self.presidio.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with running(tmp_path / "home") as server:
        opened = Stage(server)
        yield opened
        opened.close()


def delta(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def quoting(asked: Any) -> list[bytes]:
    """An upstream that repeats what it was told, in two pieces, and a place in three."""
    said = json.loads(asked.body)["messages"][0]["content"]
    pieces = [said[:9], said[9:], " from Zü", "ri", "ch."]
    return list(chunked([*map(delta, pieces), b"data: [DONE]\n\n"], content_type=b"text/event-stream").segments)  # type: ignore[arg-type]


def test_a_name_goes_out_as_a_placeholder_and_comes_back(stage: Stage) -> None:
    plan = stage.apply()
    assert "+ detector presidio" in " ".join(plan.split()) and stage.presidio.url in plan
    stage.upstream.always = Answer(quoting)
    reply = stage.post({"model": "gpt-4o", "messages": [{"role": "user", "content": f"I am {NAME}, hello"}]})
    assert reply.status == 200
    told = json.loads(stage.upstream.requests[-1].body)
    assert told == {"model": "gpt-4o", "messages": [{"role": "user", "content": "I am ‹person-name:1›, hello"}]}
    events = [line[6:] for line in reply.body.decode().split("\n\n") if line]
    texts = [json.loads(each)["choices"][0]["delta"]["content"] for each in events[:-1]]
    assert "".join(texts) == f"I am {NAME}, hello from [masked:location]."
    assert set(stage.presidio.asked) == {
        f"I am {NAME}, hello",
        "I am ‹person-name:1›, hello from Zürich.",
    }, "words of the protocol are not asked about"
    assert wait_until(lambda: any(entry["type"] == "exchange.outcome" for entry in stage.server.entries()))
    shown = b"".join(data for _, data in stage.server.recordings(connection="far"))
    assert NAME.encode() not in shown
    assert "‹person-name:1›".encode() in shown


def test_what_is_in_force_is_exported_and_can_be_applied_again(stage: Stage) -> None:
    stage.apply()
    exported = stage.server.cli("export").stdout
    assert stage.presidio.url.encode() in exported
    again = stage.server.cli("apply", "-f", "-", "--prune", stdin=exported)
    assert again.returncode == 0, again.stderr
    assert b"presidio" not in again.stdout


def test_a_rule_without_a_service_is_refused_with_what_to_write(stage: Stage) -> None:
    text = FILE[: FILE.index("detectors:")] + FILE[FILE.index("masking:") :]
    done = stage.server.cli("apply", "-f", "-", stdin=text.format().encode())
    assert done.returncode != 0
    assert b"The detector 'person-name' is not built in" in done.stderr
    assert b"detectors: [{name: presidio" in done.stderr


def test_doctor_and_readyz_say_that_the_service_is_gone(stage: Stage) -> None:
    stage.apply()
    assert wait_until(stage.server.ready)
    stage.presidio.close()
    assert stage.post({"messages": [{"role": "user", "content": f"I am {NAME}"}]}).status == 502
    assert not stage.upstream.requests
    status, said = stage.server.ops("/readyz")
    assert status == 503
    assert "presidio" in json.loads(said)["parts"]["detectors"]
    doctor = stage.server.cli("doctor")
    assert doctor.returncode == 1
    assert b"detectors: The detector `presidio` gives no usable answer." in doctor.stdout
    stage.server.apply({"secrets": [{"name": "far-key", "from": "stored"}]}, prune=True)
    assert stage.server.ready()


def test_trying_rules_out_says_that_the_service_is_not_asked(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(FILE.format(url=stage.presidio.url))
    done = stage.server.cli("mask", "test", "--rules", str(path), stdin=f"{NAME} <ana@example.org>".encode())
    assert b"[masked:email" in done.stdout and NAME.encode() in done.stdout
    assert b"The masking rule 'people' needs a service to find person-name, which is not asked here." in done.stderr
    assert stage.presidio.asked == []
