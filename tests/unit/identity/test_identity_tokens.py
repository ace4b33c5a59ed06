"""Tokens: their form, what is taken for one, and what is stored of them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.identity.tokens import looks_like_token, mint_token, token_hash


@given(st.sampled_from("usa"), st.binary(min_size=32, max_size=32))
def test_every_minted_token_has_one_width_and_looks_like_one(letter: str, randomness: bytes) -> None:
    token = mint_token(letter, randomness)
    assert len(token) == 54
    assert token.startswith(f"ost_{letter}")
    assert looks_like_token(token.encode())


def test_the_written_form_never_changes() -> None:
    assert mint_token("u", bytes(range(32))) == "ost_u003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3iRAEF"
    assert mint_token("s", bytes(32)) == "ost_s" + "0" * 43 + "0UiYzX"
    assert mint_token("a", b"\xff" * 32) != mint_token("a", b"\xff" * 31 + b"\xfe")


@given(st.integers(0, 53), st.sampled_from("0aZ9_-"))
def test_one_changed_character_is_noticed(at: int, other: str) -> None:
    token = mint_token("u", bytes(range(32)))
    changed = token[:at] + other + token[at + 1 :]
    assert looks_like_token(changed.encode()) == (changed == token)


@pytest.mark.parametrize("text", [b"", b"ost_u", b"sk-123", b"ost_x" + b"0" * 49, b"ost_u" + b"0" * 50, b"\xff" * 54])
def test_other_texts_are_no_tokens(text: bytes) -> None:
    assert not looks_like_token(text)


def test_trailing_line_end_is_no_token() -> None:
    assert not looks_like_token(mint_token("u", bytes(32)).encode() + b"\n")


@pytest.mark.parametrize(("letter", "randomness"), [("x", bytes(32)), ("", bytes(32)), ("u", bytes(31))])
def test_wrong_ingredients_are_refused(letter: str, randomness: bytes) -> None:
    with pytest.raises(ValueError, match=r"token"):
        mint_token(letter, randomness)


def test_what_is_stored_is_the_digest() -> None:
    assert token_hash(b"ost_u") == hashlib.sha256(b"ost_u").digest()
