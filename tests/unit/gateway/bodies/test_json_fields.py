"""JSON members that masking rules name: their values are replaced whatever they hold."""

import json

import pytest

from ostiary.gateway.bodies.json_body import JsonBody
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingBlockedError, MaskingFailedError
from ostiary.model.masking import Action, MaskingRule, Where

EVERYWHERE = frozenset(Where)
TEXT = MaskingRule("key", EVERYWHERE, pattern="sk-[a-z0-9]{8}")


def masked(data: bytes, fields: tuple[str, ...], *, size: int = 0, reported: tuple[str, ...] = ()) -> bytes:
    rules = [TEXT, MaskingRule("named", EVERYWHERE, fields=fields)]
    if reported:
        rules.append(MaskingRule("seen", EVERYWHERE, action=Action.REPORT, fields=reported))
    body = JsonBody(MaskingEngine(rules, b"k" * 32).masker())
    pieces = [data[at : at + size] for at in range(0, len(data), size)] if size else [data]
    return b"".join([*map(body.feed, pieces), body.finish()])


MARK = b'"[masked:named]"'


@pytest.mark.parametrize(
    "value",
    [
        b'"123-45"',
        b'""',
        rb'"a\"]}\\"',
        b"123456789",
        b"-1.5e7",
        b"true",
        b'[1,[2,{}],"]"]',
        b'{"a":{"b":"}"},"ssn":1}',
    ],
)
def test_a_value_of_any_kind_is_replaced(value: bytes) -> None:
    for before, after in (
        (b'{"ssn":', b"}"),
        (b'[{"a":1, "SSN" : \n', b' ,"b":"c"}]\n'),
        (rb'{"x":{"s\u0073n":', b"}}"),
    ):
        document = before + value + after
        for size in (0, 1, 2, 5, 9):
            assert masked(document, ("ssn",), size=size) == before + MARK + after


def test_null_and_what_only_looks_like_the_member_stay() -> None:
    document = b'{"ssn":null,"ssn ":"a","xssn":1,"a":"ssn","b":["ssn","ssn"],"c":"\\"ssn\\":1"}'
    for size in (0, 1, 3):
        assert masked(document, ("ssn",), size=size) == document


def test_other_strings_are_masked_as_ever() -> None:
    document = b'{"a":"sk-abcd1234","ssn":"sk-abcd1234","b":"sk-abcd1234"}'
    for size in (0, 1, 4):
        assert masked(document, ("ssn",), size=size) == b'{"a":"[masked:key]","ssn":%b,"b":"[masked:key]"}' % MARK


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        (("/user/ssn",), b'{"user":{"ssn":#,"a":[{"ssn":2}]},"list":[7,"x",{"id":"y"}],"ssn":3}{"user":{"ssn":#}}'),
        (("/list/1",), b'{"user":{"ssn":1,"a":[{"ssn":2}]},"list":[7,#,{"id":"y"}],"ssn":3}{"user":{"ssn":4}}'),
        (("/list/*",), b'{"user":{"ssn":1,"a":[{"ssn":2}]},"list":[#,#,#],"ssn":3}{"user":{"ssn":4}}'),
        (("/list/*/id",), b'{"user":{"ssn":1,"a":[{"ssn":2}]},"list":[7,"x",{"id":#}],"ssn":3}{"user":{"ssn":4}}'),
        (("/user/a",), b'{"user":{"ssn":1,"a":#},"list":[7,"x",{"id":"y"}],"ssn":3}{"user":{"ssn":4}}'),
        (("/user/*/0/ssn",), b'{"user":{"ssn":1,"a":[{"ssn":#}]},"list":[7,"x",{"id":"y"}],"ssn":3}{"user":{"ssn":4}}'),
        (("/ssn", "id"), b'{"user":{"ssn":1,"a":[{"ssn":2}]},"list":[7,"x",{"id":#}],"ssn":#}{"user":{"ssn":4}}'),
    ],
)
def test_pointers_lead_from_the_top(fields: tuple[str, ...], output: bytes) -> None:
    document = b'{"user":{"ssn":1,"a":[{"ssn":2}]},"list":[7,"x",{"id":"y"}],"ssn":3}{"user":{"ssn":4}}'
    for size in (0, 1, 3, 10):
        assert masked(document, fields, size=size) == output.replace(b"#", MARK)


def test_members_inside_one_that_is_only_reported_are_replaced() -> None:
    document = b'{"outer":{"ssn":1,"a":[{"ssn":"x"}],"k":"sk-abcd1234"},"b":1}'
    for size in (0, 1, 6):
        assert masked(document, ("ssn",), size=size, reported=("outer",)) == (
            b'{"outer":{"ssn":%b,"a":[{"ssn":%b}],"k":"[masked:key]"},"b":1}' % (MARK, MARK)
        )
    assert masked(document, ("/outer/a/0/ssn",), reported=("outer",)) == document.replace(b'"x"', MARK).replace(
        b"sk-abcd1234", b"[masked:key]"
    )


def test_what_is_left_in_many_levels_takes_no_time() -> None:
    document = b'{"seen":' * 100_000
    assert masked(document, ("ssn",), size=65_536, reported=("seen",)) == document


@pytest.mark.parametrize(
    "document", [b'{"ssn":"123', b'{"ssn":"123\\', b'{"ssn":{"a":1', b'{"ssn":12', b'{"ssn":"a\\"', b'{"ssn":\0']
)
def test_a_value_that_is_cut_off_does_not_get_out(document: bytes) -> None:
    for size in (0, 1):
        assert masked(document, ("ssn",), size=size) == b'{"ssn":' + MARK


def test_a_value_that_is_too_large_stops_the_body() -> None:
    with pytest.raises(MaskingFailedError):
        masked(b'{"ssn":"' + b"1" * 2_000_000, ("ssn",), size=65_536)


def test_a_blocking_rule_stops_the_body() -> None:
    engine = MaskingEngine([MaskingRule("stop", EVERYWHERE, action=Action.BLOCK, fields=("ssn",))], b"k" * 32)
    with pytest.raises(MaskingBlockedError):
        JsonBody(engine.masker()).feed(b'{"ssn":1}')


@pytest.mark.parametrize("fields", [("ssn",), ("/a/ssn",)])
def test_broken_text_is_not_a_way_around(fields: tuple[str, ...]) -> None:
    for document in (b'}}]]{"a":{"ssn":7}}', b'x, {"a" {"a":{"ssn":7}}', b'"\n{"a":', b"[" * 5000 + b'{"a":{"ssn":7}}'):
        output = masked(document, ("ssn", *fields))
        assert b"7" not in output
        for size in (1, 2, 7):
            assert masked(document, ("ssn", *fields), size=size) == output


def test_long_keys_and_long_strings_pass() -> None:
    document = b'{"' + b"ssn" * 5000 + b'":"' + b"ssn" * 50_000 + b'", "ssn" ' + b" " * 9000 + b': "x"}'
    expected = document.replace(b'"x"', MARK)
    for size in (0, 1000, 4096):
        assert masked(document, ("ssn",), size=size) == expected
        assert masked(document, ("/ssn",), size=size) == expected


def test_clean_pieces_go_out_as_they_are() -> None:
    engine = MaskingEngine([TEXT, MaskingRule("named", EVERYWHERE, fields=("ssn",))], b"k" * 32)
    body = JsonBody(engine.masker())
    for piece in (b'{"a": "bc", "d": [1.5, ', b', "an open str', b'ing that", "ends":true}'):
        assert body.feed(piece) is piece
    assert json.loads(masked(b'{"ssn":"\\u0000"}', ("ssn",))) == {"ssn": "[masked:named]"}
