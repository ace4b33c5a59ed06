"""What an approver reads is what will be sent, or says what it leaves out."""

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from ostiary.approval.preview import preview
from ostiary.approval.visible_text import is_hidden


def show(
    body: bytes = b"", headers: tuple[tuple[str, str], ...] = (), target: str = "/v1/agents", **rest: object
) -> str:
    return preview(method="POST", target=target, headers=headers, body=body, **rest)  # type: ignore[arg-type]


def test_request_line_headers_and_body_are_there() -> None:
    body = b'{"prompt":{"text":"hi"},"n":1.50,"list":[1,true,null],"empty":{}}'
    text = show(body, (("content-type", "application/json"),))
    assert text.splitlines()[:2] == ["POST /v1/agents", "content-type: application/json"]
    assert '"text": "hi"' in text
    assert '"n": 1.50' in text
    assert f"Body: {len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}." in text


def test_bidi_zero_width_and_terminal_codes_are_shown_as_escapes_and_counted() -> None:
    text = show(
        json.dumps({"p": "a\u202eb\u200bc\x1b[2Jd\ufeff\U000e0041"}, ensure_ascii=False).encode(),
        (("x", "a\rb\nc"),),
    )
    for shown in ("a‹U+202E›b", "‹U+200B›", "‹U+FEFF›", "‹U+E0041›", "a‹U+000D›b‹U+000A›c", "\\u001b[2Jd"):
        assert shown in text
    assert "6 hidden or misleading characters" in text


def test_a_request_cannot_pretend_to_be_escaped() -> None:
    assert "‹U+2039›U+202E›" in show("‹U+202E›".encode())
    assert "to ‹email:1›" in show("to ‹email:1›".encode())


def test_a_newline_in_a_target_does_not_forge_a_header() -> None:
    assert show(target="/a\nx-forged: 1").splitlines()[0] == "POST /a‹U+000A›x-forged: 1"


def test_padding_is_shortened() -> None:
    text = show(b'{"a":"' + b" " * 1_000_000 + b'rm -rf"}')
    assert len(text) < 6000
    assert "rm -rf" in text
    text = show(b"x" + b"\n" * 100_000 + b"rm -rf")
    assert "‹× 100000›rm -rf" in text


def test_secret_fields_are_withheld_wherever_the_path_leads() -> None:
    body = {
        "envVars": {"A": "s3cret1", "B": {"c": "s3cret2"}},
        "mcpServers": [{"headers": {"x": "s3cret3"}, "url": "https://u"}],
        "auth": "s3cret4",
    }
    fields = ("envVars.*", "mcpServers.*.headers.*", "auth", "absent.x")
    text = show(json.dumps(body).encode(), secret_fields=fields)
    assert "s3cret" not in text
    assert text.count('"[withheld]"') == 4
    assert "https://u" in text
    assert "4 secret values [withheld]." in text


def test_a_doubled_key_is_shown_twice_and_withheld_twice() -> None:
    text = show(b'{"a":1,"a":2,"auth":"s1","auth":"s2"}', secret_fields=("auth",))
    assert '"a": 1' in text and '"a": 2' in text
    assert text.count("[withheld]") == 3
    assert "s1" not in text and "s2" not in text


def test_a_body_that_may_hold_secrets_and_cannot_be_read_is_not_shown() -> None:
    for body in (b"{'auth': 's3cret'}", b'{"auth":"s3cret"', b"\xff\xfes3cret", b"[" * 100_000 + b'"s3cret"'):
        text = show(body, secret_fields=("auth",))
        assert "s3cret" not in text
        assert "not shown" in text


def test_credentials_in_headers_are_withheld() -> None:
    text = show(headers=(("Authorization", "Bearer s3cret"), ("Cookie", "s3cret"), ("x-api-key", "s3cret")))
    assert "s3cret" not in text


def test_a_large_body_is_cut_in_the_middle_and_says_so() -> None:
    text = show(json.dumps([f"value {number}" for number in range(20_000)]).encode())
    assert len(text) < 33_000
    assert "value 1" in text and "value 19999" in text
    assert "characters in the middle of the body are not shown." in text


def test_a_binary_body_is_counted() -> None:
    text = show(b"\x89PNG\xff")
    assert "Body: 5 bytes" in text
    assert "not text" in text


@given(st.binary(max_size=60), st.text(max_size=20))
def test_no_hidden_character_survives(body: bytes, value: str) -> None:
    text = show(body, (("x", value),), target="/" + value) + show(value.encode("utf-8", "surrogatepass"))
    assert not [character for character in text if is_hidden(character) and character != "\n"]
