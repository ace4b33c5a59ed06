"""Event streams: what goes out when, and what never changes."""

import gc
import json
import tracemalloc

import pytest

from ostiary.catalog import load_catalog
from ostiary.gateway.bodies import sse_channels
from ostiary.gateway.bodies.sse_body import SseBody
from ostiary.gateway.bodies.sse_channels import OPEN_CHANNELS_MAX
from ostiary.masking.engine import MaskingEngine
from ostiary.masking.fields import FieldPaths
from ostiary.masking.injected import InjectedSecretMatcher
from ostiary.masking.maskers import Edit, Flavour
from ostiary.masking.placeholders import PlaceholderRestorer, Placeholders
from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.errors import MaskingFailedError
from ostiary.model.finding import Finding
from ostiary.model.masking import MaskingRule, Where
from ostiary.model.secret import Secret
from ostiary.protocols.sse import EVENT_MAX_BYTES
from support.event_streams import read_events

EVERYWHERE = frozenset(Where)
RULES = [
    MaskingRule("key", EVERYWHERE, pattern="sk-[a-z0-9]{8}"),
    MaskingRule("pair", EVERYWHERE, pattern='é😀\n"x'),
    MaskingRule("password", EVERYWHERE, pattern=r'"pass"\s{0,3}:\s{0,3}"(?P<value>[a-z0-9/]{4,20})'),
    MaskingRule("mail", EVERYWHERE, detectors=("email",)),
]
ENGINE = MaskingEngine(RULES, b"k" * 32)
"""With `email`, every ordinary word at the end of a piece waits for what follows."""
PREFIXED = MaskingEngine(RULES[:3], b"k" * 32)
WITH_FIELDS = MaskingEngine([*RULES[:2], MaskingRule("names", EVERYWHERE, fields=("user",))], b"k" * 32)
WITH_CARDS = MaskingEngine([*RULES, MaskingRule("card", EVERYWHERE, detectors=("payment-card",))], b"k" * 32)
KINDS = load_catalog()
KEY = "sk-abcd1234"
MARK = "[masked:key]"


class LastByteHeld:
    """A masker that finds nothing and holds back one byte of every text."""

    fields = FieldPaths(())

    class Stream:
        def __init__(self) -> None:
            self.held = b""

        @property
        def held_bytes(self) -> int:
            return len(self.held)

        def feed(self, text: bytes) -> bytes:
            text = self.held + text
            self.held = text[-1:]
            return text[:-1]

        def finish(self) -> bytes:
            rest, self.held = self.held, b""
            return rest

        def cut(self, text: bytes, final: bool) -> tuple[int, list[Edit]]:
            raise TypeError("not for texts that are cut")

    def suspects(self, view: bytes) -> bool:
        return False

    def stream(self, place: str, before: bytes = b"", flavour: Flavour = Flavour.TEXT) -> "LastByteHeld.Stream":
        return self.Stream()

    def replace_field(self, field: int, value: bytes, place: str) -> bytes | None:
        return None

    def findings(self) -> tuple[Finding, ...]:
        return ()


def sse(kind: str = "openai", engine: MaskingEngine = PREFIXED) -> SseBody:
    return SseBody(engine.masker(), KINDS[kind].text_channels)


def event(document: object, name: str = "") -> bytes:
    source = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return (f"event: {name}\n" if name else "").encode() + f"data: {source}\n\n".encode("utf-8", "surrogatepass")


def chunk(content: object, index: int = 0, finish: str | None = None, **members: object) -> bytes:
    choice = {"index": index, "delta": {"content": content}, "finish_reason": finish}
    return event({"id": "chatcmpl-1", "choices": [choice], **members})


