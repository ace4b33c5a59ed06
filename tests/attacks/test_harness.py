"""The harness itself: a scene whose key does get out fails, and says where."""

import base64

import pytest

from support.fixtures import make_scene
from support.installation import Installation
from support.raw_client import request
from support.raw_upstream import answer
from support.scene import Scene


def leaking(installation: Installation, test: pytest.FixtureRequest, body) -> str:
    """What a scene says at its end when a connection without a secret hands the key to the client."""
    running = make_scene(installation, test)
    scene: Scene = next(running)
    bare = scene.also("bare", secret=None, auth=None)
    scene.upstream.always = answer(body(scene.key))
    assert scene.say(request("GET", f"/{bare}/a", [scene.bearer])).status == 200
    with pytest.raises(AssertionError, match="the key leaked") as failure:
        next(running)
    return str(failure.value)


@pytest.mark.parametrize("form", ["raw", "base64", "escapes"])
def test_a_key_that_reaches_the_client_fails_the_scene(
    installation: Installation, request: pytest.FixtureRequest, form: str
) -> None:
    forms = {
        "raw": lambda key: f"here it is: {key}".encode(),
        "base64": lambda key: base64.b64encode(f"{key}:".encode()),
        "escapes": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key).encode(),
    }
    said = leaking(installation, request, forms[form])
    assert "client" in said
    assert "recordings" in said


def test_a_token_that_reaches_the_upstream_fails_the_scene(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    running = make_scene(installation, request)
    scene: Scene = next(running)
    body = f"token={scene.token}".encode()
    assert scene.ask("http", "/a", method="POST", body=body).status == 200
    with pytest.raises(AssertionError, match="token at upstream"):
        next(running)


def test_a_key_in_the_log_or_in_a_file_fails_the_scene(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    running = make_scene(installation, request)
    scene: Scene = next(running)
    planted = installation.home / "planted.log"
    planted.write_text(f"debug: {scene.key[3:20]}")
    try:
        with pytest.raises(AssertionError, match=r"planted\.log"):
            next(running)
    finally:
        planted.unlink()
