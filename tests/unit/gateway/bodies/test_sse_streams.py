"""Whole streams as their servers send them, those of the Kinds and those of which nothing is known."""

import json
from collections.abc import Callable, Iterable, Sequence

import pytest

from ostiary.catalog import load_catalog
from ostiary.gateway.bodies.sse_body import FRAMES_MAX, SseBody
from ostiary.masking.engine import Masker, MaskingEngine
from ostiary.masking.placeholders import PlaceholderRestorer, Placeholders
from ostiary.model.errors import MaskingBlockedError
from ostiary.model.masking import Action, MaskingRule, Where

EVERYWHERE = frozenset(Where)
KINDS = load_catalog()
ENGINE = MaskingEngine(
    (
        MaskingRule("tulips", EVERYWHERE, words=("tulip-secret",)),
        MaskingRule("ids", EVERYWHERE, pattern="ACME-[0-9]{8}"),
        MaskingRule("passwords", EVERYWHERE, pattern=r'"password"\s{0,3}:\s{0,3}"(?P<value>[a-z0-9]{4,12})'),
    ),
    b"k" * 32,
)
SECRET = "tulip-secret"
MARK = "[masked:tulips]"


def body(kind: str = "openai", masker: Masker | None = None) -> SseBody:
    return SseBody(masker or ENGINE.masker(), KINDS[kind].text_channels)


def through(kind: str, *pieces: bytes) -> bytes:
    """What comes of a stream, the same for any cut."""
    stream = b"".join(pieces)
    outputs = []
    for step in (len(stream), 1, 7):
        fresh = body(kind)
        outputs.append(
            b"".join(fresh.feed(stream[at : at + step]) for at in range(0, len(stream), step)) + fresh.finish()
        )
    assert outputs[1:] == outputs[:1] * 2
    return outputs[0]


def event(document: object, name: str = "", id: str = "") -> bytes:
    head = (f"id: {id}\n" if id else "") + (f"event: {name}\n" if name else "")
    return f"{head}data: {json.dumps(document, separators=(',', ':'))}\n\n".encode()


def chunk(text: str | None, index: int = 0, finish: str | None = None, **more: object) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice], **more})


def tool(index: int, arguments: str) -> bytes:
    call = {"index": index, "function": {"arguments": arguments}}
    return event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})


def arguments_of(stream: bytes) -> dict[int, str]:
    texts: dict[int, str] = {}
    for document in documents(stream):
        for call in document["choices"][0]["delta"].get("tool_calls", ()):
            texts[call["index"]] = texts.get(call["index"], "") + call["function"]["arguments"]
    return texts


def documents(stream: bytes) -> list[dict]:  # type: ignore[type-arg]
    lines = [line.removeprefix(b"data:") for line in stream.splitlines() if line.startswith(b"data:")]
    return [json.loads(line) for line in lines if line.strip() != b"[DONE]"]


def contents(stream: bytes, index: int = 0) -> list[str]:
    return [
        choice["delta"]["content"]
        for document in documents(stream)
        for choice in document["choices"]
        if choice["index"] == index and "content" in choice["delta"]
    ]


def split(text: str, step: int = 5) -> list[str]:
    return [text[at : at + step] for at in range(0, len(text), step)]


# -- OpenAI and Anthropic


@pytest.mark.parametrize("step", range(1, 20))
def test_a_secret_split_over_chunks_is_masked(step: int) -> None:
    stream = b"".join(map(chunk, split(f"It is {SECRET}, yes.", step))) + chunk(None, finish="stop")
    output = through("openai", stream, b"data: [DONE]\n\n")
    assert "".join(contents(output)) == f"It is {MARK}, yes."
    assert output.count(b"data: ") == stream.count(b"data: ") + 1


@pytest.mark.parametrize("line_end", [b"\r", b"\r\n"])
def test_lines_may_end_in_any_way(line_end: bytes) -> None:
    stream = b"".join(map(chunk, split(f"a {SECRET} b tulip"))) + chunk(None, finish="stop")
    output = through("openai", b"\xef\xbb\xbf" + stream.replace(b"\n", line_end))
    assert output.startswith(b"\xef\xbb\xbf")
    unified = output.removeprefix(b"\xef\xbb\xbf").replace(line_end, b"\n")
    assert through("openai", stream) == unified
    assert "".join(contents(unified)) == f"a {MARK} b tulip"


