"""Masking what remote detectors found: every text once gathered and once more read, in any kind of body."""

import json
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.catalog import load_catalog
from ostiary.gateway.bodies.choosing import body_for
from ostiary.masking.engine import Masker, MaskingEngine
from ostiary.masking.maskers import TextMasker
from ostiary.masking.placeholders import PlaceholderRestorer, Placeholders
from ostiary.masking.remote import RemoteMasker, Sighting, TextCollector, is_language, remote_labels
from ostiary.model.errors import DetectorFailedError, MaskingBlockedError, MaskingFailedError
from ostiary.model.finding import Finding, RemoteSpan
from ostiary.model.masking import Action, Exemption, MaskingRule, Where

LIVE = frozenset({Where.REQUEST, Where.RESPONSE})
NAMES = MaskingRule("people", LIVE, detectors=("person-name",))
CHANNELS = load_catalog()["openai"].text_channels
PEOPLE = ("Ana Müller", "José", "Zoë", "Peter Parker")


def sightings_of(text: bytes, *extra: tuple[str, str]) -> list[Sighting]:
    words = [*((word, "person-name") for word in PEOPLE), *extra]
    return [
        Sighting("presidio", RemoteSpan(match.start(), match.end(), label, 0.9))
        for word, label in words
        for match in re.finditer(re.escape(word.encode()), text)
    ]


def remotely(
    content: bytes,
    *rules: MaskingRule,
    content_type: bytes = b"application/json",
    see: Callable[[bytes], list[Sighting]] = sightings_of,
    masker: Masker | None = None,
) -> bytes:
    rules = rules or (NAMES,)
    masker = masker or MaskingEngine(rules, b"k" * 32).masker(substitutes=Placeholders())

    def through(reader: TextMasker) -> bytes:
        body = body_for(content_type, reader, CHANNELS)
        return body.feed(content) + body.finish()

    collector = TextCollector()
    assert through(collector) == content
    found = {text: see(text) for text in collector.texts if is_language(text)}
    by_label: dict[str, list[MaskingRule]] = {}
    for rule in rules:
        for label in remote_labels(rule):
            by_label.setdefault(label, []).append(rule)
    return through(RemoteMasker(masker, by_label, collector.texts, found))


# -- bodies


def test_json_strings_are_masked_and_every_other_byte_stays() -> None:
    document = '{"a" : "call Ana M\\u00fcller","Zoë":[1.0, "José\\n"],\t"b":"none"}'.encode()
    masked = '{"a" : "call [masked:person-name]","[masked:person-name]":[1.0, "[masked:person-name]\\n"],\t"b":"none"}'
    assert remotely(document) == masked.encode()


def test_text_forms_and_multipart_are_masked() -> None:
    assert remotely("Dear José,".encode(), content_type=b"text/plain") == b"Dear [masked:person-name],"
    form = remotely(b"who=Peter+Parker&x=1", content_type=b"application/x-www-form-urlencoded")
    assert form == b"who=%5Bmasked%3Aperson-name%5D&x=1"
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nI am Peter Parker.\r\n--b--\r\n"
    assert remotely(part, content_type=b"multipart/mixed; boundary=b") == part.replace(
        b"Peter Parker", b"[masked:person-name]"
    )


def test_utf_16_is_written_back_as_utf_16() -> None:
    text = "Dear José,".encode("utf-16")
    assert remotely(text, content_type=b"text/plain; charset=utf-16") == "Dear [masked:person-name],".encode("utf-16")


def test_what_is_no_text_passes_untouched() -> None:
    picture = b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfePeter Parker"
    assert remotely(picture, content_type=b"image/png") == picture


def chat(*deltas: str) -> bytes:
    events = [
        b"data: " + json.dumps({"id": "c1", "choices": [{"index": 0, "delta": {"content": delta}}]}).encode() + b"\n\n"
        for delta in deltas
    ]
    return b"".join(events) + b"data: [DONE]\n\n"


def texts_of(stream: bytes) -> list[str]:
    lines = [line[6:] for line in stream.splitlines() if line.startswith(b"data: {")]
    return [json.loads(line)["choices"][0]["delta"]["content"] for line in lines]


def test_a_name_over_several_events_is_masked_where_it_begins_and_every_event_stays_an_event() -> None:
    masked = remotely(chat("I saw An", "a M", "üller and", " left"), content_type=b"text/event-stream")
    assert texts_of(masked) == ["I saw [masked:person-name]", "", " and", " left"]
    assert masked.endswith(b"data: [DONE]\n\n")


