"""Access that is lost while a request waits for a person: it is not sent, whoever approves it then (E23, F09)."""

import time
from contextlib import suppress
from typing import Any

import pytest

from support.installation import Refused
from support.raw_upstream import wait_until
from support.scene import Scene

BODY = b"change"


def held(scene: Scene) -> tuple[Any, dict[str, Any], str]:
    """A client whose request is held, its token, and the approval's id."""
    asking = {
        "name": f"asks {scene.name}",
        "who": {"users": [scene.actor]},
        "on": [scene.connection["http"]],
        "operations": ["post"],
        "effect": "ask",
        "approval": {"hold": "60s"},
    }
    scene.installation.apply({"version": 1, "rules": [asking]})
    minted = scene.installation.mint(scene.actor)
    client = scene.client()
    head = (
        f"POST {scene.target()} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {minted['token']}\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    )
    client.send(head.encode() + BODY)

    def waiting() -> list[str]:
        asked = scene.installation.api("GET", "/approvals")["approvals"]
        return [str(each["id"]) for each in asked if each["actor"] == scene.actor and each["state"] == "waiting"]

    wait_until(lambda: bool(waiting()))
    return client, minted, waiting()[0]


def approve_in_spite(scene: Scene, approval: str) -> None:
    # It may have been withdrawn already, and then there is nothing to approve: which is as good.
    with suppress(Refused):
        scene.installation.api("POST", f"/approvals/{approval}/approve", {"reason": "looks right"})


@pytest.mark.parametrize("lost", ["the token is revoked", "a rule denies it now"])
def test_E23_a_held_request_is_not_sent_once_access_is_lost(scene: Scene, lost: str) -> None:
    client, minted, approval = held(scene)
    scene.upstream.forget()
    if lost == "the token is revoked":
        scene.installation.api("DELETE", f"/tokens/{minted['id']}")
    else:
        deny = {
            "name": f"stop {scene.name}",
            "on": [scene.connection["http"]],
            "operations": ["post"],
            "effect": "deny",
        }
        scene.installation.apply({"version": 1, "rules": [deny]})
    approve_in_spite(scene, approval)
    time.sleep(0.3)
    scene.nothing_reached_upstream()
    reply = client.reply(deadline_s=3.0)
    assert reply.status == 403
    assert b"while the request waited" in reply.body
    client.close()
