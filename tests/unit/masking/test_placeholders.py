"""Placeholders: stable, never mistaken for one another, and put back where exactly they stand."""

import copy
import json
import pickle

import pytest

from ostiary.masking import placeholders as module
from ostiary.masking.maskers import Flavour
from ostiary.masking.placeholders import (
    PLACEHOLDER_MAX_BYTES,
    PlaceholderNumbers,
    PlaceholderRestorer,
    Placeholders,
    label_of,
)
from ostiary.model.errors import MaskingFailedError

ADA = b"ada@example.org"
BOB = b"bob@example.org"
KEY = b"sk-9fK2mQ7xR4"


@pytest.fixture
def placeholders() -> Placeholders:
    mapping = Placeholders()
    mapping.placeholder_for("email", ADA)
    mapping.placeholder_for("secrets", KEY)
    mapping.placeholder_for("email", b'a "quoted"\nline\\')
    return mapping


def restored(mapping: Placeholders, text: str, flavour: Flavour = Flavour.TEXT, *, sealed: bool = False) -> str:
    stream = PlaceholderRestorer(mapping, sealed=sealed).stream("text", flavour=flavour)
    return (stream.feed(text.encode()) + stream.finish()).decode()


# -- the mapping


def test_a_value_keeps_its_placeholder_and_detectors_count_for_themselves() -> None:
    mapping = Placeholders()
    given = [
        mapping.placeholder_for(detector, value).decode()
        for detector, value in (("email", ADA), ("secrets", KEY), ("email", BOB), ("email", ADA), ("phone", ADA))
    ]
    assert given == ["‹email:1›", "‹secrets:1›", "‹email:2›", "‹email:1›", "‹phone:1›"]
    assert mapping.value_of("‹email:2›".encode()) == BOB
    assert mapping.value_of("‹email:3›".encode()) is None
    assert (mapping.count, mapping.bytes_held) == (4, len(ADA + KEY + BOB + ADA))


def test_a_rules_name_is_brought_into_the_alphabet() -> None:
    names = ["Our tickets", "ünïcode", "--", "", "a" * 90, "employee_id", "minted-credential"]
    labels = [label_of(name) for name in names]
    assert labels == [
        "our-tickets", "n-code", "value", "value", "a" * 40, "employee-id", "minted-credential"
    ]  # fmt: skip
    mapping = Placeholders()
    for name in names:
        assert restored(mapping, mapping.placeholder_for(name, ADA).decode()) == ADA.decode()


def test_a_value_found_in_json_source_is_what_it_says() -> None:
    mapping = Placeholders()
    plain = mapping.placeholder_for("secrets", b'line\n"two"')
    assert mapping.placeholder_for("secrets", b'line\\n\\"two\\"', Flavour.JSON) == plain
    assert mapping.placeholder_for("secrets", b"line\\u000a\\u0022two\\u0022", Flavour.JSON) == plain
    assert mapping.value_of(plain) == b'line\n"two"'
    cut = mapping.placeholder_for("secrets", b"cut\\u00", Flavour.JSON)
    assert mapping.value_of(cut) == b"cut\\u00"


def test_empty_and_changed_tell_how_it_stands() -> None:
    mapping = Placeholders()
    assert mapping.is_empty
    assert not mapping.changed
    mapping.placeholder_for("email", ADA)
    assert not mapping.is_empty
    assert mapping.changed
    mapping.was_kept(1)
    assert not mapping.changed
    mapping.placeholder_for("email", ADA)
    assert not mapping.changed
    mapping.placeholder_for("email", BOB)
    mapping.placeholder_for("email", KEY)
    mapping.was_kept(2)
    assert mapping.changed, "what came in while it was written is not kept"


