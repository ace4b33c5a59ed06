"""Failures as application/problem+json (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from ostiary.control.api.fields import InvalidRequestError
from ostiary.control.declarative import DeclarativeError
from ostiary.model.errors import (
    CallerError,
    IntegrityError,
    NotFoundError,
    OperatorError,
    OstiaryError,
    RefusedError,
    SecretUnavailableError,
    StorageUnavailableError,
    UnreachableError,
)

_STATUSES: tuple[tuple[type[OstiaryError], int], ...] = (
    (InvalidRequestError, 422),
    (DeclarativeError, 422),
    (NotFoundError, 404),
    (CallerError, 422),
    (RefusedError, 403),
    (StorageUnavailableError, 503),
    (SecretUnavailableError, 503),
    (UnreachableError, 503),
    (IntegrityError, 500),
    (OperatorError, 422),
)
"""The first class that fits counts."""

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def status_of(failure: OstiaryError) -> int:
    """The failure's own status where it has one."""
    own = getattr(failure, "status", None)
    if isinstance(own, int):
        return own
    return next((status for kind, status in _STATUSES if isinstance(failure, kind)), 500)


def problem_of(failure: OstiaryError) -> Response:
    more: dict[str, Any] = {}
    match failure:
        case DeclarativeError():
            more = {"file": failure.filename, "line": failure.line}
        case IntegrityError() if failure.index is not None:
            more = {"index": failure.index}
    answer = problem(status_of(failure), failure.code, failure.sentence, failure.next_step, more)
    retry_after_s = getattr(failure, "retry_after_s", None)
    if isinstance(retry_after_s, int | float):
        answer.headers["retry-after"] = str(max(1, round(retry_after_s + 0.5)))
    return answer


def problem(status: int, code: str, detail: str, next_step: str = "", more: dict[str, Any] | None = None) -> Response:
    document = {
        "type": f"urn:ostiary:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "next": next_step,
        **(more or {}),
    }
    # A lone surrogate in somebody's name must not turn a clear problem into a failure.
    text = orjson.dumps(_encodable(document))
    return Response(text, status, HEADERS, "application/problem+json")


def _encodable(document: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for key, value in document.items()
    }
