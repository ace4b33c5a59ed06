"""A server that is reached through others: which addresses it tells."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from support.installation import Installation, running
from support.raw_client import RawClient, request

GATEWAY = "https://gate.example.com/tools"


def told(house: Installation) -> Any:
    """The console's OAuth metadata."""
    url = f"http://127.0.0.1:{house.console_port}/.well-known/oauth-authorization-server"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def greeting(house: Installation) -> str:
    """Printed once the server is ready."""
    end = time.monotonic() + 10
    while b"  gateway  " not in house.output and time.monotonic() < end:
        time.sleep(0.02)
    return house.output.decode()


def test_tools_everywhere_are_told_the_public_address_of_the_gateway(tmp_path: Path) -> None:
    with running(tmp_path / "home", {"OSTIARY_GATEWAY_URL": f"{GATEWAY}/"}) as house:
        assert told(house)["ostiary_gateway_url"] == GATEWAY
        assert f"gateway  {GATEWAY} " in greeting(house)
        server = json.loads((house.home / "server.json").read_bytes())
        assert (server["gateway_url"], server["gateway"]) == (GATEWAY, f"http://127.0.0.1:{house.gateway_port}")
        for host, status in (("gate.example.com", 401), ("other.example.com", 400)):
            with RawClient(house.gateway_port) as client:
                client.send(request("GET", "/models/v1/models", [], None, host=host))
                assert client.reply().status == status


def test_a_gateway_that_listens_everywhere_is_named_as_this_machine_reaches_it(tmp_path: Path) -> None:
    house = Installation(tmp_path / "home")
    house.options = (f"--gateway=0.0.0.0:{house.gateway_port}", "--insecure-plaintext")
    try:
        house.start()
        here = f"http://127.0.0.1:{house.gateway_port}"
        assert told(house)["ostiary_gateway_url"] == here
        assert f"gateway  {here} " in greeting(house)
    finally:
        house.stop()
