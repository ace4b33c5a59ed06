"""What a catalog document may say of text channels, and finding them in documents."""

from collections.abc import Mapping

import pytest

from ostiary.catalog import load_catalog, read_kind
from ostiary.model.errors import OperatorError
from ostiary.protocols.channel_paths import EventForms, Hit, Role, steps_to
from ostiary.protocols.documents import Place
from ostiary.protocols.text_channels import TextChannel, parse_text_channels

CATALOG = load_catalog()
ROW = {"name": "chat.content", "path": "choices.*.delta.content"}


def parse(*rows: object) -> tuple[TextChannel, ...]:
    return parse_text_channels(rows, Place("x.yaml", "text_channels"))


def test_everything_a_row_can_say_is_kept() -> None:
    (channel,) = parse(
        {
            "name": "chat.tool-arguments",
            "event": "chunk",
            "path": "choices.*.delta.tools.*.arguments",
            "keys": ["run", "part.id", "choices.*.index", "choices.*.delta.tools.*.index"],
            "flavour": "json",
            "ends": ["done", "response.completed"],
            "ending_members": ["choices.*.finish_reason", "stop"],
            "new_item": "choices.*.delta.tools.*.id",
            "repeated_in": ["choices.*.logprobs"],
            "said_once": ["choices.*.delta.role", "choices.*.delta.tools.*.name"],
        }
    )
    assert channel == TextChannel(
        name="chat.tool-arguments",
        event="chunk",
        path=("choices", "*", "delta", "tools", "*", "arguments"),
        keys=(
            ("run",),
            ("part", "id"),
            ("choices", "*", "index"),
            ("choices", "*", "delta", "tools", "*", "index"),
        ),
        flavour="json",
        ends=("done", "response.completed"),
        ending_members=(("choices", "*", "finish_reason"), ("stop",)),
        new_item=("choices", "*", "delta", "tools", "*", "id"),
        repeated_in=(("choices", "*", "logprobs"),),
        said_once=(("choices", "*", "delta", "role"), ("choices", "*", "delta", "tools", "*", "name")),
    )
    assert channel.document_keys == (("run",), ("part", "id"))
    assert channel.element_key(("choices",)) == "index"
    assert channel.element_key(("other",)) is None