def test_choices_are_texts_of_their_own() -> None:
    pieces = zip(split(f"a {SECRET} b"), split(f"c {SECRET} d"), strict=True)
    stream = b"".join(chunk(text, index) for pair in pieces for index, text in enumerate(pair))
    output = through("openai", stream, chunk(None, 1, "stop"), chunk(None, 0, "stop"))
    assert "".join(contents(output, 0)) == f"a {MARK} b"
    assert "".join(contents(output, 1)) == f"c {MARK} d"


def test_parts_of_a_secret_in_two_choices_make_none() -> None:
    stream = chunk("tulip-", 0) + chunk("secret", 1) + chunk(None, 0, "stop") + chunk(None, 1, "stop")
    output = through("openai", stream)
    assert ("".join(contents(output, 0)), "".join(contents(output, 1))) == ("tulip-", "secret")


def test_parallel_tool_calls_are_texts_of_their_own() -> None:
    stream = b"".join(
        tool(0, first) + tool(1, second)
        for first, second in zip(split(f'{{"a":"{SECRET}"}}'), split(f'{{"b":"{SECRET}"}}'), strict=True)
    )
    output = through("openai", stream, chunk(None, finish="tool_calls"))
    assert arguments_of(output) == {0: f'{{"a":"{MARK}"}}', 1: f'{{"b":"{MARK}"}}'}


def test_a_copy_does_not_end_another_choice_again() -> None:
    both = event(
        {
            "choices": [
                {"index": 0, "delta": {"content": "a tulip"}},
                {"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"},
            ]
        }
    )
    output = documents(through("openai", both, chunk(None, finish="stop")))
    assert len(output) == 3
    assert output[1] == {
        "choices": [
            {"index": 0, "delta": {"content": "tulip"}},
            {"index": 1, "delta": {"content": ""}, "finish_reason": None},
        ]
    }


def test_a_copy_of_a_whole_tool_call_does_not_call_again() -> None:
    call = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "write", "arguments": '{"text":"tulip'},
    }
    choice = {"index": 0, "delta": {"role": "assistant", "content": "a tulip", "tool_calls": [call]}}
    copies = documents(through("openai", event({"choices": [choice]}), chunk(None, finish="tool_calls")))[1:-1]
    assert [copy["choices"][0]["delta"] for copy in copies] == [
        {"content": "tulip", "tool_calls": [{"index": 0, "function": {"arguments": ""}}]},
        {"content": "", "tool_calls": [{"index": 0, "function": {"arguments": "tulip"}}]},
    ]


def test_anthropic_blocks_are_masked_and_signatures_left_alone() -> None:
    def delta(kind: str, member: str, text: str) -> bytes:
        document = {"type": "content_block_delta", "index": 1, "delta": {"type": kind, member: text}}
        return event(document, "content_block_delta")

    start = event({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}})
    stop = event({"type": "content_block_stop", "index": 1}, "content_block_stop")
    for kind, member in (("text_delta", "text"), ("input_json_delta", "partial_json"), ("thinking_delta", "thinking")):
        output = through("anthropic", start, *(delta(kind, member, piece) for piece in split(f"a {SECRET}")), stop)
        assert "".join(each["delta"][member] for each in documents(output) if "delta" in each) == f"a {MARK}"
        assert output.endswith(stop)
    signature = start + delta("signature_delta", "signature", SECRET) + stop
    assert through("anthropic", signature) == signature


# -- Cursor and MCP


