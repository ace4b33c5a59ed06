"""An OAuth client proves itself with its secret in the form that its provider takes."""

import base64
import traceback
from urllib.parse import parse_qs, unquote_plus

from hypothesis import given
from hypothesis import strategies as st

from ostiary.model.secret import Secret
from ostiary.vault.client_authentication import basic_field, posted_parameters

TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)


def test_the_example_of_the_rfc() -> None:
    field = basic_field("s6BhdRkqt3", Secret("idp", 1, b"7Fjfp0ZBr1KtDRbnfVdmIw"))
    assert field == b"Authorization: Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3\r\n"


def test_what_need_not_be_encoded_is_not() -> None:
    """Entra's secrets hold dots and tildes, and some providers do not decode."""
    assert base64.b64decode(basic_field("id", Secret("idp", 1, b"a.~8Q-_b")).split()[2]) == b"id:a.~8Q-_b"


@given(TEXT, TEXT)
def test_a_provider_reads_back_what_was_meant(client_id: str, value: str) -> None:
    secret = Secret("idp", 1, value.encode())
    name, _, password = base64.b64decode(basic_field(client_id, secret).split()[2]).decode().partition(":")
    assert (unquote_plus(name), unquote_plus(password)) == (client_id, value)
    form = parse_qs(posted_parameters(client_id, secret).decode(), strict_parsing=True, keep_blank_values=True)
    assert form == {"client_id": [client_id], "client_secret": [value]}


def test_a_traceback_does_not_show_the_secret() -> None:
    secret = Secret("idp", 1, bytes(range(97, 123)))
    try:
        posted_parameters(object(), secret)  # type: ignore[arg-type]
    except AttributeError as failure:
        shown = traceback.TracebackException.from_exception(failure, capture_locals=True)
        assert "abcdefgh" not in "".join(shown.format())
