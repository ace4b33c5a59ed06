"""The OpenAPI 3.1 document, made from the table of routes."""

import re
from functools import cache
from typing import Any

import ostiary
from ostiary.control.api.fields import Field
from ostiary.control.api.routes import PREFIX, ROUTES, Route

_PARAMETER = re.compile(r"\{([a-z]+)\}")

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "next"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people."},
        "code": {"type": "string", "description": "Stable, for programs."},
        "next": {"type": "string", "description": "What to do about it."},
        "file": {"type": "string", "description": "Of a configuration that does not fit."},
        "line": {"type": "integer", "description": "Counted from 1; 0 means the file as a whole."},
        "index": {"type": "integer", "description": "The first bad entry of the audit log."},
    },
}


@cache
def openapi_document() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ostiary",
            "version": ostiary.__version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Served to the local owner over HOME/admin.sock; to others by the console, with its "
            "cookie or a token of scope `api`.",
        },
        "paths": paths,
        "components": {"schemas": {"Problem": _PROBLEM}},
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in _PARAMETER.findall(route.path)
            ),
            *(
                {"name": field.name, "in": "query", "required": False, "schema": field.schema()}
                for field in route.query
            ),
        ],
        "responses": {
            "201" if route.created else "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": _answer(route)}},
            },
            "default": {
                "description": "What went wrong, and what to do about it.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if route.body:
        required = any(field.required for field in route.body)
        operation["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": _body(route.body)}},
        }
    return operation


def _body(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in fields if field.required],
        "properties": {field.name: field.schema() for field in fields},
    }


def _answer(route: Route) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"description": meaning} for name, meaning in route.answer.items()},
    }