def test_cursor_runs_are_masked() -> None:
    stream = [
        event({"runId": "r", "status": "RUNNING"}, "status"),
        *(
            event({"text": piece}, "assistant", f"{number}-0")
            for number, piece in enumerate(split(f"a {SECRET} tulip"))
        ),
        event(
            {"callId": "c", "name": "read", "status": "completed", "result": {"content": f"x {SECRET}"}}, "tool_call"
        ),
        event({"type": "text-delta", "text": "tulip-"}, "interaction_update"),
        event({"type": "text-delta", "text": "secret"}, "interaction_update"),
        event({"text": "tulip-"}, "thinking"),
        event({"text": "secret"}, "thinking"),
        event({"runId": "r", "status": "FINISHED", "text": f"a {SECRET} tulip"}, "result"),
        event({}, "done"),
    ]
    output = through("cursor", *stream)
    assert SECRET.encode() not in output
    assert "".join(each["text"] for each in documents(output) if list(each) == ["text"]) == f"a {MARK} tulip{MARK}"
    assert json.dumps({"content": f"x {MARK}"}, separators=(",", ":")).encode() in output
    assert output.count(b"id: ") == sum(each.startswith(b"id: ") for each in stream)


def test_text_of_a_run_stands_before_the_tool_call_that_follows_it() -> None:
    call = event({"callId": "c", "name": "read", "status": "running"}, "tool_call")
    output = through(
        "cursor", event({"text": "a tulip"}, "assistant", "1-0"), call, event({"text": "-secret"}, "assistant")
    )
    assert output == (
        event({"text": "a "}, "assistant", "1-0")
        + event({"text": "tulip"}, "assistant")
        + call
        + event({"text": "-secret"}, "assistant")
    )


@pytest.mark.parametrize("kind", ["http", "openai"])
def test_mcp_messages_are_looked_at_whole(kind: str) -> None:
    def message(text: str) -> bytes:
        content = [{"type": "text", "text": text}]
        return event({"jsonrpc": "2.0", "id": 1, "result": {"content": content}}, "message", "4")

    stream = message("a tulip") + message(SECRET) + message("-secret")
    assert through(kind, stream) == stream.replace(SECRET.encode(), MARK.encode())


# -- streams nobody knows


def texts_in_lines(stream: bytes) -> str:
    return "".join(line[6:].decode() for line in stream.splitlines() if line.startswith(b"data: "))


def test_plain_text_is_one_text_over_its_events() -> None:
    stream = b"".join(f"data: {piece}\n\n".encode() for piece in split(f"a {SECRET} 42 tulip", 3))
    assert texts_in_lines(through("http", stream, b"data: [DONE]\n\n")) == f"a {MARK} 42 tulip[DONE]"


def test_plain_text_of_numbers_and_words_is_text() -> None:
    pieces = ("ACME", "-", "1234", "5678", " true", "null", "{}", "[x", '"')
    output = through("http", *(f"data: {piece}\n\n".encode() for piece in pieces))
    assert texts_in_lines(output) == '[masked:ids] truenull{}[x"'


def test_plain_text_over_many_lines() -> None:
    stream = b"event: log\ndata: first tulip-\ndata: secret\ndata:  third\n\nevent: log\ndata: x\n\n"
    assert through("http", stream) == stream
    stream = b"data: first\ndata: tulip-secret\ndata:  third\n\n"
    assert through("http", stream) == stream.replace(SECRET.encode(), MARK.encode())
    assert (
        through("http", b"data:one\ndata: two tulip-\n\ndata:secret.\n\n")
        == b"data:one\ndata: two \n\ndata:[masked:tulips].\n\n"
    )


def test_data_lines_are_written_as_they_came() -> None:
    assert through("http", b"data:a tulip\n\ndata:- b\n\n") == b"data:a \n\ndata:tulip- b\n\n"
    assert through("http", b"data:tulip\n\ndata\n\ndata:.\n\n") == b"data:\n\ndata\n\ndata:tulip.\n\n"
    assert through("http", b"data:tulip\n\ndata\n\n") == b"data:\n\ndata\n\ndata: tulip\n\n"
    assert through("http", b"data:  tulip\n\ndata:  b\n\n") == b"data:  \n\ndata: tulip b\n\n"


