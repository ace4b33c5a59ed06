"""Our own errors in the words of the tool's protocol, so that the tool shows our sentence to its user."""

import json
from collections.abc import Callable, Mapping

JSON = b"application/json"
PROBLEM_JSON = b"application/problem+json"

_Body = dict[str, object]

_OPENAI_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
_TITLES: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_JSON_RPC_INVALID_REQUEST = -32600
_JSON_RPC_SERVER_ERROR = -32000

RequestId = str | int | None


def _openai(status: int, code: str, message: str, _request_id: RequestId) -> _Body:
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "code": code, "param": None}}


def _anthropic(status: int, code: str, message: str, _request_id: RequestId) -> _Body:
    kind = _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message, "code": code}}


def _cursor(_status: int, code: str, message: str, _request_id: RequestId) -> _Body:
    return {"error": {"code": code, "message": message}, "code": code, "message": message}


def _mcp(status: int, code: str, message: str, request_id: RequestId) -> _Body:
    number = _JSON_RPC_INVALID_REQUEST if status == 400 else _JSON_RPC_SERVER_ERROR
    error = {"code": number, "message": message, "data": {"code": code, "status": status}}
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def _problem(status: int, code: str, message: str, _request_id: RequestId) -> _Body:
    """RFC 9457, with the members in which the SDKs look for a sentence: this shape also answers while it is not yet
    known, or not to be told, which Kind the connection has."""
    return {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": message,
        "code": code,
        "message": message,
        "error": _openai(status, code, message, _request_id)["error"],
    }


_SHAPES: Mapping[str, tuple[bytes, Callable[[int, str, str, RequestId], _Body]]] = {
    "openai": (JSON, _openai),
    "anthropic": (JSON, _anthropic),
    "cursor": (JSON, _cursor),
    "mcp": (JSON, _mcp),
    "problem": (PROBLEM_JSON, _problem),
}

SHAPES = frozenset(_SHAPES)
"""The names a Kind may give as its `error_shape`."""


def render_error(shape: str, status: int, code: str, message: str, request_id: RequestId = None) -> tuple[bytes, bytes]:
    """The content type and the UTF-8 body. `request_id` is the JSON-RPC id for `mcp`.

    `problem` is RFC 9457. Raises `KeyError` for a shape that is not in `SHAPES`.
    """
    content_type, build = _SHAPES[shape]
    text = json.dumps(build(status, code, message, request_id), ensure_ascii=False, separators=(",", ":"))
    return content_type, text.encode("utf-8", "replace")
