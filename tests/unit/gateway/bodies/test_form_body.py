"""Forms: what is found decoded is written anew, and every other byte stays."""

import time

import pytest

from ostiary.gateway.bodies.form_body import FORM_MAX_BYTES, PAIRS_MAX, FormBody, field_steps
from ostiary.masking.engine import MaskingEngine
from ostiary.model.errors import MaskingFailedError
from ostiary.model.masking import Action, MaskingRule, Where

EVERYWHERE = frozenset(Where)
TEXTS = [
    MaskingRule("key", EVERYWHERE, pattern="sk-[a-z0-9]{8}"),
    MaskingRule("pair", EVERYWHERE, pattern="a b&é"),
    MaskingRule("seen-text", EVERYWHERE, pattern="seen[0-9]", action=Action.REPORT),
    MaskingRule("password", EVERYWHERE, pattern=r"pass=(?P<value>[a-z0-9]{4,20})"),
]
FIELDS = [
    MaskingRule("names", EVERYWHERE, fields=("ssn", "/user/id")),
    MaskingRule("seen", EVERYWHERE, fields=("watched",), action=Action.REPORT),
]
ENGINE = MaskingEngine(TEXTS, b"k" * 32)
WITH_FIELDS = MaskingEngine([*TEXTS, *FIELDS], b"k" * 32)


def through(form: bytes, engine: MaskingEngine = ENGINE, size: int = 10_000_000) -> bytes:
    body = FormBody(engine.masker())
    return b"".join([body.feed(form[at : at + size]) for at in range(0, len(form), size)]) + body.finish()


@pytest.mark.parametrize("engine", [ENGINE, WITH_FIELDS])
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (b"", b""),
        (b"a=%41+%zz&&=&b&c=d=e&%2", b"a=%41+%zz&&=&b&c=d=e&%2"),
        (b"a=x+sk-abcd1234&b=%41", b"a=x+%5Bmasked%3Akey%5D&b=%41"),
        (b"a=%73k%2Dabcd1234", b"a=%5Bmasked%3Akey%5D"),
        (b"sk-abcd1234=1&sk-abcd1234", b"%5Bmasked%3Akey%5D=1&%5Bmasked%3Akey%5D"),
        (b"x=1&a=a+b%26%C3%A9", b"x=1&a=%5Bmasked%3Apair%5D"),
        (b"pass=hunter22&p%61ss=hunter22&pas=hunter22",
         b"pass=%5Bmasked%3Apassword%5D&p%61ss=%5Bmasked%3Apassword%5D&pas=hunter22"),
        (b"a=%73een1+%41", b"a=%73een1+%41"),
        (b"a=sk-ab&b=cd1234", b"a=sk-ab&b=cd1234"),
    ],
)  # fmt: skip
def test_names_and_values_are_looked_at_decoded(engine: MaskingEngine, form: bytes, expected: bytes) -> None:
    assert through(form, engine) == expected
    assert through(form, engine, 1) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (b"ssn=1&SSN=2&x=ssn", b"ssn=%5Bmasked%3Anames%5D&SSN=%5Bmasked%3Anames%5D&x=ssn"),
        (b"s%73n=&ssn", b"s%73n=%5Bmasked%3Anames%5D&ssn"),
        (b"user[ssn]=1&user%5Bid%5D=2&id=3", b"user[ssn]=%5Bmasked%3Anames%5D&user%5Bid%5D=%5Bmasked%3Anames%5D&id=3"),
        (b"watched=sk-abcd1234", b"watched=%5Bmasked%3Akey%5D"),
    ],
)
def test_members_that_a_rule_names_are_replaced(form: bytes, expected: bytes) -> None:
    assert through(form, WITH_FIELDS) == expected


def test_a_form_that_is_too_large_is_refused() -> None:
    with pytest.raises(MaskingFailedError):
        through(b"a" * (FORM_MAX_BYTES + 1), size=1_000_000)


def test_a_form_of_too_many_members_is_refused_or_passes_in_a_moment() -> None:
    begun = time.process_time()
    clean = b"&" * (FORM_MAX_BYTES - 20)
    assert through(clean) == clean
    with pytest.raises(MaskingFailedError, match="members"):
        through(clean + b"a=sk-abcd1234")
    with pytest.raises(MaskingFailedError, match="members"):
        through(b"&" * PAIRS_MAX, WITH_FIELDS)
    assert time.process_time() - begun < 5


def test_the_name_of_a_member_says_a_path() -> None:
    assert field_steps(b"user[address][]") == ["user", "address"]
    assert field_steps(b"\xff[0]") == ["\ufffd", "0"]
    assert field_steps(b"") == []
