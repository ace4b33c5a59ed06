"""Sealed items open only with their root key, in their place and unaltered."""

import copy
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.model.errors import IntegrityError, OperatorError
from ostiary.vault.sealing import (
    WRAPPED_KEY_BYTES,
    RootKey,
    SealContext,
    open_sealed,
    seal,
    unwrap_key,
    wrap_key,
)

ROOT = RootKey(bytes(range(32)))
CONTEXT = SealContext("house", "secret", "cursor-key", 3)
SEALED = seal(ROOT, plaintext=b"the key itself", context=CONTEXT, data_key=b"k" * 32, nonces=b"n" * 24)


@given(st.binary(max_size=5000), st.binary(min_size=32, max_size=32), st.binary(min_size=24, max_size=24))
def test_what_was_sealed_opens_again(plaintext: bytes, data_key: bytes, nonces: bytes) -> None:
    sealed = seal(ROOT, plaintext=plaintext, context=CONTEXT, data_key=data_key, nonces=nonces)
    assert len(sealed) == len(plaintext) + 89
    assert open_sealed(ROOT, sealed, CONTEXT) == plaintext


def test_the_written_form_never_changes() -> None:
    assert SEALED.hex() == WRITTEN


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, installation="other"),
        replace(CONTEXT, kind="recording"),
        replace(CONTEXT, id="cursor-key2"),
        replace(CONTEXT, version=2),
        replace(CONTEXT, version=4),
        SealContext("house", "secretcursor", "-key", 3),
        SealContext("housesecret", "", "cursor-key", 3),
    ],
)
def test_it_opens_in_no_other_place(other: SealContext) -> None:
    with pytest.raises(IntegrityError, match="does not open"):
        open_sealed(ROOT, SEALED, other)


def test_it_opens_with_no_other_root_key() -> None:
    with pytest.raises(IntegrityError):
        open_sealed(RootKey(bytes(32)), SEALED, CONTEXT)


@pytest.mark.parametrize("at", range(len(SEALED)))
def test_every_altered_byte_is_noticed(at: int) -> None:
    altered = SEALED[:at] + bytes([SEALED[at] ^ 1]) + SEALED[at + 1 :]
    with pytest.raises(IntegrityError):
        open_sealed(ROOT, altered, CONTEXT)


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_every_cut_is_noticed(length: int) -> None:
    with pytest.raises(IntegrityError):
        open_sealed(ROOT, SEALED[:length], CONTEXT)


def test_parts_of_two_items_do_not_fit_together() -> None:
    other = seal(ROOT, plaintext=b"another", context=replace(CONTEXT, id="b"), data_key=b"q" * 32, nonces=b"m" * 24)
    with pytest.raises(IntegrityError):
        open_sealed(ROOT, SEALED[: 1 + WRAPPED_KEY_BYTES] + other[1 + WRAPPED_KEY_BYTES :], CONTEXT)


def test_a_data_key_can_be_wrapped_on_its_own() -> None:
    wrapped = wrap_key(ROOT, b"d" * 32, CONTEXT, b"n" * 12)
    assert len(wrapped) == WRAPPED_KEY_BYTES
    assert unwrap_key(ROOT, wrapped, CONTEXT) == b"d" * 32
    with pytest.raises(IntegrityError):
        unwrap_key(ROOT, wrapped[:-1], CONTEXT)


@pytest.mark.parametrize(("data_key", "nonces"), [(b"k" * 31, b"n" * 24), (b"k" * 32, b"n" * 23), (b"k" * 32, b"")])
def test_short_randomness_is_refused(data_key: bytes, nonces: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        seal(ROOT, plaintext=b"", context=CONTEXT, data_key=data_key, nonces=nonces)


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "not hex", "0" * 63])
def test_a_malformed_root_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(OperatorError) as caught:
        RootKey.from_hex(text)
    assert text == "" or text not in str(caught.value)


def test_a_root_key_is_neither_shown_nor_copied() -> None:
    key = RootKey.from_hex(" " + "ab" * 32 + "\n")
    assert repr(key) == "<RootKey>"
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            way(key)


def test_check_values_tell_keys_apart() -> None:
    assert RootKey(bytes(32)).check_value == RootKey(bytes(32)).check_value
    assert RootKey(bytes(32)).check_value != ROOT.check_value
    assert len(ROOT.check_value) == 16
    assert ROOT.check_value not in bytes(range(32))


WRITTEN = (
    "016e6e6e6e6e6e6e6e6e6e6e6ecc307c02de37dc94004701318220bce5941585574933aa9abbb5b4c0d98889c0"
    "bcccb764c571a52d8b802a43369af4206e6e6e6e6e6e6e6e6e6e6e6eec5382907ad1fcf925507821efcf2b4561"
    "b81d20681be2901fb0f601c805"
)
