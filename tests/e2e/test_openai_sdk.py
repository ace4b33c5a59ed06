"""The official `openai` SDK, unchanged: the two ways differ by the base URL and the key only."""

import time

import openai
import pytest
from doors import HAIKU, SLOW_WORDS, Door, Wires, each_arrives_before_the_next, say
from house import SENTENCE, Keys, Ostiary

MODEL = "gpt-5.4-mini"


def client(door: Door) -> openai.OpenAI:
    return openai.OpenAI(base_url=door.url, api_key=door.key)


def test_chat_is_answered(openai_door: Door) -> None:
    answer = client(openai_door).chat.completions.create(model=MODEL, messages=say("write a haiku about doors"))
    assert answer.choices[0].message.content == HAIKU
    assert answer.usage is not None


def test_streamed_chat_arrives_whole_and_in_order(openai_door: Door) -> None:
    stream = client(openai_door).chat.completions.create(
        model=MODEL, messages=say("write a haiku about doors"), stream=True
    )
    pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content]
    assert len(pieces) > 3
    assert "".join(pieces) == HAIKU


def test_every_delta_arrives_before_the_next_is_sent(openai_door: Door) -> None:
    stream = client(openai_door).chat.completions.create(model=MODEL, messages=say("speak slowly"), stream=True)
    arrivals = [(chunk.choices[0].delta.content or "", time.monotonic()) for chunk in stream]
    assert "".join(text for text, _ in arrivals) == "".join(SLOW_WORDS)
    each_arrives_before_the_next(arrivals, openai_door.back.texts("content"))


def test_responses_stream_ends_with_the_whole_text(openai_door: Door) -> None:
    deltas = []
    with client(openai_door).responses.stream(model=MODEL, input="write a haiku about doors") as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
        final = stream.get_final_response()
    assert len(deltas) > 3
    assert "".join(deltas) == HAIKU == final.output_text


def test_embeddings_come_back(openai_door: Door) -> None:
    answer = client(openai_door).embeddings.create(model="text-embedding-3-small", input=["a door", "a key"])
    assert [item.index for item in answer.data] == [0, 1]
    assert len(answer.data[0].embedding) > 100
    assert answer.data[0].embedding != answer.data[1].embedding


def test_models_are_listed(openai_door: Door) -> None:
    assert "gpt-4o" in [model.id for model in client(openai_door).models.list()]


@pytest.mark.parametrize(
    ("prompt", "error", "sentence"),
    [
        ("too many please", openai.RateLimitError, "Slow down, says the upstream."),
        ("fall over please", openai.InternalServerError, "The upstream fell over."),
    ],
)
def test_sdk_retries_twice_and_then_says_what_the_upstream_said(
    openai_door: Door, prompt: str, error: type[openai.APIStatusError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        client(openai_door).chat.completions.create(model=MODEL, messages=say(prompt))
    assert [request.split(" ")[0] for request in openai_door.back.requests()] == ["POST"] * 3


def test_upstream_complaint_about_the_request_keeps_its_shape_and_is_not_retried(openai_door: Door) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client(openai_door).chat.completions.create(model=MODEL, messages=say("misunderstand please"))
    assert caught.value.code == "invalid_value"
    assert caught.value.type == "invalid_request_error"
    assert "another temperature" in caught.value.message
    assert len(openai_door.back.requests()) == 1


def test_denial_is_a_permission_error_with_our_sentence(ostiary: Ostiary, contractor: str, wires: Wires) -> None:
    denied = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=contractor)
    with pytest.raises(openai.PermissionDeniedError) as caught:
        denied.chat.completions.create(model=MODEL, messages=say("write a haiku about doors"))
    assert SENTENCE in caught.value.message
    assert caught.value.code == "denied"
    assert caught.value.response.headers["x-ostiary-exchange"]
    assert wires.openai.requests() == []
    assert "gpt-4o" in [model.id for model in denied.models.list()]


def test_denied_stream_is_a_permission_error_too(ostiary: Ostiary, contractor: str) -> None:
    denied = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=contractor)
    with pytest.raises(openai.PermissionDeniedError, match="shared notebook"):
        denied.responses.create(model=MODEL, input="write a haiku about doors", stream=True)


def test_wrong_token_is_an_authentication_error(ostiary: Ostiary, developer: str, wires: Wires) -> None:
    for wrong in (
        "ost_u" + "0" * 49,
        developer[:-1] + ("a" if developer[-1] != "a" else "b"),
        "sk-proj-abcdefgh",
    ):
        stranger = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=wrong)
        with pytest.raises(openai.AuthenticationError) as caught:
            stranger.models.list()
        assert caught.value.code == "token_unknown"
    assert wires.openai.requests() == []


def test_refused_real_key_is_not_blamed_on_the_token(ostiary: Ostiary, developer: str) -> None:
    tool = openai.OpenAI(base_url=ostiary.url("openai-stale") + "/v1", api_key=developer, max_retries=0)
    with pytest.raises(openai.InternalServerError) as caught:
        tool.models.list()
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_refused_key"


def test_upstream_sees_the_real_key(ostiary: Ostiary, developer: str, keys: Keys, wires: Wires) -> None:
    openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=developer).models.list()
    assert f"Bearer {keys.openai}".encode() in wires.openai.asked
    assert developer.encode() not in wires.openai.asked


def test_file_goes_up_byte_for_byte(openai_door: Door) -> None:
    content = bytes(range(256)) * 4000
    file = client(openai_door).files.create(file=("doors.jsonl", content), purpose="batch")
    assert file.bytes == len(content)
    assert client(openai_door).files.content(file.id).read() == content
