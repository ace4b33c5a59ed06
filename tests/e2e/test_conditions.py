"""What happens on bad days: large bodies, many streams at once, clients that leave, upstreams that hang up."""

import asyncio
import time

import openai
import pytest
from doors import HAIKU, SLOW_WORDS, Door, Wires, say
from house import SENTENCE, Ostiary

MODEL = "gpt-5.4-mini"
MIB = 1024 * 1024


def test_large_prompt_is_answered(openai_door: Door) -> None:
    client = openai.OpenAI(base_url=openai_door.url, api_key=openai_door.key, max_retries=0)
    prompt = "write a haiku about doors" + " ." * 4 * MIB
    answer = client.chat.completions.create(model=MODEL, messages=say(prompt))
    assert answer.choices[0].message.content == HAIKU


@pytest.mark.parametrize("body_mib", [1, 8, 40])
def test_denial_reaches_a_client_that_is_still_sending(
    ostiary: Ostiary, contractor: str, wires: Wires, body_mib: int
) -> None:
    client = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=contractor, max_retries=0)
    with pytest.raises(openai.PermissionDeniedError, match="shared notebook") as caught:
        client.chat.completions.create(model=MODEL, messages=say("x" * body_mib * MIB))
    assert SENTENCE in caught.value.message
    assert wires.openai.asked == b""


async def one_stream(client: openai.AsyncOpenAI) -> str:
    stream = await client.chat.completions.create(model=MODEL, messages=say("speak slowly"), stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


def test_sixty_streams_at_once_arrive_whole_and_on_time(openai_door: Door) -> None:
    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=openai_door.url, api_key=openai_door.key, max_retries=0) as client:
            return await asyncio.gather(*[one_stream(client) for _ in range(60)])

    started = time.monotonic()
    assert set(asyncio.run(all_of_them())) == {"".join(SLOW_WORDS)}
    # One stream takes about two seconds; one after the other would take two minutes.
    assert time.monotonic() - started < 20


def test_upstream_is_left_when_the_client_leaves(ostiary: Ostiary, developer: str, wires: Wires) -> None:
    client = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=developer, max_retries=0)
    stream = client.chat.completions.create(model=MODEL, messages=say("speak for half a minute"), stream=True)
    next(iter(stream))
    stream.close()
    client.close()
    time.sleep(2)
    heard = len(wires.openai.answers())
    time.sleep(2)
    assert len(wires.openai.answers()) == heard


def test_upstream_that_hangs_up_between_requests_is_not_noticed(ostiary: Ostiary, developer: str, wires: Wires) -> None:
    """The upstream closes idle connections after five seconds, the gateway keeps them for longer."""
    client = openai.OpenAI(base_url=ostiary.url("openai") + "/v1", api_key=developer, max_retries=0)
    for pause_s in (0.0, 4.98, 5.02, 5.5):
        time.sleep(pause_s)
        answer = client.chat.completions.create(model=MODEL, messages=say("write a haiku about doors"))
        assert answer.choices[0].message.content == HAIKU
    assert len(wires.openai.requests()) == 4
