"""A08 and A09: the injected key comes back piece by piece, in the texts that event streams put together."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from support.cases import each
from support.event_streams import read_events
from support.raw_client import Reply
from support.raw_upstream import Answer, chunked
from support.scene import MARK, Scene

SSE = b"text/event-stream"
Document = object
Event = tuple[str, Document]
"""Name, or nothing, and the document; a str is data as it stands."""


@dataclass(frozen=True)
class Form:
    """How one protocol sends a text in pieces. `events` writes the whole stream, `text_of` reads the piece in an event
    as a client of the protocol does."""

    kind: str
    path: str
    events: Callable[[Sequence[str]], list[Event]]
    text_of: Callable[[str, Document], str]


def written(events: Sequence[Event], line_end: str = "\n") -> list[bytes]:
    out = []
    for name, document in events:
        data = document if isinstance(document, str) else json.dumps(document)
        lines = ([f"event: {name}"] if name else []) + [f"data: {line}" for line in data.split("\n")]
        out.append("".join(line + line_end for line in (*lines, "")).encode())
    return out


def digged(document: Document, path: str) -> str:
    """The text at a dotted path, all list elements joined; nothing where there is none."""
    if not path:
        return document if isinstance(document, str) else ""
    step, _, rest = path.partition(".")
    if step == "*":
        return "".join(digged(element, rest) for element in document) if isinstance(document, list) else ""
    return digged(document.get(step), rest) if isinstance(document, dict) else ""


def at(path: str, *types: str) -> Callable[[str, Document], str]:
    """Reads the text at a path, in events of these names or types only when some are given."""

    def read(name: str, document: Document) -> str:
        kind = document.get("type") if isinstance(document, dict) else None
        return digged(document, path) if not types or name in types or kind in types else ""

    return read


def chat(delta: Callable[[str, int], Document], path: str) -> Form:
    def events(pieces: Sequence[str]) -> list[Event]:
        def chunk(delta: Document, finish: str | None = None) -> Event:
            return "", {"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

        return [
            chunk({"role": "assistant"}),
            *[chunk(delta(piece, number)) for number, piece in enumerate(pieces)],
            chunk({}, "stop"),
            ("", {"id": "c1", "choices": [], "usage": {"total_tokens": 12345678}}),
            ("", "[DONE]"),
        ]

    return Form("openai", "/v1/chat/completions", events, at(f"choices.*.delta.{path}"))


def tool_call(piece: str, number: int) -> Document:
    first = {"id": "call_1", "type": "function"} if number == 0 else {}
    name = {"name": "write"} if number == 0 else {}
    return {"tool_calls": [{"index": 0, **first, "function": {**name, "arguments": piece}}]}


def responses(kind: str, end: str, keys: Document, member: str) -> Form:
    def events(pieces: Sequence[str]) -> list[Event]:
        named = [
            (kind, {"type": kind, "sequence_number": number, **keys, "delta": piece})
            for number, piece in enumerate(pieces)
        ]
        return [
            ("response.created", {"type": "response.created", "response": {"id": "r1"}}),
            *named,
            (end, {"type": end, **keys, member: "".join(pieces)}),
            ("response.completed", {"type": "response.completed", "response": {"usage": {"total_tokens": 3}}}),
        ]

    return Form("openai", "/v1/responses", events, at("delta", kind))


def block(kind: str, member: str, started: Document) -> Form:
    def events(pieces: Sequence[str]) -> list[Event]:
        deltas = [{"type": "content_block_delta", "index": 0, "delta": {"type": kind, member: p}} for p in pieces]
        documents = [
            {"type": "message_start", "message": {"id": "m1", "usage": {"input_tokens": 11}}},
            {"type": "content_block_start", "index": 0, "content_block": started},
            *deltas,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 22}},
            {"type": "message_stop"},
        ]
        return [(str(document["type"]), document) for document in documents]

    return Form("anthropic", "/v1/messages", events, at(f"delta.{member}", "content_block_delta"))


def run(kind: str, *ends: Event) -> Form:
    return Form(
        "cursor",
        "/v1/agents/bc-1/runs/run-1/stream",
        lambda pieces: [("status", {"status": "RUNNING"}), *[(kind, {"text": piece}) for piece in pieces], *ends],
        at("text", kind),
    )


def plain(document: Callable[[str], Document], path: str, name: str = "", *ends: Event) -> Form:
    return Form("http", "/stream", lambda pieces: [*[(name, document(piece)) for piece in pieces], *ends], at(path))


COUNTERS = {"item_id": "i1", "output_index": 0, "content_index": 0}
FORMS = {
    "openai chat": chat(lambda piece, _: {"content": piece}, "content"),
    "openai chat refusal": chat(lambda piece, _: {"refusal": piece}, "refusal"),
    "openai chat reasoning": chat(lambda piece, _: {"reasoning_content": piece}, "reasoning_content"),
    "openai tool call": chat(tool_call, "tool_calls.*.function.arguments"),
    "openai function call": chat(lambda piece, _: {"function_call": {"arguments": piece}}, "function_call.arguments"),
    "openai text": responses("response.output_text.delta", "response.output_text.done", COUNTERS, "text"),
    "openai arguments": responses(
        "response.function_call_arguments.delta", "response.function_call_arguments.done",
        {"item_id": "i1", "output_index": 0}, "arguments",
    ),
    "openai summary": responses(
        "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
        {"item_id": "i1", "output_index": 0, "summary_index": 0}, "text",
    ),
    "anthropic text": block("text_delta", "text", {"type": "text", "text": ""}),
    "anthropic thinking": block("thinking_delta", "thinking", {"type": "thinking", "thinking": ""}),
    "anthropic tool input": block(
        "input_json_delta", "partial_json", {"type": "tool_use", "id": "t1", "name": "write", "input": {}}
    ),
    "cursor assistant": run("assistant", ("result", {"status": "FINISHED"}), ("done", {})),
    "cursor thinking": run("thinking", ("done", {})),
    "cursor, cut off": run("assistant"),
    "gemini": plain(
        lambda piece: {"candidates": [{"content": {"parts": [{"text": piece}]}}]}, "candidates.*.content.parts.*.text"
    ),
    "token": plain(lambda piece: {"token": {"text": piece}}, "token.text"),
    "response": plain(lambda piece: {"response": piece, "done": False}, "response"),
    "unknown type": plain(lambda piece: {"type": "agent.message.delta", "delta": piece}, "delta"),
    "unknown name": plain(lambda piece: {"delta": {"text": piece}}, "delta.text", "piece"),
    "string": plain(lambda piece: json.dumps(piece), ""),
    "list": plain(lambda piece: ["text", {"content": piece}], "*.content"),
    "text": plain(lambda piece: piece, "", "", ("", "[DONE]")),
}  # fmt: skip


def pieces_at_every_split(value: str, before: str = "say ", after: str = ". ") -> list[str]:
    """The value once for each place where it can be cut, and cut there."""
    return [text for cut in range(1, len(value)) for text in (before + value[:cut], value[cut:] + after)]


def must_be_masked_in_pieces(text: str, key: str) -> None:
    """What `pieces_at_every_split` became. Each half that tells anything has its own mark; fewer than eight letters of
    the key tell nothing."""
    said = text.split("say ")
    assert said[0] == ""
    assert len(said) == len(key), text
    for part in said[1:]:
        begin, mark, end = part.partition(MARK.decode())
        assert mark, part
        assert len(begin) < 8 and key.startswith(begin), part
        end = end.removeprefix(mark)
        assert end.endswith(". ") and len(end) < 10 and key.endswith(end[:-2]), part


def documents(body: bytes) -> list[tuple[str, Document]]:
    found: list[tuple[str, Document]] = []
    for event in read_events(body + b"\n\n"):
        try:
            found.append((event.name, event.document))
        except ValueError:
            found.append((event.name, event.data))
    return found


def joined(form: Form, body: bytes) -> str:
    return "".join(form.text_of(name, document) for name, document in documents(body) if document != "[DONE]")


def asked(scene: Scene, form: Form, answered: Answer) -> Reply:
    """The answer; the text that its client puts together is evidence as well."""
    scene.upstream.script = [answered]
    if form.kind == "cursor":
        reply = scene.ask(form.kind, form.path)
    else:
        reply = scene.ask(form.kind, form.path, "Content-Type: application/json", method="POST", body=b"{}")
    assert reply.status == 200, reply.raw[:400]
    assert reply.complete
    text = joined(form, reply.body)
    scene.evidence.append((f"text {len(scene.evidence)}", bytearray(text.encode())))
    return reply


def test_A08_key_split_over_two_events_at_every_place(scene: Scene) -> None:
    pieces = pieces_at_every_split(scene.key)

    def check(_: str, form: Form) -> None:
        events = form.events(pieces)
        reply = asked(scene, form, chunked(written(events), content_type=SSE))
        must_be_masked_in_pieces(joined(form, reply.body), scene.key)
        seen = documents(reply.body)
        # Everything else is as it was: as many events, in their order, with the same names, ids and numbers.
        assert [name for name, _ in seen] == [name for name, _ in events]
        for (_, sent), (_, got) in zip(events, seen, strict=True):
            if isinstance(sent, dict) and isinstance(got, dict):
                assert sent.keys() == got.keys()
                assert {k: v for k, v in sent.items() if isinstance(v, int)} == {
                    k: v for k, v in got.items() if isinstance(v, int)
                }
                assert sent.get("usage") == got.get("usage")

    each(FORMS, check)


def test_A08_key_one_character_an_event(scene: Scene) -> None:
    def check(_: str, form: Form) -> None:
        reply = asked(scene, form, chunked(written(form.events([*f"say {scene.key}."])), content_type=SSE))
        assert joined(form, reply.body) == f"say {MARK.decode()}."

    each(FORMS, check)


def test_A08_key_between_the_last_delta_and_the_end(scene: Scene) -> None:
    """Whatever has arrived of the key when its text ends is not there, or is too short to tell anything."""

    def check(_: str, form: Form) -> None:
        for count in (1, 6, 20, len(scene.key) - 1, len(scene.key)):
            sent = "say " + scene.key[:count]
            reply = asked(scene, form, chunked(written(form.events(["say ", scene.key[:count]])), content_type=SSE))
            text = joined(form, reply.body)
            expected = {sent} if count < 6 else {f"say {MARK.decode()}", sent if count < 8 else ""}
            assert text in expected, text
            types = [name for name, _ in documents(reply.body)]
            end = [name for name, _ in form.events(["say ", "x"])][3:]
            assert types[len(types) - len(end) :] == end, types

    each(FORMS, check)


def test_A08_the_next_text_is_another_one(scene: Scene) -> None:
    """Halves of the key in texts that a client does not put together stay apart: nothing is lost, nothing doubled."""
    half, rest = "shared prefix", " and its end"
    form = FORMS["anthropic text"]
    one, other = form.events([half]), form.events([rest])
    events = [*one[:-2], *[(name, {**document, "index": 1}) for name, document in other[1:-2]], *one[-2:]]  # type: ignore[dict-item]
    reply = asked(scene, form, chunked(written(events), content_type=SSE))
    texts = ["", ""]
    for _, document in documents(reply.body):
        if isinstance(document, dict) and "delta" in document and "index" in document:
            texts[document["index"]] += document["delta"]["text"]
    assert texts == [half, rest]


def test_A08_interleaved_texts(scene: Scene) -> None:
    """Three choices at once, each with the key cut elsewhere; two tool calls and a text within one event."""
    key, mark = scene.key, MARK.decode()
    texts = {0: ["a ", key[:9], key[9:] + "!"], 1: [key[:30], key[30:], " b"], 2: ["c " + key[:1], key[1:44], key[44:]]}

    def choice(index: int, delta: Document, finish: str | None = None) -> Document:
        return {"index": index, "delta": delta, "finish_reason": finish}

    one_by_one = [
        ("", {"choices": [choice(index, {"content": texts[index][number]})]})
        for number in range(3)
        for index in (2, 0, 1)
    ]
    together = [
        ("", {"choices": [choice(index, {"content": texts[index][number]}) for index in (1, 2, 0)]})
        for number in range(3)
    ]
    ends: list[Event] = [("", {"choices": [choice(index, {}, "stop") for index in range(3)]}), ("", "[DONE]")]
    form = FORMS["openai chat"]
    for events in (one_by_one, together):
        reply = asked(scene, form, chunked(written([*events, *ends]), content_type=SSE))
        got = dict.fromkeys(range(3), "")
        for _, document in documents(reply.body):
            for each_choice in document["choices"] if isinstance(document, dict) else ():
                got[each_choice["index"]] += each_choice["delta"].get("content", "")
        got = {index: text.replace(mark + mark, mark) for index, text in got.items()}
        assert got == {0: f"a {mark}!", 1: f"{mark} b", 2: f"c {mark}"}

    calls = [
        {"content": part, "tool_calls": [{"index": n, "function": {"arguments": part}} for n in (1, 0)]}
        for part in ('{"k": "' + key[:17], key[17:] + '"}')
    ]
    events = [("", {"choices": [choice(0, delta)]}) for delta in calls]
    reply = asked(
        scene, form, chunked(written([*events, ("", {"choices": [choice(0, {}, "tool_calls")]})]), content_type=SSE)
    )
    got_calls: dict[object, str] = {}
    for _, document in documents(reply.body):
        delta = document["choices"][0]["delta"]  # type: ignore[index,call-overload]
        got_calls["text"] = got_calls.get("text", "") + delta.get("content", "")
        for call in delta.get("tool_calls", ()):
            got_calls[call["index"]] = got_calls.get(call["index"], "") + call["function"]["arguments"]
    got_calls = {call: text.replace(mark + mark, mark) for call, text in got_calls.items()}
    assert got_calls == dict.fromkeys(("text", 0, 1), '{"k": "' + mark + '"}')


def test_A08_key_in_json_source_within_arguments(scene: Scene) -> None:
    """Arguments are JSON source inside of a string: an escape there is an escape of an escape."""
    key = scene.key
    sources = {
        "unicode": '{"path": "' + "".join(f"\\u{ord(letter):04x}" for letter in key) + '"}',
        "half unicode": '{"path": "' + key[:20] + "".join(f"\\u{ord(letter):04X}" for letter in key[20:]) + '"}',
        "nested": json.dumps({"a": json.dumps({"b": key})}),
    }

    def check(_: str, source: str) -> None:
        for form in (FORMS["openai tool call"], FORMS["openai arguments"], FORMS["anthropic tool input"]):
            for size in (1, 7):
                pieces = [source[start : start + size] for start in range(0, len(source), size)]
                text = joined(form, asked(scene, form, chunked(written(form.events(pieces)), content_type=SSE)).body)
                assert MARK.decode() in text
                assert json.loads(text)

    each(sources, check)


def test_A08_key_in_a_result_of_a_tool_server(scene: Scene) -> None:
    key = scene.key
    spelled = "".join(f"\\u{ord(letter):04x}" for letter in key)
    result = '{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"it is %s."}],"n":1e3}}'
    for data in (result % key, result % spelled, result.replace("is %s", 'is","x":"y%s') % key):
        for pieces in (
            [f"event: message\ndata: {data}\n\n".encode()],
            [bytes([b]) for b in f"data: {data}\n\n".encode()],
        ):
            scene.upstream.script = [chunked(pieces, content_type=SSE)]
            reply = scene.ask("http", "/mcp", method="POST", body=b"{}")
            (event,) = read_events(reply.body)
            assert MARK.decode() in event.data
            assert '"id":7,' in event.data and '"n":1e3' in event.data
            assert event.document


def test_A09_every_field_of_an_event_is_looked_at(scene: Scene) -> None:
    key, half, rest = scene.key, scene.key[:22], scene.key[22:]
    streams = {
        "id": f"id: {key}\ndata: x\n\n",
        "event": f"event: {key}\ndata: x\n\n",
        "retry": f"retry: {key}\ndata: x\n\n",
        "comment": f": {key}\n\ndata: x\n\n",
        "comment without space": f":{key}\ndata: x\n\n",
        "unknown field": f"{key}: x\ndata: x\n\n",
        "no colon": f"{key}\ndata: x\n\n",
        "name of a field": f"x{key}y: z\ndata: x\n\n",
        "before any event": f"{key}\n\n",
        "end without an empty line": f"data: x\n\ndata: {key}",
        "comment at the end": f"data: x\n\n: {key}",
        "lines of data": f"data: one\ndata: {key}\ndata: three\n\n",
        "json over lines": f'data: {{"a":\ndata: "{key}"}}\n\n',
        "json that is none": f'data: {{"a": "{key}\n\n',
        "key of a member": f'data: {{"{key}": 1}}\n\n',
        "empty data lines": f"data\ndata:\ndata:{key}\ndata\n\n",
        "two names": f"event: a\nevent: {key}\ndata: x\n\n",
        "percent in an id": "id: " + "".join(f"%{ord(letter):02x}" for letter in key) + "\ndata: x\n\n",
        "split data events": f"data: {half}\n\ndata: {rest}\n\n",
        "split over comments": f"data: {half}\n\n: ping\n\ndata: {rest}\n\n",
        "split over ids": f"id: 1\ndata: {half}\n\nid: 2\ndata: {rest}\n\n",
        "split over retries": f"data: {half}\n\nretry: 10\n\ndata: {rest}\n\n",
    }  # fmt: skip
    variants: dict[str, tuple[bytes, bytes]] = {}
    for name, stream in streams.items():
        for label, line_end in (("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")):
            variants[f"{name}, {label}"] = (stream.replace("\n", line_end).encode(), SSE)
        variants[f"{name}, bom"] = (b"\xef\xbb\xbf" + stream.encode(), SSE)

    def check(name: str, case: tuple[bytes, bytes]) -> None:
        stream, content_type = case
        for pieces in ([stream], [bytes([code]) for code in stream]):
            scene.upstream.script = [chunked(pieces, content_type=content_type)]
            reply = scene.ask()
            assert reply.status == 200, reply.raw[:300]
            assert reply.complete
            data = "".join(event.data for event in read_events(reply.body + b"\n\n"))
            scene.evidence.append((f"data {len(scene.evidence)}", bytearray(data.encode())))
            assert MARK.decode() in data + reply.body.decode(), reply.body
            assert ("x" in data) == ("data: x" in stream.decode()), reply.body

    each(variants, check)


def test_A09_lying_content_types(scene: Scene) -> None:
    """An event stream that is called something else is read as one by those who expect one."""
    form = FORMS["openai chat"]
    stream = b"".join(written(form.events(pieces_at_every_split(scene.key))))
    types = [
        b"text/plain", b"text/plain; charset=utf-8", b"", b"application/octet-stream", b"application/json",
        b"text/html", b"image/png", b"TEXT/EVENT-STREAM", b"text/event-stream;charset=UTF-8", b"text/x-event-stream",
        b"application/x-ndjson", b"application/stream+json", b"text/event-stream, text/plain", b"x",
    ]  # fmt: skip
    starts = {"data": b"", "comment": b": hi\n\n", "id": b"id: 1\n", "retry": b"retry: 5\n\n", "bom": b"\xef\xbb\xbf"}

    def check(_: str, case: tuple[bytes, bytes]) -> None:
        content_type, start = case
        for pieces in ([start + stream], [start + stream[:3], stream[3:]]):
            reply = asked(scene, form, chunked(pieces, content_type=content_type))
            assert MARK.decode() in joined(form, reply.body)

    each({f"{kind!r} {name}": (kind, start) for kind in types for name, start in starts.items()}, check)


@pytest.mark.parametrize("content_type", [b"application/json", b"application/octet-stream", b"text/html", b"x/y"])
def test_A09_lying_content_types_one_character_an_event(scene: Scene, content_type: bytes) -> None:
    """Without any masking rule, too."""
    form = FORMS["openai chat"]
    stream = b"".join(written(form.events([*f"say {scene.key}."])))
    for pieces in ([stream], [stream[:2], stream[2:]]):
        reply = asked(scene, form, chunked(pieces, content_type=content_type))
        text = joined(form, reply.body)
        assert scene.key not in text
        assert text == f"say {MARK.decode()}."


LINES = b"application/x-ndjson"


@pytest.mark.parametrize("content_type", [LINES, b"application/jsonl", b"application/json"])
def test_A08_key_split_over_lines_of_json(scene: Scene, content_type: bytes) -> None:
    """Some servers stream one document a line."""
    pieces = pieces_at_every_split(scene.key)
    forms: dict[str, Callable[[str], Document]] = {
        "response": lambda piece: {"model": "m", "response": piece, "done": False},
        "message": lambda piece: {"message": {"role": "assistant", "content": piece}, "done": False},
        "delta": lambda piece: {"type": "text-delta", "delta": piece},
    }

    def check(name: str, form: Callable[[str], Document]) -> None:
        lines = [json.dumps(form(piece)).encode() + b"\n" for piece in pieces] + [b'{"done": true}\n']
        scene.upstream.script = [chunked(lines, content_type=content_type)]
        reply = scene.ask()
        seen = [json.loads(line) for line in reply.body.splitlines()]
        path = {"response": "response", "message": "message.content", "delta": "delta"}[name]
        text = "".join(digged(document, path) for document in seen)
        scene.evidence.append((f"text {len(scene.evidence)}", bytearray(text.encode())))
        must_be_masked_in_pieces(text, scene.key)

    each(forms, check)


def test_A08_key_one_character_a_line_with_white_space_of_json(scene: Scene) -> None:
    """A CR within a line is white space there; to an event stream it would be a line end."""
    lines = [b'{"response":\r"%b", "done":\rfalse}\n' % character.encode() for character in f"say {scene.key}."]
    scene.upstream.script = [chunked([*lines, b'{"response": "", "done": true}\n'], content_type=LINES)]
    reply = scene.ask()
    text = "".join(json.loads(line)["response"] for line in reply.body.split(b"\n") if line)
    assert scene.key not in text
    assert MARK.decode() in text


def test_A08_key_one_character_a_line_of_json(scene: Scene) -> None:
    lines = [json.dumps({"response": letter, "done": False}).encode() + b"\n" for letter in f"say {scene.key}."]
    scene.upstream.script = [chunked([*lines, b'{"response": "", "done": true}\n'], content_type=LINES)]
    reply = scene.ask()
    text = "".join(json.loads(line)["response"] for line in reply.body.splitlines())
    assert scene.key not in text
