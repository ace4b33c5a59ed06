"""Our errors in each protocol's own shape."""

import json

import pytest

from ostiary.protocols.error_shapes import SHAPES, render_error

SENTENCE = "Rule 'no minted credentials' denies this. Ask security — “please”."


def body(shape: str, status: int = 403, code: str = "denied", message: str = SENTENCE) -> dict[str, object]:
    loaded = json.loads(render_error(shape, status, code, message)[1])
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (
            "openai",
            {"error": {"message": SENTENCE, "type": "permission_error", "code": "denied", "param": None}},
        ),
        (
            "anthropic",
            {"type": "error", "error": {"type": "permission_error", "message": SENTENCE, "code": "denied"}},
        ),
        (
            "cursor",
            {"error": {"code": "denied", "message": SENTENCE}, "code": "denied", "message": SENTENCE},
        ),
        (
            "problem",
            {
                "type": "about:blank",
                "title": "Forbidden",
                "status": 403,
                "detail": SENTENCE,
                "code": "denied",
                "message": SENTENCE,
                "error": {"message": SENTENCE, "type": "permission_error", "code": "denied", "param": None},
            },
        ),
    ],
)
def test_the_sentence_is_in_the_protocols_own_shape(shape: str, expected: dict[str, object]) -> None:
    assert body(shape) == expected


def test_mcp_is_a_json_rpc_error_with_the_requests_id() -> None:
    loaded = json.loads(render_error("mcp", 403, "denied", SENTENCE, request_id=7)[1])
    assert loaded["jsonrpc"] == "2.0"
    assert loaded["id"] == 7
    assert loaded["error"]["message"] == SENTENCE
    assert loaded["error"]["data"] == {"code": "denied", "status": 403}
    assert body("mcp")["id"] is None


@pytest.mark.parametrize(
    ("status", "openai", "anthropic"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (413, "invalid_request_error", "request_too_large"),
        (429, "rate_limit_error", "rate_limit_error"),
        (502, "server_error", "api_error"),
        (504, "server_error", "timeout_error"),
    ],
)
def test_types_follow_the_status(status: int, openai: str, anthropic: str) -> None:
    assert body("openai", status)["error"]["type"] == openai  # type: ignore[index]
    assert body("anthropic", status)["error"]["type"] == anthropic  # type: ignore[index]


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_any_text_makes_valid_utf_8_json_on_one_line(shape: str) -> None:
    content_type, raw = render_error(shape, 503, "not_ready", 'a "b"\r\n\x00 \ud800 \u2028')
    json.loads(raw.decode("utf-8"))
    assert b"\n" not in raw
    assert b"\r" not in raw
    assert content_type == (b"application/problem+json" if shape == "problem" else b"application/json")
