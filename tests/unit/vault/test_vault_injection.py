"""A secret is injected in every form a Kind may ask for, and an illegal one is refused when it is saved (A30)."""

import base64
import traceback
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.model.connection import AuthForm, AuthScheme
from ostiary.model.errors import CallerError, SecretUnavailableError
from ostiary.model.secret import Secret
from ostiary.vault.injection import (
    check_value,
    have_same_value,
    injected_fields,
    injected_names,
    injected_query,
    value_problem,
)

KEY = Secret("key", 1, b"sk-live 100%+/=&")
OTHER = Secret("other", 1, b"second-key")
BEARER = AuthForm(AuthScheme.BEARER)
BASIC_USER = AuthForm(AuthScheme.BASIC_USERNAME)
BASIC_PASSWORD = AuthForm(AuthScheme.BASIC_PASSWORD, "api")
HEADER = AuthForm(AuthScheme.HEADER, "X-Api-Key")
PREFIXED = AuthForm(AuthScheme.HEADER, "Authorization", prefix="Token ", secret="other")
QUERY = AuthForm(AuthScheme.QUERY, "api key")


@pytest.mark.parametrize(
    ("forms", "fields"),
    [
        ((), b""),
        ((AuthForm(AuthScheme.NONE),), b""),
        ((BEARER,), b"Authorization: Bearer sk-live 100%+/=&\r\n"),
        ((BASIC_USER,), b"Authorization: Basic " + base64.b64encode(b"sk-live 100%+/=&:") + b"\r\n"),
        ((BASIC_PASSWORD,), b"Authorization: Basic " + base64.b64encode(b"api:sk-live 100%+/=&") + b"\r\n"),
        ((HEADER, PREFIXED), b"X-Api-Key: sk-live 100%+/=&\r\nAuthorization: Token second-key\r\n"),
        ((QUERY,), b""),
    ],
)
def test_header_fields(forms: tuple[AuthForm, ...], fields: bytes) -> None:
    assert injected_fields(forms, {"other": OTHER}, KEY) == fields


def test_query_pairs() -> None:
    forms = (QUERY, BEARER, AuthForm(AuthScheme.QUERY, "k", secret="other"))
    written = injected_query(forms, {"other": OTHER}, KEY)
    assert urllib.parse.parse_qs(written.decode(), strict_parsing=True) == {
        "api key": ["sk-live 100%+/=&"],
        "k": ["second-key"],
    }
    assert written.startswith(b"api%20key=sk-live%20100%25%2B%2F%3D%26&")
    assert injected_query((BEARER,), {}, KEY) == b""


def test_names_of_the_fields_that_are_set() -> None:
    assert injected_names((BEARER, HEADER, QUERY)) == {"authorization", "x-api-key"}
    assert injected_names((QUERY,)) == frozenset()


def test_a_named_secret_without_a_value_is_named() -> None:
    with pytest.raises(SecretUnavailableError, match="other"):
        injected_fields((PREFIXED,), {}, KEY)


@given(st.binary(min_size=8, max_size=200).map(lambda raw: bytes(33 + byte % 94 for byte in raw)))
def test_every_printable_value_is_legal_and_one_line(value: bytes) -> None:
    check_value(value)
    written = injected_fields((BEARER, HEADER, BASIC_USER), {}, Secret("k", 1, value))
    assert written.count(b"\r\n") == 3
    assert written.count(b"\n") == 3


BAD = {
    "empty": b"",
    "seven": b"1234567",
    "too long": b"x" * 4097,
    "line feed": b"12345678\n",
    "header injection": b"12345678\r\nX-Evil: 1",
    "nul": b"1234\x005678",
    "tab": b"1234\t5678",
    "delete": b"1234\x7f5678",
    "latin": "schlüssel".encode("latin-1"),
    "utf-8": "schlüssel".encode(),
    "leading space": b" 12345678",
    "trailing space": b"12345678 ",
}


@pytest.mark.parametrize("case", BAD)
def test_a_value_that_cannot_be_injected_and_found_again_is_refused_unseen(case: str) -> None:
    with pytest.raises(CallerError) as caught:
        check_value(BAD[case])
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert shown.stack[-1].name == "check_value"
    assert "value" not in (shown.stack[-1].locals or {})
    assert "12345678" not in str(caught.value)
    assert value_problem(Secret("k", 1, BAD[case])) is not None


@pytest.mark.parametrize("value", [b"password", b"(a|b)*[^c]+$.?", b"x" * 4096, b"two words"])
def test_words_and_signs_are_legal(value: bytes) -> None:
    check_value(value)
    assert value_problem(Secret("k", 1, value)) is None


def test_values_are_compared_without_showing_them() -> None:
    assert have_same_value(KEY, Secret("another name", 9, b"sk-live 100%+/=&"))
    assert not have_same_value(KEY, OTHER)