def test_it_comes_back_from_its_bytes_and_numbers_on() -> None:
    mapping = Placeholders()
    values = [ADA, bytes(range(256)), "Grüße, 東京".encode(), b"", KEY]
    given = [mapping.placeholder_for("email", value) for value in values]
    sealed = mapping.placeholder_for("email", ADA, sealed=True)
    again = Placeholders.from_bytes(mapping.to_bytes())
    assert [again.value_of(placeholder) for placeholder in given] == values
    assert (again.changed, again.count, again.sealed_count, again.bytes_held) == (False, 6, 1, mapping.bytes_held)
    assert again.to_bytes() == mapping.to_bytes()
    assert again.placeholder_for("email", ADA) == given[0]
    assert again.placeholder_for("email", ADA, sealed=True) == sealed == "‹email:6›".encode()
    assert again.placeholder_for("email", BOB) == "‹email:7›".encode()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"v":2,"values":[]}', b'{"v":1,"values":[["a",0,"b",false]]}',
                                  b'{"v":1,"values":[["a",1]]}', b'{"v":1,"values":[[1,1,"b",false]]}',
                                  b'{"v":1,"values":[["a",1,"b",1]]}'])  # fmt: skip
def test_bytes_that_are_no_mapping_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        Placeholders.from_bytes(data)


def test_numbers_go_on_over_the_sessions_of_an_actor() -> None:
    numbers = PlaceholderNumbers()
    first, second = Placeholders(numbers), Placeholders(numbers)
    assert first.placeholder_for("email", ADA) == "‹email:1›".encode()
    assert second.placeholder_for("email", ADA) == "‹email:2›".encode()
    assert first.placeholder_for("email", BOB) == "‹email:3›".encode()
    assert restored(second, "‹email:1› ‹email:2› ‹email:3›") == "‹email:1› ada@example.org ‹email:3›"
    later = Placeholders(PlaceholderNumbers.from_bytes(numbers.to_bytes()))
    assert later.placeholder_for("email", BOB) == "‹email:4›".encode()


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a":"b"}', b'{"a":1.5}'])
def test_bytes_that_are_no_numbers_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        PlaceholderNumbers.from_bytes(data)


def test_a_full_mapping_refuses_in_a_sentence_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = Placeholders()
    monkeypatch.setattr(module, "VALUES_MAX", 3)
    for number in range(3):
        mapping.placeholder_for("email", b"%d@example.org" % number)
    assert mapping.placeholder_for("email", b"2@example.org") == "‹email:3›".encode()
    with pytest.raises(MaskingFailedError) as caught:
        mapping.placeholder_for("email", ADA)
    assert "3 different values" in str(caught.value)
    assert "new session" in caught.value.next_step
    assert ADA.decode() not in str(caught.value)
    monkeypatch.setattr(module, "VALUES_MAX", 10)
    monkeypatch.setattr(module, "VALUES_MAX_BYTES", mapping.bytes_held + 5)
    mapping.placeholder_for("email", b"12345")
    with pytest.raises(MaskingFailedError):
        mapping.placeholder_for("email", b"6")


def test_a_mapping_shows_no_value(placeholders: Placeholders) -> None:
    for text in (repr(placeholders), str(placeholders), f"{placeholders}"):
        assert ADA.decode() not in text
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(placeholders)


# -- putting back


def test_values_come_back_where_their_placeholders_stand(placeholders: Placeholders) -> None:
    assert restored(placeholders, "Write to ‹email:1›.") == "Write to ada@example.org."
    assert restored(placeholders, "‹secrets:1›‹email:1›") == (KEY + ADA).decode()
    assert restored(placeholders, 'key = "‹secrets:1›"  # ‹›') == 'key = "sk-9fK2mQ7xR4"  # ‹›'
    assert restored(placeholders, "‹em‹email:1›") == "‹emada@example.org"
    assert restored(placeholders, "‹email:2›") == 'a "quoted"\nline\\'


@pytest.mark.parametrize("text", [
    "‹email:9›", "‹phone:1›", "‹email:01›", "‹email: 1›", "< email:1 >", "<email:1>", "‹Email:1›", "‹email:1",
    "email:1›", "‹email1›", "‹:1›", "‹email:›", "‹email:1111111111111›", "‹" * 50, "‹‹email›:1›", "ein ‹Wort› hier",
    "\\u2039email:1\\u203a", "“‹", "an end in ‹email:1", "‹" + "a" * 41 + ":1›",
])  # fmt: skip
def test_what_is_not_exactly_ours_is_left_alone(placeholders: Placeholders, text: str) -> None:
    assert restored(placeholders, text) == text