def block(text: str, index: int = 0) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return event({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")


def stop(index: int = 0) -> bytes:
    return event({"type": "content_block_stop", "index": index}, "content_block_stop")


def contents(output: bytes) -> list[object]:
    return [
        json.loads(each.data)["choices"][0]["delta"]["content"] for each in read_events(output) if each.data != "[DONE]"
    ]


def through(data: bytes, kind: str = "openai", engine: MaskingEngine = PREFIXED) -> bytes:
    """The output, which is the same at every cut."""
    body = sse(kind, engine)
    whole = body.feed(data) + body.finish()
    for size in (1, 7, 100):
        body = sse(kind, engine)
        assert b"".join(body.feed(data[at : at + size]) for at in range(0, len(data), size)) + body.finish() == whole
    return whole


def feed_all(body: SseBody, pieces: list[bytes]) -> None:
    for piece in pieces:
        body.feed(piece)


DONE = b"data: [DONE]\n\n"


# -- events go out at once, text may follow


def test_text_that_is_not_decided_moves_to_the_next_event() -> None:
    body = sse()
    assert contents(body.feed(chunk("the key is sk-ab"))) == ["the key is "]
    assert contents(body.feed(chunk("cd12"))) == [""]
    assert contents(body.feed(chunk("34 and more"))) == ["[masked:key] and more"]


def test_an_event_in_which_nothing_is_found_is_the_very_same_object() -> None:
    body = sse()
    for piece in (chunk("the"), chunk(" key"), chunk(" of it"), chunk(" here", finish="stop"), chunk("again")):
        assert body.feed(piece) is piece


def test_what_is_left_goes_into_the_event_that_ends_the_text_when_that_has_some() -> None:
    assert contents(through(chunk("sk-ab") + chunk("cd", finish="stop"))) == ["", "sk-abcd"]
    assert contents(through(chunk("sk-ab") + chunk("cd1234", finish="stop"))) == ["", MARK]


def test_what_is_left_goes_in_front_in_a_copy_when_the_ending_event_has_no_text() -> None:
    last = event({"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = sse()
    body.feed(chunk("it is sk-ab", usage=None))
    assert body.feed(last) == chunk("sk-ab", usage=None) + last


def test_what_is_left_goes_before_done_and_before_the_end() -> None:
    first = chunk("sk-ab")
    assert through(first + DONE) == chunk("") + chunk("sk-ab") + DONE
    assert through(first) == chunk("") + chunk("sk-ab")
    assert through(first + DONE + DONE) == chunk("") + chunk("sk-ab") + DONE + DONE


def test_done_is_no_text_and_text_may_follow_it() -> None:
    assert through(chunk("sk-ab") + DONE + chunk("cd1234")) == chunk("") + chunk("sk-ab") + DONE + chunk("cd1234")
    assert through(chunk("sk-ab") + b"data:  [DONE] \r\n\r\n") == chunk("") + chunk("sk-ab") + b"data:  [DONE] \r\n\r\n"


def test_a_copy_says_nothing_twice() -> None:
    """No id, no role, no log probabilities, no text of another channel; its event name is the same."""
    delta = {"role": "assistant", "content": "sk-ab", "reasoning": "why"}
    choice = {"index": 0, "delta": delta, "logprobs": {"content": [{"token": "sk-ab"}]}, "finish_reason": None}
    first = b"id: 7\nevent: message\n" + event({"id": "c", "choices": [choice]})
    body = sse()
    body.feed(first)
    (copy, done) = read_events(body.feed(DONE))
    assert done.data == "[DONE]"
    assert (copy.id, copy.name) == (None, "message")
    assert json.loads(copy.data) == {
        "id": "c",
        "choices": [
            {"index": 0, "delta": {"content": "sk-ab", "reasoning": ""}, "logprobs": None, "finish_reason": None}
        ],
    }


def test_a_text_that_ends_may_begin_again() -> None:
    stream = block("sk-ab") + stop() + block("cd1234 sk-abcd1234 ") + stop()
    assert through(stream, "anthropic") == (
        block("") + block("sk-ab") + stop() + block("cd1234 [masked:key] ") + stop()
    )


def test_texts_of_different_index_do_not_mix() -> None:
    stream = block("sk-ab", 0) + block("sk-wx", 1) + block("cd1234.", 0) + block("yz", 1) + stop(1) + stop(0)
    assert through(stream, "anthropic") == (
        block("", 0) + block("", 1) + block(MARK + ".", 0) + block("", 1) + block("sk-wxyz", 1) + stop(1) + stop(0)
    )


def test_an_event_without_keys_ends_all_texts() -> None:
    last = event({"type": "message_stop"}, "message_stop")
    assert through(block("sk-a", 0) + block("sk-b", 1) + last, "anthropic") == (
        block("", 0) + block("", 1) + block("sk-a", 0) + block("sk-b", 1) + last
    )


def tool(arguments: str, **members: object) -> bytes:
    call = {"index": 0, **members, "function": {"arguments": arguments}}
    return event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})


def arguments(output: bytes) -> str:
    calls = [json.loads(each.data)["choices"][0]["delta"]["tool_calls"][0] for each in read_events(output)]
    return "".join(call["function"]["arguments"] for call in calls)


def test_a_new_tool_call_at_the_same_index_is_a_new_text() -> None:
    other = tool("cd1234 ", id="b")
    assert through(tool("sk-ab", id="a") + other) == tool("", id="a") + tool("sk-ab") + other
    assert through(tool("sk-ab", id="a") + tool("cd1234 ", id="a")) == tool("", id="a") + tool(MARK + " ", id="a")
    assert through(tool("sk-ab", id="a") + tool("cd1234 ", id="")) == tool("", id="a") + tool(MARK + " ", id="")


def test_the_item_is_told_wherever_its_member_stands() -> None:
    def reversed_tool(arguments: str, call: str) -> bytes:
        return event({"choices": [{"delta": {"tool_calls": [{"function": {"arguments": arguments}, "id": call}]}}]})

    def copy(arguments: str) -> bytes:
        return event({"choices": [{"delta": {"tool_calls": [{"function": {"arguments": arguments}}]}}]})

    first, second = reversed_tool("sk-ab", "a"), reversed_tool("cd1234 ", "b")
    assert through(first + second) == reversed_tool("", "a") + copy("sk-ab") + second


def test_a_text_that_begins_before_its_item_is_named_goes_on() -> None:
    assert through(tool("sk-ab") + tool("cd1234 ", id="a")) == tool("") + tool(MARK + " ", id="a")


def test_a_copy_for_one_choice_does_not_end_another() -> None:
    def both(first: str, second: object, finish: object) -> bytes:
        ending = {"index": 1, "delta": {"content": second}, "finish_reason": finish}
        return event({"choices": [{"index": 0, "delta": {"content": first}, "finish_reason": None}, ending]})

    assert through(both("sk-ab", "x", "stop") + DONE) == both("", "x", "stop") + both("sk-ab", "", None) + DONE


def test_what_passes_unread_belongs_to_the_text_that_runs() -> None:
    """After events that differ in their text only, the text ends and another one begins."""
    body = sse()
    for piece in (chunk("a"), chunk("b"), chunk("c"), DONE):
        assert body.feed(piece) == piece
    assert body.feed(chunk("sk-ab")) == chunk("")
    assert body.feed(DONE) == chunk("sk-ab") + DONE


def test_several_pieces_of_one_text_in_an_event() -> None:
    def parts(*texts: str) -> bytes:
        content = [{"type": "text", "text": text} for text in texts]
        return event({"choices": [{"index": 0, "delta": {"content": content}}]})

    assert through(parts("sk-", "abcd") + parts("12", "34 sk-", "a")) == parts("", "") + parts(
        "", MARK + " ", ""
    ) + parts("sk-a", "")[:0] + parts("", "", "sk-a")


# -- what is no text stays


@pytest.mark.parametrize("content", [None, "", 5, ["a"], {"text": 1}])
def test_content_that_is_no_string_or_empty_is_left(content: object) -> None:
    piece = chunk(content)
    body = sse()
    assert body.feed(piece) is piece
    assert through(chunk("sk-ab") + piece) in (
        chunk("") + piece + chunk("sk-ab"),
        chunk("") + chunk("sk-ab"),  # where there is a text, it can carry what is left
    )


@pytest.mark.parametrize("data", [b"17", b'"text"', b"[1,2]", b"null", b"true", b"-1.5e3", b"", b" ", b"{}", b"[]"])
def test_data_that_is_no_object_passes(data: bytes) -> None:
    stream = chunk("a") + b"data: " + data + b"\n\n" + b"data:" + data + b"\r\n\r\n"
    assert through(stream) == stream


@pytest.mark.parametrize(
    "data",
    ['["sk-abcd1234"]', '"a sk-abcd1234 "', "sk-abcd1234 ", '{"a":"sk-abcd1234"}', '{"a":sk-abcd1234', "[sk-abcd1234"],
)
def test_what_is_found_outside_of_texts_is_masked_in_place(data: str) -> None:
    stream = f"data: {data}\n\ndata: end\n\n"
    assert through(stream.encode()).decode() == stream.replace(KEY, MARK)


def test_data_of_several_lines_is_one_text_and_stays_in_its_lines() -> None:
    stream = b'id: 4\ndata: {"choices":[{"index":0,\ndata:"delta":{"content":"x sk-abcd1234 "}\ndata:  }]}\n\n'
    assert through(stream) == stream.replace(KEY.encode(), MARK.encode())
    assert through(b"data: a sk-abcd1234\ndata: b\n\n") == b"data: a [masked:key]\ndata: b\n\n"


def test_plain_text_is_put_together_from_events() -> None:
    assert through(b"data: it is sk-\n\ndata: abcd1\n\ndata: 234 now\n\n") == (
        b"data: it is \n\ndata: \n\ndata: [masked:key] now\n\n"
    )


def test_comments_and_fields_between_events_do_not_wait() -> None:
    body = sse()
    body.feed(chunk("sk-ab"))
    for line in (b": keep-alive\n", b":\n\n", b"retry: 3000\n\n", b"\n", b"id: 9\n\n", b"event: ping\n\n"):
        assert body.feed(line) == line
    assert contents(body.feed(chunk("cd1234 "))) == [MARK + " "]


def test_comments_ids_and_names_are_looked_at() -> None:
    stream = f": {KEY}\n\nid: {KEY}\nevent: {KEY}\ndata: 1\n\n{KEY}: {KEY}\n\n".encode()
    assert through(stream) == stream.replace(KEY.encode(), MARK.encode())


def test_opaque_members_are_never_looked_at() -> None:
    delta = {"type": "signature_delta", "signature": "sk-abcd1234" + 'é😀\n"x'}
    signature = event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")
    assert through(block("a") + signature + signature, "anthropic") == block("a") + signature + signature
    with_text = event(
        {"type": "content_block_delta", "index": 0, "note": KEY, "delta": {"signature": KEY, "text": f"{KEY}."}},
        "content_block_delta",
    )
    output = through(with_text, "anthropic")
    assert json.loads(read_events(output)[0].data) == {
        "type": "content_block_delta", "index": 0, "note": MARK, "delta": {"signature": KEY, "text": f"{MARK}."},
    }  # fmt: skip


def test_what_is_put_into_a_line_adds_no_line() -> None:
    placeholders = Placeholders()
    mark = placeholders.placeholder_for("email", b"a\r\nb\nid: 1").decode()
    body = SseBody(PlaceholderRestorer(placeholders), KINDS["openai"].text_channels)
    assert body.feed(f": {mark}\nid: {mark}\ndata: {mark}\n\n".encode()) == (
        b": a b id: 1\nid: a b id: 1\ndata: a\ndata: b\ndata: id: 1\n\n"
    )


def test_what_looks_like_a_stand_in_is_left() -> None:
    note = {f"x{number}": "\0\x07" + chr(number) + "\x07" for number in range(8)}
    event_of = [event({**note, "note": f"{KEY} ", "choices": [{"delta": {"content": f"{KEY} "}}], **note})]
    assert through(event_of[0]) == event_of[0].replace(KEY.encode(), MARK.encode())


def test_what_stands_at_an_opaque_path_in_other_events_is_looked_at() -> None:
    other = event({"type": "content_block_start", "delta": {"signature": KEY}}, "content_block_start")
    assert MARK.encode() in through(other, "anthropic")


def test_a_whole_text_that_is_said_again_is_masked_by_itself() -> None:
    def delta(text: str) -> bytes:
        return event(
            {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": text}
        )

    def completed(text: str) -> bytes:
        output = [{"type": "message", "content": [{"type": "output_text", "text": text}]}]
        return event({"type": "response.completed", "response": {"output": output, "usage": {"total_tokens": 7}}})

    done = event(
        {"type": "response.output_text.done", "item_id": "m", "output_index": 0, "content_index": 0, "text": KEY}
    )
    assert through(delta("sk-ab") + delta("cd1234.") + done + completed(f"x {KEY} {KEY}")) == (
        delta("") + delta(f"{MARK}.") + done.replace(KEY.encode(), MARK.encode()) + completed(f"x {MARK} {MARK}")
    )


def test_log_probabilities_of_a_changed_text_are_emptied_and_others_stay() -> None:
    def logged(text: str, logprobs: object) -> bytes:
        return event(
            {"choices": [{"index": 0, "delta": {"content": text}, "logprobs": logprobs, "finish_reason": None}]}
        )

    tokens = {"content": [{"token": "sk-", "bytes": [115, 107, 45]}]}
    assert through(logged("sk-", tokens) + logged("abcd1234.", tokens)) == logged("", None) + logged(f"{MARK}.", None)
    assert through(logged("ab", tokens)) == logged("ab", tokens)
    listed = event({"type": "response.output_text.delta", "delta": f"{KEY}.", "logprobs": [{"token": "sk"}]})
    assert through(listed) == event({"type": "response.output_text.delta", "delta": f"{MARK}.", "logprobs": []})


def test_numbers_ids_and_spacing_stay_as_they_are_written() -> None:
    stream = (
        b'id: 00012\ndata: { "sequence_number": 1.0e3, "big": 123456789012345678901234567890, "choices": '
        b'[ {"index":0, "delta" : {"content" :  "a sk-abcd1234 \\u00e9\\/"}, "x": "\\u00e9" } ] , "t": 1E400 }\n\n'
    )
    expected = stream.replace(b'"a sk-abcd1234 \\u00e9\\/"', '"a [masked:key] é/"'.encode())
    assert through(stream) == expected


def test_members_that_a_rule_names_are_replaced_and_texts_still_run() -> None:
    stream = chunk("sk-ab", user="joe") + chunk("cd1234.", user="joe")
    assert through(stream, engine=WITH_FIELDS) == chunk("", user="[masked:names]") + chunk(
        f"{MARK}.", user="[masked:names]"
    )
    named = MaskingEngine([*RULES, MaskingRule("all text", EVERYWHERE, fields=("content",))], b"k" * 32)
    assert contents(through(chunk("a") + chunk("sk-ab"), engine=named)) == ["[masked:all text]"] * 2


# -- odd JSON


def test_of_doubled_members_the_last_one_is_the_text_and_the_others_are_looked_at() -> None:
    stream = b'data: {"choices":[{"index":0,"delta":{"content":"sk-abcd1234","content":"sk-ab"}}]}\n\n'
    assert through(stream + chunk("cd1234.")) == (
        b'data: {"choices":[{"index":0,"delta":{"content":"[masked:key]","content":""}}]}\n\n' + chunk(MARK + ".")
    )


@pytest.mark.parametrize(
    "odd",
    [
        b'"a":"\xff"', b'"\xff":1', b'"a":"\\ud83d"', b'"\\ud83d":1', b'"a":NaN', b'"a":Infinity', b'"a":"\t"',
        b'"a":1E999', b'"a":"\xed\xa0\xbd"', b'"a":[{"b":[{}, []]}]', b'"a":' + b"[" * 900 + b"]" * 900,
    ],
)  # fmt: skip
def test_text_is_found_in_json_that_strict_readers_refuse(odd: bytes) -> None:
    def piece(text: bytes) -> bytes:
        return b'data: {%b,"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (odd, text)

    assert through(piece(b"sk-ab") + piece(b"cd1234 x")) == piece(b"") + piece(b"[masked:key] x")


def test_a_text_that_cannot_be_written_back_is_refused() -> None:
    """Under a key that readers take for another one than it is."""
    with pytest.raises(MaskingFailedError):
        sse().feed(b'data: {"\xed\xa0\xbd":{"text":"sk-ab"},"a":"\xff"}\n\n')


def test_characters_are_whole_however_a_masker_lets_them_go() -> None:
    body = SseBody(LastByteHeld(), KINDS["openai"].text_channels)
    assert contents(body.feed(chunk("aé"))) == ["a"]
    assert contents(body.feed(chunk("😀ß"))) == ["é😀"]
    assert contents(body.feed(chunk("\ud83d x") + DONE)) == ["ß\ud83d ", "x"]
    assert contents(body.feed(chunk("é") + DONE)) == ["", "é"]


def test_half_surrogate_pairs_come_out_as_they_went_in() -> None:
    stream = (
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ude00 sk-abcd1234."}}]}\n\n'
    )
    assert through(stream) == stream.replace(KEY.encode(), MARK.encode())


def test_characters_are_never_cut() -> None:
    body = sse()
    assert contents(body.feed(chunk("x é"))) == ["x "]
    assert contents(body.feed(chunk("😀"))) == [""]
    assert contents(body.feed(chunk('\n"'))) == [""]
    assert contents(body.feed(chunk("y"))) == ['é😀\n"y']
    assert contents(through(chunk("x é") + chunk('😀\n"x.'))) == ["x ", "[masked:pair]."]


def test_json_inside_arguments_is_looked_at_as_it_will_be_read() -> None:
    assert through(tool('{"a":"\\nsk-ab') + tool('cd1234\\n"}')) == tool('{"a":"\\n') + tool('[masked:key]\\n"}')
    assert arguments(through(tool('{"pass') + tool('": "hunter22x"}'))) == '{"pass": "[masked:password]"}'


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        (r'{"to":"joe\u0040example.com "}', '{"to":"[masked:email] "}'),
        (r'{"to":"\tsk-\u0061bcd1234\n"}', r'{"to":"\t[masked:key]\n"}'),
        ('{"card":4242424242424242,"n":17}', '{"card":"[masked:payment-card]","n":17}'),
        (r'{"p\u0061ss" : "hunter22x"}', r'{"p\u0061ss" : "[masked:password]"}'),
        (r'{"pair":"\u00e9\ud83d\ude00\n\"x"}', '{"pair":"[masked:pair]"}'),
        (r'{"clean":"\u00e9\/ \n"} ', r'{"clean":"\u00e9\/ \n"} '),
        ('{"sk-abcd1234":"x"}', '{"[masked:key]":"x"}'),
        ("no JSON sk-abcd1234 ", "no JSON [masked:key] "),
    ],
)
def test_what_arguments_say_counts_and_what_is_put_in_leaves_them_valid(source: str, masked: str) -> None:
    for size in (1, 2, 5, 100):
        stream = b"".join(tool(source[at : at + size]) for at in range(0, len(source), size))
        assert arguments(through(stream, engine=WITH_CARDS)) == masked


def test_the_injected_key_is_found_in_arguments_that_come_in_pieces() -> None:
    injected = InjectedSecretMatcher([Secret("key", 1, b"zyx-98765-wvu")], [AuthForm(AuthScheme.BEARER)])
    source = r'{"a":"zyx-98765-wvu","b":["zyx-98765-\u0077vu"]}'
    for size in (1, 4, 100):
        body = SseBody(PREFIXED.masker(injected=injected), KINDS["openai"].text_channels)
        output = b"".join(body.feed(tool(source[at : at + size])) for at in range(0, len(source), size)) + body.finish()
        assert arguments(output) == '{"a":"[masked:injected-secret]","b":["[masked:injected-secret]"]}'


# -- the end


@pytest.mark.parametrize("end", [b"", b"\n", b"\r"])
def test_the_last_event_counts_without_an_empty_line(end: bytes) -> None:
    assert through(chunk("sk-ab") + chunk("cd1234")[:-2] + end) == chunk("") + chunk(MARK)[:-2] + end
    assert through(chunk("sk-ab") + b": bye") == chunk("") + chunk("sk-ab") + b": bye"


def test_an_event_that_is_cut_off_in_its_json_is_left_out() -> None:
    for end in range(15, 60):
        assert through(chunk("sk-ab") + chunk("cd1234")[:end]) == chunk("") + chunk("sk-ab")


def test_a_file_that_begins_like_an_event_stream_keeps_its_end() -> None:
    text = b"data: {\n  key: sk-abcd1234 ,\n"
    assert through(text) == text.replace(KEY.encode(), MARK.encode())
    assert through(b"data: [a, sk-abcd1234 ") == b"data: [a, [masked:key] "


# -- bounds


def test_an_event_of_too_many_bytes_is_refused() -> None:
    piece = b"data: " + b"x" * (1024 * 1024)
    with pytest.raises(MaskingFailedError):
        feed_all(sse(), [piece] * (EVENT_MAX_BYTES // len(piece) + 2))


def test_too_many_texts_at_once_are_refused() -> None:
    body = sse()
    for index in range(OPEN_CHANNELS_MAX):
        body.feed(chunk("sk-ab", index))
    with pytest.raises(MaskingFailedError, match="texts"):
        body.feed(chunk("sk-ab", OPEN_CHANNELS_MAX))


def test_texts_that_ended_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse_channels, "OPEN_CHANNELS_MAX", 20)
    body = sse()
    monkeypatch.setattr(sse_channels, "KEPT_MAX_BYTES", 50_000)
    for index in range(50):
        body.feed(chunk("sk-ab", index, pad="x" * 10_000))
        assert contents(body.feed(chunk("cd1234", index, "stop"))) == [MARK]


def test_items_of_tool_calls_are_bounded_too() -> None:
    def call(index: int) -> bytes:
        tools = [{"index": index, "id": f"call_{index}", "function": {"name": "f"}}]
        return event({"choices": [{"index": 0, "delta": {"tool_calls": tools}}]})

    with pytest.raises(MaskingFailedError, match="texts"):
        feed_all(sse(), [call(index) for index in range(4 * OPEN_CHANNELS_MAX)])


def test_large_events_of_many_texts_are_refused_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse_channels, "KEPT_MAX_BYTES", 80_000)
    pad = "x" * 10_000
    with pytest.raises(MaskingFailedError, match="bytes"):
        feed_all(sse(), [chunk("sk-ab", index, pad=pad) for index in range(10)])


def test_one_text_of_large_events_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse_channels, "KEPT_MAX_BYTES", 80_000)
    body = sse()
    pad = "x" * 10_000
    for _ in range(12):
        assert contents(body.feed(chunk("sk-ab", pad=pad) + chunk("cd1234 ", pad=pad))) == ["", MARK + " "]


def test_a_stream_with_half_a_match_holds_little() -> None:
    warm = sse()
    warm.feed(chunk("sk-ab"))
    gc.collect()
    tracemalloc.start()
    try:
        bodies = [sse() for _ in range(200)]
        for body in bodies:
            body.feed(bytes(bytearray(chunk("the key is sk-ab", pad="x" * 250))))
        held = tracemalloc.get_traced_memory()[0] / len(bodies)
    finally:
        tracemalloc.stop()
    assert held < 6_000
