import pytest

from ostiary.audit.entries import decode_entry, encode_entry, entry_time, lines_of, whole_lines
from ostiary.model.errors import IntegrityError, OperatorError


def test_the_same_entry_is_always_the_same_bytes() -> None:
    assert encode_entry({"type": "a", "v": 1, "detail": {"z": None, "b": ["ü"]}}) == (
        '{"detail":{"b":["ü"],"z":null},"type":"a","v":1}'.encode()
    )


def test_a_line_feed_in_a_value_does_not_begin_a_new_entry() -> None:
    line = encode_entry({"target": '/a\n{"v":1}\r\x1b[31m\x00'})
    assert not any(byte < 32 for byte in line)
    assert decode_entry(line) == {"target": '/a\n{"v":1}\r\x1b[31m\x00'}


@pytest.mark.parametrize("entry", [{"a": b"bytes"}, {"a": "\ud800"}, {1: "a"}, {"a": "x" * (1 << 20)}, {"a": 1 << 80}])
def test_what_cannot_be_an_entry_is_refused_without_its_value(entry: dict[str, object]) -> None:
    with pytest.raises(OperatorError) as raised:
        encode_entry(entry)
    assert "xxx" not in str(raised.value)


@pytest.mark.parametrize("line", [b"", b"[]", b"{", b'{"a":NaN}', b"1"])
def test_a_line_that_is_no_entry_names_its_index(line: bytes) -> None:
    with pytest.raises(IntegrityError) as raised:
        decode_entry(line, 7)
    assert raised.value.index == 7


def test_time_has_microseconds_and_a_z() -> None:
    assert entry_time(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"


def test_lines_in_pieces() -> None:
    assert list(lines_of([b"a\nb", b"c\n", b"\nd"])) == [b"a", b"bc", b"", b"d"]
    assert whole_lines(b"a\nbc\nd") == ([b"a", b"bc"], 5)
    assert whole_lines(b"d") == ([], 0)
