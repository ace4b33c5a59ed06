"""An upstream of the shapes of OpenAI and Anthropic that quotes the placeholders it is sent, cut at awkward places.

It keeps every body it receives. With a model whose name ends in `-ascii` it writes everything but ASCII as escapes, in
events and inside tool-call arguments alike.
"""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any

PLACEHOLDER = re.compile("‹[a-z0-9-]+:[0-9]+›")
MINTED = "sub_7Qm2Zx9Rt4Kv8Lw3Np6Bc1Yd5Hs0Jf"
_CUT_BYTES = 7
"""Bodies are written in pieces of so many bytes, in the middle of characters too."""


class QuotingUpstream:
    """Listens on a loopback port of its own."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = _body_of(self)
                bodies.append(body)
                asked = json.loads(body)
                answer = ANSWERS[self.path.partition("?")[0]]
                answered = answer(asked)
                if isinstance(answered, dict):
                    content_type, text = "application/json", _source(asked, answered)
                else:
                    content_type = "text/event-stream"
                    text = "".join(_event(asked, name, data) for name, data in answered)
                self._write(content_type, text.encode())

            def _write(self, content_type: str, content: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for at in range(0, len(content), _CUT_BYTES):
                    piece = content[at : at + _CUT_BYTES]
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def _body_of(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    parts = []
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(parts)


def _is_ascii(asked: dict[str, Any]) -> bool:
    return str(asked.get("model", "")).endswith("-ascii")


def _source(asked: dict[str, Any], value: object) -> str:
    return json.dumps(value, ensure_ascii=_is_ascii(asked), separators=(",", ":"))


def _event(asked: dict[str, Any], name: str | None, data: object) -> str:
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {data if isinstance(data, str) else _source(asked, data)}\n\n"


# -- what it says


def _quoted(asked: dict[str, Any]) -> list[str]:
    """The placeholders of the request, each once, in order."""
    return list(dict.fromkeys(PLACEHOLDER.findall(json.dumps(asked, ensure_ascii=False))))


def _text(asked: dict[str, Any]) -> str:
    return "You gave me " + ", ".join(_quoted(asked)) + "; and ‹nobody:7› I do not know."


def _arguments(asked: dict[str, Any]) -> dict[str, str]:
    return {"path": "notes.txt", "content": "".join(f"«{one}»\n" for one in _quoted(asked))}


def _cut(text: str, lengths: Sequence[int]) -> Iterator[str]:
    at = 0
    for length in cycle(lengths):
        if at >= len(text):
            return
        yield text[at : at + length]
        at += length


def _pieces(text: str) -> Iterator[str]:
    """Letter by letter where placeholders are, so that every cut is met."""
    return _cut(text, (1,))


def _argument_pieces(source: str) -> Iterator[str]:
    return _cut(source, (1, 3, 2))


_USAGE = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}


def _chat(asked: dict[str, Any]) -> dict[str, Any] | list[tuple[str | None, object]]:
    source = _source(asked, _arguments(asked))
    base = {"id": "chatcmpl-q1", "created": 1_700_000_000, "model": asked["model"]}
    if not asked.get("stream"):
        call = {"id": "call_q1", "type": "function", "function": {"name": "write_file", "arguments": source}}
        message = {"role": "assistant", "content": _text(asked), "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return {**base, "object": "chat.completion", "choices": [choice], "usage": _USAGE}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> tuple[None, object]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return None, {**base, "object": "chat.completion.chunk", "choices": choices}

    def called(function: dict[str, str], **more: object) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, **more, "function": function}]}

    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": piece}) for piece in _pieces(_text(asked))),
        chunk(called({"name": "write_file", "arguments": ""}, id="call_q1", type="function")),
        *(chunk(called({"arguments": piece})) for piece in _argument_pieces(source)),
        chunk({}, "tool_calls"),
        (None, {**base, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE}),
        (None, "[DONE]"),
    ]


def _response(asked: dict[str, Any]) -> dict[str, Any] | list[tuple[str | None, object]]:
    text, source = _text(asked), _source(asked, _arguments(asked))
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "msg_q1", "role": "assistant", "status": "completed", "content": [part]}
    call = {
        "type": "function_call", "id": "fc_q1", "call_id": "call_q1", "name": "write_file", "arguments": source,
        "status": "completed",
    }  # fmt: skip
    whole = {
        "id": "resp_q1", "object": "response", "created_at": 1_700_000_000, "model": asked["model"],
        "status": "completed", "output": [message, call], "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [], "usage": {
            "input_tokens": 11, "output_tokens": 22, "total_tokens": 33,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
        },
    }  # fmt: skip
    if not asked.get("stream"):
        return whole
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    at_text = {"item_id": "msg_q1", "output_index": 0, "content_index": 0}
    at_call = {"item_id": "fc_q1", "output_index": 1}
    events: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.output_item.added",
         {"output_index": 0, "item": {**message, "status": "in_progress", "content": []}}),
        ("response.content_part.added", {**at_text, "part": {**part, "text": ""}}),
        *(("response.output_text.delta", {**at_text, "delta": piece}) for piece in _pieces(text)),
        ("response.output_text.done", {**at_text, "text": text}),
        ("response.content_part.done", {**at_text, "part": part}),
        ("response.output_item.done", {"output_index": 0, "item": message}),
        ("response.output_item.added",
         {"output_index": 1, "item": {**call, "status": "in_progress", "arguments": ""}}),
        *(("response.function_call_arguments.delta", {**at_call, "delta": piece})
          for piece in _argument_pieces(source)),
        ("response.function_call_arguments.done", {**at_call, "arguments": source, "name": "write_file"}),
        ("response.output_item.done", {"output_index": 1, "item": call}),
        ("response.completed", {"response": whole}),
    ]  # fmt: skip
    return [(name, {"type": name, "sequence_number": number, **data}) for number, (name, data) in enumerate(events)]


def _message(asked: dict[str, Any]) -> dict[str, Any] | list[tuple[str | None, object]]:
    text, arguments = _text(asked), _arguments(asked)
    whole = {
        "id": "msg_q1", "type": "message", "role": "assistant", "model": asked["model"],
        "content": [{"type": "text", "text": text},
                    {"type": "tool_use", "id": "toolu_q1", "name": "write_file", "input": arguments}],
        "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 22},
    }  # fmt: skip
    if not asked.get("stream"):
        return whole
    tool = {"type": "tool_use", "id": "toolu_q1", "name": "write_file", "input": {}}

    def delta(index: int, kind: str, member: str, piece: str) -> tuple[str, dict[str, Any]]:
        return "content_block_delta", {"index": index, "delta": {"type": kind, member: piece}}

    events: list[tuple[str, dict[str, Any]]] = [
        ("message_start", {"message": {**whole, "content": [], "stop_reason": None}}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        *(delta(0, "text_delta", "text", piece) for piece in _pieces(text)),
        ("content_block_stop", {"index": 0}),
        ("content_block_start", {"index": 1, "content_block": tool}),
        *(delta(1, "input_json_delta", "partial_json", piece)
          for piece in _argument_pieces(_source(asked, arguments))),
        ("content_block_stop", {"index": 1}),
        ("message_delta",
         {"delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 22}}),
        ("message_stop", {}),
    ]  # fmt: skip
    return [(name, {"type": name, **data}) for name, data in events]


def _sub_token(asked: dict[str, Any]) -> dict[str, Any]:
    return {"accessToken": MINTED, "expiresAt": "2030-01-01T00:00:00Z"}


def _agent(asked: dict[str, Any]) -> dict[str, Any]:
    """Guesses at the placeholders that the tool holds."""
    return {"id": "bc-q1", "status": "CREATING", "guess": "‹minted-credential:1› ‹email:1›"}


ANSWERS = {
    "/v1/chat/completions": _chat,
    "/v1/responses": _response,
    "/v1/messages": _message,
    "/v1/sub-tokens": _sub_token,
    "/v1/agents": _agent,
}
