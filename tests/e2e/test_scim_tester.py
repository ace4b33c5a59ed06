"""A SCIM client of somebody else examines what an identity provider would meet."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from processes import clean_environment, free_port, listens, start_server
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

CONFIGURATION = """\
version: 1
identity:
  issuers:
    - {name: directory, oidc: {issuer: "https://directory.example", client_id: ostiary}}
  scim: {issuer: directory}
"""


@pytest.fixture
def scim(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address and the token that whoever runs Ostiary gives to the provider."""
    home, console = tmp_path / "home", free_port()
    environment = clean_environment(tmp_path / "user", OSTIARY_HOME=str(home))
    ostiary = (sys.executable, "-m", "ostiary")
    server = start_server(
        [
            *ostiary, "serve", "--home", str(home), "--gateway", f"127.0.0.1:{free_port()}",
            "--console", f"127.0.0.1:{console}", "--ops", f"127.0.0.1:{free_port()}",
        ],
        tmp_path / "log",
        environment,
        lambda: listens(console),
    )  # fmt: skip
    try:
        file = tmp_path / "ostiary.yaml"
        file.write_text(CONFIGURATION)
        subprocess.run([*ostiary, "apply", "-f", str(file)], env=environment, check=True, timeout=60)
        made = subprocess.run(
            [*ostiary, "scim", "token", "--json"], env=environment, check=True, capture_output=True, timeout=60
        )
        yield f"http://127.0.0.1:{console}/scim/v2", json.loads(made.stdout)["token"]
    finally:
        server.stop()


def test_everything_it_checks_is_as_it_should_be(scim: tuple[str, str]) -> None:
    address, token = scim
    with httpx2.Client(base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=30) as client:
        results = check_server(SyncSCIMClient(client))
    complaints = [
        (result.title, result.resource_type, result.reason) for result in results if result.status != Status.SUCCESS
    ]
    assert complaints == []
    assert len(results) > 100
    assert {result.resource_type for result in results} >= {"User", "Group"}


def test_other_tokens_open_nothing(scim: tuple[str, str]) -> None:
    address, token = scim
    answers = [
        httpx2.get(f"{address}/Users", headers={"authorization": f"Bearer {wrong}"})
        for wrong in ("x", token[:-1] + "!")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}