SHAPES: dict[str, Callable[[str], object]] = {
    "token": lambda text: {"token": text},
    "nested": lambda text: {"output": {"delta": text}},
    "in a list": lambda text: {"parts": [{"index": 0, "text": text}]},
    "named": lambda text: {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}},
    "a string": lambda text: text,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_texts_are_guessed_by_usual_names(shape: str) -> None:
    pieces = split(f"a {SECRET} tulip", 4)
    end = event({"done": True}, "token")
    output = through("http", *(event(SHAPES[shape](piece), "token") for piece in pieces), end)
    assert SECRET.encode() not in output
    assert output.count(MARK.encode()) == 1
    assert output.endswith(event(SHAPES[shape]("tulip"), "token") + end)
    assert output.count(b"data: ") == len(pieces) + 2


def test_an_index_that_counts_events_does_not_tell_texts_apart() -> None:
    stream = [event({"index": number, "text": piece}) for number, piece in enumerate(split(f"a {SECRET} b", 4))]
    assert "".join(each["text"] for each in documents(through("http", *stream))) == f"a {MARK} b"


def test_an_index_that_comes_again_tells_texts_apart() -> None:
    pieces = [(number % 2, piece) for number, piece in enumerate(["a ", "b ", *(2 * ["tulip-"]), *(2 * ["secret."])])]
    output = documents(through("http", *(event({"index": index, "text": piece}) for index, piece in pieces)))
    for index, begin in enumerate("ab"):
        assert "".join(each["text"] for each in output if each["index"] == index) == f"{begin} {MARK}."


def test_long_strings_and_whole_messages_are_no_pieces() -> None:
    long = event({"text": "x" * 2000 + " tulip"})
    assert through("http", long) == long
    for name in ("result", "error", "session.created", "message_done"):
        whole = event({"text": "a tulip"}, name)
        assert through("http", whole) == whole


def test_ever_new_texts_do_not_pile_up() -> None:
    stream = body("http")
    passed = [stream.feed(event({"item_id": f"i{number}", "text": "a tulip"})) for number in range(700)]
    said = [each["text"] for each in documents(b"".join([*passed, stream.finish()]))]
    assert (said.count("a "), said.count("tulip")) == (700, 700)
    assert b"".join(passed).count(b'"tulip"') > 100


# -- everything else in an event


@pytest.mark.parametrize(
    "line",
    [
        "id: tulip-secret",
        "event: tulip-secret",
        ": tulip-secret",
        ":tulip-secret",
        "retry: tulip-secret",
        "tulip-secret: x",
        "tulip-secret",
        "other: a tulip-secret b",
    ],
)
def test_every_line_is_looked_at(line: str) -> None:
    stream = f"{line}\ndata: {{}}\n\n".encode()
    masked = stream.replace(SECRET.encode(), MARK.encode())
    assert through("openai", stream) == masked
    assert through("openai", b"data: {}\n" + stream) == b"data: {}\n" + masked


def test_every_string_is_looked_at_keys_and_escapes_too() -> None:
    stream = chunk("a", model=f"m {SECRET}", more={SECRET: {"password": "abcd1234"}})
    marked = stream.replace(SECRET.encode(), MARK.encode()).replace(b"abcd1234", b"[masked:passwords]")
    assert through("openai", chunk("x"), stream) == chunk("x") + marked
    escaped = b'data: {"x":"t\\u0075lip\\u002dsecret","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    assert through("openai", chunk("x"), escaped) == chunk("x") + escaped.replace(
        b"t\\u0075lip\\u002dsecret", MARK.encode()
    )


def test_what_looks_like_json_and_is_none_is_looked_at_as_far_as_it_goes() -> None:
    stream = b'data: {"a": "tulip\\u002dsecret", b}\n\n'
    assert through("http", stream) == b'data: {"a": "[masked:tulips]", b}\n\n'


# -- events with the same around their text


def test_an_event_in_which_nothing_is_found_is_the_same_object() -> None:
    stream = body()
    stream.feed(chunk("The"))
    for text in ("plain", "with \n line \u00e9 ends", 'and "quotes" \\ too', "", "\U0001f600"):
        for piece in (chunk(text), chunk(text, usage={"total_tokens": 7})):
            assert stream.feed(piece) is piece


