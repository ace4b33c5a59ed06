"""Refusals as SCIM clients expect them (RFC 7644 section 3.12)."""

from typing import Any

import orjson
from starlette.responses import Response

ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
MEDIA_TYPE = "application/scim+json"

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class ScimError(Exception):
    """`kind` is the `scimType`, empty where the RFC has none for it."""

    def __init__(self, status: int, detail: str, kind: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind


def invalid(detail: str) -> ScimError:
    """The value of an attribute cannot be taken."""
    return ScimError(400, detail, "invalidValue")


def answer(status: int, document: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(document), status, {**HEADERS, **(headers or {})}, MEDIA_TYPE)


def error_answer(failure: ScimError, headers: dict[str, str] | None = None) -> Response:
    document = {"schemas": [ERROR_SCHEMA], "status": str(failure.status), "detail": _encodable(failure.detail)}
    if failure.kind:
        document["scimType"] = failure.kind
    return answer(failure.status, document, headers)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
