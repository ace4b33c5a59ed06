"""Errors in the three shapes that Cursor's API uses, and which path answers in which."""

from typing import Any

JSON = dict[str, Any]


class ApiError(Exception):
    """An answer that is not a success; `body` is sent as it is."""

    def __init__(self, status: int, body: JSON, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers or {}


def plain_error(status: int, error: str, message: str) -> ApiError:
    """The Admin and Analytics shape."""
    return ApiError(status, {"error": error, "message": message})


def coded_error(status: int, message: str) -> ApiError:
    """The shape of organizations and model access."""
    return ApiError(status, {"code": "error", "message": message})


def agent_error(status: int, code: str, message: str) -> ApiError:
    """The Cloud Agents shape, which the SDK reads as `[code] message`."""
    return ApiError(status, {"error": {"code": code, "message": message}})


_AGENT_CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}
_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


def error_for(path: str, status: int, message: str) -> ApiError:
    """The error in the shape that this path answers in."""
    if path.startswith(("/v1/", "/v0/")):
        return agent_error(status, _AGENT_CODES[status], message)
    if path.startswith(("/organizations/", "/teams/model-access/")):
        return coded_error(status, message)
    return plain_error(status, _TITLES[status], message)
