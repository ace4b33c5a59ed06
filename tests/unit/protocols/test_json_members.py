"""Where members stand in the text of a JSON document."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.protocols.json_members import find_members, only_string, without_members

DOCUMENT = (
    b' {"id": "x", "choices":[{"index":0,"delta":{"content":"hi","role":"assistant"},"logprobs":{"a":[1,2]}},'
    b'{"delta":{"content":"\\"2\\""}}], "k":[] , "e":{}, "d\\u0065lta":5.0e1} '
)


def written(document: bytes, *paths: tuple[str | int, ...]) -> list[tuple[object, bytes, bytes]]:
    return [
        (member.path, document[member.key_start : member.start], document[member.start : member.end])
        for member in find_members(document, paths)
    ]


def test_members_are_found_with_their_keys() -> None:
    assert written(DOCUMENT, ("choices", "*", "delta", "content"), ("choices", 0, "logprobs"), ("k",), ("e",)) == [
        (("choices", 0, "delta", "content"), b'"content":', b'"hi"'),
        (("choices", 0, "logprobs"), b'"logprobs":', b'{"a":[1,2]}'),
        (("choices", 1, "delta", "content"), b'"content":', b'"\\"2\\""'),
        (("k",), b'"k":', b"[]"),
        (("e",), b'"e":', b"{}"),
    ]
    assert written(DOCUMENT, ("delta",)) == [(("delta",), b'"d\\u0065lta":', b"5.0e1")]


def test_elements_and_the_document_itself_have_no_key() -> None:
    assert written(b'["a", ["b"]]', (1, 0), ("*",)) == [
        ((0,), b"", b'"a"'),
        ((1,), b"", b'["b"]'),
        ((1, 0), b"", b'"b"'),
    ]
    assert written(b'"a"', ()) == [((), b"", b'"a"')]


def test_doubled_keys_are_all_found() -> None:
    assert [value for _, _, value in written(b'{"a":{"b":1},"a":{"b":2}}', ("a", "b"))] == [b"1", b"2"]


@pytest.mark.parametrize("text", [b"", b'{"a":1', b'{"a":1} x', b'{"a":1}}', b"]", b'{"a":"b}', b"{,"])
def test_nothing_is_found_in_what_is_no_document(text: bytes) -> None:
    assert find_members(text, [("a",)]) == []


def test_members_are_left_out_with_their_commas() -> None:
    for paths in ([("a",)], [("b",)], [("c",)], [("a",), ("b",)], [("b",), ("c",)], [("a",), ("b",), ("c",)]):
        left = {key: value for key, value in {"a": 1, "b": [2], "c": "3"}.items() if (key,) not in paths}
        for text in (b'{"a":1,"b":[2],"c":"3"}', b'{ "a" : 1 , "b" : [2] , "c" : "3" }'):
            assert json.loads(without_members(text, paths)) == left
    assert without_members(b'[{"a":1},{"a":2,"b":3}]', [("*", "a")]) == b'[{},{"b":3}]'
    assert without_members(b"[1,2]", [("*",)]) == b"[1,2]"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("abc"), children, max_size=3),
    max_leaves=12,
)


@given(VALUES, st.lists(st.sampled_from(["a", "b", "*", 0, 1]), max_size=4).map(tuple), st.booleans())
def test_what_is_found_is_what_a_parser_reads(value: object, path: tuple[str | int, ...], spaced: bool) -> None:
    text = json.dumps(value, indent=1 if spaced else None).encode()

    def walk(node: object, done: tuple[str | int, ...], rest: tuple[str | int, ...]) -> dict[object, object]:
        if not rest:
            return {done: node}
        found: dict[object, object] = {}
        if isinstance(node, list):
            for position, element in enumerate(node):
                if rest[0] in ("*", position):
                    found |= walk(element, (*done, position), rest[1:])
        elif isinstance(node, dict) and rest[0] in node:
            found |= walk(node[rest[0]], (*done, rest[0]), rest[1:])
        return found

    assert {each.path: json.loads(text[each.start : each.end]) for each in find_members(text, [path])} == walk(
        value, (), path
    )


def test_the_only_string_under_a_key_is_seen_at_a_glance() -> None:
    text = b'{"a":{"content" : "x\\"y"},"b":1}'
    span = only_string(text, ("a", "content"))
    assert span is not None
    assert text[span[0] : span[1]] == b'"x\\"y"'


@pytest.mark.parametrize(
    "text",
    [
        b'{"content":"decoy","a":{"content":"x"}}',
        b'{"a":{"c\\u006fntent":"x"}}',
        b'{"d":{"content":"decoy"},"a":{"c\\u006fntent":"x"}}',
        b'{"a":{"content":7}}',
    ],
)
def test_a_glance_is_not_enough_where_a_key_could_be_another(text: bytes) -> None:
    assert only_string(text, ("a", "content")) is None
    assert only_string(b'["x"]', (0,)) is None
    assert only_string(b'"x"', ()) is None
