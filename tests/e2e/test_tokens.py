"""What a tool's user meets when a token is limited, ends, or stands where tools like to put it."""

import http.client
import time

import openai
import pytest
from doors import Wires
from house import Keys, Ostiary

DEVELOPER = ("--actor", "dora", "--groups", "developers")


def models(ostiary: Ostiary, token: str, connection: str = "openai") -> list[str]:
    client = openai.OpenAI(base_url=ostiary.url(connection) + "/v1", api_key=token, max_retries=0)
    return [model.id for model in client.models.list()]


def test_token_of_one_connection_finds_no_other(ostiary: Ostiary, wires: Wires) -> None:
    token = ostiary.new_token(*DEVELOPER, "--agent", "codex", "--connection", "openai")["token"]
    assert models(ostiary, token)
    wires.openai.forget()
    with pytest.raises(openai.NotFoundError) as elsewhere:
        models(ostiary, token, "openai-stale")
    with pytest.raises(openai.NotFoundError) as nowhere:
        models(ostiary, token, "no-such-door")
    assert elsewhere.value.code == nowhere.value.code == "unknown_connection"
    assert wires.openai.requests() == []


def test_revoked_token_stops_working_at_once(ostiary: Ostiary) -> None:
    made = ostiary.new_token(*DEVELOPER)
    assert models(ostiary, made["token"])
    ostiary.command("token", "revoke", made["id"])
    with pytest.raises(openai.AuthenticationError):
        models(ostiary, made["token"])


def test_expired_token_says_so(ostiary: Ostiary) -> None:
    token = ostiary.new_token(*DEVELOPER, "--ttl", "1s")["token"]
    time.sleep(1.2)
    with pytest.raises(openai.AuthenticationError) as caught:
        models(ostiary, token)
    assert caught.value.code == "token_expired"


def test_revocation_ends_a_running_stream(ostiary: Ostiary) -> None:
    made = ostiary.new_token(*DEVELOPER)
    client = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=made["token"], max_retries=0)
    stream = client.chat.completions.create(
        model="gpt-5.4-mini", messages=[{"role": "user", "content": "speak for half a minute"}], stream=True
    )
    chunks = iter(stream)
    next(chunks)
    ostiary.command("token", "revoke", made["id"])
    revoked_at = time.monotonic()
    # The SDK's HTTP library is free to choose which error an answer cut in the middle is.
    with pytest.raises(Exception, match=r"incomplete|closed|Connection"):
        for _ in chunks:
            pass
    assert time.monotonic() - revoked_at < 7


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key"])
def test_token_is_found_in_the_headers_of_other_tools(
    ostiary: Ostiary, developer: str, keys: Keys, wires: Wires, header: str
) -> None:
    status, _ = ask(ostiary, "GET", "/openai/v1/models", {header: developer})
    assert status == 200
    assert f"Bearer {keys.openai}".encode() in wires.openai.asked
    assert header.encode() not in wires.openai.asked.lower()


def test_two_different_tokens_are_refused(ostiary: Ostiary, developer: str, contractor: str) -> None:
    headers = {"x-api-key": developer, "authorization": f"Bearer {contractor}"}
    status, body = ask(ostiary, "GET", "/openai/v1/models", headers)
    assert status == 400
    assert b"ambiguous_request" in body


def test_codex_asking_for_a_web_socket_is_told_to_use_plain_requests(
    ostiary: Ostiary, developer: str, wires: Wires
) -> None:
    headers = {
        "authorization": f"Bearer {developer}",
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert ask(ostiary, "GET", "/openai/v1/responses", headers)[0] == 426
    assert wires.openai.requests() == []


@pytest.mark.parametrize("path", ["/anthropic", "/anthropic/", "/anthropic/api/hello"])
def test_claude_codes_greeting_is_answered_quickly(ostiary: Ostiary, developer: str, path: str) -> None:
    started = time.monotonic()
    status, body = ask(ostiary, "HEAD", path, {"x-api-key": developer})
    assert status < 500
    assert body == b""
    assert time.monotonic() - started < 5


def ask(ostiary: Ostiary, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", ostiary.front.port, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