@given(st.data())
def test_any_cut_of_a_text_into_events_says_the_same(data: st.DataObject) -> None:
    words = st.sampled_from([*PEOPLE, "and", "went", "😀", "to", "[masked:email]"])
    text = " ".join(data.draw(st.lists(words, min_size=2, max_size=8)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    deltas = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    masked = remotely(chat(*deltas), content_type=b"text/event-stream")
    expected = re.sub("|".join(PEOPLE), "[masked:person-name]", text)
    assert "".join(texts_of(masked)) == expected


# -- what is asked about


@pytest.mark.parametrize(
    "text",
    [
        "", "12 345", "...", "assistant", "gpt-4o-mini", "claude-3-5-sonnet", "application/json", "a3f9-22bc",
        "toolu_01A09q90qw90lq917835lq9", "iVBORw0KGgoAAAANSUhEUg" * 20, "data:image/png;base64," + "iVBORw0KGgo" * 40,
        "J\0o\0h\0n\0",
    ],
)  # fmt: skip
def test_words_of_protocols_are_not_asked_about(text: str) -> None:
    assert not is_language(text.encode())


@pytest.mark.parametrize(
    "text",
    ["Müller", "Smith", "ask smith", "josé", '{"first_name":"John"}', '{"name":"smith"}', "東京", "a\0 b", "BB1388568"],
)
def test_what_may_say_something_is(text: str) -> None:
    assert is_language(text.encode())
    assert is_language("M\xfcller".encode("latin-1"))
    assert not is_language(b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfePeter Parker")


# -- actions


def acted(action: Action, text: str = "call Peter Parker now", **what: object) -> bytes:
    rule = MaskingRule("people", LIVE, action, detectors=("person-name",), **what)  # type: ignore[arg-type]
    return remotely(text.encode(), rule, content_type=b"text/plain")


def test_actions_are_those_of_local_detectors() -> None:
    assert acted(Action.REPLACE) == b"call [masked:person-name] now"
    assert acted(Action.PARTIAL) == b"call [masked:person-name:...rker] now"
    assert re.fullmatch(rb"call \[masked:person-name:[0-9a-f]{8}\] now", acted(Action.HASH))
    assert acted(Action.PLACEHOLDER) == "call ‹person-name:1› now".encode()
    assert acted(Action.REPORT) == b"call Peter Parker now"
    with pytest.raises(MaskingBlockedError) as caught:
        acted(Action.BLOCK)
    assert (caught.value.rule, caught.value.detector) == ("people", "person-name")


def test_a_placeholder_in_tool_call_arguments_comes_back_whole() -> None:
    engine = MaskingEngine([MaskingRule("people", LIVE, Action.PLACEHOLDER, detectors=("person-name",))], b"k")
    placeholders = Placeholders()
    masker = engine.masker(substitutes=placeholders)
    call = json.dumps({"arguments": json.dumps({"to": "Peter Parker"})}).encode()
    masked = remotely(call, *engine.rules, masker=masker)
    assert b"Peter" not in masked
    back = body_for(b"application/json", PlaceholderRestorer(placeholders), ())
    assert json.loads(back.feed(masked) + back.finish()) == json.loads(call)


def test_exemptions_hold() -> None:
    rule = MaskingRule("people", LIVE, detectors=("person-name",))
    masker = MaskingEngine([rule], b"k").masker(
        exemptions={"people": [Exemption("a hero of fiction", matching="Peter [A-Z][a-z]+")]}
    )
    text = "Peter Parker met José".encode()
    assert remotely(text, rule, content_type=b"text/plain", masker=masker) == b"Peter Parker met [masked:person-name]"


def test_findings_tell_the_service_and_the_rule_and_not_the_value() -> None:
    masker = MaskingEngine([NAMES], b"k").masker()
    remotely(b'["Peter Parker", "and Peter Parker"]', masker=masker)
    assert masker.findings() == (Finding("person-name", "body", 24, 2, "people", "presidio", "replace"),)


def test_where_spans_overlap_one_mark_stands_for_all_and_the_stricter_rule_wins() -> None:
    def see(text: bytes) -> list[Sighting]:
        return sightings_of(text, ("Parker Lane", "location"), ("Peter", "location"))

    partial = MaskingRule("places", LIVE, Action.PARTIAL, detectors=("location",))
    text = b"at Peter Parker Lane 7"
    assert remotely(text, NAMES, partial, content_type=b"text/plain", see=see) == b"at [masked:person-name] 7"
    report = MaskingRule("places", LIVE, Action.REPORT, detectors=("location",))
    masker = MaskingEngine([NAMES, report], b"k").masker()
    masked = remotely(text, NAMES, report, content_type=b"text/plain", see=see, masker=masker)
    assert masked == b"at [masked:person-name] Lane 7"
    assert {each.action for each in masker.findings()} == {"replace", "report"}


def test_marks_and_placeholders_of_ours_are_left_alone() -> None:
    def see(text: bytes) -> list[Sighting]:
        return [Sighting("presidio", RemoteSpan(0, len(text), "person-name", 1.0))]

    for mark in ("[masked:email]", "[masked:email:1f0c3a9b]", "[masked:iban:...30é0]", "‹email:12›", "‹people:1›"):
        text = f"Ann {mark} Lee".encode()
        masked = remotely(text, content_type=b"text/plain", see=see)
        assert masked == f"[masked:person-name] {mark} [masked:person-name]".encode()
    lookalike = "[masked:Peter Parker] [masked:email:...Parker] ‹peter-parker:1›".encode()
    assert b"arker" not in remotely(lookalike, content_type=b"text/plain", see=see)


# -- nonsense


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (0, 99), (5, 2)])
def test_spans_outside_of_the_text_are_a_failure(start: int, end: int) -> None:
    def see(text: bytes) -> list[Sighting]:
        return [Sighting("presidio", RemoteSpan(start, end, "person-name", 1.0))]

    with pytest.raises(DetectorFailedError):
        remotely(b"some text", content_type=b"text/plain", see=see)


@pytest.mark.parametrize("pieces", [[b"other text"], [b"some"], [b"some text", b"!"]])
def test_a_body_that_is_read_differently_is_a_failure(pieces: Sequence[bytes]) -> None:
    masker = RemoteMasker(MaskingEngine([NAMES], b"k").masker(), {}, [b"some text"], {})
    stream = masker.stream("body")
    with pytest.raises(MaskingFailedError):
        _ = [*map(stream.feed, pieces), stream.finish()]
    with pytest.raises(MaskingFailedError):
        masker.stream("body")