@pytest.mark.parametrize(
    "written",
    ["‹email:1›", "\\u2039email:1\\u203a", "‹email:1\\u203A", "\\u2039email:1›"],
)
def test_in_json_source_brackets_may_be_written_out(placeholders: Placeholders, written: str) -> None:
    source = f'{{"to": "{written}", "path": "C:\\\\\\\\n"}}'
    said = json.loads(restored(placeholders, source, Flavour.JSON))
    assert said == {"to": ADA.decode(), "path": "C:\\\\n"}


def test_in_json_source_a_value_is_escaped(placeholders: Placeholders) -> None:
    placeholders.placeholder_for("phone", bytes(range(32)))
    said = json.loads(restored(placeholders, '{"a":"‹email:2›","b":"\\u2039phone:1\\u203a"}', Flavour.JSON))
    assert said == {"a": 'a "quoted"\nline\\', "b": "".join(map(chr, range(32)))}


@pytest.mark.parametrize(
    ("before", "is_source"),
    [(b'"arguments": "', True), (b'{"name":"f","arguments":"', True), (b'"arguments" : "', True),
     (b'"partial_json":"', True), (b'"content": "', False), (b'"arguments": {"content": "', False), (b"", False)],
)  # fmt: skip
def test_arguments_in_a_json_document_are_json_source(
    placeholders: Placeholders, before: bytes, is_source: bool
) -> None:
    stream = PlaceholderRestorer(placeholders).stream("body", before)
    out = stream.feed("‹email:2›".encode()) + stream.finish()
    assert out == (b'a \\"quoted\\"\\nline\\\\' if is_source else b'a "quoted"\nline\\')


def test_an_escaped_backslash_is_no_bracket(placeholders: Placeholders) -> None:
    source = '{"a":"\\\\u2039email:1\\\\u203a","b":"\\\\\\u2039email:1\\u203a"}'
    said = json.loads(restored(placeholders, source, Flavour.JSON))
    assert said == {"a": "\\u2039email:1\\u203a", "b": "\\" + ADA.decode()}


def test_sealed_and_masked_values_never_meet() -> None:
    mapping = Placeholders()
    sealed = mapping.placeholder_for("minted-credential", KEY, sealed=True).decode()
    masked = mapping.placeholder_for("email", ADA).decode()
    assert restored(mapping, f"{sealed} {masked}") == f"{sealed} ada@example.org"
    assert restored(mapping, f"{sealed} {masked}", sealed=True) == f"{KEY.decode()} {masked}"
    both = mapping.placeholder_for("minted-credential", KEY).decode()
    assert (sealed, both) == ("‹minted-credential:1›", "‹minted-credential:2›")
    assert restored(mapping, f"{sealed} {both}") == f"{sealed} {KEY.decode()}"
    assert restored(mapping, f"{sealed} {both}", sealed=True) == f"{KEY.decode()} {both}"
    assert mapping.value_of(sealed.encode()) is None
    assert mapping.value_of(sealed.encode(), sealed=True) == KEY


# -- streaming


def test_text_goes_out_as_the_same_object_when_nothing_is_found_or_held(placeholders: Placeholders) -> None:
    for flavour in Flavour:
        stream = PlaceholderRestorer(placeholders).stream("text", flavour=flavour)
        for text in (b"ordinary prose", "“quoted” – ‹x›".encode(), b'{\\"a\\": \\u00e9', b"\\n"):
            assert stream.feed(text) is text
            assert stream.held_bytes == 0


def test_only_what_can_become_a_placeholder_is_held_back(placeholders: Placeholders) -> None:
    stream = PlaceholderRestorer(placeholders).stream("text")
    assert stream.feed("see ‹ema".encode()) == b"see "
    assert stream.held_bytes == len("‹ema".encode())
    assert stream.feed(b"il") == b""
    assert stream.feed(b" is a word") == "‹email is a word".encode()
    assert stream.held_bytes == 0
    assert stream.feed("‹email:1".encode()) == b""
    assert stream.feed("›!".encode()) == b"ada@example.org!"
    assert stream.feed(b"\xe2") == b""
    assert stream.feed(b"\x80\x9d") == "”".encode()
    assert stream.feed("‹email:1".encode()) == b""
    assert stream.finish() == "‹email:1".encode()


