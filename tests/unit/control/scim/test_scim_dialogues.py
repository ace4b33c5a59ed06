"""What Okta and Entra ID send, in the order they do, taken from their public documentation."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.scim_house import ScimHouse

DIALOGUES = Path(__file__).parent / "dialogues"


def _filled(value: Any, ids: dict[str, str]) -> Any:
    text = json.dumps(value)
    for name, identifier in ids.items():
        text = text.replace("{" + name + "}", identifier)
    return json.loads(text)


@pytest.mark.parametrize("provider", ["okta", "entra"])
async def test_a_provider_is_understood(house: ScimHouse, provider: str) -> None:
    ids: dict[str, str] = {}
    for recorded in json.loads((DIALOGUES / f"{provider}.json").read_text()):
        step = _filled(recorded, ids)
        house.ending.ended.clear()
        answer = await house.call(step["method"], step["path"], step.get("body"))
        assert answer.status == step["status"], (step["title"], answer.body)
        shown = answer.json if answer.body else {}
        for name, expected in step.get("expect", {}).items():
            assert shown.get(name) == expected, step["title"]
        if "members" in step:
            assert sorted(member["value"] for member in shown.get("members", [])) == sorted(step["members"])
        if "groups" in step:
            assert [group["display"] for group in shown["groups"]] == step["groups"]
        assert not set(step.get("absent", [])) & shown.keys()
        assert [list(ended) for ended in house.ending.ended] == step.get("ended", []), step["title"]
        if "save" in step:
            ids[step["save"]] = shown["id"]
            assert answer.headers["location"] == shown["meta"]["location"]
    assert b"1mz050nq" not in json.dumps(house.entries).encode()
