"""One spelling for one value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.identity.encoding import DEPTH_MAX, base64url, from_base64url, read_hint, read_object

_NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.binary(max_size=100))
def test_what_is_written_is_read_back(data: bytes) -> None:
    assert from_base64url(base64url(data)) == data


@given(st.text(alphabet="ABab01-_+/=\n ", max_size=12))
def test_whatever_is_read_has_that_one_spelling(text: str) -> None:
    try:
        data = from_base64url(text)
    except ValueError:
        return
    assert base64url(data) == text


@given(st.dictionaries(st.text(), _VALUES, max_size=5))
def test_every_object_is_read_as_it_is(document: dict[str, object]) -> None:
    try:
        raw = json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return
    assert read_object(raw) == document


@pytest.mark.parametrize("text", ["A", "AAAAA", "AB", "AAB", "AA==", "A A", "é", "AA\n", "+A", "/w"])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        from_base64url(text)


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b'{"a":1,"a":1}', b'{"a":[{"b":1,"b":2}]}', b'{"a":NaN}', b'{"a":"\\ud800"}', b"{'a':1}", b"{}\x00"]
)  # fmt: skip
def test_doubtful_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        read_object(raw)


def test_brackets_within_each_other_are_counted_and_no_others() -> None:
    fits = b'{"a":' + b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1) + b"}"
    beside = b'{"a":[' + b",".join([b"[{}]"] * 500) + b'],"b":"' + b'[{\\\\\\"[' * 500 + b'"}'
    for raw in (fits, beside):
        assert read_object(raw) == read_hint(raw) == json.loads(raw)


@pytest.mark.parametrize("depth", [DEPTH_MAX, 900, 1010, 100_000])
def test_deep_json_is_refused_wherever_it_stands(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"x":', b"}")):
        deep = opening * depth + b"1" + closing * depth
        for raw in (b'{"a":%b}' % deep, b'{"a":%b,"a":1}' % deep, b'{"a":"[[[[\\"","b":%b}' % deep):
            for read in (read_object, read_hint):
                with pytest.raises(ValueError):
                    read(raw)