def test_a_row_needs_a_name_and_a_path_only() -> None:
    assert parse(ROW) == (TextChannel("chat.content", ("choices", "*", "delta", "content")),)


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"colour": 1}, "colour", "unknown key"),
        ({"keyz": []}, "keyz", "'keys'"),
        ({"name": "Chat"}, "name", "not a valid value"),
        ({"name": 7}, "name", "not a valid value"),
        ({"path": "a..b"}, "path", "not a valid value"),
        ({"path": ""}, "path", "not a valid value"),
        ({"event": "two words"}, "event", "not a valid value"),
        ({"flavour": "jason"}, "flavour", "'json'"),
        ({"flavour": True}, "flavour", "unknown value"),
        ({"keys": "index"}, "keys", "must be a list"),
        ({"keys": ["a b"]}, "keys[0]", "not a valid value"),
        ({"keys": ["choices.*"]}, "keys[0]", "must end with a member's name"),
        ({"keys": ["choices.*.delta.index"]}, "keys[0]", "member of a list's element itself"),
        ({"keys": ["index", "other.*.index"]}, "keys[1]", "leads through a list"),
        ({"ends": ["a b"]}, "ends[0]", "not a valid value"),
        ({"ends": "done"}, "ends", "must be a list"),
        ({"ending_members": ["other.*.done"]}, "ending_members[0]", "leads through a list"),
        ({"ending_members": [7]}, "ending_members[0]", "not a valid value"),
        ({"new_item": "other.*.id"}, "new_item", "leads through a list"),
        ({"new_item": "choices.*"}, "new_item", "must end with a member's name"),
        ({"repeated_in": ["other.*.logprobs"]}, "repeated_in[0]", "leads through a list"),
        ({"said_once": ["other.*.role"]}, "said_once[0]", "leads through a list"),
        ({"flavour": "opaque", "keys": ["id"]}, "keys", "no meaning with flavour opaque"),
        ({"flavour": "opaque", "ends": []}, "ends", "no meaning with flavour opaque"),
    ],
)
def test_a_wrong_row_is_told_with_its_key(changes: dict[str, object], key: str, words: str) -> None:
    with pytest.raises(OperatorError) as caught:
        parse({"name": "first", "path": "first"}, ROW | changes)
    assert str(caught.value).startswith(f"x.yaml: text_channels[1].{key}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("missing", ["name", "path"])
def test_what_is_missing_is_told(missing: str) -> None:
    with pytest.raises(OperatorError, match=rf"text_channels\[0\]\.{missing}: missing"):
        parse({key: value for key, value in ROW.items() if key != missing})


def test_a_row_must_be_a_mapping() -> None:
    with pytest.raises(OperatorError, match=r"text_channels\[0\]: must be a mapping"):
        parse("chat.content")


def test_names_and_places_are_not_given_twice() -> None:
    with pytest.raises(OperatorError, match=r"\[1\]\.name: there are two channels"):
        parse(ROW, ROW | {"path": "other"})
    with pytest.raises(OperatorError, match=r"\[1\]\.path: another channel has the same path"):
        parse(ROW, ROW | {"name": "other"})
    assert len(parse(ROW, ROW | {"name": "other", "event": "chunk"})) == 2


def test_a_kind_lists_its_channels() -> None:
    text = (
        "kind: x\ntitle: X\nerror_shape: problem\noperations: by-method\ntext_channels_of: [openai]\n"
        "text_channels: [{name: a, path: b}]"
    )
    kind = read_kind(text, "x.yaml")
    assert kind.text_channels == (TextChannel("a", ("b",)),)
    assert kind.text_channels_of == ("openai",)
    with pytest.raises(OperatorError, match="text_channels: must be a list"):
        read_kind(text.replace("[{name: a, path: b}]", "7"), "x.yaml")
    with pytest.raises(OperatorError, match=r"text_channels_of\[0\]"):
        read_kind(text.replace("[openai]", "[7]"), "x.yaml")


def test_any_http_api_has_the_channels_of_openai_and_anthropic() -> None:
    named = {channel.name for channel in CATALOG["http"].text_channels}
    assert {channel.name for kind in ("openai", "anthropic") for channel in CATALOG[kind].text_channels} < named


# -- finding


def found(kind: str, document: Mapping[str, object], event: str = "") -> list[Hit]:
    return EventForms(CATALOG[kind].text_channels).form(event, document).find(document)


def texts(kind: str, document: Mapping[str, object], event: str = "") -> list[tuple[str, object, str, object]]:
    return [
        (hit[0].channel.name, hit[1], hit[2], steps_to(hit)) for hit in found(kind, document, event) if hit[0].is_text
    ]


def test_texts_are_found_by_their_path() -> None:
    document = {
        "object": "chat.completion.chunk",
        "choices": [
            {"index": 1, "delta": {"content": "a"}, "finish_reason": None},
            {"delta": {"content": None, "tool_calls": [{"index": 3, "function": {"arguments": "{"}}]}},
            {"index": 0, "delta": {}, "finish_reason": "stop"},
        ],
    }
    assert texts("openai", document) == [
        ("chat.content", (1,), "a", ("choices", 0, "delta", "content")),
        ("chat.tool-arguments", (1, 3), "{", ("choices", 1, "delta", "tool_calls", 0, "function", "arguments")),
    ]
    (end,) = [hit for hit in found("openai", document) if hit[0].role is Role.END]
    assert end[1] == (0,)
    assert "chat.refusal" in {channel.name for channel in end[0].channels}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"choices": None},
        {"choices": {"delta": {"content": "a"}}},
        {"choices": ["a", 7, None, []]},
        {"choices": [{"delta": "a"}, {"delta": {"content": 7}}, {"delta": {"tool_calls": {"index": 0}}}]},
        {"type": ["content_block_delta"], "delta": {"text": "a"}},
        {"type": 7, "delta": {"text": "a"}},
    ],
)
def test_what_has_another_shape_holds_no_text(document: dict[str, object]) -> None:
    assert texts("http", document) == []


def test_the_event_is_known_by_its_name_or_the_documents_type() -> None:
    expected = [("messages.text", (2,), "a", ("delta", "text"))]
    document: dict[str, object] = {"index": 2, "delta": {"text": "a"}}
    assert texts("anthropic", document) == []
    assert texts("anthropic", document, "content_block_delta") == expected
    assert texts("anthropic", document | {"type": "content_block_delta"}) == expected
    assert texts("anthropic", document | {"type": "content_block_delta"}, "other") == expected


def test_keys_that_are_missing_or_odd_count_as_none() -> None:
    document: dict[str, object] = {
        "type": "response.output_text.delta",
        "delta": "a",
        "item_id": ["x"],
        "output_index": 4,
    }
    assert texts("openai", document) == [("responses.output-text", (None, 4, None), "a", ("delta",))]


def test_events_are_known_that_a_channel_names() -> None:
    forms = EventForms(CATALOG["anthropic"].text_channels)
    assert forms.form("", {"type": "content_block_stop"}).known
    assert {channel.name for channel in forms.form("content_block_stop", {}).ended} >= {"messages.text"}
    assert forms.form("", {"type": "content_block_start"}).opaque == (
        ("content_block", "signature"),
        ("content_block", "data"),
    )
    assert not forms.form("ping", {"type": "ping"}).known


def test_names_nobody_knows_share_one_form() -> None:
    forms = EventForms(CATALOG["openai"].text_channels)
    assert forms.form("one", {"type": "two"}) is forms.form("three", {"type": "four"})


@pytest.mark.parametrize("kind", sorted(name for name, kind in CATALOG.items() if kind.text_channels))
def test_every_channel_of_the_catalog_is_found_where_it_says(kind: str) -> None:
    for channel in CATALOG[kind].text_channels:
        value: object = "a text"
        for step in reversed(channel.path):
            value = [value] if step == "*" else {step: value}
        assert isinstance(value, dict)
        names = [each[0] for each in texts(kind, value, channel.event or "")]
        assert (channel.name in names) == (channel.flavour != "opaque")