@pytest.mark.parametrize("flavour", Flavour)
def test_hold_back_is_bounded(placeholders: Placeholders, flavour: Flavour) -> None:
    longest = "\\u2039" + "a" * 40 + ":" + "1" * 12 + "\\u203a"
    assert len(longest) == PLACEHOLDER_MAX_BYTES
    for text in (longest, "‹" + "a" * 500, "\\" * 501, "\\u2039" * 50 + "\\", "‹a:" + "1" * 300, "‹" * 99):
        stream = PlaceholderRestorer(placeholders).stream("text", flavour=flavour)
        out = b""
        for at in range(len(text.encode())):
            out += stream.feed(text.encode()[at : at + 1])
            assert stream.held_bytes < PLACEHOLDER_MAX_BYTES
        assert out + stream.finish() == text.encode()


def test_cut_tells_decided_edits_in_offsets_of_the_whole_text(placeholders: Placeholders) -> None:
    stream = PlaceholderRestorer(placeholders).stream("text")
    assert stream.cut(b"ab\xe2", False) == (2, [])
    assert stream.cut(b"\x80\xb9email:1\xe2\x80\xba cd ", False) == (19, [(2, 15, ADA)])
    decided, edits = stream.cut("‹secrets:1".encode(), False)
    assert (decided, edits) == (19, [])
    assert stream.cut("›".encode(), True) == (34, [(19, 34, KEY)])


# -- a quick look ahead


def test_nothing_is_suspected_while_there_is_nothing_to_put_back() -> None:
    mapping = Placeholders()
    assert not PlaceholderRestorer(mapping).suspects("‹email:1›".encode())
    mapping.placeholder_for("email", KEY, sealed=True)
    assert not PlaceholderRestorer(mapping).suspects("‹email:1›".encode())
    assert PlaceholderRestorer(mapping, sealed=True).suspects("‹email:1›".encode())
    mapping.placeholder_for("email", ADA)
    assert PlaceholderRestorer(mapping).suspects("‹email:1›".encode())


def test_ordinary_events_are_not_suspected(placeholders: Placeholders) -> None:
    restorer = PlaceholderRestorer(placeholders)
    for text in (
        'data: {"delta":"Hello, “world” – it\'s €5"}\n\n',
        '{"delta":"{\\"path\\": \\"a.py\\", \\"n\\": 1"}',
        "",
    ):
        assert not restorer.suspects(text.encode())


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("written", ["‹email:1›", "\\u2039email:1\\u203a"])
def test_wherever_json_arguments_break_off_a_part_is_suspected(
    placeholders: Placeholders, written: str, ascii_only: bool
) -> None:
    """Each part is a JSON string inside an event; once one is suspected, the stream holds on to it."""
    restorer = PlaceholderRestorer(placeholders)
    for at in range(1, len(written)):
        parts = [f'{{"to": "{written[:at]}', f'{written[at:]}"}}']
        events = [json.dumps({"delta": part}, ensure_ascii=ascii_only).encode() for part in parts]
        stream = restorer.stream("arguments", flavour=Flavour.JSON)
        out = b""
        for part, event in zip(parts, events, strict=True):
            if stream.held_bytes or restorer.suspects(event):
                out += stream.feed(part.encode())
            else:
                out += part.encode()
        assert json.loads(out + stream.finish()) == {"to": ADA.decode()}, at


def test_wherever_a_piece_ends_it_is_suspected(placeholders: Placeholders) -> None:
    restorer = PlaceholderRestorer(placeholders)
    for whole in ("‹", "\\u2039", "\\\\u2039"):
        for at in range(1, len(whole.encode())):
            assert restorer.suspects(b'{"text": "x ' + whole.encode()[:at])


def test_there_are_no_fields_and_no_findings(placeholders: Placeholders) -> None:
    restorer = PlaceholderRestorer(placeholders)
    assert not restorer.fields
    assert restorer.replace_field(0, b"x", "body") is None
    assert restorer.findings() == ()
