"""The real analyzer: the PyPI package `presidio-analyzer` behind its REST interface, in an interpreter that has it.

`E2E_PRESIDIO_PYTHON` names that interpreter (with `presidio-analyzer` and `flask`), `E2E_PRESIDIO_MODEL` a spaCy model
that is installed in it. Without an interpreter these tests are skipped; without a model people are known by a list.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import clean_environment, free_port, start_server

from support.endurance import KEY, configuration
from support.installation import Installation, running
from support.raw_client import RawClient, request
from support.raw_upstream import RawUpstream, answer

PYTHON = os.environ.get("E2E_PRESIDIO_PYTHON", sys.executable)
MODEL = os.environ.get("E2E_PRESIDIO_MODEL", "")
SERVICE = Path(__file__).parent / "presidio_service.py"


@pytest.fixture(autouse=True)
def fresh_wires() -> None:
    """Nothing of the other tests' upstreams is used here."""


@pytest.fixture(scope="module")
def presidio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if subprocess.run([PYTHON, "-c", "import presidio_analyzer, flask"], capture_output=True, check=False).returncode:
        pytest.fail("presidio-analyzer and flask are not installed where E2E_PRESIDIO_PYTHON says: use `make e2e`")
    directory, port = tmp_path_factory.mktemp("presidio"), free_port()
    url = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=1) as said:
                return bool(said.status == 200)
        except OSError:
            return False

    command = [PYTHON, str(SERVICE), str(port), *([MODEL] if MODEL else [])]
    server = start_server(command, directory / "log", clean_environment(directory / "user"), is_up)
    yield url
    server.stop()


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    opened = RawUpstream()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, presidio: str, upstream: RawUpstream) -> Iterator[Installation]:
    with running(tmp_path_factory.mktemp("ostiary") / "home") as installation:
        people = "person-name"
        installation.apply(
            {
                **configuration(f"http://127.0.0.1:{upstream.port}"),
                "detectors": [
                    {"name": "presidio", "presidio": {"url": presidio, "allow_private": True, "timeout": "30s"}}
                ],
                "masking": [
                    {"name": "asked", "detectors": [people], "where": ["request"], "action": "placeholder"},
                    {"name": "told", "detectors": [people, "crypto-wallet"], "where": ["response"]},
                ],
            }
        )
        installation.set_secret("far-key", KEY)
        yield installation


def post(server: Installation, text: str) -> bytes:
    lines = [f"Authorization: Bearer {server.token('ada')}", "Content-Type: application/json"]
    body = json.dumps({"model": "gpt-4o", "role": "assistant", "text": text}).encode()
    with RawClient(server.gateway_port) as client:
        client.send(request("POST", "/far/say", lines, body))
        reply = client.reply("POST", 60.0)
    assert reply.status == 200, reply.raw
    return reply.body


def test_names_in_a_request_become_placeholders(server: Installation, upstream: RawUpstream) -> None:
    post(server, "😀 My name is Ana Müller and I work with John Smith.")
    told = json.loads(upstream.requests[-1].body)
    assert told == {
        "model": "gpt-4o",
        "role": "assistant",
        "text": "😀 My name is ‹person-name:1› and I work with ‹person-name:2›.",
    }


def test_names_and_what_patterns_of_its_own_find_are_masked_in_an_answer(
    server: Installation, upstream: RawUpstream
) -> None:
    wallet = "1Boat" + "SLRHtKNngkdXEeobR76b53LETtpyT"
    said = {"text": f"Dear John Smith, the wallet is {wallet}.", "n": [1.0, 2]}
    upstream.script = [answer(json.dumps(said).encode(), content_type=b"application/json")]
    shown = json.loads(post(server, "which wallet is it"))
    assert shown == {"text": "Dear [masked:person-name], the wallet is [masked:crypto-wallet].", "n": [1.0, 2]}


def test_a_long_conversation_is_read_once(server: Installation, upstream: RawUpstream) -> None:
    history = [f"Message {number}: John Smith said yes." for number in range(300)]
    post(server, "\n".join(history))
    text = json.loads(upstream.requests[-1].body)["text"]
    assert "John" not in text
    assert text.count("said yes.") == 300


def test_everything_is_in_order(server: Installation) -> None:
    assert server.ready()
    assert json.loads(server.ops("/readyz")[1])["parts"]["detectors"] == "ok"
