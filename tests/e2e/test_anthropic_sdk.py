"""The official `anthropic` SDK, unchanged: the two ways differ by the base URL and the key only."""

import time

import anthropic
import pytest
from doors import HAIKU, SLOW_WORDS, Door, Wires, each_arrives_before_the_next, say
from house import SENTENCE, Keys, Ostiary

MODEL = "claude-sonnet-5"


def client(door: Door) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=door.url, api_key=door.key)


def test_message_is_answered(anthropic_door: Door) -> None:
    answer = client(anthropic_door).messages.create(
        model=MODEL, max_tokens=200, messages=say("write a haiku about doors")
    )
    assert answer.content[0].text == HAIKU
    assert answer.stop_reason == "end_turn"


def test_streamed_message_arrives_whole_and_in_order(anthropic_door: Door) -> None:
    with client(anthropic_door).messages.stream(
        model=MODEL, max_tokens=200, messages=say("write a haiku about doors")
    ) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 3
    assert "".join(pieces) == HAIKU == final.content[0].text


def test_every_delta_arrives_before_the_next_is_sent(anthropic_door: Door) -> None:
    arrivals = []
    with client(anthropic_door).messages.stream(model=MODEL, max_tokens=200, messages=say("speak slowly")) as stream:
        for text in stream.text_stream:
            arrivals.append((text, time.monotonic()))
    assert "".join(text for text, _ in arrivals) == "".join(SLOW_WORDS)
    each_arrives_before_the_next(arrivals, anthropic_door.back.texts("text"))


def test_tokens_are_counted(anthropic_door: Door) -> None:
    count = client(anthropic_door).messages.count_tokens(model=MODEL, messages=say("write a haiku about doors"))
    assert count.input_tokens > 5


def test_beta_query_and_version_headers_reach_the_upstream_verbatim(anthropic_door: Door) -> None:
    client(anthropic_door).beta.messages.create(
        model=MODEL,
        max_tokens=200,
        messages=say("write a haiku about doors"),
        betas=["doors-2026-11-01"],
        extra_query={"beta": "true"},
        extra_headers={"anthropic-version": "2023-06-01"},
    )
    assert anthropic_door.back.requests() == ["POST /v1/messages?beta=true"]
    asked = anthropic_door.back.asked.lower()
    assert b"anthropic-beta: doors-2026-11-01\r\n" in asked
    assert b"anthropic-version: 2023-06-01\r\n" in asked


@pytest.mark.parametrize(
    ("prompt", "error", "sentence"),
    [
        ("too many please", anthropic.RateLimitError, "Slow down, says the upstream."),
        ("fall over please", anthropic.InternalServerError, "The upstream fell over."),
    ],
)
def test_sdk_retries_twice_and_then_says_what_the_upstream_said(
    anthropic_door: Door, prompt: str, error: type[anthropic.APIStatusError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        client(anthropic_door).messages.create(model=MODEL, max_tokens=20, messages=say(prompt))
    assert anthropic_door.back.requests() == ["POST /v1/messages"] * 3


def test_upstream_complaint_about_the_request_keeps_its_shape_and_is_not_retried(
    anthropic_door: Door,
) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        client(anthropic_door).messages.create(model=MODEL, max_tokens=20, messages=say("misunderstand please"))
    assert caught.value.body["error"] == {
        "type": "invalid_request_error",
        "message": "The upstream wants another temperature.",
    }
    assert len(anthropic_door.back.requests()) == 1


def test_denial_is_a_permission_error_with_our_sentence(ostiary: Ostiary, contractor: str, wires: Wires) -> None:
    denied = anthropic.Anthropic(base_url=ostiary.url("anthropic"), api_key=contractor)
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        denied.messages.create(model=MODEL, max_tokens=20, messages=say("write a haiku about doors"))
    assert SENTENCE in caught.value.body["error"]["message"]
    assert caught.value.body["error"]["type"] == "permission_error"
    assert wires.anthropic.requests() == []


def test_wrong_token_is_an_authentication_error(ostiary: Ostiary, wires: Wires) -> None:
    stranger = anthropic.Anthropic(base_url=ostiary.url("anthropic"), api_key="sk-ant-abcdefgh")
    with pytest.raises(anthropic.AuthenticationError):
        stranger.messages.create(model=MODEL, max_tokens=20, messages=say("write a haiku about doors"))
    assert wires.anthropic.requests() == []


def test_refused_real_key_is_not_blamed_on_the_token(ostiary: Ostiary, developer: str) -> None:
    tool = anthropic.Anthropic(base_url=ostiary.url("anthropic-stale"), api_key=developer, max_retries=0)
    with pytest.raises(anthropic.InternalServerError) as caught:
        tool.messages.create(model=MODEL, max_tokens=20, messages=say("write a haiku about doors"))
    assert caught.value.status_code == 502
    assert "key" in caught.value.body["error"]["message"]


@pytest.mark.parametrize("places", [("authorization",), ("x-api-key",), ("authorization", "x-api-key")])
def test_token_is_found_in_every_place_and_replaced_by_one_key(
    ostiary: Ostiary, developer: str, keys: Keys, wires: Wires, places: tuple[str, ...]
) -> None:
    forms = {"authorization": f"Bearer {developer}", "x-api-key": developer}
    tool = anthropic.Anthropic(
        base_url=ostiary.url("anthropic"),
        api_key=developer,
        default_headers={name: form if name in places else anthropic.Omit() for name, form in forms.items()},
    )
    tool.messages.create(model=MODEL, max_tokens=200, messages=say("write a haiku about doors"))
    assert all((f"{name}: " in ostiary.front.asked.decode().lower()) == (name in places) for name in forms)
    assert wires.anthropic.asked.count(keys.anthropic.encode()) == 1
    assert developer.encode() not in wires.anthropic.asked