def test_other_texts_between_events_with_the_same_around_their_text() -> None:
    pieces: Sequence[bytes] = [
        chunk("one"), chunk("two tulip-"), chunk("x", usage=1), chunk("secret"), chunk("y", 1), chunk(" tulip-"),
        chunk(None, finish="stop"), chunk("secret"), chunk(" tulip-"), chunk("secret"),
    ]  # fmt: skip
    assert "".join(contents(through("openai", *pieces))) == f"onetwo tulip-xsecret tulip-secret {MARK}"


def test_what_seems_to_be_the_same_around_a_text_is_read_where_the_text_has_an_end_of_its_own() -> None:
    hidden = chunk("HERE").replace(b"HERE", b'a"},"x":"tulip-secret","y":{"z":"b')
    output = through("openai", chunk("one"), chunk("two"), hidden, chunk("three"))
    assert output == chunk("one") + chunk("two") + hidden.replace(SECRET.encode(), MARK.encode()) + chunk("three")


def test_streams_whose_events_always_differ_are_masked_the_same() -> None:
    pieces = split(f"a {SECRET} b " * FRAMES_MAX, 6)
    stream = b"".join(chunk(piece, usage=number) for number, piece in enumerate(pieces))
    assert "".join(contents(through("openai", stream))) == f"a {MARK} b " * FRAMES_MAX


# -- ends and actions


def test_an_event_without_an_end_is_masked_too() -> None:
    assert through("openai", chunk("a tulip-"), chunk("secret").rstrip()) == chunk("a ") + chunk(MARK).rstrip()
    assert through("http", b"data: a tulip-\n\ndata: secret") == b"data: a \n\ndata: [masked:tulips]"
    assert through("openai", chunk("a tulip"), b": tulip-secret") == chunk("a ") + chunk("tulip") + b": [masked:tulips]"


def test_an_event_that_is_cut_off_in_its_json_is_left_out() -> None:
    assert through("openai", chunk("a tulip-"), chunk("secret")[:-20]) == chunk("a ") + chunk("tulip-")


def test_what_is_blocked_ends_the_stream() -> None:
    engine = MaskingEngine((MaskingRule("stop", EVERYWHERE, Action.BLOCK, words=(SECRET,)),), b"k" * 32)
    stream = body(masker=engine.masker())
    assert stream.feed(chunk("a tulip-")) == chunk("a ")
    with pytest.raises(MaskingBlockedError):
        stream.feed(chunk("secret."))


def test_placeholders_come_back_as_the_originals() -> None:
    placeholders = Placeholders()
    written = placeholders.placeholder_for("email", b'bob "b"\n<b@acme.com>').decode()

    def restored(events: Iterable[bytes]) -> bytes:
        stream = SseBody(PlaceholderRestorer(placeholders), KINDS["openai"].text_channels)
        return b"".join([*map(stream.feed, events), stream.finish()])

    output = restored([*map(chunk, split(f"to {written}!", 3)), chunk(None, finish="stop")])
    assert "".join(contents(output)) == 'to bob "b"\n<b@acme.com>!'
    arguments = json.dumps({"to": written}, ensure_ascii=False)
    output = restored([*(tool(0, piece) for piece in split(arguments, 3)), chunk(None, finish="tool_calls")])
    assert json.loads(arguments_of(output)[0]) == {"to": 'bob "b"\n<b@acme.com>'}
    assert restored([f"data: to {written}\n\n".encode()]) == b'data: to bob "b"\ndata: <b@acme.com>\n\n'
    assert restored([f": to {written}\n".encode()]) == b': to bob "b" <b@acme.com>\n'


def test_findings_tell_the_channel() -> None:
    masker = ENGINE.masker()
    stream = body(masker=masker)
    for piece in (*map(chunk, split(SECRET)), event({"x": SECRET}), chunk(None, finish="stop")):
        stream.feed(piece)
    assert {finding.place: finding.count for finding in masker.findings()} == {"chat.content": 1, "event": 1}
